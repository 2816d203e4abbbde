package wire

import (
	"encoding/binary"
	"fmt"

	"github.com/twmb/franz-go/pkg/kbin"
)

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
	opts    BatchOptions
	records []byte
	count   int32
	last    int32 // offset delta of the last record
	base    int64 // timestamp of the first record
	max     int64
}

// NewBuilder starts a batch.
func NewBuilder(opts BatchOptions) *Builder {
	b := &Builder{}
	b.Reset(opts)
	return b
}

// Reset starts the next batch and reuses the memory.
func (b *Builder) Reset(opts BatchOptions) {
	*b = Builder{opts: opts, records: b.records[:0], last: -1, max: NoTimestamp}
}

// Append adds a record. timestamp is in milliseconds; nil key and value are null.
func (b *Builder) Append(timestamp int64, key, value []byte, headers ...Header) {
	b.AppendAt(b.last+1, timestamp, key, value, headers...)
}

// AppendAt is Append with an offset given relative to the batch, which must grow
// from record to record: compaction leaves gaps.
func (b *Builder) AppendAt(offsetDelta int32, timestamp int64, key, value []byte, headers ...Header) {
	if offsetDelta <= b.last {
		panic(fmt.Sprintf("wire: record at %d appended after %d", offsetDelta, b.last))
	}
	if b.count == 0 {
		b.base = timestamp
	}
	size := recordSize(timestamp-b.base, offsetDelta, key, value, headers)
	dst := kbin.AppendVarint(b.records, int32(size))
	dst = append(dst, 0) // attributes
	dst = kbin.AppendVarlong(dst, timestamp-b.base)
	dst = kbin.AppendVarint(dst, offsetDelta)
	dst = kbin.AppendVarintBytes(dst, key)
	dst = kbin.AppendVarintBytes(dst, value)
	dst = kbin.AppendVarint(dst, int32(len(headers)))
	for _, h := range headers {
		dst = kbin.AppendVarintString(dst, h.Key)
		dst = kbin.AppendVarintBytes(dst, h.Value)
	}
	b.records = dst
	b.last = offsetDelta
	b.count++
	b.max = max(b.max, timestamp)
}

// recordSize is the size of an encoded record without its own length.
func recordSize(timestampDelta int64, offsetDelta int32, key, value []byte, headers []Header) int {
	n := 1 + kbin.VarlongLen(timestampDelta) + kbin.VarintLen(offsetDelta) + bytesSize(key) + bytesSize(value)
	n += kbin.VarintLen(int32(len(headers)))
	for _, h := range headers {
		n += kbin.VarintLen(int32(len(h.Key))) + len(h.Key) + bytesSize(h.Value)
	}
	return n
}

func bytesSize(b []byte) int {
	if b == nil {
		return kbin.VarintLen(-1)
	}
	return kbin.VarintLen(int32(len(b))) + len(b)
}

// Count is the number of records so far.
func (b *Builder) Count() int { return int(b.count) }

// Size is the size of the batch so far in bytes, before compression.
func (b *Builder) Size() int { return BatchHeaderSize + len(b.records) }

// SizeWith is what Size would be after appending such a record. Producers compare
// it with batch.size and max.request.size.
func (b *Builder) SizeWith(timestamp int64, key, value []byte, headers ...Header) int {
	var delta int64
	if b.count > 0 {
		delta = timestamp - b.base
	}
	n := recordSize(delta, b.last+1, key, value, headers)
	return b.Size() + kbin.VarintLen(int32(n)) + n
}

// NextOffset is the offset after the records so far.
func (b *Builder) NextOffset() Offset { return b.opts.BaseOffset + Offset(b.last) + 1 }

// MaxTimestamp is the largest timestamp so far, or [NoTimestamp].
func (b *Builder) MaxTimestamp() int64 { return b.max }

// Build appends the finished batch to dst. The codec may be nil if the batch is
// not compressed. A batch needs at least one record.
func (b *Builder) Build(dst []byte, c *Codec) ([]byte, error) {
	if b.count == 0 {
		panic("wire: a batch without records")
	}
	h := BatchHeader{
		BaseOffset:      b.opts.BaseOffset,
		LeaderEpoch:     b.opts.LeaderEpoch,
		LastOffsetDelta: b.last,
		BaseTimestamp:   b.base,
		MaxTimestamp:    b.max,
		ProducerID:      NoProducerID,
		ProducerEpoch:   NoProducerEpoch,
		BaseSequence:    NoSequence,
		Count:           b.count,
	}
	if p := b.opts.Producer; p != nil {
		h.ProducerID, h.ProducerEpoch, h.BaseSequence = p.ID, p.Epoch, p.Sequence
	}
	if b.opts.Transactional {
		h.Attributes |= attrTransactional
	}
	if b.opts.Control {
		h.Attributes |= attrControl
	}
	if b.opts.LogAppendTime != 0 {
		h.Attributes |= attrLogAppendTime
		h.MaxTimestamp = b.opts.LogAppendTime
	}
	return sealBatch(dst, c, h, b.opts.Compression, b.records)
}

// sealBatch appends a batch made of h and records, compressed with how, and sets
// what follows from that: magic, codec bits, length and CRC.
func sealBatch(dst []byte, c *Codec, h BatchHeader, how Compression, records []byte) ([]byte, error) {
	at := len(dst)
	h.Magic = Magic
	h.Attributes = h.Attributes&^attrCodecMask | int16(how)
	dst = appendBatchHeader(dst, &h)
	if how == None {
		dst = append(dst, records...)
	} else {
		var err error
		if dst, err = c.Compress(dst, how, records); err != nil {
			return dst[:at], err
		}
	}
	binary.BigEndian.PutUint32(dst[at+offsetLength:], uint32(len(dst)-at-BatchLogOverhead))
	SetCRC(dst[at:])
	return dst, nil
}
