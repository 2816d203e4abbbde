package wire

// BatchOptions is what a new batch says about all its records.
type BatchOptions struct {
	BaseOffset    Offset
	LeaderEpoch   LeaderEpoch
	Compression   Compression
	Producer      *Producer // nil: not idempotent
	Transactional bool
	Control       bool
	// LogAppendTime, if not 0, becomes the timestamp of every record
	// (milliseconds).
	LogAppendTime int64
}

// Producer identifies an idempotent producer and the sequence number of the
// first record.
type Producer struct {
	ID       int64
	Epoch    int16
	Sequence int32
}

// Builder collects records into a batch.
type Builder struct {
	opts BatchOptions
}

// NewBuilder starts a batch.
func NewBuilder(opts BatchOptions) *Builder { return &Builder{opts: opts} }

// Reset starts the next batch and reuses the memory.
func (b *Builder) Reset(opts BatchOptions) { b.opts = opts }

// Append adds a record. timestamp is in milliseconds; nil key and value are null.
func (b *Builder) Append(timestamp int64, key, value []byte, headers ...Header) {}

// Count is the number of records so far.
func (b *Builder) Count() int { return 0 }

// Size is the size of the batch so far in bytes, before compression.
func (b *Builder) Size() int { return 0 }

// SizeWith is what Size would be after appending such a record.
func (b *Builder) SizeWith(timestamp int64, key, value []byte, headers ...Header) int { return 0 }

// NextOffset is the offset after the records so far.
func (b *Builder) NextOffset() Offset { return 0 }

// MaxTimestamp is the largest timestamp so far, or [NoTimestamp].
func (b *Builder) MaxTimestamp() int64 { return 0 }

// Build appends the finished batch to dst. The codec may be nil if the batch is
// not compressed. A batch needs at least one record.
func (b *Builder) Build(dst []byte, c *Codec) ([]byte, error) { return nil, nil }
