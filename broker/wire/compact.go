package wire

import (
	"encoding/binary"
	"fmt"

	"github.com/twmb/franz-go/pkg/kbin"
)

// Compaction says what [Codec.Compact] leaves of a batch.
type Compaction struct {
	// Retain reports whether a record stays. It is asked about each once, in order.
	Retain func(r *Record) bool
	// Horizon is when the tombstones of the batch may go (milliseconds since the Unix
	// epoch). It is entered, once and for all, in a batch that keeps a tombstone, or
	// whatever it keeps if Mark is set: the marker of a transaction that has no records
	// left (KIP-534).
	Horizon int64
	Mark    bool
}

// Compact rewrites a whole batch without some of its records: what stays keeps its offset
// and timestamp, and the batch its first and last offset, its producer and its leader
// epoch. It returns the batch itself if nothing changes, nil if no record stays, and else
// a new one, appended to dst. The CRC of the batch is not checked. kept is the number of
// records that stay.
func (c *Codec) Compact(dst, batch []byte, how Compaction) (out []byte, kept int, err error) {
	records, err := c.Records(batch)
	if err != nil {
		return nil, 0, err
	}
	h := records.header
	body := make([]byte, 0, len(records.rest))
	largest, mark := NoTimestamp, how.Mark
	var r Record
	for {
		before := records.rest
		if !records.Next(&r) {
			break
		}
		if !how.Retain(&r) {
			continue
		}
		body = append(body, before[:len(before)-len(records.rest)]...)
		kept++
		largest = max(largest, r.Timestamp)
		mark = mark || r.Value == nil && !h.Control()
	}
	if records.err != nil {
		return nil, 0, records.err
	}
	if _, marked := h.DeleteHorizon(); marked {
		mark = false
	}
	switch {
	case kept == 0:
		return nil, 0, nil
	case kept == int(h.Count) && !mark:
		return batch[:h.Size():h.Size()], kept, nil
	}
	if mark {
		// The horizon takes the place of the timestamp that those of the records are
		// relative to.
		if body, err = rebase(body, h.BaseTimestamp-how.Horizon); err != nil {
			return nil, 0, err
		}
		h.BaseTimestamp = how.Horizon
		h.Attributes |= attrDeleteHorizon
	}
	h.Count, h.MaxTimestamp = int32(kept), largest
	out, err = sealBatch(dst, c, h, h.Compression(), body)
	return out, kept, err
}

// rebase adds shift to the timestamps of encoded records.
func rebase(records []byte, shift int64) ([]byte, error) {
	out := make([]byte, 0, len(records)+len(records)/8)
	for len(records) > 0 {
		size, n := kbin.Varint(records)
		if n <= 0 || size < 1 || int(size) > len(records)-n {
			return nil, fmt.Errorf("%w: size %d with %d bytes left", ErrInvalidRecord, size, len(records))
		}
		record := records[n : n+int(size)]
		records = records[n+int(size):]
		delta, m := kbin.Varlong(record[1:])
		if m <= 0 {
			return nil, fmt.Errorf("%w: no timestamp", ErrInvalidRecord)
		}
		delta += shift
		out = kbin.AppendVarint(out, size-int32(m)+int32(kbin.VarlongLen(delta)))
		out = append(out, record[0])
		out = kbin.AppendVarlong(out, delta)
		out = append(out, record[1+m:]...)
	}
	return out, nil
}

// AppendEmptied appends the batch that is left of one with header h when all its records
// are gone and it is kept for what it says of its producer: the last sequence number and
// epoch, or that a transaction is open or has ended.
func AppendEmptied(dst []byte, h *BatchHeader) []byte {
	e := *h
	// Kafka's: nothing is compressed, and there is no horizon.
	e.Attributes &^= attrCodecMask | attrDeleteHorizon
	e.BaseTimestamp, e.Count = e.MaxTimestamp, 0
	return appendHeaderOnly(dst, &e)
}

// AppendPlaceholder appends a batch without records and without a producer that takes the
// offsets of the one with header h.
func AppendPlaceholder(dst []byte, h *BatchHeader) []byte {
	e := *h
	e.Attributes &= attrLogAppendTime
	e.BaseTimestamp, e.Count = e.MaxTimestamp, 0
	e.ProducerID, e.ProducerEpoch, e.BaseSequence = NoProducerID, NoProducerEpoch, NoSequence
	return appendHeaderOnly(dst, &e)
}

func appendHeaderOnly(dst []byte, h *BatchHeader) []byte {
	at := len(dst)
	dst = appendBatchHeader(dst, h)
	binary.BigEndian.PutUint32(dst[at+offsetLength:], BatchHeaderSize-BatchLogOverhead)
	SetCRC(dst[at:])
	return dst
}
