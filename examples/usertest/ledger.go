package usertest

import (
	"fmt"
	"time"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/workloads"
	"odradek/workloads/client"
	"odradek/workloads/client/consumer"
	"odradek/workloads/client/producer"
)

const topic = "ledger"

// ledger is a workload: tellers write numbered entries to one partition, each waiting
// for the acknowledgement of one before it writes the next. In the end every entry that
// was acknowledged must be there, and those of one teller in the order written.
type ledger struct {
	tellers int
	acks    producer.Acks
	written map[string]bool // entries acknowledged
}

func newLedger(tellers int, acks producer.Acks) *ledger {
	return &ledger{tellers: tellers, acks: acks, written: make(map[string]bool)}
}

// Setup implements workloads.Workload. The code reads as if it blocked; all of it runs
// on the simulation's one thread, so it needs no locks.
func (l *ledger) Setup(t *env.Task, s *workloads.Site) error {
	c := client.New(s.Env, client.DefaultConfig("setup", s.Bootstrap...))
	defer c.Close()
	_, err := c.NewAdmin().CreateTopic(t, client.NewTopic{Name: topic, Partitions: 1, ReplicationFactor: 3})
	return err
}

// Users implements workloads.Workload.
func (l *ledger) Users() []workloads.User {
	var users []workloads.User
	for i := range l.tellers {
		name := fmt.Sprintf("teller-%d", i)
		users = append(users, workloads.User{Name: name, Run: func(t *env.Task, s *workloads.Site) { l.write(t, s, name) }})
	}
	return users
}

func (l *ledger) write(t *env.Task, s *workloads.Site, teller string) {
	c := client.New(s.Env, client.DefaultConfig(teller, s.Bootstrap...))
	defer c.Close()
	cfg := producer.DefaultConfig()
	cfg.Acks = l.acks
	cfg.RequestTimeout, cfg.DeliveryTimeout = time.Second, 5*time.Second
	p := c.NewProducer(cfg)
	for n := 0; !s.Stopping(); n++ {
		entry := fmt.Sprintf("%s/%d", teller, n)
		if r := p.Send(t, producer.Record{Topic: topic, Partition: 0, Value: []byte(entry)}); r.Err == nil {
			l.written[entry] = true
		}
		t.Sleep(s.Env.Clock, 20*time.Millisecond)
	}
}

// Final implements workloads.Workload: it reads the log and judges it.
func (l *ledger) Final(t *env.Task, s *workloads.Site) error {
	c := client.New(s.Env, client.DefaultConfig("auditor", s.Bootstrap...))
	defer c.Close()
	tp := wire.TopicPartition{Topic: topic}
	end, err := c.NewAdmin().ListOffset(t, tp, client.LatestOffset, false)
	if err != nil {
		return err
	}
	con := c.NewConsumer(consumer.DefaultConfig())
	con.Assign([]wire.TopicPartition{tp})
	con.Seek(tp, consumer.Position{Offset: 0, Epoch: wire.NoLeaderEpoch})
	found := make(map[string]bool)
	last := make(map[string]int)
	for at := wire.Offset(0); at < end.Offset; {
		records, _ := con.Poll(t, time.Second)
		for _, r := range records {
			entry := string(r.Value)
			var teller, n int
			if _, err := fmt.Sscanf(entry, "teller-%d/%d", &teller, &n); err != nil {
				return &workloads.Finding{Name: "foreign-entry", Sentence: fmt.Sprintf("offset %d holds %q", r.Offset, entry)}
			}
			name := fmt.Sprintf("teller-%d", teller)
			if n < last[name] && !found[entry] { // a retry may write an entry twice
				return &workloads.Finding{Name: "disorder", Sentence: fmt.Sprintf("%s comes after %s/%d", entry, name, last[name])}
			}
			last[name] = max(last[name], n)
			found[entry] = true
			at = r.Offset + 1
		}
	}
	lost := 0
	for entry := range l.written {
		if !found[entry] {
			lost++
		}
	}
	if lost > 0 {
		return &workloads.Finding{Name: "lost-entry", Sentence: fmt.Sprintf("%d of %d acknowledged entries are gone", lost, len(l.written))}
	}
	return nil
}
