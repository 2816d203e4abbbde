package load

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"odradek/bench"
)

// patience bounds what a healthy system does at once: topics, joining, catching up.
const patience = 60 * time.Second

// createTopics makes the topics of a run and waits until every partition has a leader and
// all replicas are in sync: what the first records wait for is no latency of the system.
func createTopics(ctx context.Context, adm *kadm.Client, s *bench.Scenario, names []string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	configs := make(map[string]*string)
	for name, value := range s.TopicConfig {
		configs[name] = &value
	}
	made, err := adm.CreateTopics(ctx, int32(s.PartitionsPerTopic), int16(s.ReplicationFactor), configs, names...)
	if err == nil {
		err = made.Error()
	}
	if err != nil {
		return fmt.Errorf("creating topics: %w", err)
	}
	for {
		missing, err := notReady(ctx, adm, s, names)
		if err != nil && !kerr.IsRetriable(err) {
			return fmt.Errorf("waiting for leaders: %w", err)
		}
		if err == nil && missing == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d partitions are not ready after %v: %w", missing, patience, context.Cause(ctx))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// notReady counts partitions without leader or without all replicas in sync.
func notReady(ctx context.Context, adm *kadm.Client, s *bench.Scenario, names []string) (int, error) {
	meta, err := adm.Metadata(ctx, names...)
	if err != nil {
		return 0, err
	}
	missing := 0
	for _, name := range names {
		t := meta.Topics[name]
		missing += max(0, s.PartitionsPerTopic-len(t.Partitions))
		for _, p := range t.Partitions {
			if p.Err != nil || p.Leader < 0 || len(p.ISR) < s.ReplicationFactor {
				missing++
			}
		}
	}
	return missing, nil
}

// deleteTopics leaves the system as it was. A group that is still leaving is left to expire.
func deleteTopics(ctx context.Context, adm *kadm.Client, topics, groups []string) error {
	var groupsErr error
	if len(groups) > 0 {
		_, groupsErr = adm.DeleteGroups(ctx, groups...)
	}
	gone, err := adm.DeleteTopics(ctx, topics...)
	if err == nil {
		err = gone.Error()
	}
	return errors.Join(groupsErr, err)
}
