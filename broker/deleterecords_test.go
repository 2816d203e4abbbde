package broker_test

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker"
	"odradek/broker/env"
	"odradek/broker/wire"
)

func deleteRecords(topic string, partition int32, upTo int64) *kmsg.DeleteRecordsRequest {
	r := kmsg.NewPtrDeleteRecordsRequest()
	r.TimeoutMillis = 4000
	r.Topics = []kmsg.DeleteRecordsRequestTopic{{Topic: topic, Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Partition: partition, Offset: upTo}}}}
	return r
}

// deleted sends a DeleteRecords request and returns the result of its partition.
func (c *rawConn) deleted(task *env.Task, req *kmsg.DeleteRecordsRequest) (low int64, code int16) {
	c.l.t.Helper()
	p := c.call(task, req, 2).(*kmsg.DeleteRecordsResponse).Topics[0].Partitions[0]
	return p.LowWatermark, p.ErrorCode
}

func TestDeleteRecordsErrors(t *testing.T) {
	l := newLab(t, 3, nil)
	l.do(func(task *env.Task) {
		l.createTopic(task, "orders", nil, []int32{1, 2, 3})
		l.createTopic(task, "table", map[string]string{"cleanup.policy": "compact"}, []int32{1, 2, 3})
		l.createTopic(task, "both", map[string]string{"cleanup.policy": "compact,delete"}, []int32{1, 2, 3})
		conn := l.dial(task, 1)
		for _, topic := range []string{"orders", "table", "both"} {
			r := conn.call(task, produceTo(topic, 0, -1, batch(t, wire.BatchOptions{}, "a", "b", "c")), 9)
			wantCode(t, "produce", r.(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode, nil)
		}
		for _, test := range []struct {
			name string
			node wire.NodeID
			req  *kmsg.DeleteRecordsRequest
			low  int64
			want *kerr.Error
		}{
			{"beyond the high watermark", 1, deleteRecords("orders", 0, 4), -1, kerr.OffsetOutOfRange},
			{"negative", 1, deleteRecords("orders", 0, -2), -1, kerr.OffsetOutOfRange},
			{"compacted", 1, deleteRecords("table", 0, 1), -1, kerr.PolicyViolation},
			{"compacted, and out of range", 1, deleteRecords("table", 0, 9), -1, kerr.PolicyViolation},
			{"no such topic", 1, deleteRecords("nothing", 0, 1), -1, kerr.UnknownTopicOrPartition},
			{"no such partition", 1, deleteRecords("orders", 7, 1), -1, kerr.UnknownTopicOrPartition},
			{"a follower", 2, deleteRecords("orders", 0, 1), -1, kerr.NotLeaderForPartition},
			{"internal", 1, deleteRecords("__consumer_offsets", 0, 1), -1, kerr.InvalidTopicException},
			{"to the middle of a batch", 1, deleteRecords("orders", 0, 1), 1, nil},
			{"back", 1, deleteRecords("orders", 0, 0), 1, nil},
			{"all", 1, deleteRecords("orders", 0, -1), 3, nil},
			{"compacted and deleted", 1, deleteRecords("both", 0, 2), 2, nil},
		} {
			conn := l.dial(task, test.node)
			low, code := conn.deleted(task, test.req)
			wantCode(t, test.name, code, test.want)
			if low != test.low {
				t.Errorf("%s: low watermark %d, want %d", test.name, low, test.low)
			}
			conn.c.Close()
		}
		f := conn.call(task, fetchFrom("orders", l.topicID("orders"), 0, 2), 13).(*kmsg.FetchResponse).Topics[0].Partitions[0]
		wantCode(t, "fetch below the start", f.ErrorCode, kerr.OffsetOutOfRange)
	})
}

// DeleteRecords is answered once all live replicas have followed; a dead one does not count.
func TestDeleteRecordsWaitsForTheReplicas(t *testing.T) {
	l := newLab(t, 3, map[string]string{"broker.session.timeout.ms": "20000", "replica.lag.time.max.ms": "600"})
	l.do(func(task *env.Task) {
		l.createTopic(task, "orders", nil, []int32{1, 2, 3})
		conn := l.dial(task, 1)
		produce := func() {
			r := conn.call(task, produceTo("orders", 0, -1, batch(t, wire.BatchOptions{}, "a", "b", "c")), 9)
			wantCode(t, "produce", r.(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode, nil)
		}
		produce()
		low, code := conn.deleted(task, deleteRecords("orders", 0, 3))
		wantCode(t, "delete", code, nil)
		for n := range 3 {
			if start := l.logStart(wire.NodeID(n+1), "orders"); start != 3 || low != 3 {
				t.Errorf("node %d has its log start at %d, low watermark %d", n+1, start, low)
			}
		}
		l.c.Node(3).Pause(time.Minute)
		produce()
		req := deleteRecords("orders", 0, 5)
		req.TimeoutMillis = 700
		low, code = conn.deleted(task, req)
		wantCode(t, "a replica does not answer", code, kerr.RequestTimedOut)
		if low != 3 {
			t.Errorf("low watermark %d, want 3", low)
		}
		l.c.Node(3).Resume()
		low, code = conn.deleted(task, deleteRecords("orders", 0, 5))
		wantCode(t, "the replica is back", code, nil)
		task.Sleep(l.env.Clock, 50*time.Millisecond) // it begins anew, within a batch
		if low != 5 || l.logStart(3, "orders") != 5 {
			t.Errorf("low watermark %d, log start of node 3 %d", low, l.logStart(3, "orders"))
		}
		if held := l.c.Node(1).Broker.Held(); held.Deletes > 0 {
			t.Errorf("held: %+v", held)
		}
	})
}

// A replica that is made anew begins where the leader's log does, in the middle of a batch.
func TestReplicaBeginsWithinABatch(t *testing.T) {
	l := newLab(t, 3, nil)
	l.do(func(task *env.Task) {
		l.createTopic(task, "orders", nil, []int32{1, 2})
		conn := l.dial(task, 1)
		r := conn.call(task, produceTo("orders", 0, -1, batch(t, wire.BatchOptions{}, "a", "b", "c")), 9)
		wantCode(t, "produce", r.(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode, nil)
		_, code := conn.deleted(task, deleteRecords("orders", 0, 2))
		wantCode(t, "delete", code, nil)
		req := kmsg.NewPtrAlterPartitionAssignmentsRequest()
		req.TimeoutMillis = 3000
		req.Topics = []kmsg.AlterPartitionAssignmentsRequestTopic{{Topic: "orders", Partitions: []kmsg.AlterPartitionAssignmentsRequestTopicPartition{{Replicas: []int32{1, 3}}}}}
		a := conn.call(task, req, 0).(*kmsg.AlterPartitionAssignmentsResponse)
		wantCode(t, "reassign", a.ErrorCode, nil)
		wantCode(t, "reassign", a.Topics[0].Partitions[0].ErrorCode, nil)
		for range 50 {
			if image, _ := l.c.Node(1).Broker.Image(); len(image.Partition("orders", 0).ISR) == 2 && image.Partition("orders", 0).ISR[1] == 3 {
				break
			}
			task.Sleep(l.env.Clock, 100*time.Millisecond)
		}
		state := l.replica(3, "orders")
		if state.LogStart != 2 || state.LogEnd != 3 || state.HighWatermark != 3 {
			t.Errorf("the new replica is %+v", state)
		}
	})
}

// replica is a node's replica of partition 0 of a topic.
func (l *lab) replica(node wire.NodeID, topic string) broker.ReplicaState {
	for _, s := range l.c.Node(node).Broker.Replicas() {
		if s.Topic == topic && s.Partition == 0 {
			return s
		}
	}
	l.t.Fatalf("node %d has no replica of %s", node, topic)
	return broker.ReplicaState{}
}

func (l *lab) logStart(node wire.NodeID, topic string) wire.Offset {
	return l.replica(node, topic).LogStart
}
