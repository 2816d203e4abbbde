package raft

import (
	"cmp"
	"fmt"

	"odradek/broker/wire"
)

// OffsetAndEpoch is a place in the log between two records: Offset is the next
// record's, Epoch is the leader epoch of the record before it. It names the end
// of a log, the end of an epoch and a snapshot (KIP-630), which holds the state
// up to, not including, Offset.
type OffsetAndEpoch struct {
	Offset wire.Offset
	Epoch  wire.LeaderEpoch
}

// NoOffsetAndEpoch stands for "absent", as on the wire.
var NoOffsetAndEpoch = OffsetAndEpoch{Offset: wire.NoOffset, Epoch: wire.NoLeaderEpoch}

// IsNone reports whether either half is absent.
func (a OffsetAndEpoch) IsNone() bool { return a.Offset < 0 || a.Epoch < 0 }

// Compare orders logs by how up to date they are: by last epoch, then by length
// (Raft, section 5.4.1).
func (a OffsetAndEpoch) Compare(b OffsetAndEpoch) int {
	if c := cmp.Compare(a.Epoch, b.Epoch); c != 0 {
		return c
	}
	return cmp.Compare(a.Offset, b.Offset)
}

func (a OffsetAndEpoch) String() string { return fmt.Sprintf("%d@%d", a.Offset, a.Epoch) }

// LeaderAndEpoch says who leads in an epoch; LeaderID is wire.NoNode while
// nobody is known to.
type LeaderAndEpoch struct {
	LeaderID    wire.NodeID
	LeaderEpoch wire.LeaderEpoch
}

// QuorumState is what a node must never forget: the epoch it is in, whom it
// voted for in it and, to save a round trip after a restart, who leads it. Its
// fields are those of Kafka's quorum-state file, version 1.
type QuorumState struct {
	LeaderID    wire.NodeID      // wire.NoNode if unknown
	LeaderEpoch wire.LeaderEpoch // 0 before the first election
	VotedID     wire.NodeID      // wire.NoNode if no vote was given in LeaderEpoch
}

// EmptyQuorumState is the state of a node that has no quorum-state file yet.
func EmptyQuorumState() QuorumState {
	return QuorumState{LeaderID: wire.NoNode, VotedID: wire.NoNode}
}

func (q QuorumState) leader() LeaderAndEpoch {
	return LeaderAndEpoch{LeaderID: q.LeaderID, LeaderEpoch: q.LeaderEpoch}
}

// ErrorCode is an error code of the Kafka protocol.
type ErrorCode int16

// The error codes that the quorum answers with or understands.
const (
	ErrNone                 ErrorCode = 0
	ErrNotLeaderOrFollower  ErrorCode = 6
	ErrBrokerNotAvailable   ErrorCode = 8
	ErrInvalidRequest       ErrorCode = 42
	ErrFencedLeaderEpoch    ErrorCode = 74
	ErrUnknownLeaderEpoch   ErrorCode = 75
	ErrInconsistentVoterSet ErrorCode = 94
	ErrSnapshotNotFound     ErrorCode = 98
	ErrPositionOutOfRange   ErrorCode = 99
	ErrInvalidVoterKey      ErrorCode = 125
)

var errorNames = map[ErrorCode]string{
	ErrNone:                 "NONE",
	ErrNotLeaderOrFollower:  "NOT_LEADER_OR_FOLLOWER",
	ErrBrokerNotAvailable:   "BROKER_NOT_AVAILABLE",
	ErrInvalidRequest:       "INVALID_REQUEST",
	ErrFencedLeaderEpoch:    "FENCED_LEADER_EPOCH",
	ErrUnknownLeaderEpoch:   "UNKNOWN_LEADER_EPOCH",
	ErrInconsistentVoterSet: "INCONSISTENT_VOTER_SET",
	ErrSnapshotNotFound:     "SNAPSHOT_NOT_FOUND",
	ErrPositionOutOfRange:   "POSITION_OUT_OF_RANGE",
	ErrInvalidVoterKey:      "INVALID_VOTER_KEY",
}

func (e ErrorCode) String() string {
	if s, ok := errorNames[e]; ok {
		return s
	}
	return fmt.Sprintf("error %d", int16(e))
}
