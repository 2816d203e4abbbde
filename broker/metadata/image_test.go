package metadata

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"odradek/broker/wire"
)

var (
	idA = wire.UUID{15: 0xa}
	idB = wire.UUID{15: 0xb}
)

func apply(t testing.TB, m *Image, records ...Record) {
	t.Helper()
	for i, r := range records {
		if err := m.Apply(r); err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
	}
}

func partitionRecord(topic wire.UUID, index int32, replicas ...wire.NodeID) *PartitionRecord {
	return &PartitionRecord{PartitionID: index, TopicID: topic, Replicas: replicas, ISR: replicas, Leader: replicas[0]}
}

// sampleImage has two brokers, topics b (two partitions) and a (one), and some of
// everything else.
func sampleImage(t testing.TB) *Image {
	m := NewImage()
	apply(t, m,
		&FeatureLevelRecord{"kraft.version", 1},
		&FeatureLevelRecord{MetadataVersion, 25},
		&RegisterBrokerRecord{BrokerID: 2, BrokerEpoch: 3, Fenced: true, Endpoints: []Endpoint{{"PLAINTEXT", "h2", 9092, 0}}},
		&RegisterBrokerRecord{BrokerID: 1, BrokerEpoch: 2, Fenced: true},
		&BrokerRegistrationChangeRecord{BrokerID: 1, BrokerEpoch: 2, Fenced: SetFalse},
		&TopicRecord{"b", idB},
		&ConfigRecord{Resource{TopicResource, "b"}, "retention.ms", ptr("1")},
		partitionRecord(idB, 0, 1, 2),
		partitionRecord(idB, 1, 2, 1),
		&TopicRecord{"a", idA},
		partitionRecord(idA, 0, 1),
		&ConfigRecord{Resource{BrokerResource, ""}, "log.retention.ms", ptr("2")},
		&ConfigRecord{Resource{GroupResource, "b"}, "consumer.session.timeout.ms", ptr("50000")},
		&ProducerIDsRecord{1, 2, 1000},
	)
	return m
}

func TestPartitionChangeRaisesEpochs(t *testing.T) {
	m := sampleImage(t)
	before := m.Partition("b", 0)
	shrink := NewPartitionChange(idB, 0)
	shrink.ISR = []wire.NodeID{1}
	apply(t, m, shrink)
	p := m.Partition("b", 0)
	if p.Epoch != 1 || p.LeaderEpoch != 0 || len(p.ISR) != 1 {
		t.Errorf("after a shrink: %+v", p)
	}
	if len(before.ISR) != 2 || before.Epoch != 0 {
		t.Error("a partition that is held changed")
	}
	same := NewPartitionChange(idB, 0)
	same.Leader = 1
	apply(t, m, same)
	if p := m.Partition("b", 0); p.Epoch != 2 || p.LeaderEpoch != 1 || p.Leader != 1 {
		t.Errorf("after electing the same leader: %+v", p)
	}
}

func TestRemovingATopicRemovesItsConfigs(t *testing.T) {
	m := sampleImage(t)
	apply(t, m, &RemoveTopicRecord{idB})
	if m.Topic("b") != nil || m.TopicByID(idB) != nil || m.Partition("b", 0) != nil || m.NumPartitions() != 1 {
		t.Error("the topic is still there")
	}
	if _, set := m.Config(Resource{TopicResource, "b"}, "retention.ms"); set {
		t.Error("its config is still there")
	}
	if len(m.ConfigResources()) != 2 { // a group of that name is somebody else
		t.Errorf("resources with configs: %v", m.ConfigResources())
	}
}

