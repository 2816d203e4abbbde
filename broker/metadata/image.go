package metadata

import (
	"cmp"
	"slices"
	"strings"

	"odradek/broker/wire"
)

// Image is what a prefix of the metadata log says. The zero value is not usable;
// see [NewImage]. It is owned by one node and not safe for concurrent use.
type Image struct {
	brokers []*Broker // sorted by id
	topics  []*Topic  // sorted by name
	byName  map[string]*Topic
	byID    map[wire.UUID]*Topic
	configs map[Resource]map[string]string
	// features has no entry for a feature at level 0.
	features       map[string]int16
	nextProducerID int64
	// producerIDsBy is who asked for the last block; snapshots repeat it.
	producerIDsBy wire.NodeID
	producerEpoch wire.BrokerEpoch
	partitions    int
}

// NewImage returns what an empty log says.
func NewImage() *Image {
	return &Image{
		byName:        make(map[string]*Topic),
		byID:          make(map[wire.UUID]*Topic),
		configs:       make(map[Resource]map[string]string),
		features:      make(map[string]int16),
		producerIDsBy: wire.NoNode,
		producerEpoch: wire.NoBrokerEpoch,
	}
}

// Broker is one registered broker. Values in an [Image] are immutable.
type Broker struct {
	ID          wire.NodeID
	Epoch       wire.BrokerEpoch
	Incarnation wire.UUID
	Endpoints   []Endpoint
	Features    []FeatureRange
	Rack        string // "" is none
	// Fenced brokers lead nothing, are in no ISR and are hidden from clients.
	Fenced               bool
	InControlledShutdown bool
	LogDirs              []wire.UUID
}

// Active reports whether the broker may lead and be in an ISR.
func (b *Broker) Active() bool { return b != nil && !b.Fenced && !b.InControlledShutdown }

// Endpoint returns the broker's address for a listener.
func (b *Broker) Endpoint(listener string) (Endpoint, bool) {
	for _, e := range b.Endpoints {
		if e.Listener == listener {
			return e, true
		}
	}
	return Endpoint{}, false
}

// Topic is one topic. It belongs to its image and changes with it; only its
// partitions are immutable.
type Topic struct {
	Name       string
	ID         wire.UUID
	Partitions []*Partition // by index, without gaps; not to be modified
}

// Broker returns a registered broker, or nil.
func (m *Image) Broker(id wire.NodeID) *Broker {
	if i, ok := m.brokerIndex(id); ok {
		return m.brokers[i]
	}
	return nil
}

// Brokers lists the registered brokers by id. It must not be modified.
func (m *Image) Brokers() []*Broker { return m.brokers }

// Topic returns a topic by name, or nil.
func (m *Image) Topic(name string) *Topic { return m.byName[name] }

// TopicByID returns a topic by id, or nil.
func (m *Image) TopicByID(id wire.UUID) *Topic { return m.byID[id] }

// Topics lists the topics by name. It must not be modified.
func (m *Image) Topics() []*Topic { return m.topics }

// Partition returns a partition by the name of its topic, or nil.
func (m *Image) Partition(topic string, index int32) *Partition {
	return m.byName[topic].partition(index)
}

// PartitionByID returns a partition by the id of its topic, or nil.
func (m *Image) PartitionByID(topic wire.UUID, index int32) *Partition {
	return m.byID[topic].partition(index)
}

func (t *Topic) partition(index int32) *Partition {
	if t == nil || index < 0 || int(index) >= len(t.Partitions) {
		return nil
	}
	return t.Partitions[index]
}

// NumPartitions counts the partitions of all topics.
func (m *Image) NumPartitions() int { return m.partitions }

// ConfigEntry is one dynamic config.
type ConfigEntry struct{ Name, Value string }

// Config returns a dynamic config that is set on exactly this resource.
func (m *Image) Config(r Resource, name string) (value string, set bool) {
	value, set = m.configs[r][name]
	return value, set
}

// Configs lists the dynamic configs of a resource by name.
func (m *Image) Configs(r Resource) []ConfigEntry {
	set := m.configs[r]
	entries := make([]ConfigEntry, 0, len(set))
	for _, name := range sortedKeys(set) {
		entries = append(entries, ConfigEntry{name, set[name]})
	}
	return entries
}

// ConfigValues are the dynamic configs of a resource by name, nil if there are
// none. The map belongs to the image: read single names from it, do not keep,
// modify or range over it.
func (m *Image) ConfigValues(r Resource) map[string]string { return m.configs[r] }

// ConfigResources lists the resources that have dynamic configs, by type and name.
func (m *Image) ConfigResources() []Resource {
	rs := make([]Resource, 0, len(m.configs))
	for r := range m.configs { //odradek:unordered sorted below
		rs = append(rs, r)
	}
	slices.SortFunc(rs, Resource.Compare)
	return rs
}

// Compare orders resources by type, then name.
func (r Resource) Compare(o Resource) int {
	return cmp.Or(cmp.Compare(r.Type, o.Type), strings.Compare(r.Name, o.Name))
}

// FeatureLevel is the finalised level of a feature, 0 if it is off.
func (m *Image) FeatureLevel(name string) int16 { return m.features[name] }

// FeatureLevel is a finalised feature.
type FeatureLevel struct {
	Name  string
	Level int16
}

// Features lists the features that are on, by name.
func (m *Image) Features() []FeatureLevel {
	levels := make([]FeatureLevel, 0, len(m.features))
	for _, name := range sortedKeys(m.features) {
		levels = append(levels, FeatureLevel{name, m.features[name]})
	}
	return levels
}

// NextProducerID is the first producer id that no broker was given yet.
func (m *Image) NextProducerID() int64 { return m.nextProducerID }

// Clone returns an independent copy, which shares the immutable parts.
func (m *Image) Clone() *Image {
	c := *m
	c.brokers = slices.Clone(m.brokers)
	c.topics = make([]*Topic, len(m.topics))
	c.byName = make(map[string]*Topic, len(m.topics))
	c.byID = make(map[wire.UUID]*Topic, len(m.topics))
	for i, t := range m.topics {
		u := &Topic{Name: t.Name, ID: t.ID, Partitions: slices.Clone(t.Partitions)}
		c.topics[i], c.byName[u.Name], c.byID[u.ID] = u, u, u
	}
	c.configs = make(map[Resource]map[string]string, len(m.configs))
	for r, set := range m.configs { //odradek:unordered copies a map
		copied := make(map[string]string, len(set))
		for name, value := range set { //odradek:unordered copies a map
			copied[name] = value
		}
		c.configs[r] = copied
	}
	c.features = make(map[string]int16, len(m.features))
	for name, level := range m.features { //odradek:unordered copies a map
		c.features[name] = level
	}
	return &c
}

func (m *Image) brokerIndex(id wire.NodeID) (int, bool) {
	return slices.BinarySearchFunc(m.brokers, id, func(b *Broker, id wire.NodeID) int { return cmp.Compare(b.ID, id) })
}

func (m *Image) topicIndex(name string) (int, bool) {
	return slices.BinarySearchFunc(m.topics, name, func(t *Topic, name string) int { return strings.Compare(t.Name, name) })
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m { //odradek:unordered sorted below
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
