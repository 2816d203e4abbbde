package invariant

import (
	"slices"

	"odradek/broker/wire"
)

// Partition is a partition as the controller has committed it.
type Partition struct {
	ID             wire.TopicPartition
	Leader         wire.NodeID // NoNode: none
	LeaderEpoch    wire.LeaderEpoch
	PartitionEpoch wire.PartitionEpoch
	ISR, ELR       []wire.NodeID
	Fenced         []wire.NodeID // fenced brokers of the cluster
	MinISR         int
}

// Replica is a replica as its node has it.
type Replica struct {
	Node    wire.NodeID
	Running bool // the fields below count only then
	// Unregistered: the node restarted uncleanly and the controller has not yet
	// been told, so that ISR and ELR may still name it without right.
	Unregistered bool

	Leader      bool
	LeaderEpoch wire.LeaderEpoch
	LogStart    wire.Offset
	LogEnd      wire.Offset
	// HighWatermark is -1 as long as the replica does not know one.
	HighWatermark wire.Offset
	// LastStable is the offset below which every transaction is decided, as readers of
	// committed records are served; 0 if it is not told.
	LastStable wire.Offset

	// Of a leader: the members that its high watermark waits for, the partition
	// epoch it knows, and whether an AlterPartition of its own is pending.
	MaximalISR     []wire.NodeID
	PartitionEpoch wire.PartitionEpoch
	Pending        bool

	// Changes is what happened to the log since the last report, oldest first. It
	// counts even if the node is not running.
	Changes []Change
}

// Replication checks the partitions of a cluster.
type Replication struct {
	partitions map[wire.TopicPartition]*replicated
}

// replicated is what is known of one partition.
type replicated struct {
	lineage
	name       string
	controller Partition
	known      bool          // controller is set
	nodes      []wire.NodeID // sorted
	replicas   []*Replica    // of nodes
	leaders    map[wire.LeaderEpoch]wire.NodeID
	newest     wire.LeaderEpoch
}

// NewReplication knows no partition.
func NewReplication() *Replication {
	return &Replication{partitions: make(map[wire.TopicPartition]*replicated)}
}

func (c *Replication) partition(tp wire.TopicPartition) *replicated {
	p := c.partitions[tp]
	if p == nil {
		p = &replicated{
			lineage: newLineage(), name: tp.String(), newest: wire.NoLeaderEpoch, leaders: make(map[wire.LeaderEpoch]wire.NodeID),
		}
		c.partitions[tp] = p
	}
	return p
}

// Forget drops a partition, because its topic was deleted.
func (c *Replication) Forget(tp wire.TopicPartition) { delete(c.partitions, tp) }

// Deleted reports that the controller has deleted a partition. What its replicas do until
// they hear of it is judged by itself, not against the controller's state.
func (c *Replication) Deleted(tp wire.TopicPartition) { c.partition(tp).known = false }

// Controller reports the state of a partition that the controller committed.
func (c *Replication) Controller(s Partition) []Violation {
	p := c.partition(s.ID)
	f := &findings{subject: p.name}
	s.ISR, s.ELR, s.Fenced = slices.Clone(s.ISR), slices.Clone(s.ELR), slices.Clone(s.Fenced)
	p.controller, p.known = s, true
	p.leads(f, s.Leader, s.LeaderEpoch)
	p.fenced(f)
	p.isr(f)
	return f.list
}

// Replica reports the state of a replica.
func (c *Replication) Replica(tp wire.TopicPartition, s Replica) []Violation {
	p := c.partition(tp)
	f := &findings{subject: p.name}
	i, ok := slices.BinarySearch(p.nodes, s.Node)
	if !ok {
		p.nodes = slices.Insert(p.nodes, i, s.Node)
		p.replicas = slices.Insert(p.replicas, i, &Replica{Node: s.Node})
	}
	before := p.replicas[i]
	old := *before
	*before = s
	if before.Changes = nil; slices.Equal(old.MaximalISR, s.MaximalISR) {
		before.MaximalISR = old.MaximalISR
	} else {
		before.MaximalISR = slices.Clone(s.MaximalISR)
	}

	p.apply(f, s.Node, s.Changes)
	if s.Running {
		p.watermarks(f, &old, &s)
		if s.Leader {
			p.leads(f, s.Node, s.LeaderEpoch)
		}
	}
	p.isr(f)
	return f.list
}

// Acknowledged reports that the leader is about to acknowledge an append with
// acks=all whose last record is at offset last.
func (c *Replication) Acknowledged(tp wire.TopicPartition, leader wire.NodeID, last wire.Offset) []Violation {
	p := c.partition(tp)
	f := &findings{subject: p.name}
	if last >= p.watermark {
		f.add(AckedCommitted, []wire.NodeID{leader}, "offset %d is acknowledged, but no high watermark is beyond %d", last, p.watermark)
	}
	l := p.log(leader)
	i, _ := slices.BinarySearchFunc(l.entries, last, byLast)
	if i == len(l.entries) {
		f.add(AckedCommitted, []wire.NodeID{leader}, "offset %d is acknowledged by node %d, whose log ends at %d", last, leader, l.end())
		return f.list
	}
	var have []wire.NodeID
	for _, n := range p.nodes {
		if o := p.log(n); o == l || p.holds(o, l.entries[i]) {
			have = append(have, n)
		}
	}
	if p.known && len(have) < p.controller.MinISR {
		f.add(AckedCommitted, have, "offset %d is acknowledged while %d replicas have it, of at least %d", last, len(have), p.controller.MinISR)
	}
	return f.list
}

