package interop

import (
	"context"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"odradek/broker/wire"
	"odradek/checker/history"
)

func TestKafkaGoGroup(t *testing.T) {
	for _, assignor := range []string{"range", "roundrobin"} {
		t.Run(assignor, func(t *testing.T) {
			// Its Reader does not tell of rebalances.
			runJob(t, job{task: consumes, assignor: assignor}, worker{work: kafkaGoConsumes, blind: true})
		})
	}
}

var kafkaGoAssignors = map[string]kafka.GroupBalancer{
	"range": kafka.RangeGroupBalancer{}, "roundrobin": kafka.RoundRobinGroupBalancer{},
}

func kafkaGoConsumes(m *member) error {
	r := kafka.NewReader(kafka.ReaderConfig{
		Brokers: seeds(m.bootstrap), GroupID: m.group, Topic: m.input, GroupBalancers: []kafka.GroupBalancer{kafkaGoAssignors[m.assignor]},
		StartOffset: kafka.FirstOffset, MaxWait: 200 * time.Millisecond, ReadBackoffMax: 250 * time.Millisecond, JoinGroupBackoff: time.Second,
		SessionTimeout: 15 * time.Second, HeartbeatInterval: 500 * time.Millisecond, RebalanceTimeout: 10 * time.Second,
	})
	for m.running() {
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		in, err := r.FetchMessage(ctx)
		cancel()
		if err != nil {
			continue // it tries again
		}
		p := int32(in.Partition)
		m.got(p, []history.Record{{Offset: wire.Offset(in.Offset), Value: valueOf(string(in.Value))}})
		done, outcome := m.committing(map[int32]int64{p: in.Offset + 1}), history.OK
		// What belongs to a generation that is over it acknowledges all the same, so
		// that no more than that it may be committed can be said.
		if err := r.CommitMessages(context.Background(), in); err != nil || m.blind {
			outcome = history.Unknown
		}
		done(outcome)
	}
	return r.Close()
}
