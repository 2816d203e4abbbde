package clienttest

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/wire"
)

// Fault is what goes wrong with a request. The zero value is nothing.
type Fault struct {
	// Code is put into the answer, for all partitions or topics in it.
	Code int16
	// Skip: the request has no effect. (With a Code alone it has its effect, and the
	// answer hides it.)
	Skip bool
	// Silence: there is no answer.
	Silence bool
	// Cut: the connection breaks instead of an answer.
	Cut bool
	// Delay of the answer. Answers keep their order in a connection.
	Delay time.Duration
}

// Cluster is a scripted cluster.
type Cluster struct {
	World *World
	// Inject decides what goes wrong, for each request except ApiVersions; nil for nothing.
	Inject func(node wire.NodeID, req kmsg.Request) Fault
	// Requests counts what arrived, by API key.
	Requests map[int16]int
	// Controller is the node that serves changes; the others refuse.
	Controller wire.NodeID
	// OldGreeting: ApiVersions is served in version 0 only.
	OldGreeting bool
	// TransactionVersion is the finalised feature level: 2 is the second protocol.
	TransactionVersion int16

	served *wire.Versions
	nodes  map[wire.NodeID]*node
	topics map[string]*Topic
	groups map[string]*Group
	ids    uint64
	codec  *wire.Codec
	// coordinators by group or transactional id; see Coordinate.
	coordinators map[string]wire.NodeID
	transactions map[string]*Transaction
	// producers is the last producer id given out.
	producers int64
}

type node struct {
	id       wire.NodeID
	env      *env.Env
	addr     string
	listener env.Listener
	sessions []*session
}

// Topic is a topic of the cluster.
type Topic struct {
	Name       string
	ID         wire.UUID
	Configs    map[string]string
	Partitions []*Partition
}

// Partition is the one log of a partition.
type Partition struct {
	Leader   wire.NodeID
	Epoch    wire.LeaderEpoch
	LogStart wire.Offset
	// HighWatermark bounds what consumers get; it follows every append unless Hold.
	HighWatermark wire.Offset
	Hold          bool
	Batches       []Batch
	parked        []func()
	// writers by producer id, and the aborted transactions in the log's order.
	writers map[int64]*writer
	aborted []aborted
}

// Batch is one batch in a log, as stored.
type Batch struct {
	Header wire.BatchHeader
	Bytes  []byte
}

// Keys served.
var keys = []int16{0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 18, 19, 20, 22, 23, 24, 25, 26, 28, 32, 37, 44, 60, 68}

// NewCluster starts nodes 1 to n; node 1 is the controller.
func NewCluster(w *World, n int) *Cluster {
	c := &Cluster{
		World: w, Requests: make(map[int16]int), Controller: 1,
		served: wire.ServedVersions(keys...),
		nodes:  make(map[wire.NodeID]*node), topics: make(map[string]*Topic),
		codec: wire.NewCodec(wire.DefaultMaxDecompressed),

		coordinators: make(map[string]wire.NodeID), transactions: make(map[string]*Transaction),
		producers: 1000,
	}
	for id := wire.NodeID(1); int(id) <= n; id++ {
		name := fmt.Sprintf("node%d", id)
		nd := &node{id: id, env: w.Env(name), addr: name + ":9092"}
		c.nodes[id] = nd
		c.Start(id)
	}
	return c
}

// Addrs are the nodes' addresses.
func (c *Cluster) Addrs() []string {
	var addrs []string
	for _, id := range slices.Sorted(maps.Keys(c.nodes)) {
		addrs = append(addrs, c.nodes[id].addr)
	}
	return addrs
}

// Start makes a stopped node listen again.
func (c *Cluster) Start(id wire.NodeID) {
	n := c.nodes[id]
	l, err := n.env.Net.Listen(n.addr, func(conn env.Conn) {
		s := &session{cluster: c, node: n, conn: conn}
		n.sessions = append(n.sessions, s)
		s.read()
	})
	if err != nil {
		panic(err)
	}
	n.listener = l
}

// Stop breaks a node's connections and refuses new ones.
func (c *Cluster) Stop(id wire.NodeID) {
	n := c.nodes[id]
	n.listener.Close()
	for _, s := range n.sessions {
		s.cut()
	}
	n.sessions = nil
}

