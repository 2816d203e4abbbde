package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/twmb/franz-go/pkg/kerr"
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

// maxRecordErrors bounds how many records at fault are reported of one batch, so
// that a bad batch of many small records does not make a larger answer.
const maxRecordErrors = 1000

func (e *BatchError) Error() string { return e.Code.Message + ": " + e.Message }

// Unwrap gives the cause, one of the Err values of this package, if there is one.
func (e *BatchError) Unwrap() error { return e.cause }

func refuse(code *kerr.Error, format string, args ...any) *BatchError {
	err := fmt.Errorf(format, args...)
	return &BatchError{Code: code, Message: err.Error(), cause: errors.Unwrap(err)}
}

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

// Validate checks the records field of one partition of a Produce request
// (version 3 or later) as Kafka's LogValidator does, and returns the batch in the
// form in which the leader stores it: timestamps as the topic wants them, codec as
// the topic wants it. Base offset and leader epoch remain to be set. The batch is
// b itself, changed in place where needed, or, if it had to be recompressed, new
// memory.
//
// As in Kafka a wrong declared maximum timestamp is mended, not refused. Unlike
// Kafka, record offsets other than 0, 1, 2... are refused even in uncompressed
// batches (there Kafka stores them as they are), a batch that claims LogAppendTime
// is refused on topics with CreateTime too, and undefined attribute bits are
// cleared.
//
// The error is nil or a *[BatchError].
func (c *Codec) Validate(b []byte, rules *ProduceRules) (BatchHeader, []byte, error) {
	h, batch, err := soleBatch(b, rules)
	if err != nil {
		return h, nil, err
	}
	if err := checkHeader(&h, batch, rules); err != nil {
		return h, nil, err
	}
	body, bodyErr := c.body(&h, batch)
	if bodyErr != nil {
		return h, nil, refuseRecords(bodyErr)
	}
	maxTimestamp, err := checkRecords(&h, body, rules)
	if err != nil {
		return h, nil, err
	}

	attrs := h.Attributes & (attrCodecMask | attrTransactional)
	if rules.TimestampType == LogAppendTime {
		attrs |= attrLogAppendTime
		maxTimestamp = rules.Now
	}
	changed := attrs != h.Attributes || maxTimestamp != h.MaxTimestamp
	h.Attributes, h.MaxTimestamp = attrs, maxTimestamp
	if to := rules.Compression; to != ProducerCompression && to != h.Compression() {
		return c.reseal(h, to, body, rules.MaxBytes)
	}
	if changed {
		be := binary.BigEndian
		be.PutUint16(batch[offsetAttributes:], uint16(attrs))
		be.PutUint64(batch[offsetMaxTimestamp:], uint64(maxTimestamp))
		SetCRC(batch)
		h.CRC = be.Uint32(batch[offsetCRC:])
	}
	return h, batch, nil
}

// soleBatch takes b apart, which must be exactly one batch.
func soleBatch(b []byte, rules *ProduceRules) (BatchHeader, []byte, error) {
	h, batch, rest, err := NextBatch(b)
	switch {
	case len(b) == 0:
		return h, nil, refuse(kerr.InvalidRecord, "produce requests of version %d must have one record batch per partition", rules.RequestVersion)
	case len(b) > offsetMagic && b[offsetMagic] != Magic:
		// Before the length: older formats have other layouts.
		return h, nil, refuse(kerr.InvalidRecord, "produce requests of version %d may only contain record batches of magic 2, not %d", rules.RequestVersion, int8(b[offsetMagic]))
	case errors.Is(err, ErrShortBatch):
		return h, nil, refuse(kerr.InvalidRecord, "%w of %d bytes", err, len(b))
	case err != nil:
		return h, nil, refuse(kerr.CorruptMessage, "%w", err)
	case len(rest) > 0:
		return h, nil, refuse(kerr.InvalidRecord, "produce requests of version %d must have exactly one record batch per partition, but %d bytes follow it", rules.RequestVersion, len(rest))
	}
	return h, batch, nil
}

// checkHeader checks what can be seen without the records.
func checkHeader(h *BatchHeader, batch []byte, rules *ProduceRules) error {
	switch {
	case h.Compression() == Zstd && rules.RequestVersion < 7:
		return refuse(kerr.UnsupportedCompressionType, "produce requests of version %d may not use zstd", rules.RequestVersion)
	case h.Compression() > Zstd:
		return refuse(kerr.UnsupportedCompressionType, "%w: codec %d", ErrUnsupportedCompression, int8(h.Compression()))
	case len(batch) > rules.MaxBytes:
		return refuse(kerr.MessageTooLarge, "%w: a record batch of %d bytes exceeds max.message.bytes, %d", ErrTooLarge, len(batch), rules.MaxBytes)
	case !CheckCRC(batch):
		return refuse(kerr.CorruptMessage, "%w: the checksum is wrong", ErrCorruptBatch)
	case h.BaseOffset != 0:
		return refuse(kerr.InvalidRecord, "the base offset of a produced batch must be 0, not %d", h.BaseOffset)
	case h.Count <= 0:
		return refuse(kerr.InvalidRecord, "the batch declares %d records", h.Count)
	case int64(h.LastOffsetDelta)+1 != int64(h.Count):
		return refuse(kerr.InvalidRecord, "the batch declares %d records but spans %d offsets", h.Count, int64(h.LastOffsetDelta)+1)
	case h.Control():
		return refuse(kerr.InvalidRecord, "clients may not write control records")
	case h.HasProducer() && h.BaseSequence < 0:
		return refuse(kerr.InvalidRecord, "sequence number %d in a batch with a producer id", h.BaseSequence)
	}
	return nil
}

