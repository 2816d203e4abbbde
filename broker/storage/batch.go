package storage

import (
	"fmt"

	"odradek/broker/producers"
	"odradek/broker/wire"
)

// batchInfo is what the log remembers of a batch without its bytes.
type batchInfo struct {
	base, next   wire.Offset // of the first record, after the last
	pos          int64       // in the segment, bytes
	size         int32       // bytes
	epoch        wire.LeaderEpoch
	maxTimestamp int64 // ms since the Unix epoch
}

func infoOf(h *wire.BatchHeader, pos int64) batchInfo {
	return batchInfo{
		base:         h.BaseOffset,
		next:         h.NextOffset(),
		pos:          pos,
		size:         int32(h.Size()),
		epoch:        h.LeaderEpoch,
		maxTimestamp: h.MaxTimestamp,
	}
}

// chunk is one append: bytes of whole batches, laid end to end, and where they are in
// the log. It is first queued for writing, then part of the [tail].
type chunk struct {
	seg     *segment
	pos     int64  // in the segment, bytes
	bytes   []byte // nil once the tail has dropped them
	size    int64
	batches []batchInfo
	one     [1]batchInfo // backs batches in the common case
	sync    bool         // acknowledge only what is durable
	// produced says that there are batches with a producer id; aborted are the
	// transactions that they abort.
	produced bool
	aborted  []producers.AbortedTransaction
	result   AppendResult
	done     func(AppendResult, error)
}

func (c *chunk) base() wire.Offset { return c.batches[0].base }
func (c *chunk) next() wire.Offset { return c.batches[len(c.batches)-1].next }

// maxBatchSize bounds a batch so that any position in a segment fits an index entry.
const maxBatchSize = 1 << 30

// newChunk splits b into batches. Positions are relative to the chunk. An incomplete
// last batch is an error or, if allowed, left out.
func newChunk(b []byte, last wire.Truncated) (*chunk, error) {
	c := &chunk{}
	c.batches = c.one[:0]
	var err error
	for h, raw := range wire.Batches(b, last, &err) {
		if h.LastOffsetDelta < 0 || h.BaseOffset < 0 || h.Size() > maxBatchSize {
			return nil, &InvalidBatchError{fmt.Sprintf("base offset %d, last offset delta %d, %d bytes", h.BaseOffset, h.LastOffsetDelta, h.Size())}
		}
		if h.HasProducer() {
			c.produced = true
			if _, _, err := wire.ReadEndMarker(&h, raw); err != nil {
				return nil, &InvalidBatchError{err.Error()}
			}
		}
		c.batches = append(c.batches, infoOf(&h, c.size))
		c.size += int64(h.Size())
	}
	if err != nil {
		return nil, &InvalidBatchError{err.Error()}
	}
	if len(c.batches) == 0 {
		return nil, &InvalidBatchError{"no whole batch"}
	}
	if c.size > maxBatchSize {
		return nil, &InvalidBatchError{fmt.Sprintf("%d bytes in one append", c.size)}
	}
	c.bytes = b[:c.size:c.size]
	return c, nil
}
