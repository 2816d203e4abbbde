package broker_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/wire"
)

// tableLab is a cluster with the topic "table" on nodes 1 to 3, compacted and replicated:
// of its offsets 0 to 39, all with the keys 0 to 3, most are gone.
func tableLab(t *testing.T, then func(task *env.Task, l *lab, conn *rawConn)) {
	l := newLab(t, 3, map[string]string{"log.cleaner.backoff.ms": "100", "log.retention.check.interval.ms": "100000"})
	l.do(func(task *env.Task) {
		l.createTopic(task, "table", map[string]string{
			"cleanup.policy": "compact", "segment.bytes": "500", "min.cleanable.dirty.ratio": "0.01", "file.delete.delay.ms": "50",
		}, []int32{1, 2, 3})
		conn := l.dial(task, 1)
		for i := range 40 {
			l.put(task, conn, i)
		}
		task.Sleep(l.env.Clock, time.Second)
		then(task, l, conn)
	})
}

// put appends the record of offset i, whose timestamp is i seconds after now.
func (l *lab) put(task *env.Task, conn *rawConn, i int) {
	l.t.Helper()
	b := wire.NewBuilder(wire.BatchOptions{})
	b.Append(int64(1_000_000+1000*i), fmt.Appendf(nil, "key-%d", i%4), fmt.Appendf(nil, "value-%d", i))
	raw, err := b.Build(nil, nil)
	if err != nil {
		l.t.Fatal(err)
	}
	r := conn.call(task, produceTo("table", 0, -1, raw), 9).(*kmsg.ProduceResponse).Topics[0].Partitions[0]
	wantCode(l.t, "produce", r.ErrorCode, nil)
	if r.BaseOffset != int64(i) {
		l.t.Fatalf("appended at %d, want %d", r.BaseOffset, i)
	}
}

// offsets reads the partition from an offset on.
func (l *lab) offsets(task *env.Task, conn *rawConn, from int64) (offsets []wire.Offset) {
	l.t.Helper()
	for {
		p := conn.call(task, fetchFrom("table", l.topicID("table"), 0, from), 13).(*kmsg.FetchResponse).Topics[0].Partitions[0]
		wantCode(l.t, "fetch", p.ErrorCode, nil)
		next := from
		var err error
		for h, b := range wire.Batches(p.RecordBatches, wire.AllowTruncated, &err) {
			records, err := wire.NewCodec(1 << 20).Records(b)
			if err != nil || !wire.CheckCRC(b) {
				l.t.Fatalf("batch at %d: %v", h.BaseOffset, err)
			}
			var r wire.Record
			for records.Next(&r) {
				if r.Offset >= wire.Offset(from) {
					offsets = append(offsets, r.Offset)
				}
			}
			next = int64(h.NextOffset())
		}
		if next == from {
			return offsets
		}
		from = next
	}
}

func TestClientsOfACompactedTopic(t *testing.T) {
	tableLab(t, func(task *env.Task, l *lab, conn *rawConn) {
		all := l.offsets(task, conn, 0)
		if len(all) > 20 || len(all) < 5 || all[len(all)-1] != 39 {
			t.Fatalf("compaction left %v", all)
		}
		// A position in a gap goes on behind it.
		for from := range int64(40) {
			got := l.offsets(task, conn, from)
			for len(all) > 0 && all[0] < wire.Offset(from) {
				all = all[1:]
			}
			if fmt.Sprint(got) != fmt.Sprint(all) {
				t.Errorf("from %d: %v, want %v", from, got, all)
			}
		}
		all = l.offsets(task, conn, 0)
		list := func(timestamp int64) int64 {
			r := kmsg.NewPtrListOffsetsRequest()
			p := kmsg.NewListOffsetsRequestTopicPartition()
			r.ReplicaID, p.Timestamp = -1, timestamp
			r.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: "table", Partitions: []kmsg.ListOffsetsRequestTopicPartition{p}}}
			a := conn.call(task, r, 7).(*kmsg.ListOffsetsResponse).Topics[0].Partitions[0]
			wantCode(t, "list offsets", a.ErrorCode, nil)
			return a.Offset
		}
		if list(-2) != 0 || list(-1) != 40 || list(-3) != 39 {
			t.Errorf("earliest %d, latest %d, largest timestamp %d", list(-2), list(-1), list(-3))
		}
		for i := range 40 {
			want := all[0]
			for _, o := range all {
				if want = o; o >= wire.Offset(i) {
					break
				}
			}
			if got := list(int64(1_000_000 + 1000*i)); got != int64(want) {
				t.Errorf("the first record since that of offset %d is %d, want %d of %v", i, got, want, all)
			}
		}
		epoch := kmsg.NewPtrOffsetForLeaderEpochRequest()
		p := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
		epoch.ReplicaID, p.LeaderEpoch = -1, 0
		epoch.Topics = []kmsg.OffsetForLeaderEpochRequestTopic{{Topic: "table", Partitions: []kmsg.OffsetForLeaderEpochRequestTopicPartition{p}}}
		a := conn.call(task, epoch, 4).(*kmsg.OffsetForLeaderEpochResponse).Topics[0].Partitions[0]
		if a.ErrorCode != 0 || a.EndOffset != 40 {
			t.Errorf("the end of epoch 0: %+v", a)
		}
	})
}

