package cluster

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"odradek/broker/wire"
	"odradek/workloads/client/attempt"
)

// FirstBootstrap is the node id of the first bootstrap address; the others count
// down from it. Brokers' ids are not negative.
const FirstBootstrap wire.NodeID = -2

// Config is the refresh policy.
type Config struct {
	// Backoff is the pause between refreshes; it grows while they bring nothing.
	Backoff attempt.Backoff
	// MaxAge forces a refresh (metadata.max.age.ms).
	MaxAge time.Duration
	// Bootstrap are addresses ("host:port") to ask when no known broker answers.
	Bootstrap []string
	// AutoCreate lets brokers create wanted topics that do not exist.
	AutoCreate bool
}

// Broker is a node's address.
type Broker struct {
	Node wire.NodeID
	Addr string // host:port
}

// Partition is what is known of one partition.
type Partition struct {
	// Leader is NoNode if there is none.
	Leader wire.NodeID
	// Epoch of the leader, NoLeaderEpoch if the broker is too old to tell.
	Epoch wire.LeaderEpoch
	// Code is the partition's error code in the response.
	Code int16
}

// Topic is what is known of one topic.
type Topic struct {
	Name string
	// ID is zero if the broker is too old to tell.
	ID wire.UUID
	// Code is the topic's error code in the last response, and then Partitions is
	// empty.
	Code       int16
	Partitions []Partition
	// seen are the newest leader epochs of this incarnation, by partition; they
	// outlive responses with errors.
	seen []wire.LeaderEpoch
}

// Metadata is a view of the cluster, restricted to the topics that are wanted.
type Metadata struct {
	cfg        Config
	rng        *rand.Rand
	brokers    map[wire.NodeID]Broker
	controller wire.NodeID
	wanted     map[string]bool
	topics     map[string]*Topic
	names      map[wire.UUID]string
	refresh    refresh
	updates    int
}

// New returns an empty view that wants a refresh. rng gives jitter.
func New(cfg Config, rng *rand.Rand) *Metadata {
	return &Metadata{
		cfg:        cfg,
		rng:        rng,
		brokers:    make(map[wire.NodeID]Broker),
		controller: wire.NoNode,
		wanted:     make(map[string]bool),
		topics:     make(map[string]*Topic),
		names:      make(map[wire.UUID]string),
		refresh:    refresh{need: true},
	}
}

// Want adds a topic to those asked for. A new one is asked for at once.
func (m *Metadata) Want(topic string) {
	if !m.wanted[topic] {
		m.wanted[topic] = true
		m.refresh.need = true
		m.refresh.notBefore = 0
	}
}

// Forget stops asking for a topic.
func (m *Metadata) Forget(topic string) {
	delete(m.wanted, topic)
	if t := m.topics[topic]; t != nil {
		delete(m.names, t.ID)
		delete(m.topics, topic)
	}
}

// Wanted lists the topics asked for, sorted.
func (m *Metadata) Wanted() []string { return slices.Sorted(maps.Keys(m.wanted)) }

// Updates counts the responses and hints that were taken in, so that a user can
// tell whether anything may have changed.
func (m *Metadata) Updates() int { return m.updates }

// Topic is what is known of a topic; ok is false before the first response that
// names it.
func (m *Metadata) Topic(name string) (t *Topic, ok bool) {
	t, ok = m.topics[name]
	return t, ok
}

// TopicName finds a topic by id.
func (m *Metadata) TopicName(id wire.UUID) (string, bool) {
	name, ok := m.names[id]
	return name, ok
}

// Partition is what is known of a partition.
func (m *Metadata) Partition(tp wire.TopicPartition) (Partition, bool) {
	t := m.topics[tp.Topic]
	if t == nil || tp.Partition < 0 || int(tp.Partition) >= len(t.Partitions) {
		return Partition{Leader: wire.NoNode, Epoch: wire.NoLeaderEpoch}, false
	}
	return t.Partitions[tp.Partition], true
}

// Controller is where requests for the controller go; NoNode if unknown.
func (m *Metadata) Controller() wire.NodeID { return m.controller }

// Addr is the address of a broker or bootstrap node.
func (m *Metadata) Addr(node wire.NodeID) (string, bool) {
	if b, ok := m.brokers[node]; ok {
		return b.Addr, true
	}
	if i := int(FirstBootstrap - node); i >= 0 && i < len(m.cfg.Bootstrap) {
		return m.cfg.Bootstrap[i], true
	}
	return "", false
}

// Brokers lists the known brokers, sorted by node.
func (m *Metadata) Brokers() []Broker {
	return slices.SortedFunc(maps.Values(m.brokers), func(a, b Broker) int { return cmp.Compare(a.Node, b.Node) })
}

// Bootstrap lists the bootstrap addresses as nodes, in the order configured.
func (m *Metadata) Bootstrap() []Broker {
	bs := make([]Broker, len(m.cfg.Bootstrap))
	for i, addr := range m.cfg.Bootstrap {
		bs[i] = Broker{Node: FirstBootstrap - wire.NodeID(i), Addr: addr}
	}
	return bs
}

// Hint takes in a leader that an error response named (KIP-951). It reports
// whether that was news.
func (m *Metadata) Hint(tp wire.TopicPartition, leader wire.NodeID, epoch wire.LeaderEpoch) bool {
	t := m.topics[tp.Topic]
	if t == nil || int(tp.Partition) >= len(t.Partitions) || tp.Partition < 0 || leader < 0 {
		return false
	}
	if _, ok := m.brokers[leader]; !ok || epoch <= t.seen[tp.Partition] {
		return false
	}
	t.seen[tp.Partition] = epoch
	t.Partitions[tp.Partition] = Partition{Leader: leader, Epoch: epoch}
	m.updates++
	return true
}

// Newer takes in that a partition has had a leader of this epoch, because a committed
// offset or a record says so (KIP-320). An older leader is forgotten, as Java does: it was
// replaced without having heard of it, and what it says of its log may be false.
func (m *Metadata) Newer(tp wire.TopicPartition, epoch wire.LeaderEpoch) {
	t := m.topics[tp.Topic]
	if t == nil || tp.Partition < 0 || int(tp.Partition) >= len(t.Partitions) || epoch <= t.seen[tp.Partition] {
		return
	}
	t.seen[tp.Partition] = epoch
	t.Partitions[tp.Partition] = Partition{Leader: wire.NoNode, Epoch: wire.NoLeaderEpoch}
	m.updates++
	m.RequestUpdate()
}

// HintBroker takes in the address of a broker that an error response named.
func (m *Metadata) HintBroker(node wire.NodeID, host string, port int32) {
	if node >= 0 {
		m.brokers[node] = Broker{Node: node, Addr: address(host, port)}
	}
}

// address joins host and port; an IPv6 host gets brackets. (net.JoinHostPort
// would do, but net is outside the seam.)
func address(host string, port int32) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host + ":" + strconv.Itoa(int(port))
}
