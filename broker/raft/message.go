package raft

import (
	"time"

	"odradek/broker/wire"
)

// Request is one of the five requests of the quorum. The fields are those of the
// Kafka messages, for the one partition of the metadata log; cluster id, topic
// and partition, endpoints and directory ids are the shell's to fill in and check.
type Request interface{ request() }

// Response is the answer to the request of the same name. Every one carries the
// leader and epoch that the answering node knows.
type Response interface {
	response()
	header() ResponseHeader
}

// ResponseHeader is what all responses have in common.
type ResponseHeader struct {
	ErrorCode ErrorCode
	LeaderAndEpoch
}

func (h ResponseHeader) header() ResponseHeader { return h }

// VoteRequest asks for a vote or, with PreVote, whether one would be given
// (Vote v2, API key 52; KIP-595, KIP-996).
type VoteRequest struct {
	VoterID         wire.NodeID // the node asked; wire.NoNode before v1
	CandidateID     wire.NodeID
	CandidateEpoch  wire.LeaderEpoch // the epoch to lead; for a pre-vote the current one
	LastOffsetEpoch wire.LeaderEpoch // epoch of the candidate's last record, 0 if none
	LastOffset      wire.Offset      // the candidate's log end offset
	PreVote         bool
}

// VoteResponse answers a VoteRequest.
type VoteResponse struct {
	ResponseHeader
	VoteGranted bool
}

// BeginQuorumEpochRequest tells a voter who leads (BeginQuorumEpoch, API key 53).
type BeginQuorumEpochRequest struct {
	VoterID     wire.NodeID // the node told; wire.NoNode before v1
	LeaderID    wire.NodeID
	LeaderEpoch wire.LeaderEpoch
}

// BeginQuorumEpochResponse acknowledges a BeginQuorumEpochRequest.
type BeginQuorumEpochResponse struct{ ResponseHeader }

// EndQuorumEpochRequest tells a voter that the leader resigned (EndQuorumEpoch,
// API key 54).
type EndQuorumEpochRequest struct {
	LeaderID    wire.NodeID
	LeaderEpoch wire.LeaderEpoch
	// PreferredSuccessors is ordered, the most caught up first.
	PreferredSuccessors []wire.NodeID
}

// EndQuorumEpochResponse acknowledges an EndQuorumEpochRequest.
type EndQuorumEpochResponse struct{ ResponseHeader }

// FetchRequest asks the leader for records (Fetch, API key 1).
type FetchRequest struct {
	ReplicaID          wire.NodeID
	CurrentLeaderEpoch wire.LeaderEpoch
	// FetchOffset also says that a voter has everything before it on disk.
	FetchOffset      wire.Offset
	LastFetchedEpoch wire.LeaderEpoch // epoch of the record before FetchOffset, 0 if none
	// HighWatermark is the replica's, so that the leader answers at once when its
	// own is higher (KIP-1166); math.MaxInt64 if the replica does not say.
	HighWatermark wire.Offset
	MaxWait       time.Duration // how long the leader may hold the answer for want of news
	MaxBytes      int32
}

// FetchResponse answers a FetchRequest. With ErrNone at most one of
// DivergingEpoch, SnapshotID and Records says something.
type FetchResponse struct {
	ResponseHeader
	HighWatermark  wire.Offset // wire.NoOffset before the leader's epoch is committed
	LogStartOffset wire.Offset
	// DivergingEpoch is the largest epoch, and its end, that the follower may keep.
	DivergingEpoch OffsetAndEpoch
	// SnapshotID is the snapshot to fetch instead.
	SnapshotID OffsetAndEpoch
	// Records is whole record batches as they are in the log. The sending shell
	// fills it in (see [ReadLog]), the receiving one checks their checksums and
	// describes them in Batches.
	Records []byte
	Batches []Batch
}

// Batch describes one batch in FetchResponse.Records.
type Batch struct {
	BaseOffset wire.Offset
	LastOffset wire.Offset // inclusive
	Epoch      wire.LeaderEpoch
}

// FetchSnapshotRequest asks the leader for a piece of a snapshot (FetchSnapshot
// v1, API key 59; KIP-630).
type FetchSnapshotRequest struct {
	ReplicaID          wire.NodeID
	CurrentLeaderEpoch wire.LeaderEpoch
	SnapshotID         OffsetAndEpoch
	Position           int64 // bytes from the start of the snapshot
	MaxBytes           int32
}

// FetchSnapshotResponse answers a FetchSnapshotRequest.
type FetchSnapshotResponse struct {
	ResponseHeader
	SnapshotID OffsetAndEpoch
	Size       int64 // of the whole snapshot, in bytes
	Position   int64 // of Bytes in it
	Bytes      []byte
}

func (VoteRequest) request()             {}
func (BeginQuorumEpochRequest) request() {}
func (EndQuorumEpochRequest) request()   {}
func (FetchRequest) request()            {}
func (FetchSnapshotRequest) request()    {}

func (VoteResponse) response()             {}
func (BeginQuorumEpochResponse) response() {}
func (EndQuorumEpochResponse) response()   {}
func (FetchResponse) response()            {}
func (FetchSnapshotResponse) response()    {}
