package client_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/sim"
	"odradek/sim/cluster"
	"odradek/workloads/client"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/consumer"
	"odradek/workloads/client/producer"
	"odradek/workloads/client/txn"
)

// simulated is a cluster of real brokers in the simulation, and machines for clients.
type simulated struct {
	t   *testing.T
	k   *sim.Kernel
	c   *cluster.Cluster
	rng *rand.Rand
	// calm ends the trouble.
	calm     bool
	observer client.Observer
}

func simulate(t *testing.T, seed uint64, properties map[string]string) *simulated {
	k := sim.New(seed)
	cfg := cluster.DefaultConfig()
	cfg.Properties = properties
	c, err := cluster.New(k, cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.Failed = func(n *cluster.Node, err error) { t.Errorf("seed %d: node %d: %v", seed, n.ID, err) }
	s := &simulated{t: t, k: k, c: c, rng: rand.New(rand.NewPCG(seed, 11))}
	t.Cleanup(c.Destroy)
	c.Start()
	return s
}

// user runs a script on a machine of its own.
func (s *simulated) user(name string, script func(task *env.Task, c *client.Client)) {
	host := s.c.NewClient(name)
	host.Start(func(e env.Env) {
		cfg := client.DefaultConfig(name, s.c.Addrs()...)
		cfg.Observer = s.observer
		cl := client.New(&e, cfg)
		e.Tasks.Go(func(task *env.Task) { script(task, cl) })
	})
}

// until runs the world until the condition holds, making trouble in the meantime.
func (s *simulated) until(limit time.Duration, trouble func(), done func() bool) {
	s.t.Helper()
	for spent := time.Duration(0); !done(); spent += 100 * time.Millisecond {
		if spent > limit {
			if testing.Verbose() {
				for _, r := range s.k.Recent() {
					if r.Note {
						s.t.Log(string(s.k.AppendText(nil, &r)))
					}
				}
			}
			s.t.Fatalf("not done after %v", limit)
		}
		if trouble != nil && !s.calm && s.rng.IntN(4) == 0 {
			trouble()
		}
		s.k.RunFor(100 * time.Millisecond)
	}
}

// lossy breaks connections, cuts links in one direction or both, and crashes brokers,
// one at a time; everything comes back.
func (s *simulated) lossy(users ...string) {
	n := s.c.Node(wire.NodeID(s.rng.IntN(3) + 1))
	user, node := users[s.rng.IntN(len(users))], n.Name()
	kind := s.k.Kind("test-heal")
	later := func(fn func()) {
		s.k.After(time.Duration(200+s.rng.IntN(2500))*time.Millisecond, sim.World, kind, fn)
	}
	switch s.rng.IntN(5) {
	case 0, 1:
		s.c.Net.Reset(user, node)
	case 2:
		s.c.Net.Cut(node, user) // requests arrive, answers do not
		later(func() { s.c.Net.Heal(node, user) })
	case 3:
		n.Pause(time.Duration(s.rng.IntN(2500)) * time.Millisecond)
	default:
		for _, other := range s.c.Nodes {
			if !other.Running() {
				return
			}
		}
		n.Crash()
		later(n.Up)
	}
}

// read gives the values of a partition from the beginning.
func read(task *env.Task, cl *client.Client, tp wire.TopicPartition, committed bool) []string {
	cfg := consumer.DefaultConfig()
	cfg.Reset, cfg.ReadCommitted = consumer.ResetEarliest, committed
	c := cl.NewConsumer(cfg)
	defer c.Close()
	c.Assign([]wire.TopicPartition{tp})
	var values []string
	for quiet := 0; quiet < 5; quiet++ {
		recs, _ := c.Poll(task, time.Second)
		for _, r := range recs {
			values = append(values, string(r.Value))
			quiet = 0
		}
	}
	return values
}

func createTopic(t *testing.T, task *env.Task, cl *client.Client, name string, partitions int32) {
	a := cl.NewAdmin()
	defer a.Close()
	if _, err := a.CreateTopic(task, client.NewTopic{Name: name, Partitions: partitions, ReplicationFactor: 3}); err != nil {
		t.Errorf("create topic: %v", err)
	}
}

// TestIdempotentProducerInASimulatedCluster: one copy of each record that is
// acknowledged, none of what failed, and all in the order of sending.
func TestIdempotentProducerInASimulatedCluster(t *testing.T) {
	retried := 0
	for seed := range uint64(20) {
		s := simulate(t, seed, nil)
		const records = 400
		results := make([]producer.Result, records)
		sent, over := 0, false
		var log []string
		s.user("c1", func(task *env.Task, cl *client.Client) {
			createTopic(t, task, cl, "a", 1)
			cfg := producer.DefaultConfig()
			cfg.Idempotent, cfg.BatchSize = true, 150
			cfg.RequestTimeout, cfg.DeliveryTimeout = 1500*time.Millisecond, 8*time.Second
			p := cl.NewProducer(cfg)
			for i := range records {
				p.SendAsync(record("a", 0, fmt.Sprint(i)), func(res producer.Result) { results[i] = res; sent++ })
				s.sleep(task, 20*time.Millisecond)
			}
			p.Flush(task)
			s.calm = true
			s.sleep(task, 5*time.Second)
			log = read(task, cl, a0, false)
			over = true
		})
		s.until(5*time.Minute, func() {
			if sent > 0 {
				s.lossy("c1")
			}
		}, func() bool { return over })
		judgeRecords(t, seed, results, log)
		for _, res := range results {
			if len(res.Attempts) > 1 {
				retried++
			}
		}
		if t.Failed() {
			return
		}
	}
	if retried < 100 {
		t.Errorf("only %d records were sent again", retried)
	}
}

// judgeRecords compares what became of records, in the order of sending, with the log: one copy
// of each that is acknowledged, where it should be, none of what failed, and all in order.
func judgeRecords(t *testing.T, seed uint64, results []producer.Result, log []string) {
	last := -1
	for i, res := range results {
		at := slices.Index(log, fmt.Sprint(i))
		if at >= 0 && slices.Contains(log[at+1:], fmt.Sprint(i)) {
			t.Errorf("seed %d: %d is in the log twice: %+v", seed, i, res)
		}
		switch {
		case res.Outcome == attempt.OK && (at < 0 || res.Offset != wire.NoOffset && int(res.Offset) != at):
			t.Errorf("seed %d: %d is at %d: %+v", seed, i, at, res)
		case res.Outcome == attempt.Failed && at >= 0:
			t.Errorf("seed %d: %d failed and is at %d: %+v", seed, i, at, res)
		}
		if at >= 0 && at < last {
			t.Errorf("seed %d: %d is at %d, behind its successor", seed, i, at)
		}
		last = max(last, at)
	}
}

// fate is what a transaction was meant to do and how it ended.
type fate struct {
	values []string
	out    string
}

// judge compares what was read committed with how the transactions ended.
func judge(t *testing.T, seed uint64, fates []fate, read []string) {
	copies := make(map[string]int)
	for _, v := range read {
		if copies[v]++; copies[v] > 1 {
			t.Errorf("seed %d: %s was read twice", seed, v)
		}
	}
	for _, f := range fates {
		n := 0
		for _, v := range f.values {
			n += copies[v]
		}
		switch {
		case n != 0 && n != len(f.values):
			t.Errorf("seed %d: %d of %d records of %s, which ended as %s", seed, n, len(f.values), f.values[0], f.out)
		case f.out == "commit ok" && n == 0:
			t.Errorf("seed %d: %s is committed and not there", seed, f.values[0])
		case f.out != "commit ok" && f.out != "commit unknown" && n != 0:
			t.Errorf("seed %d: %s is there, although it ended as %s", seed, f.values[0], f.out)
		}
	}
}

// TestTransactionsInASimulatedCluster: transactions over several partitions are read
// whole or not at all, whatever happens, and nothing hangs for ever.
func TestTransactionsInASimulatedCluster(t *testing.T) {
	ends, protocols := make(map[string]int), make(map[int16]int)
	for seed := range uint64(12) {
		s := simulate(t, seed, transactionProperties)
		s.observer = ending{versions: protocols}
		var fates []fate
		var all []string
		over, begun := false, false
		s.user("c1", func(task *env.Task, cl *client.Client) {
			createTopic(t, task, cl, "a", 3)
			finalise := func(level int16) {
				if err := cl.NewAdmin().UpdateFeature(task, "transaction.version", level); err != nil {
					t.Errorf("seed %d: %v", seed, err)
				}
			}
			if seed%3 != 1 {
				finalise(1)
			}
			cfg := producer.DefaultConfig()
			cfg.TransactionalID = "t"
			cfg.RequestTimeout, cfg.DeliveryTimeout, cfg.MaxBlock = 1500*time.Millisecond, 5*time.Second, 8*time.Second
			cfg.TransactionTimeout = time.Second // so that some commits come too late
			var p *client.Producer
			for i := range 30 {
				if seed%3 == 2 && i == 15 {
					finalise(2) // the producer goes over to the second protocol when it may
				}
				for p == nil {
					p = cl.NewProducer(cfg)
					for p.InitTransactions(task) == txn.ErrTimeout {
					}
					if p.TransactionState() == txn.Fatal {
						p.Close()
						p = nil
					}
				}
				begun = true
				if err := p.BeginTransaction(); err != nil {
					t.Errorf("seed %d: %v", seed, err)
					return
				}
				var f fate
				for j := range 6 {
					v := fmt.Sprint(i, ".", j)
					f.values = append(f.values, v)
					p.SendAsync(record("a", int32(j%3), v), func(producer.Result) {})
				}
				if s.rng.IntN(3) == 0 {
					p.Flush(task)
				}
				var end txn.End
				switch s.rng.IntN(5) {
				case 0:
					end = p.AbortTransaction(task)
					f.out = "aborted"
				case 1:
					p.Close()
					p = nil
					f.out = "abandoned"
				default:
					end = p.CommitTransaction(task)
					f.out = "commit " + end.Outcome.String()
				}
				if errors.Is(end.Err, attempt.ErrVersion) {
					t.Errorf("seed %d: %v: the connection is older than the feature, and stays so", seed, end.Err)
				}
				if errors.Is(end.Err, txn.ErrAbortable) {
					end = p.AbortTransaction(task)
				}
				fates = append(fates, f)
				ends[f.out]++
				if end.Err != nil {
					p.Close()
					p = nil
				}
			}
			s.calm = true
			s.sleep(task, 30*time.Second)
			for i := range int32(3) {
				tp := wire.TopicPartition{Topic: "a", Partition: i}
				all = append(all, read(task, cl, tp, true)...)
				admin := cl.NewAdmin()
				stable, err1 := admin.ListOffset(task, tp, client.LatestOffset, true)
				latest, err2 := admin.ListOffset(task, tp, client.LatestOffset, false)
				if err1 != nil || err2 != nil || stable.Offset != latest.Offset {
					t.Errorf("seed %d: %v: last stable offset %v (%v), high watermark %v (%v)", seed, tp, stable, err1, latest, err2)
				}
			}
			over = true
		})
		s.until(15*time.Minute, func() {
			if begun {
				s.lossy("c1")
			}
		}, func() bool { return over || t.Failed() })
		judge(t, seed, fates, all)
		if t.Failed() {
			return
		}
	}
	for _, out := range []string{"commit ok", "commit failed", "aborted", "abandoned"} {
		if ends[out] == 0 {
			t.Errorf("no transaction ended as %q: %v", out, ends)
		}
	}
	if protocols[4] == 0 || protocols[5] == 0 {
		t.Errorf("EndTxn by version: %v", protocols)
	}
}

// ending counts EndTxn by version.
type ending struct {
	client.NopObserver
	versions map[int16]int
}

func (e ending) Response(r client.ResponseInfo) {
	if end, ok := r.Response.(*kmsg.EndTxnResponse); ok {
		e.versions[end.Version]++
	}
}

// TestZombiesInASimulatedCluster: two producers of one transactional id, each of which
// begins anew whenever it finds itself fenced, never get a part of a transaction through.
func TestZombiesInASimulatedCluster(t *testing.T) {
	fenced := 0
	for seed := range uint64(6) {
		s := simulate(t, seed, transactionProperties)
		var fates []fate
		var all []string
		ready, left := false, 2
		twin := func(name string) func(task *env.Task, cl *client.Client) {
			return func(task *env.Task, cl *client.Client) {
				for !ready {
					s.sleep(task, 100*time.Millisecond)
				}
				cfg := producer.DefaultConfig()
				cfg.TransactionalID = "t"
				cfg.RequestTimeout, cfg.DeliveryTimeout, cfg.MaxBlock = 1500*time.Millisecond, 5*time.Second, 8*time.Second
				cfg.TransactionTimeout = 10 * time.Second
				for i := range 15 {
					p := cl.NewProducer(cfg)
					if p.InitTransactions(task) == nil {
						for j := 0; p.BeginTransaction() == nil; j++ {
							f := fate{}
							for k := range 4 {
								v := fmt.Sprint(name, i, ".", j, ".", k)
								f.values = append(f.values, v)
								p.SendAsync(record("a", int32(k%2), v), func(producer.Result) {})
								s.sleep(task, time.Duration(s.rng.IntN(60))*time.Millisecond)
							}
							end := p.CommitTransaction(task)
							f.out = "commit " + end.Outcome.String()
							fates = append(fates, f)
							if errors.Is(end.Err, txn.ErrAbortable) {
								end = p.AbortTransaction(task)
							}
							if errors.Is(end.Err, txn.ErrFenced) {
								fenced++
							}
							if end.Err != nil {
								break
							}
							if j > 20 {
								break
							}
						}
					}
					p.Close()
					s.sleep(task, time.Duration(s.rng.IntN(800))*time.Millisecond)
				}
				left--
			}
		}
		s.user("c1", func(task *env.Task, cl *client.Client) {
			createTopic(t, task, cl, "a", 2)
			if seed%2 == 1 {
				if err := cl.NewAdmin().UpdateFeature(task, "transaction.version", 2); err != nil {
					t.Errorf("seed %d: %v", seed, err)
				}
			}
			ready = true
			for left > 0 {
				s.sleep(task, time.Second)
			}
			s.calm = true
			s.sleep(task, 30*time.Second)
			all = append(read(task, cl, a0, true), read(task, cl, a1, true)...)
			left = -1
		})
		s.user("c2", twin("x"))
		s.user("c3", twin("y"))
		s.until(30*time.Minute, func() {
			if ready {
				s.lossy("c2", "c3")
			}
		}, func() bool { return left < 0 || t.Failed() })
		judge(t, seed, fates, all)
		if t.Failed() {
			return
		}
	}
	if fenced < 12 {
		t.Errorf("only %d producers were fenced", fenced)
	}
}

// sleep lets simulated time pass.
func (s *simulated) sleep(task *env.Task, d time.Duration) {
	task.Suspend(func(wake func()) { s.k.After(d, sim.World, s.k.Kind("test-pace"), wake) })
}

// transactionProperties have the coordinators look for what timed out more often.
var transactionProperties = map[string]string{
	"transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
	"transaction.state.log.num.partitions":                        "3",
}

// TestTransactionsAreAdministered: an operator sees a transaction that is open, and ends
// it in any of three ways.
func TestTransactionsAreAdministered(t *testing.T) {
	s := simulate(t, 1, transactionProperties)
	over := false
	s.user("c1", func(task *env.Task, cl *client.Client) {
		defer func() { over = true }()
		createTopic(t, task, cl, "a", 2)
		a := cl.NewAdmin().WithTimeout(20 * time.Second)
		begin := func(id string) *client.Producer {
			cfg := producer.DefaultConfig()
			cfg.TransactionalID = id
			p := cl.NewProducer(cfg)
			if err := p.InitTransactions(task); err != nil {
				t.Fatal(err)
			}
			if err := p.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if r := p.Send(task, record("a", 1, id)); r.Err != nil {
					t.Fatal(r.Err)
				}
			}
			return p
		}
		p, q := begin("t"), begin("u")
		id, epoch, _ := p.Identity()

		d, err := a.DescribeTransaction(task, "t")
		if err != nil || d.State != "Ongoing" || d.ProducerID != id || d.Epoch != epoch || d.Timeout != time.Minute ||
			!slices.Equal(d.Partitions, []wire.TopicPartition{a1}) || d.Started <= 0 {
			t.Errorf("%+v %v", d, err)
		}
		if _, err := a.DescribeTransaction(task, "nobody"); !errors.Is(err, kerr.TransactionalIDNotFound) {
			t.Errorf("an unknown transactional id: %v", err)
		}
		list, err := a.ListTransactions(task, []string{"Ongoing"}, nil)
		if err != nil || len(list) != 2 || list[0].TransactionalID != "t" || list[1].TransactionalID != "u" || list[0].State != "Ongoing" {
			t.Errorf("%+v %v", list, err)
		}
		list, err = a.ListTransactions(task, nil, []int64{id})
		if err != nil || len(list) != 1 || list[0].ProducerID != id {
			t.Errorf("%+v %v", list, err)
		}
		states, err := a.DescribeProducers(task, a1)
		if err != nil || len(states) != 2 || states[0].ProducerID != id || states[0].LastSequence != 1 || states[0].TransactionStart != 0 ||
			states[1].TransactionStart != 2 {
			t.Errorf("%+v %v", states, err)
		}

		// Fenced: the transaction is aborted, and the producer told.
		if fid, e, err := a.FenceProducer(task, "t"); err != nil || fid != id || e <= epoch {
			t.Errorf("id %d epoch %d: %v", fid, e, err)
		}
		if end := p.CommitTransaction(task); end.Outcome != attempt.Failed || !errors.Is(end.Err, txn.ErrFenced) {
			t.Errorf("%+v", end)
		}
		// Aborted in one partition, past the coordinator.
		uid, uepoch, _ := q.Identity()
		if err := a.AbortTransaction(task, a1, uid, uepoch, 0); err != nil {
			t.Error(err)
		}
		states, err = a.DescribeProducers(task, a1)
		if err != nil || len(states) != 2 || states[0].TransactionStart != wire.NoOffset || states[1].TransactionStart != wire.NoOffset {
			t.Errorf("%+v %v", states, err)
		}
		if got := read(task, cl, a1, true); len(got) != 0 {
			t.Errorf("read %v", got)
		}
	})
	s.until(5*time.Minute, nil, func() bool { return over || t.Failed() })
}
