package raft

import "odradek/broker/wire"

// Effect is something that the shell has to do. Effects are executed in the order
// in which [Raft.Take] returns them; the package comment says what may overlap.
type Effect interface{ effect() }

// RequestID names a request that this node sent, from SendRequest to
// [Raft.Response] or [Raft.RequestFailed].
type RequestID uint64

// Token names a request that this node received, from [Raft.Request] to its
// answer. The shell chooses it; the decider only echoes it.
type Token uint64

// PersistSeq numbers the Persist effects, from 1.
type PersistSeq uint64

// Persist writes the quorum state, atomically and durably, then
// [Raft.Persisted] is called with Seq. A later Persist may overtake an earlier
// one that is not on disk yet. If it fails the node must stop.
type Persist struct {
	Seq   PersistSeq
	State QuorumState
}

// SendRequest sends a request. If it cannot be sent or answered, the shell says so
// with [Raft.RequestFailed]; the decider also has a time-out of its own.
type SendRequest struct {
	ID      RequestID
	To      wire.NodeID
	Request Request
}

// SendResponse answers a request. A token whose connection is gone is dropped.
type SendResponse struct {
	Token    Token
	Response Response
}

// ReadLog answers a Fetch with records: the shell reads whole batches from Offset
// on, at least one and then up to MaxBytes, puts them into Response.Records and
// sends it.
type ReadLog struct {
	Token    Token
	Offset   wire.Offset
	MaxBytes int32
	Response FetchResponse
}

// ReadSnapshot answers a FetchSnapshot: the shell reads up to MaxBytes of the
// snapshot file from Response.Position on into Response.Bytes and sends it.
type ReadSnapshot struct {
	Token    Token
	MaxBytes int32
	Response FetchSnapshotResponse
}

// AppendLeaderChange appends and syncs a batch of one LeaderChange control record,
// the first of the new leader's epoch. Until it is committed nothing else is
// (Raft, section 5.4.2).
type AppendLeaderChange struct {
	BaseOffset     wire.Offset
	Epoch          wire.LeaderEpoch
	LeaderID       wire.NodeID
	Voters         []wire.NodeID
	GrantingVoters []wire.NodeID
}

// AppendFetched appends and syncs the leader's batches as they are.
type AppendFetched struct {
	Records []byte
	Batches []Batch
}

// TruncateTo removes the log's records from Offset on.
type TruncateTo struct{ Offset wire.Offset }

// StartSnapshot makes an empty temporary file for a snapshot that is going to be
// fetched, replacing one that is there.
type StartSnapshot struct{ ID OffsetAndEpoch }

// WriteSnapshot writes fetched bytes into that file.
type WriteSnapshot struct {
	ID       OffsetAndEpoch
	Position int64
	Bytes    []byte
}

// AbortSnapshot deletes that file.
type AbortSnapshot struct{ ID OffsetAndEpoch }

// InstallSnapshot gives the fetched snapshot its final name durably, then empties
// the log and lets it start at ID.Offset, then loads the state machine from the
// snapshot, then calls [Raft.SnapshotInstalled]. After a restart between the first
// two steps the effect comes again.
type InstallSnapshot struct{ ID OffsetAndEpoch }

// DeleteLogPrefix moves the log's start offset to Offset, which a snapshot covers.
type DeleteLogPrefix struct{ Offset wire.Offset }

// DeleteSnapshot deletes a snapshot that a newer one has made superfluous.
type DeleteSnapshot struct{ ID OffsetAndEpoch }

// AdvanceHighWatermark says that the records before Offset are committed and
// readable here: they may be replayed into the state machine.
type AdvanceHighWatermark struct{ Offset wire.Offset }

// LeaderChanged says who leads from now on. A node that led and is named no more
// must stop leading at once, whatever it still has in hand. LeaderID may be this
// node, which is not enough to act as leader: see LeaderReady.
type LeaderChanged struct{ LeaderAndEpoch }

// LeaderReady says that this node's own epoch has begun to commit: once everything
// before the high watermark is replayed, its state is the latest there is and it
// may serve linearizable work and append. Comes at most once an epoch.
type LeaderReady struct{ Epoch wire.LeaderEpoch }

// Halt says that the quorum contradicts what this node knows to be committed or
// elected: some node lost what it had promised to keep. The node must stop; the
// decider ignores everything from now on.
type Halt struct{ Reason string }

func (Persist) effect()              {}
func (SendRequest) effect()          {}
func (SendResponse) effect()         {}
func (ReadLog) effect()              {}
func (ReadSnapshot) effect()         {}
func (AppendLeaderChange) effect()   {}
func (AppendFetched) effect()        {}
func (TruncateTo) effect()           {}
func (StartSnapshot) effect()        {}
func (WriteSnapshot) effect()        {}
func (AbortSnapshot) effect()        {}
func (InstallSnapshot) effect()      {}
func (DeleteLogPrefix) effect()      {}
func (DeleteSnapshot) effect()       {}
func (AdvanceHighWatermark) effect() {}
func (LeaderChanged) effect()        {}
func (LeaderReady) effect()          {}
func (Halt) effect()                 {}
