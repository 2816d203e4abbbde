package coordinator

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/metadata"
	"odradek/broker/wire"
)

// Moment is when something happens, and what is known then.
type Moment struct {
	Now  int64 // the node's monotonic clock, ns
	Wall int64 // ms since the Unix epoch: timestamps in records, expiry of offsets
	// Image is the committed metadata, never nil.
	Image *metadata.Image
	// NextOffset is the offset that the next record of the shard's log gets.
	NextOffset wire.Offset
}

// Never is the deadline of a machine that waits for nothing.
const Never int64 = 1<<63 - 1

// Token names a request that waits for its answer. 0 is that of an input without one.
type Token int64

// Request is one input of a machine.
type Request struct {
	Token Token
	// ClientID and ClientHost are the sender's, as DescribeGroups tells them.
	ClientID, ClientHost string
	// Msg is a kmsg.Request with its version, or, with token 0, an input of the machine's
	// own kind.
	Msg any
}

// Record is one to append. A nil value is a tombstone.
type Record struct {
	Key, Value []byte
}

// Transaction says of a batch that it belongs to a producer's transaction.
type Transaction struct {
	ProducerID int64
	Epoch      int16
}

// Marker ends a transaction in this partition (a control batch).
type Marker struct {
	Transaction
	Commit           bool
	CoordinatorEpoch int32
}

// Batch is records that are appended together, or a marker.
type Batch struct {
	Records     []Record
	Transaction *Transaction // nil for a plain batch
	Marker      *Marker      // then there are no records
}

// Entry is a record of the log as it is replayed. Its bytes are the machine's to keep, and
// nobody's to modify.
type Entry struct {
	Record
	Offset      wire.Offset
	Timestamp   int64 // ms
	Transaction *Transaction
}

// Reply answers a request.
type Reply struct {
	Token    Token
	Response kmsg.Response
	// Immediate lets the answer go before what was replayed has committed: for
	// answers that tell nothing of it, such as a classic member's heartbeat.
	Immediate bool
}

// Decision is what a machine makes of an input.
type Decision struct {
	Batches []Batch
	// Replies may answer this request or any earlier one. They leave once everything
	// replayed up to and including Batches has committed.
	Replies []Reply
	// Effects are the machine's own; the shell gets them when the replies may leave.
	Effects []any
}

// Machine is the state of one shard. Its durable state is what Replay and ReplayMarker make
// of the log, which must not fail: what they cannot read, a newer version wrote, and is
// skipped. It may anticipate in a decision what the records of that decision say.
// It decides the same from the same inputs, whatever maps it is made of.
type Machine interface {
	// Replay takes a record of the log: when loading, or right after it was decided.
	Replay(e Entry)
	// ReplayMarker takes the end of a transaction.
	ReplayMarker(m Marker, offset wire.Offset)
	// Loaded follows the last record of the log, at the beginning of leader epoch
	// coordinatorEpoch.
	Loaded(m Moment, coordinatorEpoch int32) Decision
	// Handle decides a request. Its answer may come from here or from any later
	// decision; a shard that is unloaded answers what is left.
	Handle(m Moment, r Request) Decision
	// MetadataChanged follows a new image.
	MetadataChanged(m Moment) Decision
	// Deadline is when Tick has something to do (Moment.Now), or Never.
	Deadline() int64
	Tick(m Moment) Decision
}
