package metadata

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"odradek/broker/wire"
)

// changes tells a delta in words.
func changes(d *Delta) []string {
	var lines []string
	for _, c := range d.Topics() {
		lines = append(lines, fmt.Sprintf("topic %s created %t", c.Name, c.Created))
	}
	for _, c := range d.Partitions() {
		epoch := func(p *Partition) string {
			if p == nil {
				return "none"
			}
			return fmt.Sprint(p.Epoch)
		}
		lines = append(lines, fmt.Sprintf("%s-%d %s to %s", c.Topic, c.ID.Partition, epoch(c.Old), epoch(c.New)))
	}
	for _, c := range d.Brokers() {
		lines = append(lines, fmt.Sprintf("broker %d known %t to %t", c.ID, c.Old != nil, c.New != nil))
	}
	for _, r := range d.Configs() {
		lines = append(lines, fmt.Sprintf("configs of %s %q", r.Type, r.Name))
	}
	if d.Features() {
		lines = append(lines, "features")
	}
	return lines
}

func follow(t *testing.T, m *Image, records ...Record) *Delta {
	t.Helper()
	d := NewDelta(m)
	for _, r := range records {
		if err := d.Apply(r); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func TestDeltaSpansSeveralChanges(t *testing.T) {
	c := wire.UUID{15: 0xc}
	shrink, grow := NewPartitionChange(idB, 1), NewPartitionChange(idB, 1)
	shrink.ISR, grow.ISR = []wire.NodeID{2}, []wire.NodeID{2, 1}
	records := []Record{
		shrink, grow,
		&RemoveTopicRecord{idA},
		&TopicRecord{"a", c}, // the same name again
		partitionRecord(c, 0, 2),
		&TopicRecord{"short-lived", wire.UUID{1}},
		partitionRecord(wire.UUID{1}, 0, 1),
		&RemoveTopicRecord{wire.UUID{1}},
		&UnregisterBrokerRecord{2, 3},
		&RegisterBrokerRecord{BrokerID: 3, BrokerEpoch: 50},
		&ConfigRecord{Resource{TopicResource, "b"}, "retention.ms", nil},
		&FeatureLevelRecord{"kraft.version", 0},
	}
	want := []string{
		"topic a created false", "topic a created true",
		"a-0 0 to none", "a-0 none to 0", "b-1 0 to 2",
		"broker 2 known true to false", "broker 3 known false to true",
		`configs of TOPIC "b"`, "features",
	}
	d := follow(t, sampleImage(t), records...)
	if diff := cmp.Diff(want, changes(d)); diff != "" {
		t.Errorf("applied: %s", diff)
	}
	// The same, had the node missed the records and loaded a snapshot instead.
	after := NewImage()
	apply(t, after, d.Image().Records()...)
	if diff := cmp.Diff(want, changes(Diff(sampleImage(t), after))); diff != "" {
		t.Errorf("by comparison: %s", diff)
	}
}

func TestDeltaOfOneNode(t *testing.T) {
	grow := NewPartitionChange(idA, 0)
	grow.Replicas = []wire.NodeID{1, 3}
	leave := NewPartitionChange(idB, 0)
	leave.Replicas, leave.ISR = []wire.NodeID{1}, []wire.NodeID{1}
	d := follow(t, sampleImage(t), grow, leave)
	for node, want := range map[wire.NodeID][]string{1: {"a-0", "b-0"}, 2: {"b-0"}, 3: {"a-0"}, 4: nil} {
		var got []string
		for _, c := range d.PartitionsOf(node) {
			got = append(got, fmt.Sprintf("%s-%d", c.Topic, c.ID.Partition))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("node %d: %s", node, diff)
		}
	}
}

func TestEqualImagesDoNotDiffer(t *testing.T) {
	if got := changes(Diff(sampleImage(t), sampleImage(t))); len(got) != 0 {
		t.Errorf("changes: %v", got)
	}
}
