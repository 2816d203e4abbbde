package metadata

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"odradek/broker/wire"
)

// Delta remembers what a run of records replaced in an image, so that a node can
// tell which of its partitions, and what else, changed. It reports changes against
// the image it was applied to, however often something changed in between.
type Delta struct {
	image      *Image
	partitions map[wire.TopicIDPartition]*Partition // what was there before, nil for nothing
	brokers    map[wire.NodeID]*Broker
	topics     map[wire.UUID]TopicChange
	configs    map[Resource]bool
	features   bool
}

// NewDelta starts to follow the changes of an image. Between NewDelta and the last
// question, all changes must go through the delta's Apply.
func NewDelta(m *Image) *Delta {
	return &Delta{
		image:      m,
		partitions: make(map[wire.TopicIDPartition]*Partition),
		brokers:    make(map[wire.NodeID]*Broker),
		topics:     make(map[wire.UUID]TopicChange),
		configs:    make(map[Resource]bool),
	}
}

// Apply is [Image.Apply] on the delta's image.
func (d *Delta) Apply(r Record) error { return d.image.apply(r, d) }

// Image is the image with all changes so far.
func (d *Delta) Image() *Image { return d.image }

// PartitionChange is a partition before and after. Old is nil for a new partition,
// New for a deleted one.
type PartitionChange struct {
	ID       wire.TopicIDPartition
	Topic    string
	Old, New *Partition
}

// Partitions lists the partitions that changed, by topic name, topic id and index.
// One that was created and deleted again is not in it.
func (d *Delta) Partitions() []PartitionChange {
	changes := make([]PartitionChange, 0, len(d.partitions))
	for id, old := range d.partitions { //odradek:unordered sorted below
		c := PartitionChange{ID: id, Old: old, New: d.image.PartitionByID(id.TopicID, id.Partition)}
		if c.Old == c.New {
			continue // nil before and after
		}
		c.Topic = cmp.Or(c.New, c.Old).Topic
		changes = append(changes, c)
	}
	slices.SortFunc(changes, func(a, b PartitionChange) int {
		return cmp.Or(strings.Compare(a.Topic, b.Topic),
			bytes.Compare(a.ID.TopicID[:], b.ID.TopicID[:]),
			cmp.Compare(a.ID.Partition, b.ID.Partition))
	})
	return changes
}

// PartitionsOf lists the changed partitions of which the node has or had a replica.
func (d *Delta) PartitionsOf(node wire.NodeID) []PartitionChange {
	return slices.DeleteFunc(d.Partitions(), func(c PartitionChange) bool {
		return (c.Old == nil || !c.Old.HasReplica(node)) && (c.New == nil || !c.New.HasReplica(node))
	})
}

// BrokerChange is a broker before and after. Old is nil for a new broker, New for
// one that was unregistered.
type BrokerChange struct {
	ID       wire.NodeID
	Old, New *Broker
}

// Brokers lists the brokers whose registration changed, by id.
func (d *Delta) Brokers() []BrokerChange {
	changes := make([]BrokerChange, 0, len(d.brokers))
	for id, old := range d.brokers { //odradek:unordered sorted below
		if now := d.image.Broker(id); now != old {
			changes = append(changes, BrokerChange{ID: id, Old: old, New: now})
		}
	}
	slices.SortFunc(changes, func(a, b BrokerChange) int { return cmp.Compare(a.ID, b.ID) })
	return changes
}

// TopicChange is a topic that was created or deleted.
type TopicChange struct {
	Name    string
	ID      wire.UUID
	Created bool // else deleted
}

// Topics lists the topics that were created or deleted, by name, deletions first,
// then by id. One that was created and deleted again is not in it.
func (d *Delta) Topics() []TopicChange {
	changes := make([]TopicChange, 0, len(d.topics))
	for _, c := range d.topics { //odradek:unordered sorted below
		changes = append(changes, c)
	}
	slices.SortFunc(changes, func(a, b TopicChange) int {
		created := 0
		switch {
		case a.Created && !b.Created:
			created = 1
		case !a.Created && b.Created:
			created = -1
		}
		return cmp.Or(strings.Compare(a.Name, b.Name), created, bytes.Compare(a.ID[:], b.ID[:]))
	})
	return changes
}

// Configs lists the resources whose dynamic configs were touched, by type and name.
func (d *Delta) Configs() []Resource {
	rs := make([]Resource, 0, len(d.configs))
	for r := range d.configs { //odradek:unordered sorted below
		rs = append(rs, r)
	}
	slices.SortFunc(rs, Resource.Compare)
	return rs
}

// Features reports whether a feature level was touched.
func (d *Delta) Features() bool { return d.features }

// The note methods remember what is about to be replaced, the first time. They
// accept a nil delta, so that plain Apply costs nothing.

func (d *Delta) notePartition(id wire.TopicIDPartition, old *Partition) {
	if d == nil {
		return
	}
	if _, seen := d.partitions[id]; !seen {
		d.partitions[id] = old
	}
}

func (d *Delta) noteBroker(id wire.NodeID, old *Broker) {
	if d == nil {
		return
	}
	if _, seen := d.brokers[id]; !seen {
		d.brokers[id] = old
	}
}

func (d *Delta) noteTopicCreated(t *Topic) {
	if d != nil {
		d.topics[t.ID] = TopicChange{Name: t.Name, ID: t.ID, Created: true}
	}
}

func (d *Delta) noteTopicDeleted(t *Topic) {
	if d == nil {
		return
	}
	if d.topics[t.ID].Created {
		delete(d.topics, t.ID) // created within this delta: nobody saw it
		return
	}
	d.topics[t.ID] = TopicChange{Name: t.Name, ID: t.ID}
}

func (d *Delta) noteConfig(r Resource) {
	if d != nil {
		d.configs[r] = true
	}
}

func (d *Delta) noteFeatures() {
	if d != nil {
		d.features = true
	}
}
