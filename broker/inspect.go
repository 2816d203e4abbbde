package broker

import (
	"odradek/broker/metadata"
	"odradek/broker/raft"
	"odradek/broker/wire"
)

// Image is the committed metadata as this node has replayed it, up to, not including,
// the offset. It must not be modified, or kept across turns of the loop.
func (n *Node) Image() (*metadata.Image, wire.Offset) { return n.image, n.applied }

// ActiveController reports whether this node decides changes of the metadata now.
func (n *Node) ActiveController() bool { return n.control != nil && n.control.decider.Active() }

// Quorum is this node's part in the metadata quorum; false while it is starting.
func (n *Node) Quorum() (raft.Status, bool) {
	if n.quorum == nil || n.quorum.raft == nil {
		return raft.Status{}, false
	}
	return n.quorum.raft.Status(), true
}

// ReplicaState is one replica on this node, for checkers and for people.
type ReplicaState struct {
	wire.TopicPartition
	TopicID        wire.UUID
	Leads          bool
	LeaderEpoch    wire.LeaderEpoch // of the role
	PartitionEpoch wire.PartitionEpoch
	LogStart       wire.Offset
	LogEnd         wire.Offset
	Flushed        wire.Offset
	HighWatermark  wire.Offset
	// LastStableOffset is where this replica's log is decided up to, at most HighWatermark.
	LastStableOffset wire.Offset
	// ISR is the leader's committed ISR, MaximalISR includes what it has proposed.
	ISR, MaximalISR []wire.NodeID
	Proposing       bool  // a change of the ISR is proposed and not settled
	Err             error // why the log is out of service
}

// Replicas lists the replicas on this node, sorted by partition.
func (n *Node) Replicas() []ReplicaState {
	out := make([]ReplicaState, 0, len(n.replicas.list))
	for _, p := range n.replicas.list {
		out = append(out, p.state())
	}
	return out
}

func (p *partition) state() ReplicaState {
	s := ReplicaState{TopicPartition: p.tp, TopicID: p.id.TopicID, HighWatermark: p.highWatermark(), Err: p.err, LeaderEpoch: wire.NoLeaderEpoch}
	if p.log != nil {
		s.LogStart, s.LogEnd, s.Flushed = p.log.LogStartOffset(), p.log.LogEndOffset(), p.log.FlushedOffset()
		s.LastStableOffset = p.lastStableOffset()
	}
	switch {
	case p.leader != nil:
		l := p.leader.Snapshot()
		s.Leads, s.LeaderEpoch, s.PartitionEpoch = true, l.Partition.LeaderEpoch, l.Partition.PartitionEpoch
		s.ISR, s.MaximalISR, s.Proposing = l.Partition.ISR, l.MaximalISR, l.Pending
	case p.follower != nil:
		_, s.LeaderEpoch = p.follower.Leader()
	}
	return s
}
