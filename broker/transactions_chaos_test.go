package broker_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/sim/cluster"
	"odradek/workloads/client"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/producer"
	"odradek/workloads/client/txn"
)

// ledger is what the users of a chaos run believe of their transactions.
type ledger struct {
	committed, aborted, unknown []string
	running                     int
	// consumed is what may be the committed offset of a user's group. Offsets only grow.
	consumed map[string][]int64
	offset   int64
}

// user runs transactions that write the same value to every partition, until stop.
func (l *ledger) user(task *env.Task, c *client.Client, clock env.Clock, id string, rng *rand.Rand, partitions int32, stop func() bool) {
	defer func() { l.running-- }()
	for n := 0; !stop(); n++ {
		cfg := producer.DefaultConfig()
		cfg.TransactionalID, cfg.TransactionTimeout = id, 5*time.Second
		p := c.NewProducer(cfg)
		if p.InitTransactions(task) == nil {
			for i := 0; !stop(); i++ {
				if !l.transaction(task, p, "g-"+id, fmt.Sprintf("%s/%d/%d", id, n, i), rng, partitions) {
					break
				}
				if rng.IntN(8) == 0 {
					task.Sleep(clock, time.Duration(rng.IntN(300))*time.Millisecond)
				}
			}
		}
		p.Close() // as a crash
	}
}

// transaction reports whether the producer may go on.
func (l *ledger) transaction(task *env.Task, p *client.Producer, group, value string, rng *rand.Rand, partitions int32) bool {
	if p.BeginTransaction() != nil {
		return false
	}
	whole := true
	for i := range partitions {
		if r := p.Send(task, producer.Record{Topic: "t", Partition: i, Value: []byte(value)}); r.Err != nil {
			whole = false
			break
		}
		if rng.IntN(40) == 0 {
			l.aborted = append(l.aborted, value)
			return false // a crash in the middle
		}
	}
	l.offset++
	offset := l.offset
	if whole {
		offsets := map[wire.TopicPartition]txn.Offset{t0: {Offset: wire.Offset(offset), LeaderEpoch: wire.NoLeaderEpoch}}
		whole = p.SendOffsets(task, txn.AnyMember(group), offsets).Outcome == attempt.OK
	}
	if !whole || rng.IntN(4) == 0 {
		l.aborted = append(l.aborted, value)
		return p.AbortTransaction(task).Outcome == attempt.OK
	}
	end := p.CommitTransaction(task)
	switch end.Outcome {
	case attempt.OK:
		l.committed = append(l.committed, value)
		l.consumed[group] = []int64{offset}
	case attempt.Failed:
		l.aborted = append(l.aborted, value)
	default:
		l.unknown = append(l.unknown, value)
		l.consumed[group] = append(l.consumed[group], offset)
	}
	return end.Outcome == attempt.OK
}

// TestTransactionsSurviveCrashes has users commit and abort while brokers crash, lose power,
// freeze and lose touch, and then reads: a transaction is in every partition once, or in
// none, and its offsets are where it is.
func TestTransactionsSurviveCrashes(t *testing.T) {
	for seed := range uint64(3) {
		for _, level := range []int16{0, 2} {
			t.Run(fmt.Sprintf("seed %d, transaction.version %d", seed, level), func(t *testing.T) {
				transactionsSurvive(t, seed, level, 3, brokersFail)
			})
		}
	}
}

// brokersFail has one broker fail, and waits until it is back.
func brokersFail(s *scene, rng *rand.Rand) {
	s.k.RunFor(time.Duration(rng.IntN(1500)) * time.Millisecond)
	n := s.c.Nodes[rng.IntN(len(s.c.Nodes))]
	outage := time.Duration(rng.IntN(3000)) * time.Millisecond
	switch rng.IntN(5) {
	case 0, 1:
		n.Crash()
		s.k.RunFor(outage)
		n.Up()
	case 2:
		n.CutPower()
		s.k.RunFor(outage)
		n.Up()
	case 3:
		n.Pause(outage)
		s.k.RunFor(outage)
	case 4:
		for _, other := range s.c.Names() {
			if other != n.Name() && rng.IntN(3) > 0 {
				s.c.Net.Cut(n.Name(), other)
				if rng.IntN(2) == 0 {
					s.c.Net.Cut(other, n.Name())
				}
			}
		}
		s.k.RunFor(outage)
		s.c.Net.HealAll()
	}
	s.until(30*time.Second, "the broker is back", func() bool { return s.unfenced(n) })
}