// checkRecords walks the decompressed records and returns the largest timestamp.
func checkRecords(h *BatchHeader, body []byte, rules *ProduceRules) (int64, error) {
	var (
		faults       recordFaults
		rec          Record
		maxTimestamp = NoTimestamp
		appendTime   = h.TimestampType() == LogAppendTime
	)
	for i := range h.Count {
		delta, rest, err := readRecord(body, &rec)
		if err != nil {
			return 0, refuse(kerr.InvalidRecord, "record %d of %d: %w", i, h.Count, err)
		}
		body = rest
		ts := h.BaseTimestamp + delta
		maxTimestamp = max(maxTimestamp, ts)
		switch {
		case rec.OffsetDelta != i:
			faults.add(kerr.InvalidRecord, i, "offsets in a produced batch must be 0, 1, 2...")
		case rules.Compacted && rec.Key == nil:
			faults.add(kerr.InvalidRecord, i, "a compacted topic cannot accept a record without a key")
		case appendTime:
			faults.add(kerr.InvalidTimestamp, i, "a producer may not set the timestamp type to LogAppendTime")
		case rules.TimestampType == CreateTime && ts != NoTimestamp && outside(ts, rules):
			faults.add(kerr.InvalidTimestamp, i, "the timestamp is outside message.timestamp.before.max.ms and after.max.ms")
		}
	}
	if len(body) > 0 {
		return 0, refuse(kerr.InvalidRecord, "%w: %d bytes after the last of %d records", ErrInvalidRecord, len(body), h.Count)
	}
	return maxTimestamp, faults.err()
}

// outside reports whether ts is too far from now. The differences saturate: a
// timestamp near the ends of int64 must not wrap into the window.
func outside(ts int64, rules *ProduceRules) bool {
	return saturatingSub(rules.Now, ts) > rules.BeforeMax || saturatingSub(ts, rules.Now) > rules.AfterMax
}

func saturatingSub(a, b int64) int64 {
	d := a - b
	switch {
	case b > 0 && d > a:
		return math.MinInt64
	case b < 0 && d < a:
		return math.MaxInt64
	}
	return d
}

// recordFaults collects the records at fault. As in Kafka INVALID_TIMESTAMP wins
// over INVALID_RECORD.
type recordFaults struct {
	code *kerr.Error
	list []RecordError
	more int
}

func (f *recordFaults) add(code *kerr.Error, index int32, message string) {
	if f.code == nil || code == kerr.InvalidTimestamp {
		f.code = code
	}
	if len(f.list) == maxRecordErrors {
		f.more++
		return
	}
	f.list = append(f.list, RecordError{index, message})
}

func (f *recordFaults) err() error {
	if f.code == nil {
		return nil
	}
	return &BatchError{
		Code:    f.code,
		Message: fmt.Sprintf("%d records were refused, the first (%d): %s", len(f.list)+f.more, f.list[0].Index, f.list[0].Message),
		Records: f.list,
	}
}

// refuseRecords turns an error of decompressing into an answer. CORRUPT_MESSAGE
// would make producers retry what can never succeed, as the CRC was right.
func refuseRecords(err error) *BatchError {
	code := kerr.InvalidRecord
	switch {
	case errors.Is(err, ErrTooLarge):
		code = kerr.MessageTooLarge
	case errors.Is(err, ErrUnsupportedCompression):
		code = kerr.UnsupportedCompressionType
	}
	return &BatchError{Code: code, Message: err.Error(), cause: err}
}

// reseal makes a new batch of h and the uncompressed records.
func (c *Codec) reseal(h BatchHeader, to Compression, body []byte, maxBytes int) (BatchHeader, []byte, error) {
	batch, err := sealBatch(nil, c, h, to, body)
	if err != nil {
		return h, nil, refuseRecords(err)
	}
	if len(batch) > maxBytes {
		return h, nil, refuse(kerr.MessageTooLarge, "%w: the batch has %d bytes as %v, which exceeds max.message.bytes, %d", ErrTooLarge, len(batch), to, maxBytes)
	}
	h, err = ReadBatchHeader(batch)
	if err != nil {
		panic("wire: sealed a batch that cannot be read: " + err.Error())
	}
	return h, batch, nil
}

// Recompress rewrites a whole batch with another codec. Offsets, timestamps and
// everything else stay. The CRC of the batch is not checked.
func (c *Codec) Recompress(batch []byte, to Compression) ([]byte, error) {
	h, batch, _, err := NextBatch(batch)
	if err != nil {
		return nil, err
	}
	if batch == nil {
		return nil, ErrShortBatch
	}
	body, err := c.body(&h, batch)
	if err != nil {
		return nil, err
	}
	return sealBatch(nil, c, h, to, body)
}
