package group

import (
	"testing"

	"odradek/broker/coordinator"
	"odradek/broker/coordinator/coordinatortest"
	"odradek/broker/wire"
)

// A broker that has just started may lead a shard by metadata that are older than the
// offsets in it. What they do not know yet was not deleted.
func TestOffsetsOfATopicNotYetInTheMetadataStay(t *testing.T) {
	s := newStory(t)
	r := offsetRecord("g", wire.TopicPartition{Topic: "later"}, offset{at: 5, expires: noExpiry, committed: coordinatortest.Start})
	s.Log = append(s.Log, coordinatortest.Entry{Entry: coordinator.Entry{Record: r}})
	s.Load()
	s.MetadataChanged()
	if len(s.Log) != 1 {
		t.Fatalf("deleted: %s", s.Out.String())
	}
	s.CreateTopic("later")
	s.MetadataChanged()
	if len(s.Log) != 1 {
		t.Fatalf("deleted: %s", s.Out.String())
	}
	s.do(t, coordinatortest.Directive("drop-topic", "later"))
	if len(s.Log) != 2 || s.Log[1].Value != nil || len(s.machine().groups) != 0 {
		t.Errorf("not deleted: %s", s.Out.String())
	}
}

// Tombstones come in batches that the log takes, however many are due.
func TestTombstonesAreSplitIntoBatches(t *testing.T) {
	s := newStory(t)
	for i := range int32(1000) {
		r := offsetRecord("g", wire.TopicPartition{Topic: "t", Partition: i}, offset{at: 5, expires: noExpiry})
		s.Log = append(s.Log, coordinatortest.Entry{Entry: coordinator.Entry{Record: r, Offset: wire.Offset(i)}})
	}
	s.Load()
	s.Configure("message.max.bytes", "1000")
	s.Now = s.Shard.Deadline()
	out := s.Shard.Tick(s.Moment())
	n := 0
	for _, b := range out.Batches {
		n += len(b.Records)
		if size := coordinator.SizeOf(b.Records...); size > coordinator.BatchLimit(s.Broker) {
			t.Errorf("a batch of %d bytes", size)
		}
	}
	if n != 1000 || len(s.machine().groups) != 0 {
		t.Errorf("%d tombstones, %d groups", n, len(s.machine().groups))
	}
}