// A topic that is not compacted any more has the gaps of the time when it was: a follower
// that begins anew takes them, and after a crash finds its log as it was.
func TestFollowersTakeGapsWhenTheTopicIsNotCompactedAnyMore(t *testing.T) {
	tableLab(t, func(task *env.Task, l *lab, conn *rawConn) {
		before := l.offsets(task, conn, 0)
		l.alterTopic(task, conn, "table", "cleanup.policy", "delete")
		for _, replicas := range [][]int32{{1, 2}, {1, 2, 3}} { // node 3 is emptied, and begins anew
			req := kmsg.NewPtrAlterPartitionAssignmentsRequest()
			req.TimeoutMillis = 3000
			req.Topics = []kmsg.AlterPartitionAssignmentsRequestTopic{{Topic: "table", Partitions: []kmsg.AlterPartitionAssignmentsRequestTopicPartition{{Replicas: replicas}}}}
			wantCode(t, "reassign", conn.call(task, req, 0).(*kmsg.AlterPartitionAssignmentsResponse).Topics[0].Partitions[0].ErrorCode, nil)
			l.awaitISR(task, "table", len(replicas))
		}
		if s := l.replica(3, "table"); s.LogEnd != 40 {
			t.Fatalf("the new replica is %+v", s)
		}
		l.c.Node(3).CutPower()
		task.Sleep(l.env.Clock, time.Second)
		l.c.Node(3).Up()
		task.Sleep(l.env.Clock, 3*time.Second)
		l.awaitISR(task, "table", 3)
		elect := kmsg.NewPtrAlterPartitionAssignmentsRequest()
		elect.TimeoutMillis = 3000
		elect.Topics = []kmsg.AlterPartitionAssignmentsRequestTopic{{Topic: "table", Partitions: []kmsg.AlterPartitionAssignmentsRequestTopicPartition{{Replicas: []int32{3}}}}}
		wantCode(t, "reassign", conn.call(task, elect, 0).(*kmsg.AlterPartitionAssignmentsResponse).Topics[0].Partitions[0].ErrorCode, nil)
		l.awaitISR(task, "table", 1)
		task.Sleep(l.env.Clock, 500*time.Millisecond)
		if after := l.offsets(task, l.dial(task, 3), 0); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("the new leader has %v, there were %v", after, before)
		}
	})
}

// logSizes is how many bytes each node has of the table.
func (l *lab) logSizes() (sizes [3]int) {
	for n := range sizes {
		d := l.c.Node(wire.NodeID(n + 1)).Disk
		for _, name := range d.Names("table-0") {
			if strings.HasSuffix(name, ".log") {
				sizes[n] += d.Peek("table-0/"+name, make([]byte, 10_000), 0)
			}
		}
	}
	return sizes
}

