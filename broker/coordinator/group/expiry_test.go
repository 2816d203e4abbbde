package group

import (
	"testing"

	"odradek/broker/coordinator"
	"odradek/broker/wire"
)

// A broker that has just started may lead a shard by metadata that are older than the
// offsets in it. What they do not know yet was not deleted.
func TestOffsetsOfATopicNotYetInTheMetadataStay(t *testing.T) {
	s := newStory(t)
	r := offsetRecord("g", wire.TopicPartition{Topic: "later"}, offset{at: 5, expires: noExpiry, committed: start})
	s.log = append(s.log, logged{entry: coordinator.Entry{Record: r}})
	s.load()
	s.take(s.shard.MetadataChanged(s.moment()))
	if len(s.log) != 1 {
		t.Fatalf("deleted: %s", s.out.String())
	}
	s.createTopic("later")
	s.take(s.shard.MetadataChanged(s.moment()))
	if len(s.log) != 1 {
		t.Fatalf("deleted: %s", s.out.String())
	}
	s.do(t, directive("drop-topic", "later"))
	if len(s.log) != 2 || s.log[1].entry.Value != nil || len(s.machine().groups) != 0 {
		t.Errorf("not deleted: %s", s.out.String())
	}
}

// Tombstones come in batches that the log takes, however many are due.
func TestTombstonesAreSplitIntoBatches(t *testing.T) {
	s := newStory(t)
	for i := range int32(1000) {
		r := offsetRecord("g", wire.TopicPartition{Topic: "t", Partition: i}, offset{at: 5, expires: noExpiry})
		s.log = append(s.log, logged{entry: coordinator.Entry{Record: r, Offset: wire.Offset(i)}})
	}
	s.load()
	s.configure("message.max.bytes", "1000")
	s.now = s.shard.Deadline()
	out := s.shard.Tick(s.moment())
	n := 0
	for _, b := range out.Batches {
		n += len(b.Records)
		if size := coordinator.SizeOf(b.Records...); size > coordinator.BatchLimit(s.broker) {
			t.Errorf("a batch of %d bytes", size)
		}
	}
	if n != 1000 || len(s.machine().groups) != 0 {
		t.Errorf("%d tombstones, %d groups", n, len(s.machine().groups))
	}
}
