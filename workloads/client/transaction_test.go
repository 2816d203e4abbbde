package client_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/workloads/client"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/clienttest"
	"odradek/workloads/client/consumer"
	"odradek/workloads/client/producer"
	"odradek/workloads/client/txn"
)

var a1 = wire.TopicPartition{Topic: "a", Partition: 1}

// bothProtocols runs a test in each protocol of transactions.
func bothProtocols(t *testing.T, fn func(t *testing.T, r *rig)) {
	for _, version := range []int16{1, 2} {
		t.Run(fmt.Sprint("transaction.version ", version), func(t *testing.T) {
			r := newRig(t, 1, 3)
			r.cluster.TransactionVersion = version
			r.cluster.AddTopic("a", 2)
			r.cluster.Coordinate("t", 2)
			r.cluster.Coordinate("g", 3)
			fn(t, r)
		})
	}
}

func (r *rig) transactional(id string) *client.Producer {
	cfg := producer.DefaultConfig()
	cfg.TransactionalID = id
	return r.client.NewProducer(cfg)
}

// committed reads everything from the beginning as a read_committed consumer does.
func (r *rig) committed(task *env.Task, tps ...wire.TopicPartition) map[wire.TopicPartition][]string {
	cfg := consumer.DefaultConfig()
	cfg.Reset, cfg.ReadCommitted = consumer.ResetEarliest, true
	cfg.PartitionMaxBytes = 200
	c := r.client.NewConsumer(cfg)
	defer c.Close()
	c.Assign(tps)
	got := make(map[wire.TopicPartition][]string)
	for quiet := 0; quiet < 4; {
		recs, _ := c.Poll(task, time.Second)
		quiet++
		for _, rec := range recs {
			quiet = 0
			got[rec.TopicPartition] = append(got[rec.TopicPartition], string(rec.Value))
		}
	}
	for _, tp := range tps {
		if p, ok := c.Position(tp); !ok || p.Offset != r.cluster.Partition(tp).LastStable() {
			r.t.Errorf("%v: position %v, last stable offset %d", tp, p, r.cluster.Partition(tp).LastStable())
		}
	}
	return got
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestTransactionIsReadWholeOrNotAtAll(t *testing.T) {
	bothProtocols(t, func(t *testing.T, r *rig) {
		p := r.transactional("t")
		r.script(time.Minute, func(task *env.Task) {
			must(t, p.InitTransactions(task))
			for i, commit := range []bool{true, false, true, false, false, true} {
				must(t, p.BeginTransaction())
				for j := range 4 {
					p.SendAsync(record("a", int32(j%2), fmt.Sprint(i, ".", j)), func(producer.Result) {})
				}
				p.Flush(task)
				end := p.CommitTransaction
				if !commit {
					end = p.AbortTransaction
				}
				if e := end(task); e.Outcome != attempt.OK || e.Err != nil || len(e.Attempts) != 1 {
					t.Fatalf("%d: %+v", i, e)
				}
			}
			got := r.committed(task, a0, a1)
			want := map[wire.TopicPartition][]string{
				a0: {"0.0", "0.2", "2.0", "2.2", "5.0", "5.2"}, a1: {"0.1", "0.3", "2.1", "2.3", "5.1", "5.3"},
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
		adds, v2 := r.cluster.Requests[24], r.cluster.TransactionVersion == 2
		if v2 != (adds == 0) {
			t.Errorf("%d AddPartitionsToTxn", adds)
		}
		_, epoch, _ := p.Identity()
		if v2 != (epoch == 6) {
			t.Errorf("epoch %d", epoch)
		}
	})
}

func TestOffsetsAreCommittedWithTheTransaction(t *testing.T) {
	bothProtocols(t, func(t *testing.T, r *rig) {
		p := r.transactional("t")
		r.script(time.Minute, func(task *env.Task) {
			must(t, p.InitTransactions(task))
			for i, commit := range []bool{true, false} {
				must(t, p.BeginTransaction())
				p.SendAsync(record("a", 0, "x"), func(producer.Result) {})
				offsets := map[wire.TopicPartition]txn.Offset{a1: {Offset: wire.Offset(10 + i), LeaderEpoch: wire.NoLeaderEpoch}}
				if end := p.SendOffsets(task, txn.AnyMember("g"), offsets); end.Outcome != attempt.OK {
					t.Fatalf("%+v", end)
				}
				offset := func() wire.Offset { return r.cluster.Group("g").Offsets[a1].Offset }
				if offset() == wire.Offset(10+i) {
					t.Error("committed too early")
				}
				if commit {
					must(t, p.CommitTransaction(task).Err)
				} else {
					must(t, p.AbortTransaction(task).Err)
				}
				if got := offset(); got != 10 {
					t.Errorf("transaction %d: offset %d is committed, want 10", i, got)
				}
			}
		})
	})
}

func TestZombieIsFenced(t *testing.T) {
	bothProtocols(t, func(t *testing.T, r *rig) {
		old, young := r.transactional("t"), r.transactional("t")
		r.script(time.Minute, func(task *env.Task) {
			must(t, old.InitTransactions(task))
			must(t, old.BeginTransaction())
			if res := old.Send(task, record("a", 0, "old")); res.Err != nil {
				t.Fatal(res.Err)
			}
			must(t, young.InitTransactions(task))
			must(t, young.BeginTransaction())
			if res := young.Send(task, record("a", 0, "young")); res.Err != nil {
				t.Fatal(res.Err)
			}
			res := old.Send(task, record("a", 0, "zombie"))
			if res.Outcome != attempt.Failed || !errors.Is(res.Err, kerr.InvalidProducerEpoch) {
				t.Errorf("%+v", res)
			}
			end := old.CommitTransaction(task)
			if end.Outcome != attempt.Failed || !errors.Is(end.Err, txn.ErrAbortable) {
				t.Errorf("%+v", end)
			}
			end = old.AbortTransaction(task)
			if end.Outcome != attempt.Failed || !errors.Is(end.Err, txn.ErrFenced) || old.TransactionState() != txn.Fatal {
				t.Errorf("%+v", end)
			}
			if err := old.BeginTransaction(); !errors.Is(err, txn.ErrFenced) {
				t.Errorf("%v", err)
			}
			must(t, young.CommitTransaction(task).Err)
			if diff := cmp.Diff([]string{"young"}, r.committed(task, a0)[a0]); diff != "" {
				t.Error(diff)
			}
		})
	})
}

func TestFencedCommitCertainlyFailed(t *testing.T) {
	bothProtocols(t, func(t *testing.T, r *rig) {
		p := r.transactional("t")
		r.script(time.Minute, func(task *env.Task) {
			must(t, p.InitTransactions(task))
			must(t, p.BeginTransaction())
			p.Send(task, record("a", 0, "x"))
			r.cluster.Expire("t")
			if end := p.CommitTransaction(task); end.Outcome != attempt.Failed || !errors.Is(end.Err, txn.ErrFenced) {
				t.Errorf("%+v", end)
			}
		})
	})
}

func TestFencedCommitAfterALostOneIsUnknown(t *testing.T) {
	r := newRig(t, 1, 1)
	r.cluster.AddTopic("a", 1)
	p := r.transactional("t")
	r.cluster.Inject = func(_ wire.NodeID, req kmsg.Request) clienttest.Fault {
		if end, ok := req.(*kmsg.EndTxnRequest); ok && end.Commit {
			// The commit is carried out, the answer is lost, and then somebody else comes.
			r.world.After(0, func() {
				if t := r.cluster.Transaction("t"); t.Committed == 1 {
					t.Epoch++
				}
			})
			return clienttest.Fault{Cut: true}
		}
		return clienttest.Fault{}
	}
	r.script(time.Minute, func(task *env.Task) {
		must(t, p.InitTransactions(task))
		must(t, p.BeginTransaction())
		p.Send(task, record("a", 0, "x"))
		r.world.After(30*time.Millisecond, func() {
			r.cluster.Inject = nil
		})
		if end := p.CommitTransaction(task); end.Outcome != attempt.Unknown || !errors.Is(end.Err, txn.ErrFenced) || len(end.Attempts) < 2 {
			t.Errorf("%+v", end)
		}
	})
	if diff := cmp.Diff([]string{"x"}, r.cluster.Committed(a0)); diff != "" {
		t.Error(diff)
	}
}

func TestAbandonedTransactionStaysOpenUntilItsIDComesBack(t *testing.T) {
	bothProtocols(t, func(t *testing.T, r *rig) {
		p := r.transactional("t")
		r.script(time.Minute, func(task *env.Task) {
			must(t, p.InitTransactions(task))
			must(t, p.BeginTransaction())
			p.Send(task, record("a", 0, "lost"))
			p.Close()
			if !r.cluster.Transaction("t").Open || r.cluster.Partition(a0).LastStable() != 0 {
				t.Error("the transaction has ended by itself")
			}
			q := r.transactional("t")
			must(t, q.InitTransactions(task))
			must(t, q.BeginTransaction())
			q.Send(task, record("a", 0, "x"))
			must(t, q.CommitTransaction(task).Err)
			if diff := cmp.Diff([]string{"x"}, r.committed(task, a0)[a0]); diff != "" {
				t.Error(diff)
			}
		})
	})
}

func TestNothingIsSentOutsideATransaction(t *testing.T) {
	r := newRig(t, 1, 1)
	r.cluster.AddTopic("a", 1)
	p := r.transactional("t")
	r.script(time.Minute, func(task *env.Task) {
		if err := p.BeginTransaction(); !errors.Is(err, txn.ErrState) {
			t.Errorf("begin before init: %v", err)
		}
		must(t, p.InitTransactions(task))
		if res := p.Send(task, record("a", 0, "x")); res.Outcome != attempt.Failed || res.Err != producer.ErrNoTransaction {
			t.Errorf("%+v", res)
		}
		if end := p.CommitTransaction(task); end.Outcome != attempt.Failed || !errors.Is(end.Err, txn.ErrState) {
			t.Errorf("%+v", end)
		}
		must(t, p.BeginTransaction())
		must(t, p.CommitTransaction(task).Err) // of nothing: nobody needs to know
		if err := p.InitTransactions(task); !errors.Is(err, txn.ErrState) {
			t.Errorf("second init: %v", err)
		}
	})
	if n := r.cluster.Requests[26]; n != 0 {
		t.Errorf("%d EndTxn for an empty transaction", n)
	}
}

func TestRecordThatFailsMakesTheTransactionAbort(t *testing.T) {
	bothProtocols(t, func(t *testing.T, r *rig) {
		p := r.transactional("t")
		r.script(5*time.Minute, func(task *env.Task) {
			must(t, p.InitTransactions(task))
			must(t, p.BeginTransaction())
			if res := p.Send(task, record("a", 0, "fine")); res.Err != nil {
				t.Fatal(res.Err)
			}
			p.Send(task, record("a", -7, "nowhere"))
			if end := p.CommitTransaction(task); end.Outcome != attempt.Failed || !errors.Is(end.Err, txn.ErrAbortable) {
				t.Errorf("%+v", end)
			}
			if res := p.Send(task, record("a", 0, "more")); !errors.Is(res.Err, txn.ErrAbortable) {
				t.Errorf("%+v", res)
			}
			must(t, p.AbortTransaction(task).Err)
			must(t, p.BeginTransaction())
			p.Send(task, record("a", 0, "next"))
			must(t, p.CommitTransaction(task).Err)
			if diff := cmp.Diff([]string{"next"}, r.committed(task, a0)[a0]); diff != "" {
				t.Error(diff)
			}
		})
		if _, epoch, _ := p.Identity(); epoch == 0 {
			t.Error("the epoch was not bumped after a transaction with an error")
		}
	})
}

func TestCommitThatTimesOutIsTriedAgain(t *testing.T) {
	r := newRig(t, 1, 1)
	r.cluster.AddTopic("a", 1)
	cfg := producer.DefaultConfig()
	cfg.TransactionalID, cfg.MaxBlock, cfg.RequestTimeout = "t", 5*time.Second, 2*time.Second
	p := r.client.NewProducer(cfg)
	r.script(time.Minute, func(task *env.Task) {
		must(t, p.InitTransactions(task))
		must(t, p.BeginTransaction())
		p.Send(task, record("a", 0, "x"))
		r.cluster.Inject = func(_ wire.NodeID, req kmsg.Request) clienttest.Fault {
			_, end := req.(*kmsg.EndTxnRequest)
			return clienttest.Fault{Silence: end, Skip: end}
		}
		if end := p.CommitTransaction(task); end.Outcome != attempt.Unknown || end.Err != txn.ErrTimeout {
			t.Errorf("%+v", end)
		}
		if end := p.AbortTransaction(task); end.Outcome != attempt.Failed || !errors.Is(end.Err, txn.ErrState) {
			t.Errorf("abort after a commit: %+v", end)
		}
		r.cluster.Inject = nil
		task.Sleep(r.env.Clock, 10*time.Second) // it goes on by itself
		if err := p.BeginTransaction(); err == nil {
			t.Error("a transaction begins before the user knows how the last one ended")
		}
		must(t, p.CommitTransaction(task).Err)
		must(t, p.BeginTransaction())
	})
	if n := r.cluster.Transaction("t").Committed; n != 1 {
		t.Errorf("committed %d times", n)
	}
}

// notes keeps a producer's events.
type notes struct {
	client.NopObserver
	events []string
}

func (n *notes) Transaction(i client.TransactionInfo) {
	s := fmt.Sprintf("%v %d epoch %d", i.Event, i.Number, i.Epoch)
	switch i.Event {
	case client.TransactionEnding:
		s += fmt.Sprint(" commit=", i.Commit)
	case client.TransactionEnded, client.OffsetsSent:
		s += fmt.Sprint(" commit=", i.Commit, " ", i.Outcome)
	}
	n.events = append(n.events, s)
}

func (n *notes) Attempt(i client.AttemptInfo) {
	n.events = append(n.events, fmt.Sprintf("attempt %d epoch %d sequence %d", i.Transaction, i.Identity.Epoch, i.Identity.Sequence))
}

func TestObserverSeesTransactions(t *testing.T) {
	r := newRig(t, 1, 1)
	r.cluster.TransactionVersion = 2
	r.cluster.AddTopic("a", 1)
	n := &notes{}
	cfg := client.DefaultConfig("watched", r.cluster.Addrs()...)
	cfg.Observer = n
	pcfg := producer.DefaultConfig()
	pcfg.TransactionalID = "t"
	p := client.New(r.env, cfg).NewProducer(pcfg)
	r.script(time.Minute, func(task *env.Task) {
		must(t, p.InitTransactions(task))
		must(t, p.BeginTransaction())
		p.SendOffsets(task, txn.AnyMember("g"), map[wire.TopicPartition]txn.Offset{a0: {}})
		p.CommitTransaction(task)
		must(t, p.BeginTransaction())
		p.Send(task, record("a", 0, "x"))
		r.cluster.Transaction("t").Epoch += 2
		p.AbortTransaction(task)
	})
	want := []string{
		"init 0 epoch 0", "begin 1 epoch 0", "offsets-sending 1 epoch 0", "offsets-sent 1 epoch 0 commit=false ok",
		"ending 1 epoch 0 commit=true", "init 1 epoch 1", "ended 1 epoch 0 commit=true ok",
		"begin 2 epoch 1", "attempt 2 epoch 1 sequence 0", "ending 2 epoch 1 commit=false", "fenced 2 epoch 1", "ended 2 epoch 1 commit=false failed",
	}
	if diff := cmp.Diff(want, n.events); diff != "" {
		t.Error(diff)
	}
}

// TestIdempotentProducerInALossyCluster: whatever goes wrong, each record is in the log
// once at most, exactly once if it was acknowledged, and in the order of sending, also
// with five requests in flight.
func TestIdempotentProducerInALossyCluster(t *testing.T) {
	bumps := 0
	for seed := range uint64(60) {
		r := newRig(t, seed, 3)
		r.cluster.AddTopic("a", 1)
		rng := rand.New(rand.NewPCG(seed, 3))
		calm := false
		inject := lossy(rng, &calm)
		r.cluster.Inject = func(node wire.NodeID, req kmsg.Request) clienttest.Fault {
			f := inject(node, req)
			if f.Code == kerr.NotEnoughReplicas.Code && seed%3 == 0 {
				f.Code = kerr.InvalidRecord.Code // refused for good
			}
			return f
		}
		cfg := producer.DefaultConfig()
		cfg.Idempotent = true
		cfg.BatchSize = 120
		cfg.RequestTimeout = 2 * time.Second
		cfg.DeliveryTimeout = 2 * time.Second
		p := r.client.NewProducer(cfg)
		const records = 150
		results := make([]producer.Result, records)
		r.script(10*time.Minute, func(task *env.Task) {
			for i := range records {
				p.SendAsync(record("a", 0, fmt.Sprint(i)), func(res producer.Result) { results[i] = res })
				task.Sleep(r.env.Clock, time.Duration(rng.IntN(20))*time.Millisecond)
				if rng.IntN(30) == 0 {
					r.cluster.Lead(a0, wire.NodeID(rng.IntN(3)+1))
				}
			}
			p.Flush(task)
		})
		if _, epoch, _ := p.Identity(); epoch > 0 {
			bumps++
		}
		judgeRecords(t, seed, results, r.cluster.Values(a0))
		if t.Failed() {
			t.FailNow()
		}
	}
	if bumps == 0 {
		t.Error("the epoch was never bumped: the faults are too weak")
	}
}

// TestTransactionsInALossyCluster: a committed transaction is there whole, an aborted or
// failed one not at all, and an unknown one either way.
func TestTransactionsInALossyCluster(t *testing.T) {
	ends := make(map[string]int)
	for seed := range uint64(60) {
		r := newRig(t, seed, 3)
		r.cluster.TransactionVersion = int16(seed%2 + 1)
		r.cluster.AddTopic("a", 2)
		rng := rand.New(rand.NewPCG(seed, 5))
		calm := false
		inject := lossy(rng, &calm)
		r.cluster.Inject = func(node wire.NodeID, req kmsg.Request) clienttest.Fault {
			f := inject(node, req)
			switch req.(type) {
			case *kmsg.ProduceRequest, *kmsg.FetchRequest, *kmsg.ListOffsetsRequest, *kmsg.MetadataRequest:
			default:
				if f.Code != 0 {
					f.Code = []int16{
						kerr.NotCoordinator.Code, kerr.CoordinatorNotAvailable.Code, kerr.CoordinatorLoadInProgress.Code,
						kerr.ConcurrentTransactions.Code,
					}[rng.IntN(4)]
				}
			}
			return f
		}
		cfg := producer.DefaultConfig()
		cfg.TransactionalID = "t"
		cfg.RequestTimeout, cfg.DeliveryTimeout, cfg.MaxBlock = time.Second, 3*time.Second, 1200*time.Millisecond
		var fates []fate
		r.script(30*time.Minute, func(task *env.Task) {
			var p *client.Producer
			for i := range 15 {
				if rng.IntN(4) == 0 {
					r.cluster.Coordinate("t", wire.NodeID(rng.IntN(3)+1))
					r.cluster.Lead(a0, wire.NodeID(rng.IntN(3)+1))
				}
				if p == nil {
					p = r.client.NewProducer(cfg)
					for p.InitTransactions(task) != nil {
					}
				}
				if err := p.BeginTransaction(); err != nil {
					t.Errorf("seed %d: %v", seed, err)
					return
				}
				var f fate
				for j := range 6 {
					v := fmt.Sprint(i, ".", j)
					f.values = append(f.values, v)
					p.SendAsync(record("a", int32(j%2), v), func(producer.Result) {})
				}
				if rng.IntN(2) == 0 {
					p.SendOffsets(task, txn.AnyMember("g"), map[wire.TopicPartition]txn.Offset{a0: {Offset: wire.Offset(i)}})
				}
				var end txn.End
				switch rng.IntN(4) {
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
				fates = append(fates, f)
				ends[f.out]++
				if end.Err == txn.ErrTimeout && rng.IntN(2) == 0 {
					p.Close()
					p, end = nil, txn.End{}
				}
				for p != nil && end.Err == txn.ErrTimeout {
					if f.out == "aborted" {
						end = p.AbortTransaction(task)
					} else if end = p.CommitTransaction(task); end.Err != txn.ErrTimeout {
						fates[len(fates)-1].out = "commit " + end.Outcome.String()
					}
				}
				if p != nil && errors.Is(end.Err, txn.ErrAbortable) {
					for end = p.AbortTransaction(task); end.Err == txn.ErrTimeout; end = p.AbortTransaction(task) {
					}
				}
				if end.Err != nil {
					p.Close()
					p = nil
				}
			}
			calm = true
			if p == nil {
				p = r.client.NewProducer(cfg)
				must(t, p.InitTransactions(task))
			}
			got := r.committed(task, a0, a1)
			if r.t.Failed() {
				return
			}
			for _, tp := range []wire.TopicPartition{a0, a1} {
				if diff := cmp.Diff(r.cluster.Committed(tp), got[tp]); diff != "" {
					t.Errorf("seed %d: %v: %s", seed, tp, diff)
				}
			}
			judge(t, seed, fates, slices.Concat(got[a0], got[a1]))
		})
		if t.Failed() {
			t.FailNow()
		}
	}
	for _, out := range []string{"commit ok", "commit unknown", "commit failed", "aborted", "abandoned"} {
		if ends[out] == 0 {
			t.Errorf("no transaction ended as %q: %v", out, ends)
		}
	}
}

// A position may be anywhere: in the middle of a batch, of an aborted transaction, or at
// the marker that ends it.
func TestReadCommittedFromAnyPosition(t *testing.T) {
	bothProtocols(t, func(t *testing.T, r *rig) {
		p := r.transactional("t")
		plain := r.client.NewProducer(producer.DefaultConfig())
		cfg := consumer.DefaultConfig()
		cfg.ReadCommitted = true
		c := r.client.NewConsumer(cfg)
		r.script(5*time.Minute, func(task *env.Task) {
			must(t, p.InitTransactions(task))
			batch := func(name string, end func(*env.Task) txn.End) {
				must(t, p.BeginTransaction())
				if r.cluster.TransactionVersion == 1 { // so that the three make one batch
					p.Send(task, record("a", 1, "elsewhere"))
				}
				for i := range 3 {
					p.SendAsync(record("a", 0, fmt.Sprint(name, i)), func(producer.Result) {})
				}
				p.Flush(task)
				// A plain record goes through the middle of a transaction.
				plain.Send(task, record("a", 0, "plain-"+name))
				must(t, end(task).Err)
			}
			batch("a", p.AbortTransaction)
			batch("b", p.CommitTransaction)
			batch("c", p.AbortTransaction)
			// Every record and its offset, from the log itself.
			type at struct {
				offset wire.Offset
				value  string
			}
			var visible []at
			part := r.cluster.Partition(a0)
			if n := len(part.Batches); n != 9 {
				t.Fatalf("%d batches", n)
			}
			values := r.cluster.Values(a0)
			for _, b := range part.Batches {
				for o := b.Header.BaseOffset; o < b.Header.NextOffset() && !b.Header.Control(); o++ {
					v := values[0]
					values = values[1:]
					if v[0] == 'b' || v[0] == 'p' {
						visible = append(visible, at{o, v})
					}
				}
			}
			c.Assign([]wire.TopicPartition{a0})
			for from := wire.Offset(0); from <= part.End(); from++ {
				c.Seek(a0, consumer.Position{Offset: from, Epoch: wire.NoLeaderEpoch})
				var got, want []at
				for _, v := range visible {
					if v.offset >= from {
						want = append(want, v)
					}
				}
				for quiet := 0; quiet < 2; quiet++ {
					recs, _ := c.Poll(task, time.Second)
					for _, rec := range recs {
						got = append(got, at{rec.Offset, string(rec.Value)})
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("from %d: %v, want %v", from, got, want)
				}
				if pos, _ := c.Position(a0); pos.Offset != part.End() {
					t.Errorf("from %d: the position is %d, the log ends at %d", from, pos.Offset, part.End())
				}
			}
		})
	})
}
