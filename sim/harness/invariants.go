package harness

import (
	"fmt"
	"slices"

	"odradek/broker"
	"odradek/broker/metadata"
	"odradek/broker/storage"
	"odradek/broker/wire"
	"odradek/checker/invariant"
	"odradek/sim/cluster"
)

// Invariants that the harness checks itself, besides those of package invariant.
const (
	// DurableLost: what a node called durable is there after every restart.
	DurableLost = "durable-lost"
	// WrittenLost: what was written is there after a restart, if the machine had power
	// all the time.
	WrittenLost = "written-lost"
	// StableDecided: a replica's last stable offset is in front of every transaction that is
	// open in its log, or whose marker has come since it has read its log and is not below
	// its high watermark.
	StableDecided = "stable-decided"
	// MetadataAhead: only what is committed is applied to an image.
	MetadataAhead = "metadata-ahead"
	// MetadataDiffers: two brokers that have applied the same metadata have the same image.
	MetadataDiffers = "metadata-differs"
)

// invariants watches every node through a probe and asks the white-box checkers about
// whatever changed, at the moment when it does.
//
// A partition whose loss the faults explain (excuses) is not held to what it had
// committed, from that moment until all its replicas are in the ISR of one leader
// epoch again; then its history counts anew.
type invariants struct {
	c           *cluster.Cluster
	replication *invariant.Replication
	quorum      *invariant.Quorum
	// transactions follows them in all logs.
	transactions *transactions
	found        func(name, where, sentence string)
	seen         map[[2]string]int // violations by name and where

	nodes   map[wire.NodeID]*nodeLogs
	parts   map[storage.Partition]*partition
	names   map[wire.TopicPartition]wire.UUID // of the first topic with that name
	codec   *wire.Codec
	buffer  []byte // of content
	suspect func(tp wire.TopicPartition, n wire.NodeID) bool

	// What the node with the newest metadata has.
	applied wire.Offset
	fenced  []wire.NodeID

	counts struct {
		logs, batches, replicas, acks, metadata, quorum, votes int
		excused                                                int // violations that the faults explain
		starts, metadataStarts                                 int // log starts that moved while the node ran
		cleaned                                                int // segments that compaction has made
		sieved                                                 int // records in what those replaced
	}
}

// partition is what is known of one partition.
type partition struct {
	id      storage.Partition
	name    wire.TopicPartition // for the checkers: unlike those of other topics
	state   invariant.Partition
	holders int // nodes that have a log of it
	// excused: losses are explained since then.
	excused bool
}

func newInvariants(c *cluster.Cluster, x *excuses, found func(name, where, sentence string)) *invariants {
	v := &invariants{
		c: c, replication: invariant.NewReplication(), quorum: invariant.NewQuorum(), found: found,
		seen: make(map[[2]string]int), nodes: make(map[wire.NodeID]*nodeLogs),
		parts: make(map[storage.Partition]*partition), names: make(map[wire.TopicPartition]wire.UUID),
		applied: wire.NoOffset, suspect: x.suspected, codec: wire.NewCodec(wire.DefaultMaxDecompressed),
	}
	v.transactions = newTransactions(v)
	for _, n := range c.Nodes {
		v.nodes[n.ID] = &nodeLogs{byName: make(map[storage.Partition]*replicaLog), epoch: wire.NoBrokerEpoch}
	}
	return v
}

// probe is for a new life of a node.
func (v *invariants) probe(n *cluster.Node) broker.Probe {
	return &probe{v: v, n: n, logs: v.nodes[n.ID]}
}

// dying takes note of an unclean stop.
func (v *invariants) dying(n *cluster.Node, powerLoss bool) {
	logs := v.nodes[n.ID]
	for _, l := range logs.list {
		l.powerLost = l.powerLost || powerLoss
	}
	if image, _ := newestImage(v.c); image != nil {
		if b := image.Broker(n.ID); b != nil {
			logs.unregistered, logs.epoch = true, b.Epoch
		}
	}
}

// down follows the end of a process.
func (v *invariants) down(n *cluster.Node) {
	for _, l := range v.nodes[n.ID].list {
		v.ended(n.ID, l)
	}
}

