package txn

import (
	"fmt"
	"testing"

	"odradek/broker/coordinator"
	"odradek/broker/coordinator/coordinatortest"
	"odradek/broker/wire"
)

// However many transactional ids expire at once, the log takes the batches.
func TestExpiredIDsAreSplitIntoBatches(t *testing.T) {
	s := newStory(t)
	for i := range 300 {
		x := &transaction{id: fmt.Sprint("x", i), producerID: int64(i), previousID: noProducerID, nextID: noProducerID, started: -1}
		s.Log = append(s.Log, coordinatortest.Entry{Entry: coordinator.Entry{Record: x.record(2), Offset: wire.Offset(i)}})
	}
	s.load()
	s.Configure("message.max.bytes", "1000")
	s.Now = s.Shard.Deadline()
	n := 0
	for _, b := range s.Shard.Tick(s.Moment()).Batches {
		n += len(b.Records)
		if size := coordinator.SizeOf(b.Records...); size > coordinator.BatchLimit(s.Broker) {
			t.Errorf("a batch of %d bytes", size)
		}
	}
	if n != 300 || len(s.machine().transactions) != 0 {
		t.Errorf("%d tombstones, %d transactional ids", n, len(s.machine().transactions))
	}
}