func TestRecordsThatDoNotFitAreErrorsAndChangeNothing(t *testing.T) {
	elsewhere := NewPartitionChange(idB, 0)
	elsewhere.Leader = 7
	noISR := NewPartitionChange(idB, 0)
	noISR.ISR = []wire.NodeID{}
	stranger := NewPartitionChange(idB, 0)
	stranger.ELR = []wire.NodeID{9}
	state := NewPartitionChange(idB, 0)
	state.LeaderRecoveryState = 5
	for i, r := range []Record{
		&UnregisterBrokerRecord{7, 1},
		&FenceBrokerRecord{1, 99},
		&UnfenceBrokerRecord{7, 1},
		&BrokerRegistrationChangeRecord{BrokerID: 1, BrokerEpoch: 2, Fenced: 5},
		&RegisterBrokerRecord{BrokerID: -1},
		&TopicRecord{"b", wire.UUID{1}},
		&TopicRecord{"c", idB},
		&RemoveTopicRecord{wire.UUID{1}},
		partitionRecord(wire.UUID{1}, 0, 1),
		partitionRecord(idB, 3, 1),
		partitionRecord(idB, -1, 1),
		&PartitionRecord{PartitionID: 2, TopicID: idB, Leader: -1},
		NewPartitionChange(idB, 2),
		NewPartitionChange(wire.UUID{1}, 0),
		elsewhere, noISR, stranger, state,
		&FeatureLevelRecord{MetadataVersion, -1},
		&ProducerIDsRecord{1, 2, 999},
	} {
		m := sampleImage(t)
		if err := m.Apply(r); !errors.Is(err, ErrInconsistent) {
			t.Errorf("record %d, %+v: %v", i, r, err)
		}
		if diff := cmp.Diff(sampleImage(t).Records(), m.Records()); diff != "" {
			t.Errorf("record %d changed the image: %s", i, diff)
		}
	}
}

func TestSnapshotIsSortedAndRestoresTheImage(t *testing.T) {
	m := sampleImage(t)
	records := m.Records()
	var order []string
	for _, r := range records {
		switch r := r.(type) {
		case *FeatureLevelRecord:
			order = append(order, r.Name)
		case *RegisterBrokerRecord:
			order = append(order, fmt.Sprintf("broker %d", r.BrokerID))
		case *TopicRecord:
			order = append(order, r.Name)
		case *PartitionRecord:
			order = append(order, fmt.Sprint(r.PartitionID))
		case *ConfigRecord:
			order = append(order, r.Name)
		case *ProducerIDsRecord:
			order = append(order, fmt.Sprint(r.NextProducerID))
		}
	}
	want := []string{
		MetadataVersion, "kraft.version", "broker 1", "broker 2", "a", "0", "b", "0", "1",
		"retention.ms", "log.retention.ms", "consumer.session.timeout.ms", "1000",
	}
	if diff := cmp.Diff(want, order); diff != "" {
		t.Errorf("order: %s", diff)
	}
	restored := NewImage()
	apply(t, restored, records...)
	if diff := cmp.Diff(records, restored.Records()); diff != "" {
		t.Errorf("restored: %s", diff)
	}
	if restored.NumPartitions() != 3 || restored.NextProducerID() != 1000 {
		t.Error("counters were not restored")
	}
}

func TestCloneIsIndependent(t *testing.T) {
	m := sampleImage(t)
	before := m.Records()
	c := m.Clone()
	shrink := NewPartitionChange(idB, 0)
	shrink.ISR = []wire.NodeID{1}
	apply(t, c, shrink, partitionRecord(idA, 1, 2), &RemoveTopicRecord{idB},
		&ConfigRecord{Resource{BrokerResource, ""}, "log.retention.ms", ptr("3")},
		&FeatureLevelRecord{"kraft.version", 0}, &FenceBrokerRecord{1, 2}, &UnregisterBrokerRecord{2, 3})
	if diff := cmp.Diff(before, m.Records()); diff != "" {
		t.Errorf("changing a clone changed the original: %s", diff)
	}
}

func BenchmarkApplyPartitionChange(b *testing.B) {
	m := NewImage()
	apply(b, m, &TopicRecord{"t", idA})
	for i := range int32(10_000) {
		apply(b, m, partitionRecord(idA, i, 1, 2, 3))
	}
	r := NewPartitionChange(idA, 5000)
	r.ISR = []wire.NodeID{1, 2}
	b.ReportAllocs()
	for b.Loop() {
		if err := m.Apply(r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkClone10000Partitions(b *testing.B) {
	m := NewImage()
	for n := range 100 {
		id := wire.UUID{1: byte(n), 15: 1}
		apply(b, m, &TopicRecord{fmt.Sprintf("t%d", n), id})
		for i := range int32(100) {
			apply(b, m, partitionRecord(id, i, 1, 2, 3))
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		m.Clone()
	}
}
