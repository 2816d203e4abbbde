package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
)

// Names of the configs of KIP-73.
const (
	leaderRate       = "leader.replication.throttled.rate"
	followerRate     = "follower.replication.throttled.rate"
	leaderReplicas   = "leader.replication.throttled.replicas"
	followerReplicas = "follower.replication.throttled.replicas"
)

// throttleMoves throttles what a plan copies: on the leaders what leaves any replica of
// today, on the followers what the new ones get.
func throttleMoves(ctx context.Context, adm *kadm.Client, plan *reassignment, rate int64) error {
	topics := make(map[string]bool)
	for _, p := range plan.Partitions {
		topics[p.Topic] = true
	}
	m, err := adm.Metadata(ctx, sortedKeys(topics)...)
	if err != nil {
		return explain("listing topics", err, "")
	}
	from, to := make(map[string][]string), make(map[string][]string)
	for _, p := range plan.Partitions {
		today := m.Topics[p.Topic].Partitions[p.Partition].Replicas
		for _, id := range today {
			from[p.Topic] = append(from[p.Topic], fmt.Sprintf("%d:%d", p.Partition, id))
		}
		for _, id := range p.Replicas {
			if !slices.Contains(today, id) {
				to[p.Topic] = append(to[p.Topic], fmt.Sprintf("%d:%d", p.Partition, id))
			}
		}
	}
	set := func(name, value string) kadm.AlterConfig {
		return kadm.AlterConfig{Op: kadm.SetConfig, Name: name, Value: &value}
	}
	for _, topic := range sortedKeys(topics) {
		changes := []kadm.AlterConfig{set(leaderReplicas, strings.Join(from[topic], ",")), set(followerReplicas, strings.Join(to[topic], ","))}
		if err := alterTopicConfigs(ctx, adm, changes, topic); err != nil {
			return err
		}
	}
	text := strconv.FormatInt(rate, 10)
	if err := alterAllBrokers(ctx, adm, set(leaderRate, text), set(followerRate, text)); err != nil {
		return err
	}
	return awaitThrottle(ctx, adm, m.Brokers.NodeIDs(), text)
}

// awaitThrottle waits until every broker knows of the throttle: the move would begin
// without it otherwise. The rates are the last that was changed.
func awaitThrottle(ctx context.Context, adm *kadm.Client, brokers []int32, rate string) error {
	for {
		all, err := adm.DescribeBrokerConfigs(ctx, brokers...)
		if err != nil {
			return explain("waiting for the throttle to take effect", err, "")
		}
		ready := 0
		for _, r := range all {
			if slices.ContainsFunc(r.Configs, func(c kadm.Config) bool { return c.Key == followerRate && c.MaybeValue() == rate }) {
				ready++
			}
		}
		if ready == len(brokers) {
			return nil
		}
		select {
		case <-ctx.Done():
			return explain("waiting for the throttle to take effect", ctx.Err(), "")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// alterAllBrokers changes configs of all brokers.
func alterAllBrokers(ctx context.Context, adm *kadm.Client, changes ...kadm.AlterConfig) error {
	answers, err := adm.AlterBrokerConfigs(ctx, changes)
	if err != nil {
		return explain("changing configs of the brokers", err, "")
	}
	var errs []error
	for _, a := range answers {
		errs = append(errs, explain("changing configs of the brokers", a.Err, a.ErrMessage))
	}
	return errors.Join(errs...)
}

func reassignUnthrottleCommand() *cobra.Command {
	var f clientFlags
	c := &cobra.Command{
		Use:     "unthrottle",
		Short:   "Take back the throttles of earlier moves",
		Example: "  odradek reassign unthrottle",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return f.ask(func(ctx context.Context, adm *kadm.Client) error { return unthrottle(ctx, adm, c.OutOrStdout()) })
		},
	}
	f.add(c)
	return c
}

// unthrottle takes the throttles off all topics and brokers.
func unthrottle(ctx context.Context, adm *kadm.Client, w io.Writer) error {
	drop := func(name string) kadm.AlterConfig { return kadm.AlterConfig{Op: kadm.DeleteConfig, Name: name} }
	topics, err := adm.ListTopicsWithInternal(ctx)
	if err != nil {
		return explain("listing topics", err, "")
	}
	configs, err := adm.DescribeTopicConfigs(ctx, topics.Names()...)
	if err != nil {
		return explain("configs", err, "")
	}
	var slow []string
	for _, r := range configs {
		for _, c := range r.Configs {
			if (c.Key == leaderReplicas || c.Key == followerReplicas) && c.MaybeValue() != "" {
				slow = append(slow, r.Name)
			}
		}
	}
	slices.Sort(slow)
	if slow = slices.Compact(slow); len(slow) > 0 {
		if err := alterTopicConfigs(ctx, adm, []kadm.AlterConfig{drop(leaderReplicas), drop(followerReplicas)}, slow...); err != nil {
			return err
		}
	}
	if err := alterAllBrokers(ctx, adm, drop(leaderRate), drop(followerRate)); err != nil {
		return err
	}
	fmt.Fprintf(w, "no throttle is left; %s had one\n", counted(len(slow), "topic"))
	return nil
}
