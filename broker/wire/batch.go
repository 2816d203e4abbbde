package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"iter"
)

// Layout of a record batch of magic 2, in bytes from its start. Everything is
// big endian. The length counts what follows it; the CRC-32C covers what follows
// the CRC. So the base offset and the leader epoch can be assigned in place.
const (
	offsetBaseOffset      = 0
	offsetLength          = 8
	offsetLeaderEpoch     = 12
	offsetMagic           = 16
	offsetCRC             = 17
	offsetAttributes      = 21
	offsetLastOffsetDelta = 23
	offsetBaseTimestamp   = 27
	offsetMaxTimestamp    = 35
	offsetProducerID      = 43
	offsetProducerEpoch   = 51
	offsetBaseSequence    = 53
	offsetCount           = 57

	// BatchHeaderSize is the size of the fixed part of a batch; the records follow.
	BatchHeaderSize = 61
	// BatchLogOverhead is the size of the base offset and the length, which the
	// length itself does not count.
	BatchLogOverhead = 12
	// Magic is the only record format that is served.
	Magic = 2
)

// Bits of [BatchHeader.Attributes].
const (
	attrCodecMask     = 0x07
	attrLogAppendTime = 0x08
	attrTransactional = 0x10
	attrControl       = 0x20
	attrDeleteHorizon = 0x40
)

// Values that mean "none" in a batch.
const (
	NoProducerID    int64 = -1
	NoProducerEpoch int16 = -1
	NoSequence      int32 = -1
	NoTimestamp     int64 = -1
)

