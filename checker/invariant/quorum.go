package invariant

import (
	"odradek/broker/wire"
)

// Member is a voter or observer of the metadata quorum as its node has it.
type Member struct {
	Node    wire.NodeID
	Running bool // the fields below count only then

	Epoch         wire.LeaderEpoch
	Leader        bool // it leads in Epoch
	LogEnd        wire.Offset
	HighWatermark wire.Offset // -1: not known

	// Changes is what happened to the log since the last report, oldest first. It
	// counts even if the node is not running.
	Changes []Change
}

// Vote is a granted vote at the moment when its answer leaves the node.
type Vote struct {
	Node      wire.NodeID
	Epoch     wire.LeaderEpoch
	Candidate wire.NodeID
	// What the node's disk says at this moment.
	DurableEpoch     wire.LeaderEpoch
	DurableCandidate wire.NodeID
}

// Quorum checks the metadata quorum.
type Quorum struct {
	lineage
	members map[wire.NodeID]Member
	leaders map[wire.LeaderEpoch]wire.NodeID
	votes   map[ballot]wire.NodeID
	newest  wire.LeaderEpoch
}

type ballot struct {
	node  wire.NodeID
	epoch wire.LeaderEpoch
}

// NewQuorum knows no member.
func NewQuorum() *Quorum {
	return &Quorum{
		lineage: newLineage(), newest: wire.NoLeaderEpoch, members: make(map[wire.NodeID]Member),
		leaders: make(map[wire.LeaderEpoch]wire.NodeID), votes: make(map[ballot]wire.NodeID),
	}
}

// Observe reports the state of a member.
func (q *Quorum) Observe(m Member) []Violation {
	f := &findings{subject: "quorum"}
	nodes := []wire.NodeID{m.Node}
	for i := range m.Changes {
		if c := &m.Changes[i]; c.Kind == StartedAt && c.Offset > q.watermark {
			f.add(SnapshotCommitted, nodes, "node %d starts from a snapshot that ends at %d, beyond the committed %d", m.Node, c.Offset, q.watermark)
		}
	}
	q.apply(f, m.Node, m.Changes)
	old, seen := q.members[m.Node]
	m.Changes = nil
	if !m.Running {
		old.Running = false
		old.Node = m.Node
		if !seen {
			old.Epoch = wire.NoLeaderEpoch
		}
		q.members[m.Node] = old // its epoch is remembered
		return f.list
	}
	q.members[m.Node] = m
	if seen && m.Epoch < old.Epoch {
		f.add(EpochMonotonic, nodes, "node %d went back from epoch %d to %d", m.Node, old.Epoch, m.Epoch)
	}
	if end := q.log(m.Node).end(); end != m.LogEnd {
		f.add(Bookkeeping, nodes, "node %d says that its log ends at %d, its changes add up to %d", m.Node, m.LogEnd, end)
	}
	if m.Leader {
		q.elected(f, &m)
	}
	if m.HighWatermark >= 0 {
		if m.HighWatermark > m.LogEnd {
			f.add(WatermarkInLog, nodes, "node %d has its high watermark at %d, beyond the log end %d", m.Node, m.HighWatermark, m.LogEnd)
		}
		if old.Running && m.HighWatermark < old.HighWatermark {
			f.add(WatermarkMonotonic, nodes, "node %d took its high watermark back from %d to %d", m.Node, old.HighWatermark, m.HighWatermark)
		}
		q.commit(f, m.Node, m.HighWatermark)
	}
	// After commit: what the leader itself has just committed counts too.
	if m.Leader && m.Epoch == q.newest && !q.complete(m.Node) {
		f.add(LeaderComplete, nodes, "node %d leads in epoch %d without everything committed below %d (its log ends at %d)", m.Node, m.Epoch, q.watermark, m.LogEnd)
	}
	return f.list
}

// elected takes note of the leader of an epoch.
func (q *Quorum) elected(f *findings, m *Member) {
	if other, ok := q.leaders[m.Epoch]; ok && other != m.Node {
		f.add(OneLeader, []wire.NodeID{other, m.Node}, "nodes %d and %d both lead in epoch %d", other, m.Node, m.Epoch)
		return
	}
	q.leaders[m.Epoch] = m.Node
	q.newest = max(q.newest, m.Epoch)
}

// Voted reports a granted vote when its answer is sent.
func (q *Quorum) Voted(v Vote) []Violation {
	f := &findings{subject: "quorum"}
	nodes := []wire.NodeID{v.Node, v.Candidate}
	b := ballot{v.Node, v.Epoch}
	if other, ok := q.votes[b]; ok && other != v.Candidate {
		f.add(OneVote, append(nodes, other), "node %d voted for %d and for %d in epoch %d", v.Node, other, v.Candidate, v.Epoch)
	}
	q.votes[b] = v.Candidate
	// The disk may have moved on to a later epoch by now; the vote was there then.
	if v.DurableEpoch < v.Epoch || v.DurableEpoch == v.Epoch && v.DurableCandidate != v.Candidate {
		f.add(VoteDurable, nodes, "node %d tells %d that it has its vote in epoch %d, but its disk says %d in epoch %d", v.Node, v.Candidate, v.Epoch, v.DurableCandidate, v.DurableEpoch)
	}
	return f.list
}

// Excuse allows the loss of everything committed from an offset on, as when a
// majority of the disks was lost.
func (q *Quorum) Excuse(from wire.Offset) { q.forget(from) }

// Watermark is the largest high watermark that any member had.
func (q *Quorum) Watermark() wire.Offset { return q.watermark }