// A replica whose compaction fails serves, and goes on compacting once the cause is gone:
// here a disk that was full.
func TestCompactionGoesOnWhenTheDiskHasRoomAgain(t *testing.T) {
	l := newLab(t, 3, map[string]string{"log.cleaner.backoff.ms": "100", "replica.high.watermark.checkpoint.interval.ms": "100000"})
	l.do(func(task *env.Task) {
		l.createTopic(task, "table", map[string]string{"cleanup.policy": "compact", "segment.bytes": "500", "min.cleanable.dirty.ratio": "1"}, []int32{1, 2, 3})
		conn := l.dial(task, 1)
		for i := range 40 {
			l.put(task, conn, i)
		}
		task.Sleep(l.env.Clock, time.Second) // of 1 it is never more
		before := l.logSizes()
		l.c.Node(1).Disk.SetCapacity(1)
		l.alterTopic(task, l.dial(task, 2), "table", "min.cleanable.dirty.ratio", "0.01")
		task.Sleep(l.env.Clock, 3*time.Second)
		if full := l.logSizes(); full[0] != before[0] || full[1] > before[1]/2 || full[2] > before[2]/2 {
			t.Errorf("logs of %v bytes became %v", before, full)
		}
		if all := l.offsets(task, conn, 0); len(all) != 40 {
			t.Errorf("the leader has %v", all)
		}
		if s := l.replica(1, "table"); s.Err != nil || !s.Leads || len(s.ISR) != 3 {
			t.Errorf("the leader is %+v", s)
		}
		if tried := l.count("cleaning-failed"); tried < 2 || tried > 4 {
			t.Errorf("tried %d times in 3 s, want a pause that grows from 1 s", tried)
		}
		l.c.Node(1).Disk.SetCapacity(0)
		task.Sleep(l.env.Clock, 8*time.Second)
		if after := l.logSizes(); after[0] > before[0]/2 {
			t.Errorf("the log has %d bytes, before compaction it had %d", after[0], before[0])
		}
	})
}

// A log that is damaged is not compacted, however often the cleaner comes by: its damage
// would be hidden.
func TestDamagedLogIsLeftToWhoeverReadsIt(t *testing.T) {
	l := newLab(t, 3, map[string]string{"log.cleaner.backoff.ms": "100"})
	l.do(func(task *env.Task) {
		l.createTopic(task, "table", map[string]string{"cleanup.policy": "compact", "segment.bytes": "500", "min.cleanable.dirty.ratio": "1"}, []int32{1, 2, 3})
		conn := l.dial(task, 1)
		for i := range 40 {
			l.put(task, conn, i)
		}
		if !l.c.Node(1).Disk.Corrupt("table-0/00000000000000000000.log", 70, 1) {
			t.Fatal("there is nothing to damage")
		}
		before := l.logSizes()
		l.alterTopic(task, conn, "table", "min.cleanable.dirty.ratio", "0.01")
		task.Sleep(l.env.Clock, 20*time.Second)
		if after := l.logSizes(); after[0] != before[0] || after[1] > before[1]/2 {
			t.Errorf("logs of %v bytes became %v", before, after)
		}
		if n := l.count("partition-uncleanable"); n != 1 {
			t.Errorf("given up %d times", n)
		}
		if s := l.replica(1, "table"); s.Err != nil || !s.Leads {
			t.Errorf("the leader is %+v", s)
		}
	})
}

// alterTopic sets one config of a topic.
func (l *lab) alterTopic(task *env.Task, conn *rawConn, topic, name, value string) {
	l.t.Helper()
	alter := kmsg.NewPtrIncrementalAlterConfigsRequest()
	resource := kmsg.NewIncrementalAlterConfigsRequestResource()
	resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeTopic, topic
	c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	c.Name, c.Value = name, kmsg.StringPtr(value)
	resource.Configs = append(resource.Configs, c)
	alter.Resources = append(alter.Resources, resource)
	wantCode(l.t, "alter", conn.call(task, alter, 1).(*kmsg.IncrementalAlterConfigsResponse).Resources[0].ErrorCode, nil)
	task.Sleep(l.env.Clock, 200*time.Millisecond)
}

func (l *lab) awaitISR(task *env.Task, topic string, size int) {
	l.t.Helper()
	for range 100 {
		image, _ := l.c.Node(1).Broker.Image()
		if p := image.Partition(topic, 0); len(p.ISR) == size && len(p.Replicas) == size {
			return
		}
		task.Sleep(l.env.Clock, 100*time.Millisecond)
	}
	l.t.Fatalf("%s has no ISR of %d", topic, size)
}
