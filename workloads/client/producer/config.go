package producer

import (
	"time"

	"odradek/broker/wire"
	"odradek/workloads/client/attempt"
)

// Acks is when the leader answers.
type Acks int16

const (
	// AcksNone: it does not answer.
	AcksNone Acks = 0
	// AcksLeader: once it has appended.
	AcksLeader Acks = 1
	// AcksAll: once all in-sync replicas have the records.
	AcksAll Acks = -1
)

// Config holds Kafka's producer settings. Start from [DefaultConfig].
type Config struct {
	Acks Acks
	// Linger is how long a batch that is not full waits for more records.
	Linger time.Duration
	// BatchSize is the size in bytes at which a batch is full (batch.size), counted
	// before compression. A larger record makes a batch of its own.
	BatchSize int
	// BufferMemory bounds the bytes of records that are accepted and not yet
	// answered (buffer.memory); beyond it records wait, in order.
	BufferMemory int
	// MaxBlock is how long a record may wait for memory or for metadata
	// (max.block.ms).
	MaxBlock time.Duration
	// MaxRequestSize bounds a request's record bytes, and a record
	// (max.request.size).
	MaxRequestSize int
	// MaxInFlight is how many requests may be unanswered at one broker.
	MaxInFlight int
	// RequestTimeout is how long the broker may wait for its replicas (the field
	// of the request) and, in the shell, how long an answer may take.
	RequestTimeout time.Duration
	// DeliveryTimeout bounds the time from accepting a record to its result.
	DeliveryTimeout time.Duration
	// Retries bounds the attempts after the first; negative means no bound other
	// than DeliveryTimeout, as is Kafka's default.
	Retries int
	Backoff attempt.Backoff
	// Compression of the batches.
	Compression wire.Compression
	// Idempotent gives every batch a producer id and sequence numbers, so that brokers
	// keep one copy of it (enable.idempotence). It needs AcksAll, retries, and at most
	// 5 requests in flight.
	Idempotent bool
	// ResendDoubtful: when sequence numbers begin anew, what a broker may have already is
	// sent again, as the Java client does. A correct broker lets that happen to nothing
	// that it has, unless records were given up; one that does not gets duplicates.
	ResendDoubtful bool
	// TransactionalID makes the producer transactional, and idempotent.
	TransactionalID string
	// TransactionTimeout is when the coordinator aborts a transaction by itself
	// (transaction.timeout.ms).
	TransactionTimeout time.Duration
}

// DefaultConfig is what the Java producer has by default, without idempotence
// and with one change: linger is 0, as it was before Kafka 4.
func DefaultConfig() Config {
	return Config{
		Acks:            AcksAll,
		BatchSize:       16 << 10,
		BufferMemory:    32 << 20,
		MaxBlock:        time.Minute,
		MaxRequestSize:  1 << 20,
		MaxInFlight:     5,
		RequestTimeout:  30 * time.Second,
		DeliveryTimeout: 2 * time.Minute,
		Retries:         -1,
		Backoff:         attempt.Backoff{Initial: 100 * time.Millisecond, Max: time.Second},

		TransactionTimeout: time.Minute,
	}
}
