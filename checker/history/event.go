package history

import (
	"fmt"
	"strings"

	"odradek/broker/wire"
)

// Phase says which end of an operation an event is.
type Phase string

const (
	Invoke Phase = "invoke"
	Return Phase = "return"
)

// Func is what an operation does; the package's documentation says which fields of an
// event it uses.
type Func string

// Logs.
const (
	Append      Func = "append"
	Request     Func = "request"
	Poll        Func = "poll"
	Seek        Func = "seek"
	ListOffsets Func = "list-offsets"
	Final       Func = "final"
	Admin       Func = "admin"
)

// Groups.
const (
	Assigned       Func = "assigned"
	Revoked        Func = "revoked"
	Lost           Func = "lost"
	Heartbeat      Func = "heartbeat"
	Commit         Func = "commit"
	FetchCommitted Func = "fetch-committed"
	FinalCommitted Func = "final-committed"
)

// Transactions and producer ids.
const (
	InitProducer Func = "init-producer"
	Begin        Func = "begin"
	SendOffsets  Func = "send-offsets"
	End          Func = "end"
	Fenced       Func = "fenced"
)

// Registers.
const (
	AlterConfig    Func = "alter-config"
	DescribeConfig Func = "describe-config"
)

// Isolation is what a reader wants to see; the zero value is read_uncommitted.
type Isolation string

const (
	ReadUncommitted Isolation = ""
	ReadCommitted   Isolation = "read_committed"
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

// Acks values of an append.
const (
	AcksNone   int8 = 0
	AcksLeader int8 = 1
	AcksAll    int8 = -1
)

// Live marks the final committed offset of a group that had members which were able to
// work until the end: nothing may be left for it to read.
const Live = "live"

// Member says who acts in a group. Events share it: it must not be modified.
type Member struct {
	Group string `json:"group"`
	// ID of the member; empty for an administrator, who is none.
	ID string `json:"id,omitempty"`
	// Instance is the id of a static member (KIP-345).
	Instance string `json:"instance,omitempty"`
	// Generation of a classic group, or the member's epoch (KIP-848); -1 without an ID.
	Generation int32 `json:"gen"`
	// Consumer is the protocol of KIP-848, else the classic one.
	Consumer bool `json:"consumer,omitempty"`
}

// Producer is the identity of an idempotent or transactional producer. Events share
// it: it must not be modified.
type Producer struct {
	TransactionalID string `json:"txnid,omitempty"`
	ID              int64  `json:"id"` // -1 is not known
	Epoch           int16  `json:"epoch"`
}

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
	// Key of the record, or the name of a config ("topic/orders/retention.ms").
	Key string `json:"key,omitempty"`
	// Tombstone: the record's value is null, so that Value travels in a header.
	Tombstone bool `json:"tombstone,omitempty"`
	// Input is the value of the record of which this one is the transformed copy.
	Input uint64 `json:"input,omitempty"`
	// Text is the value of a config.
	Text string `json:"text,omitempty"`

	// Txn is the transaction that the operation belongs to: the operation of its Begin.
	Txn int64 `json:"txn,omitempty"`
	// Commit, or else abort, of an End.
	Commit    bool      `json:"commit,omitempty"`
	Isolation Isolation `json:"isolation,omitempty"`
	// Stable: a fetch of committed offsets waits for open transactions (KIP-447).
	Stable     bool                  `json:"stable,omitempty"`
	Member     *Member               `json:"member,omitempty"`
	Producer   *Producer             `json:"producer,omitempty"`
	Partitions []wire.TopicPartition `json:"parts,omitempty"`

	Which string `json:"which,omitempty"` // latest or earliest; Live of a final committed offset
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
	// Doubtful: a request of the operation, which ended by another one, has no answer, or
	// one that does not tell what became of it.
	Doubtful bool   `json:"doubtful,omitempty"`
	Code     int16  `json:"code,omitempty"`
	Detail   string `json:"detail,omitempty"`
}

// About says what the event is about besides its function: a partition, a member of a
// group, a producer or a config.
func (e *Event) About() string {
	var parts []string
	if e.Topic != "" || e.Member == nil && e.Producer == nil && e.Key == "" {
		parts = append(parts, e.TP().String())
	}
	if m := e.Member; m != nil {
		s := "group " + m.Group
		if m.ID != "" {
			s += fmt.Sprintf(" (member %s, generation %d)", m.ID, m.Generation)
		}
		parts = append(parts, s)
	}
	if len(e.Partitions) > 0 {
		parts = append(parts, fmt.Sprint(e.Partitions))
	}
	if p := e.Producer; p != nil {
		parts = append(parts, fmt.Sprintf("producer %s (id %d, epoch %d)", p.TransactionalID, p.ID, p.Epoch))
	}
	if e.Txn != 0 {
		parts = append(parts, fmt.Sprintf("transaction %d", e.Txn))
	}
	if e.Func == End {
		parts = append(parts, map[bool]string{true: "commit", false: "abort"}[e.Commit])
	}
	if e.Key != "" {
		parts = append(parts, fmt.Sprintf("key %q", e.Key))
	}
	return strings.Join(parts, ", ")
}

// TP is the partition that the event is about.
func (e *Event) TP() wire.TopicPartition {
	return wire.TopicPartition{Topic: e.Topic, Partition: e.Partition}
}
