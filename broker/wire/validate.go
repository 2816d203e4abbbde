package wire

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Errors that a [BatchError] or a [Codec] may wrap, besides those of batch.go.
var (
	ErrTooLarge               = errors.New("too large")
	ErrUnsupportedCompression = errors.New("unsupported compression")
)

// BatchError says why a produced batch is refused.
type BatchError struct {
	Code    *kerr.Error   // what the producer is told
	Message string        // for the producer's ErrorMessage field
	Records []RecordError // records at fault (KIP-467), in order; may be empty
	cause   error
}

// RecordError is a record at fault in a produced batch.
type RecordError struct {
	Index   int32 // position in the batch
	Message string
}

func (e *BatchError) Error() string { return e.Code.Message + ": " + e.Message }

// Unwrap gives the cause, one of the Err values of this package, if there is one.
func (e *BatchError) Unwrap() error { return e.cause }

// ProduceRules is what a topic and a request demand of a produced batch.
type ProduceRules struct {
	RequestVersion int16 // of the Produce request
	MaxBytes       int   // max.message.bytes: limit of the whole batch
	Compacted      bool  // cleanup.policy has compact: every record needs a key
	TimestampType  TimestampType
	Now            int64 // wall time, milliseconds
	BeforeMax      int64 // message.timestamp.before.max.ms
	AfterMax       int64 // message.timestamp.after.max.ms
	// Compression is the topic's compression.type.
	Compression Compression
}

// Validate checks the records field of one partition of a Produce request as
// Kafka's LogValidator does, and returns the batch in the form in which the
// leader stores it: timestamps as the topic wants them, codec as the topic wants
// it. Base offset and leader epoch remain to be set. The batch is b itself,
// changed in place where needed, or, if it had to be recompressed, new memory.
//
// The error is always a *[BatchError].
func (c *Codec) Validate(b []byte, rules *ProduceRules) (BatchHeader, []byte, error) {
	return BatchHeader{}, nil, nil
}

// Recompress rewrites a whole batch with another codec. Offsets, timestamps and
// everything else stay.
func (c *Codec) Recompress(batch []byte, to Compression) ([]byte, error) { return nil, nil }