// AddTopic creates a topic with leaders round robin.
func (c *Cluster) AddTopic(name string, partitions int) *Topic {
	c.ids++
	t := &Topic{Name: name, Configs: make(map[string]string)}
	binary.BigEndian.PutUint64(t.ID[8:], c.ids)
	c.topics[name] = t
	c.addPartitions(t, partitions)
	return t
}

func (c *Cluster) addPartitions(t *Topic, n int) {
	for len(t.Partitions) < n {
		leader := wire.NodeID(len(t.Partitions)%len(c.nodes) + 1)
		t.Partitions = append(t.Partitions, &Partition{Leader: leader})
	}
}

// Topic finds a topic; nil if there is none.
func (c *Cluster) Topic(name string) *Topic { return c.topics[name] }

// Partition finds a partition; nil if there is none.
func (c *Cluster) Partition(tp wire.TopicPartition) *Partition {
	t := c.topics[tp.Topic]
	if t == nil || tp.Partition < 0 || int(tp.Partition) >= len(t.Partitions) {
		return nil
	}
	return t.Partitions[tp.Partition]
}

func (c *Cluster) topicByID(id wire.UUID) *Topic {
	for _, name := range slices.Sorted(maps.Keys(c.topics)) {
		if c.topics[name].ID == id {
			return c.topics[name]
		}
	}
	return nil
}

// Lead moves the leadership of a partition, with a new epoch.
func (c *Cluster) Lead(tp wire.TopicPartition, leader wire.NodeID) {
	p := c.Partition(tp)
	p.Leader = leader
	p.Epoch++
	p.release()
}

// End is the log end offset.
func (p *Partition) End() wire.Offset {
	if n := len(p.Batches); n > 0 {
		return p.Batches[n-1].Header.NextOffset()
	}
	return p.LogStart
}

// Append stores a batch as the leader does.
func (p *Partition) Append(b []byte) wire.Offset {
	base := p.End()
	b = slices.Clone(b)
	wire.SetBaseOffset(b, base)
	wire.SetLeaderEpoch(b, p.Epoch)
	h, err := wire.ReadBatchHeader(b)
	if err != nil {
		panic(err)
	}
	p.Batches = append(p.Batches, Batch{Header: h, Bytes: b})
	p.note(p.Batches[len(p.Batches)-1])
	if !p.Hold {
		p.HighWatermark = p.End()
	}
	p.release()
	return base
}

// Truncate drops the batches that reach to or past an offset, as after an unclean
// election.
func (p *Partition) Truncate(to wire.Offset) {
	p.Batches = slices.DeleteFunc(p.Batches, func(b Batch) bool { return b.Header.NextOffset() > to })
	p.HighWatermark = min(p.HighWatermark, p.End())
	p.writers, p.aborted = nil, nil
	for _, b := range p.Batches {
		p.note(b)
	}
	p.release()
}

// EpochEnd is the largest epoch not above e that the log has, and its end offset; -1
// and -1 if there is none.
func (p *Partition) EpochEnd(e wire.LeaderEpoch) (wire.LeaderEpoch, wire.Offset) {
	if e == p.Epoch {
		return e, p.End()
	}
	epoch, end := wire.NoLeaderEpoch, wire.NoOffset
	for _, b := range p.Batches {
		if b.Header.LeaderEpoch <= e {
			epoch, end = b.Header.LeaderEpoch, b.Header.NextOffset()
		}
	}
	return epoch, end
}

// release lets parked fetches look again.
func (p *Partition) release() {
	parked := p.parked
	p.parked = nil
	for _, fn := range parked {
		fn()
	}
}

// Values lists the values in a partition's log, in log order.
func (c *Cluster) Values(tp wire.TopicPartition) []string {
	var vs []string
	for _, b := range c.Partition(tp).Batches {
		vs = append(vs, c.values(b)...)
	}
	return vs
}

// values lists those in a batch; a marker has none.
func (c *Cluster) values(b Batch) (vs []string) {
	if b.Header.Control() {
		return nil
	}
	recs, err := c.codec.Records(b.Bytes)
	if err != nil {
		panic(err)
	}
	var r wire.Record
	for recs.Next(&r) {
		vs = append(vs, string(r.Value))
	}
	return vs
}

// Topics lists the topics by name.
func (c *Cluster) Topics() []*Topic {
	return slices.SortedFunc(maps.Values(c.topics), func(a, b *Topic) int { return cmp.Compare(a.Name, b.Name) })
}
