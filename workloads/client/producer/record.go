package producer

import (
	"errors"

	"odradek/broker/wire"
	"odradek/workloads/client/attempt"
)

// AnyPartition lets the producer choose: by the key if there is one, else sticky.
const AnyPartition int32 = -1

// Record is what a user sends. Key, Value and Headers must stay unmodified until
// the result.
type Record struct {
	Topic     string
	Partition int32
	Key       []byte
	Value     []byte
	Headers   []wire.Header
	// Timestamp in ms since the epoch; 0 takes the wall clock.
	Timestamp int64
}

// Token names a record of one core, from 1 on, in the order of Send.
type Token uint64

// Result is what became of a record.
type Result struct {
	Token   Token
	Topic   string
	Outcome attempt.Outcome
	// Partition is AnyPartition if none was chosen yet.
	Partition int32
	// Offset is the record's, if the outcome is OK and the broker told it (with
	// acks=0 it does not), else NoOffset.
	Offset wire.Offset
	// Timestamp in ms that the record has in the log (the broker's if the topic
	// says LogAppendTime).
	Timestamp int64
	// Err is nil if and only if the outcome is OK. It tells how the operation
	// ended, which says nothing about earlier attempts: they are in Attempts.
	Err error
	// Attempts are shared by all records of a batch and must not be modified.
	Attempts []attempt.Attempt
}

// Errors that end an operation without the broker's doing.
var (
	// ErrDeliveryTimeout: Config.DeliveryTimeout has passed.
	ErrDeliveryTimeout = errors.New("delivery timed out")
	// ErrBlockTimeout: the record waited Config.MaxBlock for memory or metadata.
	ErrBlockTimeout = errors.New("timed out waiting for buffer memory or metadata")
	// ErrRecordTooLarge: larger than MaxRequestSize or BufferMemory.
	ErrRecordTooLarge = errors.New("record too large")
	// ErrNoSuchPartition: the topic has no partition of that number.
	ErrNoSuchPartition = errors.New("no such partition")
	// ErrSequenceGap: an idempotent producer's records before this one may be missing in
	// the log, so that this one can neither be sent again nor be told to have failed.
	ErrSequenceGap = errors.New("sequence gap before the record")
	// ErrNoTransaction: a transactional producer sends within transactions only.
	ErrNoTransaction = errors.New("no transaction is open")
	// ErrClosed: the producer was closed.
	ErrClosed = errors.New("producer closed")
)
