package broker_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/failpoint"
	"odradek/broker/wire"
)

// produceAs sends one record of a producer and returns what it is told.
func (c *rawConn) produceAs(task *env.Task, p wire.Producer, transactional bool) kmsg.ProduceResponseTopicPartition {
	c.l.t.Helper()
	req := produceTo("orders", 0, -1, batch(c.l.t, wire.BatchOptions{Producer: &p, Transactional: transactional}, "v"))
	if transactional {
		req.TransactionID = kmsg.StringPtr("t")
	}
	return c.call(task, req, 9).(*kmsg.ProduceResponse).Topics[0].Partitions[0]
}

// wantProduced fails the test unless the record was, or had been, appended at the offset.
func wantProduced(t testing.TB, what string, got kmsg.ProduceResponseTopicPartition, offset int64) {
	t.Helper()
	if got.ErrorCode != 0 || got.BaseOffset != offset {
		t.Errorf("%s: error %v at offset %d, want offset %d", what, kerr.ErrorForCode(got.ErrorCode), got.BaseOffset, offset)
	}
}

// mark ends a transaction in the partition.
func (c *rawConn) mark(task *env.Task, id int64, epoch int16, commit bool) {
	c.l.t.Helper()
	req := kmsg.NewPtrWriteTxnMarkersRequest()
	m := kmsg.NewWriteTxnMarkersRequestMarker()
	m.ProducerID, m.ProducerEpoch, m.Committed = id, epoch, commit
	m.Topics = []kmsg.WriteTxnMarkersRequestMarkerTopic{{Topic: "orders", Partitions: []int32{0}}}
	req.Markers = append(req.Markers, m)
	resp := c.call(task, req, 1).(*kmsg.WriteTxnMarkersResponse)
	wantCode(c.l.t, "marker", resp.Markers[0].Topics[0].Partitions[0].ErrorCode, nil)
}

// committed is a fetch of committed records only.
func committed(offset int64, wait time.Duration) *kmsg.FetchRequest {
	req := fetchFrom("orders", [16]byte{}, 0, offset)
	req.IsolationLevel, req.MaxWaitMillis = 1, int32(wait/time.Millisecond)
	return req
}

func (c *rawConn) latest(task *env.Task, isolation int8) int64 {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID, req.IsolationLevel = -1, isolation
	p := kmsg.NewListOffsetsRequestTopicPartition()
	p.Timestamp = -1
	req.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: "orders", Partitions: []kmsg.ListOffsetsRequestTopicPartition{p}}}
	got := c.call(task, req, 6).(*kmsg.ListOffsetsResponse).Topics[0].Partitions[0]
	wantCode(c.l.t, "list offsets", got.ErrorCode, nil)
	return got.Offset
}

func TestProducersAreHeldToTheirSequence(t *testing.T) {
	l := newLab(t, 1, nil)
	l.do(func(task *env.Task) {
		l.createTopic(task, "orders", nil, []int32{1})
		conn := l.dial(task, 1)
		p := wire.Producer{ID: 7, Epoch: 1}
		at := func(epoch int16, sequence int32) wire.Producer {
			return wire.Producer{ID: p.ID, Epoch: epoch, Sequence: sequence}
		}
		wantProduced(t, "first", conn.produceAs(task, at(1, 0), false), 0)
		wantProduced(t, "second", conn.produceAs(task, at(1, 1), false), 1)
		wantProduced(t, "first again", conn.produceAs(task, at(1, 0), false), 0)
		wantCode(t, "gap", conn.produceAs(task, at(1, 3), false).ErrorCode, kerr.OutOfOrderSequenceNumber)
		wantCode(t, "old epoch", conn.produceAs(task, at(0, 2), false).ErrorCode, kerr.InvalidProducerEpoch)
		wantCode(t, "new epoch", conn.produceAs(task, at(2, 2), false).ErrorCode, kerr.OutOfOrderSequenceNumber)
		wantProduced(t, "new epoch from 0", conn.produceAs(task, at(2, 0), false), 2)
		for i := range int32(5) {
			wantProduced(t, "next", conn.produceAs(task, at(2, 1+i), false), 3+int64(i))
		}
		wantCode(t, "older than the window", conn.produceAs(task, at(2, 0), false).ErrorCode, kerr.OutOfOrderSequenceNumber)
		if end := conn.latest(task, 0); end != 8 {
			t.Errorf("the log ends at %d, want 8", end)
		}
		// In flight at once, sent twice: answered in order, appended once.
		var pipelined []byte
		for range 2 {
			for i := range int32(4) {
				p := at(2, 6+i)
				pipelined = append(pipelined, conn.frame(produceTo("orders", 0, -1, batch(t, wire.BatchOptions{Producer: &p}, "v")), 9)...)
			}
		}
		conn.write(pipelined)
		for i := range int32(8) {
			got := conn.answer(task, conn.corr-7+i, func() kmsg.Request { r := kmsg.NewPtrProduceRequest(); r.Version = 9; return r }())
			wantProduced(t, "pipelined", got.(*kmsg.ProduceResponse).Topics[0].Partitions[0], 8+int64(i%4))
		}
	})
}

