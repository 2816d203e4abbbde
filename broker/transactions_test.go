package broker_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/coordinator"
	"odradek/broker/env"
	"odradek/broker/metadata"
	"odradek/broker/wire"
	"odradek/workloads/client"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/consumer"
	"odradek/workloads/client/producer"
	"odradek/workloads/client/txn"
)

// bank is a cluster with transactions, and a client.
type bank struct {
	*lab
	client *client.Client
}

// bothProtocols runs a test with each protocol of transactions (KIP-890).
func bothProtocols(t *testing.T, nodes int, properties map[string]string, test func(t *testing.T, b *bank, task *env.Task)) {
	for _, level := range []int16{0, 2} {
		t.Run(fmt.Sprintf("transaction.version=%d", level), func(t *testing.T) {
			b := newBank(t, nodes, properties)
			b.do(func(task *env.Task) {
				b.level(task, level)
				test(t, b, task)
			})
		})
	}
}

func newBank(t *testing.T, nodes int, properties map[string]string) *bank {
	p := map[string]string{
		"transaction.state.log.num.partitions": "2", "transaction.state.log.replication.factor": fmt.Sprint(nodes),
		"transaction.state.log.min.isr": "1", "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
	}
	maps.Copy(p, properties)
	b := &bank{lab: newLab(t, nodes, p)}
	b.host.Do(func() { b.client = client.New(&b.env, client.DefaultConfig("client", b.c.Addrs()[0])) })
	return b
}

// level finalises transaction.version.
func (b *bank) level(task *env.Task, level int16) {
	req := kmsg.NewPtrUpdateFeaturesRequest()
	req.TimeoutMillis = 5000
	u := kmsg.NewUpdateFeaturesRequestFeatureUpdate()
	u.Feature, u.MaxVersionLevel, u.UpgradeType = metadata.TransactionVersion, level, 1
	image, _ := b.c.Node(1).Broker.Image()
	switch was := image.FeatureLevel(metadata.TransactionVersion); {
	case was == level:
		return
	case was > level:
		u.UpgradeType = 2
	}
	req.FeatureUpdates = append(req.FeatureUpdates, u)
	conn := b.dial(task, 1)
	defer conn.c.Close()
	resp := conn.call(task, req, 1).(*kmsg.UpdateFeaturesResponse)
	if resp.ErrorCode != 0 || len(resp.Results) > 0 && resp.Results[0].ErrorCode != 0 {
		b.t.Fatalf("update features: %+v", resp)
	}
	task.Sleep(b.env.Clock, 200*time.Millisecond)
}

func (b *bank) producer(id string, timeout time.Duration) *client.Producer {
	cfg := producer.DefaultConfig()
	cfg.TransactionalID, cfg.TransactionTimeout = id, timeout
	return b.client.NewProducer(cfg)
}

func (b *bank) ready(task *env.Task, id string, timeout time.Duration) *client.Producer {
	b.t.Helper()
	p := b.producer(id, timeout)
	if err := p.InitTransactions(task); err != nil {
		b.t.Fatalf("init %s: %v", id, err)
	}
	return p
}

func (b *bank) send(task *env.Task, p *client.Producer, values map[wire.TopicPartition]string) {
	b.t.Helper()
	for _, tp := range []wire.TopicPartition{t0, t1} {
		if v, ok := values[tp]; ok {
			if r := p.Send(task, producer.Record{Topic: tp.Topic, Partition: tp.Partition, Value: []byte(v)}); r.Err != nil {
				b.t.Fatalf("send %s to %v: %v", v, tp, r.Err)
			}
		}
	}
}

func (b *bank) begin(p *client.Producer) {
	b.t.Helper()
	if err := p.BeginTransaction(); err != nil {
		b.t.Fatalf("begin: %v", err)
	}
}

func wantOK(t testing.TB, what string, end txn.End) {
	t.Helper()
	if end.Outcome != attempt.OK {
		t.Fatalf("%s: %v, %v", what, end.Outcome, end.Err)
	}
}

var (
	t0 = wire.TopicPartition{Topic: "t", Partition: 0}
	t1 = wire.TopicPartition{Topic: "t", Partition: 1}
)

