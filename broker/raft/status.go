package raft

import "odradek/broker/wire"

// Status is a node's part in the quorum at one moment, for metrics and checkers.
type Status struct {
	NodeID         wire.NodeID
	State          StateKind
	Quorum         QuorumState
	HighWatermark  wire.Offset
	LogStartOffset wire.Offset
	LogEndOffset   wire.Offset
	FlushedOffset  wire.Offset
	LastEpoch      wire.LeaderEpoch // of the last record
	Ready          bool             // a leader that may serve linearizable work
	Halted         bool
}

// Status describes this node.
func (r *Raft) Status() Status {
	s, _ := r.state.(*leader)
	return Status{
		NodeID:         r.cfg.NodeID,
		State:          r.state.kind(),
		Quorum:         r.quorum,
		HighWatermark:  r.highWatermark,
		LogStartOffset: r.log.start,
		LogEndOffset:   r.log.end,
		FlushedOffset:  r.log.flushed,
		LastEpoch:      r.log.lastEpoch(),
		Ready:          s != nil && s.ready,
		Halted:         r.halted,
	}
}

// LeaderAndEpoch is what LeaderChanged last said.
func (r *Raft) LeaderAndEpoch() LeaderAndEpoch { return r.announced }

// HighWatermark is what AdvanceHighWatermark last said, 0 before.
func (r *Raft) HighWatermark() wire.Offset { return r.highWatermark }

// ReplicaState is a replica in the answer to DescribeQuorum (API key 55, KIP-595
// and KIP-836). Times are of this node's monotonic clock, -1 for unknown and for
// this node itself.
type ReplicaState struct {
	ID           wire.NodeID
	LogEndOffset wire.Offset // wire.NoOffset if unknown
	LastFetch    int64
	LastCaughtUp int64
}

// Describe lists the voters and observers by id. Only a leader can; ok is false
// otherwise (NOT_LEADER_OR_FOLLOWER).
func (r *Raft) Describe() (voters, observers []ReplicaState, ok bool) {
	s, ok := r.state.(*leader)
	if !ok {
		return nil, nil, false
	}
	for _, id := range r.voters {
		if id == r.cfg.NodeID {
			voters = append(voters, ReplicaState{ID: id, LogEndOffset: r.log.end, LastFetch: -1, LastCaughtUp: -1})
			continue
		}
		voters = append(voters, s.voterByID(id).describe())
	}
	for i := range s.observers {
		if o := &s.observers[i]; o.lastContact >= r.now-observerExpiry {
			observers = append(observers, o.describe())
		}
	}
	return voters, observers, true
}

func (v *replica) describe() ReplicaState {
	return ReplicaState{ID: v.id, LogEndOffset: v.fetchOffset, LastFetch: v.lastFetch, LastCaughtUp: v.lastCaughtUp}
}
