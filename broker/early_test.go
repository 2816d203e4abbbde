package broker_test

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/wire"
)

// A consumer that comes back to a broker before that knows its topics waits until it does:
// it is never told that they are unknown.
func TestConsumersFetchOfAStartingBrokerWaits(t *testing.T) {
	for _, version := range []int16{12, 18} { // by name, by id
		l := newLab(t, 1, nil)
		l.do(func(task *env.Task) {
			l.createTopic(task, "t", nil, []int32{1})
			conn := l.dial(task, 1)
			produce := produceTo("t", 0, -1, batch(t, wire.BatchOptions{}, "v"))
			wantCode(t, "produce", conn.call(task, produce, 9).(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode, nil)
			id := l.topicID("t")
			n := l.c.Node(1)
			n.Crash()
			n.Up()
			var early *rawConn
			for early == nil {
				early = l.tryDial(task, 1)
				task.Sleep(l.env.Clock, time.Millisecond)
			}
			if image, _ := n.Broker.Image(); image.Topic("t") != nil {
				t.Fatal("the broker knows its topics already: too late for this test")
			}
			fetch := fetchFrom("t", id, 0, 0)
			fetch.MaxWaitMillis = 1000
			got := early.call(task, fetch, version).(*kmsg.FetchResponse)
			if p := got.Topics[0].Partitions[0]; p.ErrorCode != 0 && p.ErrorCode != kerr.NotLeaderForPartition.Code {
				t.Errorf("version %d: %v", version, kerr.ErrorForCode(p.ErrorCode))
			}
		})
	}
}