// Errors of reading batches. [BatchError] wraps them for produced batches.
var (
	// ErrShortBatch means that the buffer ends inside a batch: the rest is still
	// on its way, or the log was torn there.
	ErrShortBatch = errors.New("buffer ends inside a record batch")
	// ErrCorruptBatch means bytes that no batch of magic 2 begins with, or a CRC
	// that does not match.
	ErrCorruptBatch = errors.New("corrupt record batch")
	// ErrInvalidRecord means a batch whose CRC may be right, but whose records
	// cannot be decoded as declared.
	ErrInvalidRecord = errors.New("invalid record")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// BatchHeader is the fixed part of a record batch.
type BatchHeader struct {
	BaseOffset      Offset
	Length          int32 // bytes after the length field
	LeaderEpoch     LeaderEpoch
	Magic           int8
	CRC             uint32
	Attributes      int16
	LastOffsetDelta int32
	BaseTimestamp   int64 // milliseconds since the Unix epoch; the delete horizon of compaction if its bit is set
	MaxTimestamp    int64 // milliseconds since the Unix epoch
	ProducerID      int64
	ProducerEpoch   int16
	BaseSequence    int32
	Count           int32
}

// ReadBatchHeader reads the header at the start of b, of which it needs
// [BatchHeaderSize] bytes. It returns [ErrShortBatch] if there are fewer and
// [ErrCorruptBatch] if magic or length are impossible; it does not check that b
// holds the whole batch, nor the CRC.
func ReadBatchHeader(b []byte) (BatchHeader, error) {
	if len(b) < BatchHeaderSize {
		return BatchHeader{}, ErrShortBatch
	}
	b = b[:BatchHeaderSize]
	be := binary.BigEndian
	h := BatchHeader{
		BaseOffset:      Offset(be.Uint64(b[offsetBaseOffset:])),
		Length:          int32(be.Uint32(b[offsetLength:])),
		LeaderEpoch:     LeaderEpoch(be.Uint32(b[offsetLeaderEpoch:])),
		Magic:           int8(b[offsetMagic]),
		CRC:             be.Uint32(b[offsetCRC:]),
		Attributes:      int16(be.Uint16(b[offsetAttributes:])),
		LastOffsetDelta: int32(be.Uint32(b[offsetLastOffsetDelta:])),
		BaseTimestamp:   int64(be.Uint64(b[offsetBaseTimestamp:])),
		MaxTimestamp:    int64(be.Uint64(b[offsetMaxTimestamp:])),
		ProducerID:      int64(be.Uint64(b[offsetProducerID:])),
		ProducerEpoch:   int16(be.Uint16(b[offsetProducerEpoch:])),
		BaseSequence:    int32(be.Uint32(b[offsetBaseSequence:])),
		Count:           int32(be.Uint32(b[offsetCount:])),
	}
	if h.Magic != Magic {
		return h, fmt.Errorf("%w: magic %d", ErrCorruptBatch, h.Magic)
	}
	if h.Length < BatchHeaderSize-BatchLogOverhead {
		return h, fmt.Errorf("%w: length %d", ErrCorruptBatch, h.Length)
	}
	return h, nil
}

// appendBatchHeader writes h as it is: the caller has set length and CRC, or will.
func appendBatchHeader(dst []byte, h *BatchHeader) []byte {
	be := binary.BigEndian
	dst = be.AppendUint64(dst, uint64(h.BaseOffset))
	dst = be.AppendUint32(dst, uint32(h.Length))
	dst = be.AppendUint32(dst, uint32(h.LeaderEpoch))
	dst = append(dst, byte(h.Magic))
	dst = be.AppendUint32(dst, h.CRC)
	dst = be.AppendUint16(dst, uint16(h.Attributes))
	dst = be.AppendUint32(dst, uint32(h.LastOffsetDelta))
	dst = be.AppendUint64(dst, uint64(h.BaseTimestamp))
	dst = be.AppendUint64(dst, uint64(h.MaxTimestamp))
	dst = be.AppendUint64(dst, uint64(h.ProducerID))
	dst = be.AppendUint16(dst, uint16(h.ProducerEpoch))
	dst = be.AppendUint32(dst, uint32(h.BaseSequence))
	return be.AppendUint32(dst, uint32(h.Count))
}

// Size is the size of the whole batch in bytes.
func (h *BatchHeader) Size() int { return BatchLogOverhead + int(h.Length) }

// LastOffset is the offset of the batch's last record (it may have been
// compacted away).
func (h *BatchHeader) LastOffset() Offset { return h.BaseOffset + Offset(h.LastOffsetDelta) }

// NextOffset is the offset after the batch.
func (h *BatchHeader) NextOffset() Offset { return h.LastOffset() + 1 }

// Compression is the codec of the records.
func (h *BatchHeader) Compression() Compression { return Compression(h.Attributes & attrCodecMask) }

// TimestampType says whose clock the timestamps are from.
func (h *BatchHeader) TimestampType() TimestampType {
	if h.Attributes&attrLogAppendTime != 0 {
		return LogAppendTime
	}
	return CreateTime
}

// Transactional reports whether the batch is part of a transaction.
func (h *BatchHeader) Transactional() bool { return h.Attributes&attrTransactional != 0 }

// Control reports whether the records are markers of the broker rather than
// data: transaction ends, quorum leader changes.
func (h *BatchHeader) Control() bool { return h.Attributes&attrControl != 0 }

// DeleteHorizon is when compaction may drop the batch's tombstones (KIP-534), in
// milliseconds since the Unix epoch; false if compaction has not set it.
func (h *BatchHeader) DeleteHorizon() (int64, bool) {
	return h.BaseTimestamp, h.Attributes&attrDeleteHorizon != 0
}

// HasProducer reports whether the batch carries an idempotent producer's id.
func (h *BatchHeader) HasProducer() bool { return h.ProducerID > NoProducerID }

// LastSequence is the sequence number of the last record. Sequence numbers wrap
// from the largest int32 to 0.
func (h *BatchHeader) LastSequence() int32 { return AddSequence(h.BaseSequence, h.LastOffsetDelta) }

// AddSequence is the sequence number n records after seq. [NoSequence] stays so.
func AddSequence(seq, n int32) int32 {
	if seq == NoSequence {
		return NoSequence
	}
	return int32((int64(seq) + int64(n)) & 0x7fffffff)
}

// TimestampType is where a topic's timestamps come from
// (message.timestamp.type).
type TimestampType int8

const (
	CreateTime    TimestampType = 0 // set by the producer
	LogAppendTime TimestampType = 1 // set by the leader when it appends
)

func (t TimestampType) String() string {
	if t == LogAppendTime {
		return "LogAppendTime"
	}
	return "CreateTime"
}

// The setters below change a batch in place; b begins with a batch of at least
// BatchHeaderSize bytes.

// SetBaseOffset assigns the batch's offsets. The CRC does not cover them.
func SetBaseOffset(b []byte, o Offset) {
	binary.BigEndian.PutUint64(b[offsetBaseOffset:], uint64(o))
}

// SetLeaderEpoch assigns the epoch of the leader that appends the batch. The CRC
// does not cover it.
func SetLeaderEpoch(b []byte, e LeaderEpoch) {
	binary.BigEndian.PutUint32(b[offsetLeaderEpoch:], uint32(e))
}

// SetLogAppendTime makes now (milliseconds) the timestamp of all records of the
// batch b, which must be whole, and mends the CRC.
func SetLogAppendTime(b []byte, now int64) {
	attrs := binary.BigEndian.Uint16(b[offsetAttributes:])
	binary.BigEndian.PutUint16(b[offsetAttributes:], attrs|attrLogAppendTime)
	binary.BigEndian.PutUint64(b[offsetMaxTimestamp:], uint64(now))
	SetCRC(b)
}

// SetMaxTimestamp declares the largest timestamp (milliseconds) in the whole
// batch b and mends the CRC.
func SetMaxTimestamp(b []byte, ts int64) {
	binary.BigEndian.PutUint64(b[offsetMaxTimestamp:], uint64(ts))
	SetCRC(b)
}

// SetProducer makes the whole batch b one of an idempotent producer, or of its
// transaction, and mends the CRC.
func SetProducer(b []byte, p Producer, transactional bool) {
	attrs := binary.BigEndian.Uint16(b[offsetAttributes:]) &^ attrTransactional
	if transactional {
		attrs |= attrTransactional
	}
	binary.BigEndian.PutUint16(b[offsetAttributes:], attrs)
	binary.BigEndian.PutUint64(b[offsetProducerID:], uint64(p.ID))
	binary.BigEndian.PutUint16(b[offsetProducerEpoch:], uint16(p.Epoch))
	binary.BigEndian.PutUint32(b[offsetBaseSequence:], uint32(p.Sequence))
	SetCRC(b)
}

// SetCRC computes the checksum of the whole batch b and stores it.
func SetCRC(b []byte) {
	b = wholeBatch(b)
	binary.BigEndian.PutUint32(b[offsetCRC:], crc32.Checksum(b[offsetAttributes:], castagnoli))
}

// CheckCRC reports whether the checksum of the whole batch b is right.
func CheckCRC(b []byte) bool {
	b = wholeBatch(b)
	return binary.BigEndian.Uint32(b[offsetCRC:]) == crc32.Checksum(b[offsetAttributes:], castagnoli)
}

// wholeBatch cuts b at the end of its first batch. Callers guarantee that the
// batch is whole; only a bug can break that.
func wholeBatch(b []byte) []byte {
	size := BatchLogOverhead + int(int32(binary.BigEndian.Uint32(b[offsetLength:])))
	if size < BatchHeaderSize || size > len(b) {
		panic(fmt.Sprintf("wire: batch of %d bytes in a buffer of %d", size, len(b)))
	}
	return b[:size]
}

// NextBatch splits the first whole batch off b. At the end of b it returns
// (header, nil, nil, nil). A batch that b holds only in part is [ErrShortBatch],
// with the header if at least that is there (else its Length is 0).
func NextBatch(b []byte) (h BatchHeader, batch, rest []byte, err error) {
	if len(b) == 0 {
		return BatchHeader{}, nil, nil, nil
	}
	h, err = ReadBatchHeader(b)
	if err != nil {
		return h, nil, b, err
	}
	if h.Size() > len(b) {
		return h, nil, b, ErrShortBatch
	}
	return h, b[:h.Size():h.Size()], b[h.Size():], nil
}

// Truncated says what [Batches] makes of a last batch that is cut off.
type Truncated bool

const (
	// RefuseTruncated reports it as [ErrShortBatch].
	RefuseTruncated Truncated = false
	// AllowTruncated stops before it, as consumers do: a fetch ends where its
	// byte limit was reached.
	AllowTruncated Truncated = true
)

// Batches iterates over the batches laid end to end in b, each with its header.
// CRCs are not checked. After the loop, *err tells why it ended early, if so.
func Batches(b []byte, last Truncated, err *error) iter.Seq2[BatchHeader, []byte] {
	return func(yield func(BatchHeader, []byte) bool) {
		for len(b) > 0 {
			h, batch, rest, e := NextBatch(b)
			if e != nil {
				if last == AllowTruncated && errors.Is(e, ErrShortBatch) {
					return
				}
				*err = e
				return
			}
			if !yield(h, batch) {
				return
			}
			b = rest
		}
	}
}