// The acknowledgement is lost; the producer finds another leader, or the same after a
// restart, and sends the batch again.
func TestRetryIsDeduplicatedByTheNextLeader(t *testing.T) {
	for _, how := range []string{"another leader", "restart of all", "power loss of all"} {
		t.Run(how, func(t *testing.T) {
			l := newLab(t, 3, nil)
			l.do(func(task *env.Task) {
				l.createTopic(task, "orders", map[string]string{"flush.messages": "1"}, []int32{1, 2, 3})
			})
			first, _ := l.leaders("orders", 0)
			l.do(func(task *env.Task) {
				conn := l.dial(task, first)
				for i := range int32(7) {
					wantProduced(t, "produce", conn.produceAs(task, wire.Producer{ID: 7, Sequence: i}, false), int64(i))
				}
			})
			for _, n := range l.c.Nodes {
				switch {
				case how == "another leader" && n.ID == first, how == "restart of all":
					n.Crash()
				case how == "power loss of all":
					n.CutPower()
				}
			}
			if how != "another leader" {
				l.k.RunFor(time.Second)
				for _, n := range l.c.Nodes {
					n.Up()
				}
			}
			l.k.RunFor(20 * time.Second)
			asked := wire.NodeID(0)
			for _, n := range l.c.Nodes {
				if n.Broker == nil {
					continue
				}
				image, _ := n.Broker.Image()
				asked = image.Partition("orders", 0).Leader
			}
			if how == "another leader" && asked == first {
				t.Fatal("nobody took over")
			}
			l.do(func(task *env.Task) {
				conn := l.dial(task, asked)
				wantProduced(t, "the last one again", conn.produceAs(task, wire.Producer{ID: 7, Sequence: 6}, false), 6)
				wantProduced(t, "the next one", conn.produceAs(task, wire.Producer{ID: 7, Sequence: 7}, false), 7)
				wantCode(t, "a gap", conn.produceAs(task, wire.Producer{ID: 7, Sequence: 9}, false).ErrorCode, kerr.OutOfOrderSequenceNumber)
				if end := conn.latest(task, 0); end != 8 {
					t.Errorf("the log ends at %d, want 8", end)
				}
			})
		})
	}
}

// A copy must not be acknowledged before the first one is replicated.
func TestDuplicateWaitsForTheFirstCopysReplication(t *testing.T) {
	l := newLab(t, 2, map[string]string{"replica.lag.time.max.ms": "30000"})
	l.do(func(task *env.Task) { l.createTopic(task, "orders", nil, []int32{1, 2}) })
	leads, follows := l.leaders("orders", 0)
	l.do(func(task *env.Task) {
		conn, again := l.dial(task, leads), l.dial(task, leads)
		wantProduced(t, "replicated", conn.produceAs(task, wire.Producer{ID: 7}, false), 0)
		l.c.Node(follows).Pause(5 * time.Second)
		p := wire.Producer{ID: 7, Sequence: 1}
		conn.send(produceTo("orders", 0, 1, batch(t, wire.BatchOptions{Producer: &p}, "v")), 9)
		task.Sleep(l.env.Clock, 50*time.Millisecond)
		start := l.env.Clock.Now()
		got := again.produceAs(task, p, false) // acks=all, for 2 s
		wantCode(t, "copy of what is not replicated", got.ErrorCode, kerr.RequestTimedOut)
		if took := l.env.Clock.Now().Sub(start); took < 2*time.Second {
			t.Errorf("answered after %v", took)
		}
		wantProduced(t, "copy of what is", again.produceAs(task, wire.Producer{ID: 7}, false), 0)
	})
}