// Excuse allows the loss of everything committed from an offset on: the fault plan
// took power from all in-sync replicas, or unclean election is on.
func (c *Replication) Excuse(tp wire.TopicPartition, from wire.Offset) {
	c.partition(tp).forget(from)
}

// Watermark is the true high watermark: the largest that any replica had.
func (c *Replication) Watermark(tp wire.TopicPartition) wire.Offset {
	return c.partition(tp).watermark
}

// watermarks checks what a replica says about its own log.
func (p *replicated) watermarks(f *findings, old, s *Replica) {
	nodes := []wire.NodeID{s.Node}
	if end := p.log(s.Node).end(); end != s.LogEnd {
		f.add(Bookkeeping, nodes, "node %d says that its log ends at %d, its changes add up to %d", s.Node, s.LogEnd, end)
	}
	if s.HighWatermark < 0 {
		return
	}
	if s.HighWatermark < s.LogStart || s.HighWatermark > s.LogEnd {
		f.add(WatermarkInLog, nodes, "node %d has its high watermark at %d in a log from %d to %d", s.Node, s.HighWatermark, s.LogStart, s.LogEnd)
	}
	if s.Leader && old.Running && old.Leader && old.LeaderEpoch == s.LeaderEpoch && s.HighWatermark < old.HighWatermark {
		f.add(WatermarkMonotonic, nodes, "leader %d took its high watermark back from %d to %d in epoch %d", s.Node, old.HighWatermark, s.HighWatermark, s.LeaderEpoch)
	}
	if s.LastStable > s.HighWatermark {
		f.add(StableInLog, nodes, "node %d has its last stable offset at %d, beyond its high watermark %d", s.Node, s.LastStable, s.HighWatermark)
	}
	if s.Leader && old.Running && old.Leader && old.LeaderEpoch == s.LeaderEpoch && s.LastStable < old.LastStable {
		f.add(StableMonotonic, nodes, "leader %d took its last stable offset back from %d to %d in epoch %d", s.Node, old.LastStable, s.LastStable, s.LeaderEpoch)
	}
	p.commit(f, s.Node, s.HighWatermark)
}

// leads takes note of the leader of an epoch.
func (p *replicated) leads(f *findings, n wire.NodeID, epoch wire.LeaderEpoch) {
	if n == wire.NoNode {
		return
	}
	if other, ok := p.leaders[epoch]; ok && other != n {
		f.add(OneLeader, []wire.NodeID{other, n}, "nodes %d and %d both lead in epoch %d", other, n, epoch)
		return
	}
	p.leaders[epoch] = n
	p.newest = max(p.newest, epoch)
}

// fenced looks for fenced brokers in the ISR. The last member stays in it when it
// is fenced, and the partition has no leader.
func (p *replicated) fenced(f *findings) {
	s := &p.controller
	for _, n := range s.ISR {
		if slices.Contains(s.Fenced, n) && (len(s.ISR) > 1 || s.Leader != wire.NoNode) {
			f.add(FencedInISR, []wire.NodeID{n}, "node %d is fenced and in the ISR %v", n, s.ISR)
		}
	}
}

// isr checks what ISR and ELR promise.
func (p *replicated) isr(f *findings) {
	for i, n := range p.nodes {
		r := p.replicas[i]
		if !r.Running {
			continue
		}
		if r.Leader && r.LeaderEpoch == p.newest && !p.complete(n) {
			f.add(LeaderComplete, []wire.NodeID{n}, "node %d leads in epoch %d without everything committed below %d (its log ends at %d)", n, r.LeaderEpoch, p.watermark, r.LogEnd)
		}
		if !p.known {
			continue
		}
		s := &p.controller
		member := slices.Contains(s.ISR, n) || slices.Contains(s.ELR, n)
		if member && !r.Unregistered && r.LogEnd < p.watermark {
			f.add(ISRHasCommitted, []wire.NodeID{n}, "node %d is in ISR %v or ELR %v, but its log ends at %d, before the high watermark %d", n, s.ISR, s.ELR, r.LogEnd, p.watermark)
		}
		if !r.Leader || r.LeaderEpoch != s.LeaderEpoch {
			continue
		}
		same := r.PartitionEpoch == s.PartitionEpoch && !r.Pending
		for _, m := range s.ISR {
			if !slices.Contains(r.MaximalISR, m) {
				f.add(MaximalISR, []wire.NodeID{n, m}, "node %d is in the controller's ISR, but leader %d does not wait for it", m, n)
			}
		}
		if same && len(r.MaximalISR) > len(s.ISR) {
			f.add(MaximalISR, []wire.NodeID{n}, "leader %d waits for %v although the ISR is %v and no change is pending", n, r.MaximalISR, s.ISR)
		}
	}
}
