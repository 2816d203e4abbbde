package simulated

import (
	"fmt"
	"time"

	"odradek/bench"
	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/workloads/client"
	"odradek/workloads/client/consumer"
	"odradek/workloads/client/group"
)

// consumerConfigs translate Kafka's names.
func consumerConfigs(s *bench.Scenario) (consumer.Config, group.Config, error) {
	c := consumer.DefaultConfig()
	g := group.DefaultConfig("")
	var errs parsing
	switch level := s.Consumer("isolation.level"); level {
	case "read_committed":
		c.ReadCommitted = true
	case "read_uncommitted":
	default:
		errs.add("isolation.level", level)
	}
	switch protocol := s.Consumer("group.protocol"); protocol {
	case "classic":
	case "consumer":
		g.Protocol = group.Consumer
	default:
		errs.add("group.protocol", protocol)
	}
	c.MinBytes = errs.number("fetch.min.bytes", s.Consumer("fetch.min.bytes"))
	c.MaxWait = errs.millis("fetch.max.wait.ms", s.Consumer("fetch.max.wait.ms"))
	c.MaxBytes = errs.number("fetch.max.bytes", s.Consumer("fetch.max.bytes"))
	c.PartitionMaxBytes = errs.number("max.partition.fetch.bytes", s.Consumer("max.partition.fetch.bytes"))
	// A poll takes all there is, and then the next fetch asks for all partitions.
	c.MaxPollRecords, c.DrainFirst = 1<<30, true
	// From the beginning, so that a record sent while the group comes together counts.
	c.Reset = consumer.ResetEarliest
	g.AutoCommit = true
	g.Assignors = []group.Assignor{group.CooperativeSticky}
	return c, g, errs.err()
}

// member is one member of a group, a process of its own.
type member struct {
	*user
	topic   string
	of      *reading
	cfg     consumer.Config
	group   group.Config
	leaving bool
	// consumer, once it has been made.
	consumer *client.GroupConsumer
}

// patience is how long a poll waits; nothing depends on it but when the member sees that
// it is to leave.
const patience = 100 * time.Millisecond

// run reads until the end.
func (m *member) run(t *env.Task, c *client.Client) error {
	g := c.NewGroupConsumer(m.cfg, m.group, nil)
	m.consumer = g
	g.Subscribe(m.topic)
	for !m.leaving {
		records, _, err := g.Poll(t, patience)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		for i := range records {
			m.consume(&records[i])
			m.tally.receive(m.of, records[i].Value, m.now())
		}
	}
	g.Leave(t)
	return nil
}

// consume charges for a record.
func (u *user) consume(r *consumer.Record) {
	u.process.charge(u.process.costs.ConsumeRecord.of(len(r.Value)))
}

// catchUp reads everything from the beginning, again and again.
func (u *user) catchUp(t *env.Task, c *client.Client, cfg consumer.Config) {
	var tps []wire.TopicPartition
	for i := range u.scenario.Topics {
		for p := range int32(u.scenario.PartitionsPerTopic) {
			tps = append(tps, wire.TopicPartition{Topic: topicName(i), Partition: p})
		}
	}
	k := c.NewConsumer(cfg)
	k.Assign(tps)
	behind := func(tp wire.TopicPartition) bool {
		at, ok := k.Position(tp)
		end := k.Progress(tp).HighWatermark
		return !ok || end <= 0 || at.Offset < end
	}
	for {
		records, _ := k.Poll(t, patience)
		for i := range records {
			u.consume(&records[i])
		}
		for _, tp := range tps {
			if !behind(tp) {
				k.SeekTo(tp, consumer.ResetEarliest, 0)
			}
		}
	}
}