// transactionsSurvive has strike go on for 20 seconds.
func transactionsSurvive(t *testing.T, seed uint64, level int16, nodes int, strike func(*scene, *rand.Rand)) {
	const partitions, users = 3, 3
	s := newScene(t, seed, func(c *cluster.Config) {
		c.Nodes = nodes
		c.Properties = map[string]string{
			"default.replication.factor": "3", "min.insync.replicas": "2", "auto.create.topics.enable": "false",
			"transaction.state.log.num.partitions": "3", "offsets.topic.num.partitions": "3", "transaction.state.log.replication.factor": "3", "transaction.state.log.min.isr": "2",
			"transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
		}
	})
	b := &bank{lab: &lab{t: t, k: s.k, c: s.c, host: s.c.NewClient("judge")}}
	b.host.Start(func(e env.Env) { b.env, b.client = e, client.New(&e, client.DefaultConfig("judge", s.c.Addrs()[0])) })
	b.do(func(task *env.Task) { b.level(task, level) })
	s.createTopic(client.NewTopic{Name: "t", Partitions: partitions, ReplicationFactor: 3})
	rng := rand.New(rand.NewPCG(seed, uint64(level)))
	until := s.k.Now().Add(20 * time.Second)
	stop := func() bool { return s.k.Now() >= until }
	l := &ledger{running: users, consumed: make(map[string][]int64)}
	for i := range users {
		host := s.c.NewClient(fmt.Sprintf("writer-%d", i))
		own := rand.New(rand.NewPCG(seed, uint64(100+i)))
		host.Start(func(e env.Env) {
			c := client.New(&e, client.DefaultConfig(host.Name(), s.c.Addrs()[0]))
			e.Tasks.Go(func(task *env.Task) { l.user(task, c, e.Clock, fmt.Sprintf("x%d", i), own, partitions, stop) })
		})
	}
	for !stop() {
		strike(s, rng)
	}
	s.until(2*time.Minute, "the users are done", func() bool { return l.running == 0 })
	seen := make(map[string]int)
	b.do(func(task *env.Task) {
		var tps []wire.TopicPartition
		for i := range int32(partitions) {
			tps = append(tps, wire.TopicPartition{Topic: "t", Partition: i})
		}
		b.decided(task, tps...)
		for _, values := range b.committed(task, tps...) {
			for _, v := range values {
				seen[v]++
			}
		}
		for i := range users {
			group := fmt.Sprintf("g-x%d", i)
			if got := b.offsetOf(task, group); len(l.consumed[group]) > 0 && (len(got) != 1 || !slices.Contains(l.consumed[group], got[0])) {
				t.Errorf("%s is at %v, not %v", group, got, l.consumed[group])
			}
		}
	})
	for _, v := range l.committed {
		if seen[v] != partitions {
			t.Errorf("%s is committed and was read %d times", v, seen[v])
		}
	}
	for _, v := range l.aborted {
		if seen[v] != 0 {
			t.Errorf("%s is aborted and was read %d times", v, seen[v])
		}
	}
	for _, v := range l.unknown {
		if seen[v] != 0 && seen[v] != partitions {
			t.Errorf("%s was read %d times", v, seen[v])
		}
	}
	if len(l.committed) < 20 {
		t.Errorf("only %d transactions committed", len(l.committed))
	}
	t.Logf("%d committed, %d aborted, %d unknown", len(l.committed), len(l.aborted), len(l.unknown))
}