// committed reads everything that is decided, as a read_committed consumer does.
func (b *bank) committed(task *env.Task, tps ...wire.TopicPartition) map[wire.TopicPartition][]string {
	cfg := consumer.DefaultConfig()
	cfg.Reset, cfg.ReadCommitted = consumer.ResetEarliest, true
	c := b.client.NewConsumer(cfg)
	defer c.Close()
	c.Assign(tps)
	got := make(map[wire.TopicPartition][]string)
	for quiet := 0; quiet < 4; {
		records, _ := c.Poll(task, 300*time.Millisecond)
		quiet++
		for _, r := range records {
			quiet = 0
			got[r.TopicPartition] = append(got[r.TopicPartition], string(r.Value))
		}
	}
	return got
}

// decided waits until partitions have no open transaction.
func (b *bank) decided(task *env.Task, tps ...wire.TopicPartition) {
	b.t.Helper()
	admin := b.client.NewAdmin()
	defer admin.Close()
	for _, tp := range tps {
		var open []client.ProducerState
		var err error
		for range 300 {
			var all []client.ProducerState
			all, err = admin.DescribeProducers(task, tp)
			open = nil
			for _, p := range all {
				if p.TransactionStart != wire.NoOffset {
					open = append(open, p)
				}
			}
			if err == nil && len(open) == 0 {
				break
			}
			task.Sleep(b.env.Clock, 50*time.Millisecond)
		}
		if err != nil || len(open) > 0 {
			b.t.Fatalf("%v has open transactions: %v, %v", tp, open, err)
		}
	}
}

func (b *bank) offsetOf(task *env.Task, group string) []int64 {
	req := offsetsOf(group)
	_, resp, _ := b.settled(task, 1, group, req, 8, fetchCode)
	return fetched(resp)
}

func TestTransactionIsSeenWholeOrNotAtAll(t *testing.T) {
	bothProtocols(t, 3, nil, func(t *testing.T, b *bank, task *env.Task) {
		b.createTopic(task, "t", nil, []int32{1, 2, 3}, []int32{2, 3, 1})
		p := b.ready(task, "x", time.Minute)
		for i := range 6 {
			b.begin(p)
			b.send(task, p, map[wire.TopicPartition]string{t0: fmt.Sprint("a", i), t1: fmt.Sprint("b", i)})
			offsets := map[wire.TopicPartition]txn.Offset{t0: {Offset: wire.Offset(i + 1), LeaderEpoch: wire.NoLeaderEpoch}}
			wantOK(t, "offsets", p.SendOffsets(task, txn.AnyMember("g"), offsets))
			if i%2 == 0 {
				wantOK(t, "commit", p.CommitTransaction(task))
			} else {
				wantOK(t, "abort", p.AbortTransaction(task))
			}
		}
		b.begin(p)
		b.send(task, p, map[wire.TopicPartition]string{t0: "open", t1: "open"})
		task.Sleep(b.env.Clock, 300*time.Millisecond)
		want := map[wire.TopicPartition][]string{t0: {"a0", "a2", "a4"}, t1: {"b0", "b2", "b4"}}
		if diff := cmp.Diff(want, b.committed(task, t0, t1)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]int64{5}, b.offsetOf(task, "g")); diff != "" {
			t.Error(diff)
		}
		wantOK(t, "commit", p.CommitTransaction(task))
		b.decided(task, t0, t1)
		want[t0], want[t1] = append(want[t0], "open"), append(want[t1], "open")
		if diff := cmp.Diff(want, b.committed(task, t0, t1)); diff != "" {
			t.Error(diff)
		}
	})
}

// transactionShard is the partition of __transaction_state that has a transactional id.
func transactionShard(id string) wire.TopicPartition {
	return wire.TopicPartition{Topic: "__transaction_state", Partition: coordinator.PartitionFor(id, 2)}
}

func (b *bank) leader(tp wire.TopicPartition) wire.NodeID {
	for _, n := range b.c.Nodes {
		if n.Broker != nil {
			image, _ := n.Broker.Image()
			if p := image.Partition(tp.Topic, tp.Partition); p != nil {
				return p.Leader
			}
		}
	}
	return wire.NoNode
}