// ended tells the checkers that a replica is not running, and what has happened to its
// log.
func (v *invariants) ended(n wire.NodeID, l *replicaLog) {
	l.running = false
	if l.part == nil {
		v.judgeQuorum(v.quorum.Observe(invariant.Member{Node: n, Changes: l.take()}))
		return
	}
	l.told = invariant.Replica{Node: n}
	v.replica(l)
}

// partition finds or adds a partition.
func (v *invariants) partition(id storage.Partition) *partition {
	p := v.parts[id]
	if p == nil {
		p = &partition{id: id, name: id.TopicPartition}
		if first, ok := v.names[p.name]; ok && first != id.TopicID {
			p.name.Topic += "@" + id.TopicID.String()
		} else {
			v.names[p.name] = id.TopicID
		}
		v.parts[id] = p
	}
	return p
}

func (v *invariants) forget(p *partition) {
	v.replication.Forget(p.name)
	v.transactions.lost(p)
	delete(v.parts, p.id)
}

// replica tells the checkers of a replica's new state.
func (v *invariants) replica(l *replicaLog) {
	v.counts.replicas++
	v.suspend(l.part)
	if l.running {
		v.transactions.advanced(l)
	}
	s := l.told
	s.Changes = l.take()
	v.judge(l.part, v.replication.Replica(l.part.name, s))
	if l.part.excused {
		v.resume(l.part)
	}
}

func (v *invariants) acknowledged(p *partition, leader wire.NodeID, last wire.Offset) {
	v.counts.acks++
	if !p.excused {
		v.judge(p, v.replication.Acknowledged(p.name, leader, last))
	}
}

// metadata takes what a node has applied.
func (v *invariants) metadata(n *cluster.Node, d *metadata.Delta, upTo wire.Offset) {
	v.counts.metadata++
	if upTo > v.quorum.Watermark() {
		v.report(MetadataAhead, n.Name(), fmt.Sprintf("metadata up to %d are applied, but no more than %d is committed", upTo, v.quorum.Watermark()))
	}
	if upTo <= v.applied {
		return
	}
	v.applied = upTo
	image := d.Image()
	changed := d.Partitions()
	for _, c := range changed {
		if c.New == nil {
			v.transactions.checker.Lost(c.Old.TopicPartition())
		}
	}
	again := len(d.Configs()) > 0
	for _, c := range d.Brokers() {
		again = true
		if logs := v.nodes[c.ID]; c.New != nil && c.New.Epoch > logs.epoch {
			logs.unregistered = false
		}
	}
	for _, c := range d.Partitions() {
		id := storage.Partition{TopicPartition: wire.TopicPartition{Topic: c.Topic, Partition: c.ID.Partition}, TopicID: c.ID.TopicID}
		if p := v.parts[id]; p != nil && c.New == nil {
			// Until replicas hear of it, they may know of a change right before it, from an
			// answer to AlterPartition, that is in no delta of this node.
			v.replication.Deleted(p.name)
		}
	}
	if again {
		v.fenced = v.fenced[:0]
		for _, b := range image.Brokers() {
			if b.Fenced {
				v.fenced = append(v.fenced, b.ID)
			}
		}
		for _, t := range image.Topics() {
			for _, p := range t.Partitions {
				v.controller(n, image, p)
			}
		}
		return
	}
	for _, c := range changed {
		if c.New != nil {
			v.controller(n, image, c.New)
		}
	}
}

// controller tells the checkers what the controller has committed for a partition.
func (v *invariants) controller(n *cluster.Node, image *metadata.Image, m *metadata.Partition) {
	p := v.partition(storage.Partition{TopicPartition: m.TopicPartition(), TopicID: m.TopicID})
	p.state = invariant.Partition{
		ID: p.name, Leader: m.Leader, LeaderEpoch: m.LeaderEpoch, PartitionEpoch: m.Epoch, ISR: m.ISR, ELR: m.ELR, Fenced: v.fenced,
		MinISR: min(topicMinISR(n, image, m.Topic), len(m.Replicas)),
	}
	if m.RecoveryState == metadata.Recovering && uncleanAllowed(n, image, m.Topic) {
		p.excused = true
	}
	v.suspend(p)
	v.judge(p, v.replication.Controller(p.state))
}

