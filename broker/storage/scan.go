package storage

import (
	"errors"
	"fmt"

	"odradek/broker/env"
	"odradek/broker/wire"
)

// scanBuffer is how much is read at a time to find batch headers: some index intervals.
const scanBuffer = 16 << 10

// scan visits the batches from position pos, which must be the start of one, up to end,
// until visit returns false. CRCs are not checked; what cannot be a batch is a
// [CorruptError].
func (s *segment) scan(t *env.Task, pos, end int64, visit func(h *wire.BatchHeader, pos int64) bool) error {
	var buf []byte // file content at [at, at+len(buf))
	var at int64
	next := s.base
	for pos < end {
		if pos+wire.BatchHeaderSize > at+int64(len(buf)) {
			if buf == nil {
				buf = make([]byte, min(scanBuffer, end-pos))
			}
			buf = buf[:min(int64(cap(buf)), end-pos)]
			n, err := readAt(t, s.file, buf, pos)
			if err != nil {
				return err
			}
			buf, at = buf[:n], pos
		}
		h, err := wire.ReadBatchHeader(buf[pos-at:])
		if err != nil {
			return s.corrupt(pos, err.Error())
		}
		if h.BaseOffset < next || h.LastOffsetDelta < 0 || int64(h.Size()) > end-pos {
			return s.corrupt(pos, fmt.Sprintf("batch of %d bytes with offsets %d to %d, where %d bytes are left and offset %d is due",
				h.Size(), h.BaseOffset, h.LastOffset(), end-pos, next))
		}
		if !visit(&h, pos) {
			return nil
		}
		next = h.NextOffset()
		pos += int64(h.Size())
	}
	return nil
}

func (s *segment) corrupt(pos int64, reason string) error {
	return &CorruptError{Path: s.path(logSuffix), Pos: pos, Reason: reason}
}

// addScanned adds the batches in [pos, end) to the segment's index.
func (s *segment) addScanned(t *env.Task, x *index, pos, end, interval int64) error {
	return s.scan(t, pos, end, func(h *wire.BatchHeader, pos int64) bool {
		b := infoOf(h, pos)
		x.add(&b, interval)
		return true
	})
}

// errShifted tells a reader that a truncation or deletion overtook it: it begins again.
var errShifted = errors.New("the log changed during a read")

// indexOf is the segment's index, read from its files if it is not in memory, and made
// again from the records if those are missing or unfit.
func (l *Log) indexOf(t *env.Task, s *segment) (*index, error) {
	if s.index == nil {
		generation := l.generation
		x, ok := s.readIndex(t, l.e.Disk)
		if generation != l.generation {
			return nil, errShifted
		}
		if !ok {
			return l.rebuildIndex(t, s)
		}
		if s.index == nil {
			s.index = x
		}
	}
	if s != l.active() {
		l.useIndex(s)
	}
	return s.index, nil
}

// rebuildIndex makes a sealed segment's index from its records and writes it.
func (l *Log) rebuildIndex(t *env.Task, s *segment) (*index, error) {
	l.trace(env.Warn, "index-rebuilt", env.I("base", s.base))
	generation := l.generation
	x := newIndex(s.base)
	err := s.addScanned(t, x, 0, s.size, l.cfg.IndexIntervalBytes)
	if generation != l.generation {
		return nil, errShifted
	}
	if err != nil {
		return nil, err
	}
	s.index = x
	s.maxTimestamp, s.maxLast = x.maxTimestamp, x.maxLast
	s.indexDurable = false
	l.seal(s)
	return x, nil
}

// locate finds the first batch of the segment that ends above offset o.
func (l *Log) locate(t *env.Task, s *segment, o wire.Offset) (b batchInfo, found bool, err error) {
	x, err := l.indexOf(t, s)
	if err != nil {
		return b, false, err
	}
	for {
		entry, indexed := x.floor(o)
		misled := false
		err = s.scan(t, entry.pos, s.size, func(h *wire.BatchHeader, pos int64) bool {
			if indexed && pos == entry.pos && h.LastOffset() != entry.last {
				misled = true
				return false
			}
			if h.NextOffset() > o {
				b, found = infoOf(h, pos), true
			}
			return !found
		})
		_, corrupt := err.(*CorruptError)
		if !misled && !(corrupt && indexed) {
			return b, found, err
		}
		if s == l.active() {
			return b, false, s.corrupt(entry.pos, "the batch here is not the one that was written")
		}
		// The index passed for one of this segment's, but it is not.
		if x, err = l.rebuildIndex(t, s); err != nil {
			return b, false, err
		}
		if again, _ := x.floor(o); again == entry {
			return b, false, s.corrupt(entry.pos, "the batch here contradicts the index made from it")
		}
		b, found = batchInfo{}, false
	}
}