func TestCommittedReadersWaitForTheMarker(t *testing.T) {
	l := newLab(t, 1, map[string]string{"transaction.partition.verification.enable": "false"})
	l.do(func(task *env.Task) {
		l.createTopic(task, "orders", nil, []int32{1})
		conn, reader := l.dial(task, 1), l.dial(task, 1)
		wantProduced(t, "plain", conn.produceAs(task, wire.Producer{ID: 1}, false), 0)
		wantProduced(t, "in a transaction", conn.produceAs(task, wire.Producer{ID: 7}, true), 1)
		wantProduced(t, "plain", conn.produceAs(task, wire.Producer{ID: 1, Sequence: 1}, false), 2)
		fetched := func(resp kmsg.Response) kmsg.FetchResponseTopicPartition {
			p := resp.(*kmsg.FetchResponse).Topics[0].Partitions[0]
			wantCode(t, "fetch", p.ErrorCode, nil)
			return p
		}
		count := func(p kmsg.FetchResponseTopicPartition) (offsets []int64) {
			var err error
			for h := range wire.Batches(p.RecordBatches, wire.AllowTruncated, &err) {
				offsets = append(offsets, int64(h.BaseOffset))
			}
			return offsets
		}

		p := fetched(reader.call(task, committed(0, 0), 6))
		if p.HighWatermark != 3 || p.LastStableOffset != 1 || p.AbortedTransactions == nil || len(p.AbortedTransactions) > 0 {
			t.Errorf("an open transaction: %+v", p)
		}
		if d := cmp.Diff([]int64{0}, count(p)); d != "" {
			t.Errorf("before the transaction (-want +got):\n%s", d)
		}
		if p := fetched(reader.call(task, fetchFrom("orders", [16]byte{}, 0, 1), 6)); len(count(p)) != 2 || p.LastStableOffset != 1 || p.AbortedTransactions != nil {
			t.Errorf("uncommitted read: %+v", p)
		}
		if at := conn.latest(task, 1); at != 1 {
			t.Errorf("the last stable offset is listed as %d", at)
		}
		if at := conn.latest(task, 0); at != 3 {
			t.Errorf("the high watermark is listed as %d", at)
		}

		// One that waits is woken by the marker, not by what other producers append.
		start := l.env.Clock.Now()
		reader.send(committed(1, 3*time.Second), 6)
		wantProduced(t, "plain", conn.produceAs(task, wire.Producer{ID: 1, Sequence: 2}, false), 3)
		task.Sleep(l.env.Clock, time.Second)
		conn.mark(task, 7, 0, false)
		req := committed(1, 0)
		req.Version = 6
		p = fetched(reader.answer(task, reader.corr, req))
		if took := l.env.Clock.Now().Sub(start); took < time.Second || took > 1100*time.Millisecond {
			t.Errorf("woken after %v", took)
		}
		want := []kmsg.FetchResponseTopicPartitionAbortedTransaction{{ProducerID: 7, FirstOffset: 1}}
		if d := cmp.Diff(want, p.AbortedTransactions, cmp.AllowUnexported(kmsg.Tags{})); d != "" || p.LastStableOffset != 5 {
			t.Errorf("aborted, up to %d (-want +got):\n%s", p.LastStableOffset, d)
		}
		if d := cmp.Diff([]int64{1, 2, 3, 4}, count(p)); d != "" {
			t.Errorf("with the marker (-want +got):\n%s", d)
		}
		if p := fetched(reader.call(task, committed(5, 0), 6)); len(p.AbortedTransactions) > 0 {
			t.Errorf("behind the marker: %+v", p.AbortedTransactions)
		}

		describe := kmsg.NewPtrDescribeProducersRequest()
		describe.Topics = []kmsg.DescribeProducersRequestTopic{{Topic: "orders", Partitions: []int32{0, 1}}}
		wantProduced(t, "another transaction", conn.produceAs(task, wire.Producer{ID: 7, Sequence: 1}, true), 5)
		d := conn.call(task, describe, 0).(*kmsg.DescribeProducersResponse).Topics[0].Partitions
		wantCode(t, "unknown partition", d[1].ErrorCode, kerr.UnknownTopicOrPartition)
		type producer struct {
			id                  int64
			sequence            int32
			coordinator         int32
			transactionStartsAt int64
		}
		var got []producer
		for _, p := range d[0].ActiveProducers {
			got = append(got, producer{p.ProducerID, p.LastSequence, p.CoordinatorEpoch, p.CurrentTxnStartOffset})
		}
		if d := cmp.Diff([]producer{{1, 2, -1, -1}, {7, 1, 0, 5}}, got, cmp.AllowUnexported(producer{})); d != "" {
			t.Errorf("producers (-want +got):\n%s", d)
		}
	})
}

