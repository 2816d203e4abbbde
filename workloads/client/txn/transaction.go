package txn

import (
	"errors"
	"time"

	"odradek/broker/wire"
	"odradek/workloads/client/attempt"
)

// Config holds Kafka's settings of a transactional producer.
type Config struct {
	TransactionalID string
	// Timeout is when the coordinator aborts a transaction by itself
	// (transaction.timeout.ms).
	Timeout time.Duration
	Backoff attempt.Backoff
}

// Group says who has consumed what a transaction's offsets stand for: the metadata of
// a consumer group's member (KIP-447), or with just an ID, nobody in particular.
type Group struct {
	ID string
	// Generation is a classic member's generation or a consumer group member's epoch.
	Generation int32
	// Member and Instance (static membership) are empty if there are none.
	Member, Instance string
}

// AnyMember is a group whose members are not checked when offsets are committed.
func AnyMember(id string) Group { return Group{ID: id, Generation: -1} }

// Offset is a position to be committed with a transaction.
type Offset struct {
	Offset wire.Offset
	// LeaderEpoch of the last record consumed; NoLeaderEpoch if it is not known.
	LeaderEpoch wire.LeaderEpoch
	Metadata    string
}

// End is how an operation of a transaction ended.
//
// Of a commit: OK means that the transaction is committed, Failed that it certainly is
// not and never will be, Unknown that either may be true.
//
// Of an abort: OK means that it is aborted. Otherwise nobody knows when it will be; but
// it never commits, unless a commit was tried before.
//
// Of offsets: OK means that they are part of the transaction; Failed that they certainly
// are not.
type End struct {
	Outcome attempt.Outcome
	// Err is nil if and only if the outcome is OK.
	Err error
	// Attempts to end the transaction (EndTxn) or to commit its offsets
	// (TxnOffsetCommit). Not to be modified.
	Attempts []attempt.Attempt
}

// Errors that end an operation.
var (
	// ErrFenced: another producer with the same transactional id was initialised, or
	// the coordinator aborted the transaction because it took too long. The producer
	// is of no more use.
	ErrFenced = errors.New("producer fenced")
	// ErrAbortable: the transaction cannot commit any more; it wraps the cause.
	ErrAbortable = errors.New("the transaction must be aborted")
	// ErrAborted is the result of records and offsets that were not sent yet when their
	// transaction was aborted.
	ErrAborted = errors.New("the transaction was aborted before")
	// ErrState: the operation is not legal in the producer's state.
	ErrState = errors.New("not legal in this state")
	// ErrTimeout: producer.Config.MaxBlock has passed. The operation goes on; calling
	// it again waits for its end.
	ErrTimeout = errors.New("timed out, still trying")
)
