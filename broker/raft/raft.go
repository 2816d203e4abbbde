package raft

import "odradek/broker/wire"

// Raft is one node's part in the quorum: a pure state machine. Inputs are the
// methods below, each with the time of the node's monotonic clock in nanoseconds;
// what they decide is collected by Take.
type Raft struct {
	effects []Effect
}

// ErrNotLeader refuses an append on a node that does not lead in that epoch.
type ErrNotLeader struct{ Current LeaderAndEpoch }

func (e *ErrNotLeader) Error() string { return "raft: not the leader of that epoch" }

// New starts a node. The first effects are waiting in Take. The error says that
// the configuration or what was restored makes no sense.
func New(now int64, c Config, restored Restored) (*Raft, error) { return &Raft{}, nil }

// Take returns the effects decided since the last Take, in order. The slice is
// valid until the next input. It must be called, and the effects executed, after
// every input.
func (r *Raft) Take() []Effect { return nil }

// Deadline is when Tick is due, math.MaxInt64 for never.
func (r *Raft) Deadline() int64 { return 0 }

// Tick says that Deadline has passed. Ticking early or twice is harmless.
func (r *Raft) Tick(now int64) {}

// Request hands in a request of another node. Its answer is a SendResponse,
// ReadLog or ReadSnapshot with the same token, perhaps much later.
func (r *Raft) Request(now int64, token Token, req Request) {}

// Response hands in the answer to a SendRequest. Unknown and late ones are ignored.
func (r *Raft) Response(now int64, id RequestID, resp Response) {}

// RequestFailed says that a SendRequest will not be answered.
func (r *Raft) RequestFailed(now int64, id RequestID) {}

// Persisted says that the Persist effects up to seq are durable (or superseded by
// one that is).
func (r *Raft) Persisted(now int64, seq PersistSeq) {}

// Written says that the log's records before end can be read. Flushed implies it.
func (r *Raft) Written(now int64, end wire.Offset) {}

// Flushed says that the log's records before end are durable.
func (r *Raft) Flushed(now int64, end wire.Offset) {}

// Append reserves offsets for n records of the leader of epoch: the shell appends
// them, as one batch with that base offset and epoch, before it does anything else,
// and reports Written and Flushed. The error is an [*ErrNotLeader].
func (r *Raft) Append(now int64, epoch wire.LeaderEpoch, n int32) (base wire.Offset, err error) {
	return 0, nil
}

// Resign gives up leading epoch and tells the others to elect a successor.
func (r *Raft) Resign(now int64, epoch wire.LeaderEpoch) {}

// SnapshotID names the snapshot of the state before offset, which must be
// committed and not below the log's start.
func (r *Raft) SnapshotID(offset wire.Offset) OffsetAndEpoch { return OffsetAndEpoch{} }

// SnapshotCreated says that this node has written a snapshot of its own, durably.
// What it makes superfluous comes back as DeleteLogPrefix and DeleteSnapshot.
func (r *Raft) SnapshotCreated(now int64, s Snapshot) {}

// SnapshotInstalled says that InstallSnapshot is done.
func (r *Raft) SnapshotInstalled(now int64, id OffsetAndEpoch) {}
