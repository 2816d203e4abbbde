package storage

import (
	"fmt"

	"odradek/broker/env"
	"odradek/broker/wire"
)

// TimestampOffset is a record found by its timestamp. Offset is -1 if there is none.
type TimestampOffset struct {
	Timestamp int64 // ms since the Unix epoch
	Offset    wire.Offset
	Epoch     wire.LeaderEpoch
}

var noTimestampOffset = TimestampOffset{wire.NoTimestamp, wire.NoOffset, wire.NoLeaderEpoch}

// OffsetForTimestamp finds the first record whose timestamp is at least ts (ms since the
// Unix epoch). Errors: those of Read.
func (l *Log) OffsetForTimestamp(ts int64, done func(TimestampOffset, error)) {
	l.search(done, func(t *env.Task) (TimestampOffset, error) {
		start := l.logStart
		for i := l.segmentOf(start); i < len(l.segments); i++ {
			s := l.segments[i]
			if s.maxTimestamp < ts || s.size == 0 {
				continue
			}
			x, err := l.indexOf(t, s)
			if err != nil {
				return noTimestampOffset, err
			}
			got, err := l.firstRecord(t, s, max(start, x.floorTime(ts)),
				func(h *wire.BatchHeader) bool { return h.MaxTimestamp >= ts },
				func(r *wire.Record) bool { return r.Timestamp >= ts && r.Offset >= start })
			if err != nil || got.Offset >= 0 {
				return got, err
			}
		}
		return noTimestampOffset, nil
	})
}

// OffsetOfMaxTimestamp finds the first record with the largest timestamp (KIP-734). If that
// is in a batch that straddles LogStartOffset, below it, none is found. Errors: those of
// Read.
func (l *Log) OffsetOfMaxTimestamp(done func(TimestampOffset, error)) {
	l.search(done, func(t *env.Task) (TimestampOffset, error) {
		var best *segment
		ts, from, start := wire.NoTimestamp, wire.NoOffset, l.logStart
		for i := l.segmentOf(start); i < len(l.segments); i++ {
			s := l.segments[i]
			largest, last := s.maxTimestamp, s.maxLast
			if s.base < start {
				var err error
				if largest, last, err = l.maxTimestampFrom(t, s, start); err != nil {
					return noTimestampOffset, err
				}
			}
			if largest > ts {
				best, ts, from = s, largest, last
			}
		}
		got, err := l.recordOfTimestamp(t, best, from, ts)
		if err != nil || got.Offset >= 0 || best == nil || !l.gaps {
			return got, err
		}
		// Compaction may have emptied the batch with the largest timestamp. Every header
		// tells.
		best, ts, from = nil, wire.NoTimestamp, wire.NoOffset
		for i := l.segmentOf(start); i < len(l.segments); i++ {
			s := l.segments[i]
			largest, last, err := l.maxTimestampFrom(t, s, max(start, s.base))
			if err != nil {
				return noTimestampOffset, err
			}
			if largest > ts {
				best, ts, from = s, largest, last
			}
		}
		return l.recordOfTimestamp(t, best, from, ts)
	})
}

// recordOfTimestamp is the first record of a segment from an offset on whose timestamp is at
// least ts.
func (l *Log) recordOfTimestamp(t *env.Task, s *segment, from wire.Offset, ts int64) (TimestampOffset, error) {
	if s == nil {
		return noTimestampOffset, nil
	}
	start := l.logStart
	return l.firstRecord(t, s, from,
		func(h *wire.BatchHeader) bool { return h.MaxTimestamp >= ts },
		func(r *wire.Record) bool { return r.Timestamp >= ts && r.Offset >= start })
}

// maxTimestampFrom is the largest timestamp in the segment's batches that end above start and
// have records, and the last offset of the first batch that has it.
func (l *Log) maxTimestampFrom(t *env.Task, s *segment, start wire.Offset) (ts int64, last wire.Offset, err error) {
	ts, last = wire.NoTimestamp, s.base
	first, found, err := l.locate(t, s, start)
	if err != nil || !found {
		return ts, last, err
	}
	err = s.scan(t, first.pos, s.size, func(h *wire.BatchHeader, _ int64) bool {
		if h.MaxTimestamp > ts && h.Count > 0 {
			ts, last = h.MaxTimestamp, h.LastOffset()
		}
		return true
	})
	return ts, last, err
}

func (l *Log) search(done func(TimestampOffset, error), find func(t *env.Task) (TimestampOffset, error)) {
	spawnValue(l.e, func(t *env.Task) (TimestampOffset, error) {
		return steady(l, func() (TimestampOffset, error) {
			if l.err != nil {
				return noTimestampOffset, l.err
			}
			return find(t)
		})
	}, done)
}

// firstRecord finds the first record that matches, in a batch that does, from offset
// from on.
func (l *Log) firstRecord(t *env.Task, s *segment, from wire.Offset,
	batch func(*wire.BatchHeader) bool, record func(*wire.Record) bool) (TimestampOffset, error) {
	first, found, err := l.locate(t, s, from)
	if err != nil || !found {
		return noTimestampOffset, err
	}
	for pos := first.pos; pos < s.size; {
		var b batchInfo
		found = false
		err = s.scan(t, pos, s.size, func(h *wire.BatchHeader, at int64) bool {
			if batch(h) {
				b, found = infoOf(h, at), true
			}
			return !found
		})
		if err != nil || !found {
			return noTimestampOffset, err
		}
		got, err := l.firstRecordIn(t, s, b, record)
		if err != nil || got.Offset >= 0 {
			return got, err
		}
		pos = b.pos + int64(b.size)
	}
	return noTimestampOffset, nil
}

// firstRecordIn looks into one batch.
func (l *Log) firstRecordIn(t *env.Task, s *segment, b batchInfo, record func(*wire.Record) bool) (TimestampOffset, error) {
	buf := make([]byte, b.size)
	n, err := readAt(t, s.file, buf, b.pos)
	if err != nil {
		return noTimestampOffset, err
	}
	if n < len(buf) {
		return noTimestampOffset, s.corrupt(b.pos, fmt.Sprintf("file ends within the batch, after %d of %d bytes", n, len(buf)))
	}
	if l.codec == nil {
		l.codec = wire.NewCodec(wire.DefaultMaxDecompressed)
	}
	l.e.CPU.Charge(env.OpDecompress, len(buf))
	records, err := l.codec.Records(buf)
	if err != nil {
		return noTimestampOffset, s.corrupt(b.pos, err.Error())
	}
	var r wire.Record
	for records.Next(&r) {
		if record(&r) {
			return TimestampOffset{r.Timestamp, r.Offset, b.epoch}, nil
		}
	}
	if err := records.Err(); err != nil {
		return noTimestampOffset, s.corrupt(b.pos, err.Error())
	}
	return noTimestampOffset, nil
}
