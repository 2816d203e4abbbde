package broker_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/failpoint"
	"odradek/broker/wire"
)

// markerFor is a WriteTxnMarkers for one partition.
func markerFor(tp wire.TopicPartition, producerID int64, epoch int16, commit bool, coordinatorEpoch int32, version int8) *kmsg.WriteTxnMarkersRequest {
	req := kmsg.NewPtrWriteTxnMarkersRequest()
	m := kmsg.NewWriteTxnMarkersRequestMarker()
	m.ProducerID, m.ProducerEpoch, m.Committed, m.CoordinatorEpoch, m.TransactionVersion = producerID, epoch, commit, coordinatorEpoch, version
	m.Topics = []kmsg.WriteTxnMarkersRequestMarkerTopic{{Topic: tp.Topic, Partitions: []int32{tp.Partition}}}
	req.Markers = append(req.Markers, m)
	return req
}

func markerCode(r kmsg.Response) int16 {
	return r.(*kmsg.WriteTxnMarkersResponse).Markers[0].Topics[0].Partitions[0].ErrorCode
}

func TestMarkersAreJudgedByEpochs(t *testing.T) {
	l := newLab(t, 1, map[string]string{"transaction.partition.verification.enable": "false"})
	l.do(func(task *env.Task) {
		l.createTopic(task, "t", nil, []int32{1})
		conn := l.dial(task, 1)
		write := func(epoch int16) {
			t.Helper()
			b := batch(t, wire.BatchOptions{Producer: &wire.Producer{ID: 9, Epoch: epoch}, Transactional: true}, "v")
			req := produceTo("t", 0, -1, b)
			req.TransactionID = kmsg.StringPtr("x")
			wantCode(t, "produce", conn.call(task, req, 11).(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode, nil)
		}
		mark := func(what string, want *kerr.Error, epoch int16, coordinatorEpoch int32, version int8) {
			t.Helper()
			wantCode(t, what, markerCode(conn.call(task, markerFor(t0, 9, epoch, true, coordinatorEpoch, version), 2)), want)
		}
		stable := func(want int64) {
			t.Helper()
			req := fetchFrom("t", l.topicID("t"), 0, 0)
			req.IsolationLevel = 1
			p := conn.call(task, req, 13).(*kmsg.FetchResponse).Topics[0].Partitions[0]
			if p.LastStableOffset != want {
				t.Errorf("last stable offset %d, want %d", p.LastStableOffset, want)
			}
		}
		write(5)
		stable(0)
		mark("an older producer epoch", kerr.InvalidProducerEpoch, 4, 7, 0)
		mark("the epoch of the open transaction, in the second protocol", kerr.InvalidProducerEpoch, 5, 7, 2)
		stable(0)
		mark("the epoch after it", nil, 6, 7, 2)
		stable(2)
		mark("the same again", nil, 6, 7, 2)
		stable(3)
		mark("an older coordinator", kerr.TransactionCoordinatorFenced, 6, 6, 0)
		write(7)
		mark("a newer coordinator, in the first protocol", nil, 7, 8, 0)
		stable(5)
	})
}

// TestMarkerWaitsForItsReplicas: a marker is answered once it is replicated, is tried again
// after a while, and is written once however often it is asked for meanwhile.
func TestMarkerWaitsForItsReplicas(t *testing.T) {
	l := newLab(t, 3, map[string]string{"transaction.partition.verification.enable": "false", "replica.lag.time.max.ms": "60000", "broker.session.timeout.ms": "60000"})
	l.do(func(task *env.Task) {
		l.createTopic(task, "t", nil, []int32{1, 2})
		conn, another := l.dial(task, 1), l.dial(task, 1)
		b := batch(t, wire.BatchOptions{Producer: &wire.Producer{ID: 9, Epoch: 0}, Transactional: true}, "v")
		req := produceTo("t", 0, -1, b)
		req.TransactionID = kmsg.StringPtr("x")
		wantCode(t, "produce", conn.call(task, req, 11).(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode, nil)
		l.c.Node(2).Pause(5 * time.Second)
		marker := markerFor(t0, 9, 1, true, 0, 2)
		wantCode(t, "without its follower", markerCode(conn.call(task, marker, 2)), kerr.RequestTimedOut)
		another.send(marker, 2)
		codes := []int16{markerCode(conn.call(task, marker, 2)), markerCode(conn.call(task, marker, 2))}
		if kept := l.c.Node(1).Broker.Kept(); kept.LocalMarkers != 1 || kept.MarkerParts != 1 {
			t.Errorf("after four requests, of which none waits: %d markers are remembered for %d", kept.LocalMarkers, kept.MarkerParts)
		}
		for codes[len(codes)-1] == kerr.RequestTimedOut.Code && len(codes) < 10 {
			codes = append(codes, markerCode(conn.call(task, marker, 2)))
		}
		wantCode(t, "with its follower", codes[len(codes)-1], nil)
		end := conn.call(task, fetchFrom("t", l.topicID("t"), 0, 0), 13).(*kmsg.FetchResponse).Topics[0].Partitions[0].HighWatermark
		if end != 2 {
			t.Errorf("the log ends at %d: one record and one marker were expected, after %v", end, codes)
		}
	})
}

// TestDeletedPartitionNeedsNoMarker: a partition that cannot get its marker is deleted. The
// transaction completes, and its coordinator does not wait for that marker any more.
func TestDeletedPartitionNeedsNoMarker(t *testing.T) {
	bothProtocols(t, 3, map[string]string{"broker.session.timeout.ms": "2000"}, func(t *testing.T, b *bank, task *env.Task) {
		_, at, _ := b.commitWithoutReplica(t, task)
		task.Sleep(b.env.Clock, 3*time.Second)
		completing := func() int { return b.c.Node(at).Broker.Kept().Completing }
		if n := completing(); n != 1 {
			t.Fatalf("%d transactions are being completed", n)
		}
		if err := b.client.NewAdmin().DeleteTopic(task, "t"); err != nil {
			t.Fatal(err)
		}
		task.Sleep(b.env.Clock, time.Second)
		if n := completing(); n != 0 {
			t.Errorf("%d transactions are being completed", n)
		}
		if d, err := b.client.NewAdmin().DescribeTransaction(task, "x"); err != nil || d.State != "CompleteCommit" {
			t.Errorf("the transaction is %+v, %v", d, err)
		}
	})
}

// lead makes a node the leader of a partition, by putting it first among the replicas.
func (b *bank) lead(task *env.Task, tp wire.TopicPartition, replicas ...int32) {
	b.t.Helper()
	conn := b.dial(task, 1)
	defer conn.c.Close()
	move := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	move.TimeoutMillis = 5000
	move.Topics = []kmsg.AlterPartitionAssignmentsRequestTopic{{Topic: tp.Topic, Partitions: []kmsg.AlterPartitionAssignmentsRequestTopicPartition{{Partition: tp.Partition, Replicas: replicas}}}}
	if r := conn.call(task, move, 0).(*kmsg.AlterPartitionAssignmentsResponse); r.ErrorCode != 0 || len(r.Topics) > 0 && r.Topics[0].Partitions[0].ErrorCode != 0 {
		b.t.Fatalf("reassign: %+v", r)
	}
	for range 100 {
		elect := kmsg.NewPtrElectLeadersRequest()
		elect.TimeoutMillis = 5000
		elect.Topics = []kmsg.ElectLeadersRequestTopic{{Topic: tp.Topic, Partitions: []int32{tp.Partition}}}
		conn.call(task, elect, 2)
		if b.leader(tp) == wire.NodeID(replicas[0]) {
			return
		}
		task.Sleep(b.env.Clock, 5*time.Millisecond)
	}
	b.t.Fatalf("%v is led by %d, not by %d", tp, b.leader(tp), replicas[0])
}

// TestMarkersOfAnEarlierCoordinatorDoNotCount: a coordinator loses its office and gets it
// back while its markers are under way. Those are answered, and must not take the
// markers that it sends in its new epoch for sent (KAFKA-16352, row 42 of the zoo).
func TestMarkersOfAnEarlierCoordinatorDoNotCount(t *testing.T) {
	for _, planted := range []bool{false, true} {
		t.Run(fmt.Sprintf("planted=%v", planted), func(t *testing.T) {
			b := newBank(t, 4, map[string]string{"replica.lag.time.max.ms": "60000", "broker.session.timeout.ms": "60000", "auto.leader.rebalance.enable": "false"})
			if planted {
				for _, n := range b.c.Nodes {
					if err := n.Fail.Arm(failpoint.ZooMarkerRemovedByKeyOnly, "return"); err != nil {
						t.Fatal(err)
					}
				}
			}
			b.do(func(task *env.Task) {
				shard := wire.TopicPartition{Topic: "__transaction_state"}
				b.createTopic(task, shard.Topic, map[string]string{"cleanup.policy": "compact"}, []int32{1, 2})
				b.createTopic(task, "t", nil, []int32{3, 4}, []int32{3, 4})
				p := b.ready(task, "x", time.Minute)
				b.begin(p)
				b.send(task, p, map[wire.TopicPartition]string{t0: "a", t1: "b"})
				b.c.Node(4).Pause(700 * time.Millisecond) // the markers wait for their replicas
				wantOK(t, "commit", p.CommitTransaction(task))
				task.Sleep(b.env.Clock, 20*time.Millisecond)
				b.lead(task, shard, 2, 1)
				task.Sleep(b.env.Clock, 20*time.Millisecond)
				b.lead(task, shard, 1, 2)
				task.Sleep(b.env.Clock, 3*time.Second)
				d, err := b.client.NewAdmin().DescribeTransaction(task, "x")
				want := "CompleteCommit"
				if planted {
					want = "PrepareCommit"
				}
				if err != nil || d.State != want {
					t.Errorf("the transaction is %+v, %v; want it %s", d, err, want)
				}
			})
		})
	}
}
