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

// Large batches are checked off the loop, small ones at once; the log has them in the order in
// which they came all the same, and a bad one does not hold up the others.
func TestBatchesKeepTheirOrderWhateverTheirSize(t *testing.T) {
	l := newLab(t, 1, nil)
	l.do(func(task *env.Task) {
		l.createTopic(task, "orders", nil, []int32{1})
		conn := l.dial(task, 1)
		var frames []byte
		var reqs []*kmsg.ProduceRequest
		sequence := int32(0)
		for i := range 20 {
			opts := wire.BatchOptions{Producer: &wire.Producer{ID: 4711, Sequence: sequence}}
			size := 10
			switch i % 4 {
			case 0:
				size = 200 << 10
			case 1:
				size, opts.Compression = 600<<10, wire.Gzip
			}
			// What does not compress is large in either form.
			value := make([]byte, size)
			for k := range value {
				value[k] = byte(k * k * (k >> 3) * 2654435761 >> 13)
			}
			records := batch(t, opts, string(value))
			if i == 8 || i == 11 {
				records[len(records)-1] ^= 1
			} else {
				sequence++
			}
			req := produceTo("orders", 0, 1, records)
			reqs = append(reqs, req)
			frames = append(frames, conn.frame(req, 9)...)
		}
		conn.write(frames)
		next := int64(0)
		for i, req := range reqs {
			p := conn.answer(task, int32(i+1), req).(*kmsg.ProduceResponse).Topics[0].Partitions[0]
			if i == 8 || i == 11 {
				wantCode(t, fmt.Sprintf("damaged batch %d", i), p.ErrorCode, kerr.CorruptMessage)
				continue
			}
			wantCode(t, fmt.Sprintf("batch %d", i), p.ErrorCode, nil)
			if p.BaseOffset != next {
				t.Errorf("batch %d is at offset %d, want %d", i, p.BaseOffset, next)
			}
			next++
		}
	})
}

// A batch whose check ends after the leadership is refused, and so is what waited behind it.
func TestALeadershipThatEndsDuringTheCheckIsNoticed(t *testing.T) {
	l := newLab(t, 2, nil)
	if err := l.c.Node(1).Host.Fail.Arm(failpoint.BrokerValidateOffLoop, "return(true)"); err != nil {
		t.Fatal(err)
	}
	refused, taken := 0, 0
	l.do(func(task *env.Task) {
		l.createTopic(task, "orders", nil, []int32{1, 2})
		// The checks of this topic take long, and everything of the node waits for the same
		// threads.
		large := batch(t, wire.BatchOptions{}, string(make([]byte, 900<<10)))
		move := l.dial(task, 1)
		conn := l.dial(task, 1)
		var frames []byte
		var reqs []*kmsg.ProduceRequest
		for range 60 {
			reqs = append(reqs, produceTo("orders", 0, 1, large))
			frames = append(frames, conn.frame(reqs[len(reqs)-1], 9)...)
		}
		conn.write(frames)
		task.Sleep(l.env.Clock, 30*time.Millisecond)
		req := kmsg.NewPtrAlterPartitionAssignmentsRequest()
		topic := kmsg.NewAlterPartitionAssignmentsRequestTopic()
		topic.Topic = "orders"
		topic.Partitions = []kmsg.AlterPartitionAssignmentsRequestTopicPartition{{Partition: 0, Replicas: []int32{2}}}
		req.Topics = append(req.Topics, topic)
		req.TimeoutMillis = 5000
		move.call(task, req, 0)
		next := int64(0)
		for i, req := range reqs {
			p := conn.answer(task, int32(i+1), req).(*kmsg.ProduceResponse).Topics[0].Partitions[0]
			switch p.ErrorCode {
			case 0:
				if p.BaseOffset != next || refused > 0 {
					t.Errorf("batch %d is at offset %d, want %d, after %d were refused", i, p.BaseOffset, next, refused)
				}
				next++
				taken++
			default:
				wantCode(t, fmt.Sprintf("batch %d", i), p.ErrorCode, kerr.NotLeaderForPartition)
				refused++
			}
		}
		task.Sleep(l.env.Clock, time.Second)
	})
	if taken == 0 || refused == 0 {
		t.Errorf("%d batches were taken, %d refused: the leadership did not end between", taken, refused)
	}
}