// excuse has the faults explain losses of a partition.
func (v *invariants) excuse(tp wire.TopicPartition, id wire.UUID) {
	v.partition(storage.Partition{TopicPartition: tp, TopicID: id}).excused = true
}

// suspend forgets what an excused partition has committed.
func (v *invariants) suspend(p *partition) {
	if p.excused {
		v.replication.Excuse(p.name, 0)
		v.transactions.lost(p)
	}
}

// resume ends the excuse of a partition that is whole again.
func (v *invariants) resume(p *partition) {
	for _, n := range v.c.Nodes {
		l := v.nodes[n.ID].byName[p.id]
		if l == nil {
			continue
		}
		if !l.running || !slices.Contains(p.state.ISR, n.ID) || l.told.LeaderEpoch != p.state.LeaderEpoch {
			return
		}
	}
	p.excused = false
}

// lossy are the invariants that an explained loss may break.
var lossy = []invariant.Name{invariant.LeaderComplete, invariant.ISRHasCommitted, invariant.CommittedPrefix, invariant.AckedCommitted}

func (v *invariants) judge(p *partition, list []invariant.Violation) {
	for _, x := range list {
		switch {
		case p.excused && slices.Contains(lossy, x.Invariant), x.Invariant == invariant.AckedCommitted && v.hadIt(p, x.Nodes):
			v.counts.excused++
		default:
			v.report(string(x.Invariant), p.name.String(), x.Sentence)
		}
	}
}

// hadIt reports whether enough replicas have, or had until a crash that is not repaired
// yet, a record that is being acknowledged: the leader may learn last of a follower's
// death.
func (v *invariants) hadIt(p *partition, have []wire.NodeID) bool {
	n := len(have)
	for _, node := range v.c.Nodes {
		if !slices.Contains(have, node.ID) && v.suspect(p.id.TopicPartition, node.ID) {
			n++
		}
	}
	return n >= p.state.MinISR
}

func (v *invariants) judgeQuorum(list []invariant.Violation) {
	for _, x := range list {
		v.report(string(x.Invariant), x.Subject, x.Sentence)
	}
}

// report takes a violation, the first of its kind in its place: what stays broken is
// found again with every step.
func (v *invariants) report(name, where, sentence string) {
	key := [2]string{name, where}
	if v.seen[key]++; v.seen[key] == 1 {
		v.found(name, where, sentence)
	}
}

// whole compares the images of all nodes, which have applied the same by now.
func (v *invariants) whole() {
	there := slices.DeleteFunc(slices.Clone(v.c.Nodes), (*cluster.Node).Away)
	first, at := there[0].Broker.Image()
	for _, n := range there[1:] {
		image, applied := n.Broker.Image()
		if applied != at {
			continue // more was committed in this very moment
		}
		v.counts.metadata++
		if d := metadata.Diff(first, image); len(d.Partitions())+len(d.Brokers())+len(d.Topics())+len(d.Configs()) > 0 {
			v.report(MetadataDiffers, n.Name(), fmt.Sprintf("%s and %s have applied metadata up to %d and have different images", there[0].Name(), n.Name(), at))
		}
	}
}

// count adds what was checked.
func (v *invariants) count(checked map[string]int) {
	checked["log batches"] = v.counts.batches
	checked["logs reopened"] = v.counts.logs
	checked["replica states"] = v.counts.replicas
	checked["acknowledgements when sent"] = v.counts.acks
	checked["metadata states"] = v.counts.metadata
	checked["quorum states"] = v.counts.quorum
	checked["votes"] = v.counts.votes
	for what, n := range map[string]int{ //odradek:unordered each on its own
		"records of transactions": v.transactions.records, "markers": v.transactions.markers, "records that compaction has seen": v.counts.sieved,
	} {
		if n > 0 {
			checked[what] = n
		}
	}
}

// reach adds what only probes see.
func (v *invariants) reach(reached map[string]uint64) {
	reached["log-start-moved"] = uint64(v.counts.starts)
	reached["segment-compacted"] = uint64(v.counts.cleaned)
	reached["metadata-log-start-moved"] = uint64(v.counts.metadataStarts)
}
