package history

import "odradek/broker/wire"

// Phase says which end of an operation an event is.
type Phase string

const (
	Invoke Phase = "invoke"
	Return Phase = "return"
)

// Func is what an operation does.
type Func string

const (
	Append      Func = "append"
	Request     Func = "request"
	Poll        Func = "poll"
	Seek        Func = "seek"
	ListOffsets Func = "list-offsets"
	Final       Func = "final"
	Admin       Func = "admin"
)

// Outcome is what the client knows about an operation.
type Outcome string

const (
	OK Outcome = "ok"
	// Failed means that it certainly had no effect.
	Failed Outcome = "failed"
	// Unknown means that it may or may not have had one, now or later.
	Unknown Outcome = "unknown"
)

// OutcomeOf classifies the Kafka error code of a Produce response. Only codes
// that a broker sends before it appends mean failure; everything else (time-outs,
// NOT_LEADER_OR_FOLLOWER, NOT_ENOUGH_REPLICAS_AFTER_APPEND, unknown errors, and
// DUPLICATE_SEQUENCE_NUMBER, which hides where the first copy is) is unknown, as
// is a lost connection.
func OutcomeOf(code int16) Outcome {
	switch code {
	case 0:
		return OK
	case 3, // UNKNOWN_TOPIC_OR_PARTITION
		2,  // CORRUPT_MESSAGE
		10, // MESSAGE_TOO_LARGE
		17, // INVALID_TOPIC_EXCEPTION
		19, // NOT_ENOUGH_REPLICAS
		21, // INVALID_REQUIRED_ACKS
		29, // TOPIC_AUTHORIZATION_FAILED
		32, // INVALID_TIMESTAMP
		35, // UNSUPPORTED_VERSION
		45, // OUT_OF_ORDER_SEQUENCE_NUMBER
		47, // INVALID_PRODUCER_EPOCH
		59, // UNKNOWN_PRODUCER_ID
		76, // UNSUPPORTED_COMPRESSION_TYPE
		87, // INVALID_RECORD
		90: // PRODUCER_FENCED
		return Failed
	}
	return Unknown
}

// Acks values of an append.
const (
	AcksNone   int8 = 0
	AcksLeader int8 = 1
	AcksAll    int8 = -1
)

// Record is one record that was read.
type Record struct {
	Offset wire.Offset `json:"o"`
	Value  uint64      `json:"v"` // 0: not written by a client
}

// Event is one line of a history. Times are in nanoseconds of the run's clock.
type Event struct {
	Seq       int64   `json:"seq"`
	Time      int64   `json:"t"`
	Phase     Phase   `json:"phase"`
	Op        int64   `json:"op"` // sequence number of the operation's invocation
	Func      Func    `json:"f"`
	Process   string  `json:"proc"`
	Topic     string  `json:"topic,omitempty"`
	Partition int32   `json:"part,omitempty"`
	Of        []int64 `json:"of,omitempty"` // of a request: the appends it carries

	Value      uint64 `json:"value,omitempty"` // unique in the history, not 0
	Acks       int8   `json:"acks,omitempty"`
	Idempotent bool   `json:"idempotent,omitempty"`
	InFlight   int    `json:"in_flight,omitempty"` // requests the producer may have in flight

	Which string `json:"which,omitempty"` // latest or earliest
	// Exact claims that the answer is the true high watermark, not a stale one
	// (a deposed leader that does not know it yet may give that, legally).
	Exact bool `json:"exact,omitempty"`
	// Epoch is the leader epoch of the leader that answered, -1 or 0 if not told.
	Epoch wire.LeaderEpoch `json:"epoch,omitempty"`

	Offset  wire.Offset `json:"offset"`
	Records []Record    `json:"records,omitempty"`
	Start   wire.Offset `json:"start,omitempty"`
	End     wire.Offset `json:"end,omitempty"`

	Outcome Outcome `json:"outcome,omitempty"`
	Code    int16   `json:"code,omitempty"`
	Detail  string  `json:"detail,omitempty"`
}

// TP is the partition that the event is about.
func (e *Event) TP() wire.TopicPartition {
	return wire.TopicPartition{Topic: e.Topic, Partition: e.Partition}
}