// Row 36 of the zoo: what was refused for want of replicas is taken for appended when it
// comes again, and lost.
func TestRefusedBatchLeavesNoTrace(t *testing.T) {
	for _, planted := range []bool{false, true} {
		l := newLab(t, 3, map[string]string{"replica.lag.time.max.ms": "1000"})
		l.do(func(task *env.Task) {
			l.createTopic(task, "orders", map[string]string{"min.insync.replicas": "2"}, []int32{1, 2})
		})
		if planted {
			if err := l.c.Node(1).Fail.Arm(failpoint.ZooProducerStateBeforeAppend, "return(true)"); err != nil {
				t.Fatal(err)
			}
		}
		l.do(func(task *env.Task) {
			conn := l.dial(task, 1)
			wantProduced(t, "with two replicas", conn.produceAs(task, wire.Producer{ID: 7}, false), 0)
			l.c.Node(2).Crash()
			task.Sleep(l.env.Clock, 10*time.Second)
			wantCode(t, "with one", conn.produceAs(task, wire.Producer{ID: 7, Sequence: 1}, false).ErrorCode, kerr.NotEnoughReplicas)
			l.c.Node(2).Up()
			task.Sleep(l.env.Clock, 10*time.Second)
			wantProduced(t, "somebody else's", conn.produceAs(task, wire.Producer{ID: 1}, false), 1)
			again := conn.produceAs(task, wire.Producer{ID: 7, Sequence: 1}, false)
			if end := conn.latest(task, 0); again.ErrorCode != 0 || (end == 2) != planted || end != 2 && end != 3 {
				t.Errorf("planted %v: answered %v with offset %d, and the log ends at %d", planted, kerr.ErrorForCode(again.ErrorCode), again.BaseOffset, end)
			}
		})
	}
}

// The first batch of a transaction waits for the coordinator, those behind it wait with it,
// and none overtakes another.
func TestBatchesKeepTheirOrderWhileVerified(t *testing.T) {
	for _, version := range []int16{9, 12} {
		l := newLab(t, 1, map[string]string{"transaction.state.log.num.partitions": "1", "transaction.state.log.replication.factor": "1", "transaction.state.log.min.isr": "1"})
		l.do(func(task *env.Task) {
			l.createTopic(task, "orders", nil, []int32{1})
			tx := l.transactional(task, "t")
			conn := l.dial(task, 1)
			send := func(sequence int32) {
				p := wire.Producer{ID: tx.producer, Epoch: tx.epoch, Sequence: sequence}
				req := produceTo("orders", 0, 1, batch(t, wire.BatchOptions{Producer: &p, Transactional: true}, "v"))
				req.TransactionID = kmsg.StringPtr("t")
				conn.send(req, version)
			}
			answers := func(n int32) (got []kmsg.ProduceResponseTopicPartition) {
				req := kmsg.NewPtrProduceRequest()
				req.Version = version
				for i := range n {
					got = append(got, conn.answer(task, conn.corr-n+1+i, req).(*kmsg.ProduceResponse).Topics[0].Partitions[0])
				}
				return got
			}
			if version < 12 {
				// Not in the transaction: refused, and what follows it as well.
				send(0)
				send(1)
				for _, p := range answers(2) {
					wantCode(t, "before it is added", p.ErrorCode, kerr.InvalidTxnState)
				}
				add := kmsg.NewPtrAddPartitionsToTxnRequest()
				add.TransactionalID, add.ProducerID, add.ProducerEpoch = "t", tx.producer, tx.epoch
				add.Topics = []kmsg.AddPartitionsToTxnRequestTopic{{Topic: "orders", Partitions: []int32{0}}}
				added := conn.call(task, add, 3).(*kmsg.AddPartitionsToTxnResponse)
				wantCode(t, "add", added.Topics[0].Partitions[0].ErrorCode, nil)
			}
			for i := range int32(4) {
				send(i)
			}
			for i, p := range answers(4) {
				wantProduced(t, "pipelined", p, int64(i))
			}

			// Who hangs up meanwhile is not waited for.
			tx.end(task, true)
			gone := l.dial(task, 1)
			p := wire.Producer{ID: tx.producer, Epoch: tx.epoch, Sequence: 4}
			req := produceTo("orders", 0, -1, batch(t, wire.BatchOptions{Producer: &p, Transactional: true}, "v"))
			req.TransactionID = kmsg.StringPtr("t")
			gone.send(req, version)
			gone.c.Close()
			task.Sleep(l.env.Clock, time.Second)
			if held := l.c.Node(1).Broker.Held(); held.Unverified != 0 {
				t.Errorf("held: %+v", held)
			}
		})
	}
}