// commitWithoutReplica has producer x commit a transaction in t-0 and t-1 while the only replica
// of t-1, another node than its coordinator, is away: its marker waits.
func (b *bank) commitWithoutReplica(t *testing.T, task *env.Task) (p *client.Producer, coordinator, away wire.NodeID) {
	p = b.ready(task, "x", time.Minute)
	coordinator = b.leader(transactionShard("x"))
	away = coordinator%3 + 1
	b.createTopic(task, "t", nil, []int32{int32(away)%3 + 1}, []int32{int32(away)})
	b.begin(p)
	b.send(task, p, map[wire.TopicPartition]string{t0: "a", t1: "b"})
	b.c.Node(away).Crash()
	wantOK(t, "commit", p.CommitTransaction(task))
	return p, coordinator, away
}

func TestNextCoordinatorFinishesWhatIsDecided(t *testing.T) {
	bothProtocols(t, 3, map[string]string{"broker.session.timeout.ms": "2000"}, func(t *testing.T, b *bank, task *env.Task) {
		p, at, other := b.commitWithoutReplica(t, task)
		task.Sleep(b.env.Clock, 200*time.Millisecond)
		b.c.Node(at).Crash()
		b.c.Node(other).Up()
		for b.leader(transactionShard("x")) == at {
			task.Sleep(b.env.Clock, 50*time.Millisecond)
		}
		b.decided(task, t0, t1)
		want := map[wire.TopicPartition][]string{t0: {"a"}, t1: {"b"}}
		if diff := cmp.Diff(want, b.committed(task, t0, t1)); diff != "" {
			t.Error(diff)
		}
		b.begin(p)
		b.send(task, p, map[wire.TopicPartition]string{t0: "c", t1: "d"})
		wantOK(t, "commit after the fail-over", p.CommitTransaction(task))
	})
}

func TestAbandonedTransactionTimesOut(t *testing.T) {
	bothProtocols(t, 3, nil, func(t *testing.T, b *bank, task *env.Task) {
		b.createTopic(task, "t", nil, []int32{1, 2}, []int32{2, 3})
		zombie := b.ready(task, "x", 2*time.Second)
		b.begin(zombie)
		b.send(task, zombie, map[wire.TopicPartition]string{t0: "z", t1: "z"})
		p := b.ready(task, "y", time.Minute)
		b.begin(p)
		b.send(task, p, map[wire.TopicPartition]string{t0: "a", t1: "b"})
		wantOK(t, "commit", p.CommitTransaction(task))
		if got := b.committed(task, t0, t1); len(got) != 0 {
			t.Errorf("read beyond an open transaction: %v", got)
		}
		task.Sleep(b.env.Clock, 3*time.Second)
		b.decided(task, t0, t1)
		want := map[wire.TopicPartition][]string{t0: {"a"}, t1: {"b"}}
		if diff := cmp.Diff(want, b.committed(task, t0, t1)); diff != "" {
			t.Error(diff)
		}
		if end := zombie.CommitTransaction(task); end.Outcome == attempt.OK {
			t.Error("a transaction commits after it has timed out")
		}
	})
}

func TestSecondProducerFencesTheFirst(t *testing.T) {
	bothProtocols(t, 3, nil, func(t *testing.T, b *bank, task *env.Task) {
		b.createTopic(task, "t", nil, []int32{1, 2}, []int32{2, 3})
		first := b.ready(task, "x", time.Minute)
		b.begin(first)
		b.send(task, first, map[wire.TopicPartition]string{t0: "first"})
		second := b.ready(task, "x", time.Minute)
		if r := first.Send(task, producer.Record{Topic: "t", Partition: 0, Value: []byte("zombie")}); r.Err == nil {
			t.Error("a producer that is fenced appends")
		}
		if end := first.CommitTransaction(task); end.Outcome == attempt.OK {
			t.Error("a producer that is fenced commits")
		}
		b.begin(second)
		b.send(task, second, map[wire.TopicPartition]string{t0: "second"})
		wantOK(t, "commit", second.CommitTransaction(task))
		b.decided(task, t0)
		if diff := cmp.Diff(map[wire.TopicPartition][]string{t0: {"second"}}, b.committed(task, t0)); diff != "" {
			t.Error(diff)
		}
	})
}
