package storage

import (
	"errors"
	"fmt"
	"sort"

	"odradek/broker/env"
	"odradek/broker/wire"
)

// ReadRequest says what to read.
type ReadRequest struct {
	From     wire.Offset
	UpTo     wire.Offset // no batch that reaches beyond this; LogEndOffset at most
	MaxBytes int
	// MinOneBatch returns the first batch even if it is larger than MaxBytes.
	MinOneBatch bool
	// Space may back the segments of the result, if that is not nil.
	Space []env.Segment
}

// ReadResult is a run of whole batches. The first contains From, so that it may
// begin below it, or is the first after it. An empty result (Size 0) has NextOffset
// == From, and BaseOffset and Epoch -1.
//
// Regions of files stay as they are unless the log is truncated or its disk fails:
// whoever gets them over the network must check the CRCs.
type ReadResult struct {
	Segments   []env.Segment
	Size       int         // bytes
	BaseOffset wire.Offset // of the first batch
	NextOffset wire.Offset // where to go on reading
	// Epoch is the leader epoch of the first batch.
	Epoch wire.LeaderEpoch
}

// TryRead is Read without waiting: ok is false if the disk has to be asked. Errors are
// known at once.
func (l *Log) TryRead(req ReadRequest) (res ReadResult, ok bool, err error) {
	if l.err != nil {
		return res, false, l.err
	}
	if req.From < l.logStart || req.From > l.logEnd {
		return res, false, &OffsetOutOfRangeError{Offset: req.From, Start: l.logStart, End: l.logEnd}
	}
	req.UpTo = min(req.UpTo, l.logEnd)
	if req.From >= req.UpTo {
		return emptyRead(req.From), true, nil
	}
	res, ok = l.tail.read(req)
	return res, ok, nil
}

func emptyRead(from wire.Offset) ReadResult {
	return ReadResult{BaseOffset: wire.NoOffset, NextOffset: from, Epoch: wire.NoLeaderEpoch}
}

// Read finds the batches from req.From on. Their bytes are not read when they can be
// sent from the file. A result may end before MaxBytes and UpTo do, at the end of a
// segment. Errors: [OffsetOutOfRangeError] if From is outside [LogStartOffset,
// LogEndOffset], [OfflineError], [ErrClosed], [CorruptError].
func (l *Log) Read(req ReadRequest, done func(ReadResult, error)) {
	if res, ok, err := l.TryRead(req); ok || err != nil {
		l.later(func() { done(res, err) })
		return
	}
	spawnValue(l.e, func(t *env.Task) (ReadResult, error) {
		return steady(l, func() (ReadResult, error) { return l.readCold(t, req) })
	}, done)
}

// ReadBatches is Read with the bytes in one slice, for replay. The caller owns them.
func (l *Log) ReadBatches(req ReadRequest, done func(batches []byte, res ReadResult, err error)) {
	var res ReadResult
	spawnValue(l.e, func(t *env.Task) ([]byte, error) {
		return steady(l, func() (b []byte, err error) {
			if res, err = l.readCold(t, req); err != nil {
				return nil, err
			}
			return materialise(t, res)
		})
	}, func(b []byte, err error) { done(b, res, err) })
}

func materialise(t *env.Task, res ReadResult) ([]byte, error) {
	b := make([]byte, 0, res.Size)
	for _, s := range res.Segments {
		if s.File == nil {
			b = append(b, s.Bytes...)
			continue
		}
		at := len(b)
		b = b[:at+s.Len]
		if n, err := readAt(t, s.File, b[at:], s.Off); err != nil {
			return nil, err
		} else if n < s.Len {
			return nil, fmt.Errorf("file ends %d bytes early: %w", s.Len-n, env.ErrIO)
		}
	}
	return b, nil
}

// steady runs a read again as long as the log shifts under it. A disk that cannot be
// read takes the log offline, as one that cannot be written does.
func steady[T any](l *Log, read func() (T, error)) (T, error) {
	for {
		generation := l.generation
		v, err := read()
		if l.generation != generation && l.err == nil {
			continue
		}
		if err == nil {
			// A failed sync may have dropped from the cache what was read just now.
			return v, l.err
		}
		var corrupt *CorruptError
		var outOfRange *OffsetOutOfRangeError
		if l.err == nil && !errors.As(err, &corrupt) && !errors.As(err, &outOfRange) {
			l.goOffline("reading", err)
		}
		if l.err != nil {
			err = l.err
		}
		return v, err
	}
}

// readCold answers a read from the files, unless the tail can by now.
func (l *Log) readCold(t *env.Task, req ReadRequest) (ReadResult, error) {
	res, ok, err := l.TryRead(req)
	if ok || err != nil {
		return res, err
	}
	req.UpTo = min(req.UpTo, l.logEnd)
	for i := l.segmentOf(req.From); i < len(l.segments); i++ {
		s := l.segments[i]
		if req.From >= s.next || s.size == 0 {
			continue
		}
		first, found, err := l.firstBatch(t, s, req.From)
		if err != nil {
			return res, err
		}
		if found {
			return l.region(t, s, first, req)
		}
	}
	return emptyRead(req.From), nil
}

// segmentOf is the index of the last segment that begins at or below o.
func (l *Log) segmentOf(o wire.Offset) int {
	return max(0, sort.Search(len(l.segments), func(i int) bool { return l.segments[i].base > o })-1)
}

// cursor remembers where a cold read ended: the next one usually goes on there.
type cursor struct {
	from wire.Offset
	seg  *segment
	pos  int64
}

// firstBatch finds the batch that contains from or is the first after it.
func (l *Log) firstBatch(t *env.Task, s *segment, from wire.Offset) (b batchInfo, found bool, err error) {
	for i := range l.cursors {
		c := l.cursors[i]
		if c.seg != s || c.from != from || c.pos >= s.size {
			continue
		}
		l.cursors[i] = cursor{}
		err = s.scan(t, c.pos, s.size, func(h *wire.BatchHeader, pos int64) bool {
			b, found = infoOf(h, pos), true
			return false
		})
		return b, found, err
	}
	return l.locate(t, s, from)
}

// region extends the first batch to what the request allows within its segment.
func (l *Log) region(t *env.Task, s *segment, first batchInfo, req ReadRequest) (ReadResult, error) {
	if first.next > req.UpTo || (int(first.size) > req.MaxBytes && !req.MinOneBatch) {
		return emptyRead(req.From), nil
	}
	end, next := first.pos+int64(first.size), first.next
	limit := first.pos + int64(req.MaxBytes)
	size, segmentEnd := s.size, s.next // appends go on meanwhile
	switch {
	case limit <= end:
	case limit >= size && req.UpTo >= segmentEnd:
		end, next = size, segmentEnd
	default:
		x, err := l.indexOf(t, s)
		if err != nil {
			return ReadResult{}, err
		}
		from := x.before(limit, req.UpTo, end)
		err = s.scan(t, from, min(size, s.size), func(h *wire.BatchHeader, pos int64) bool {
			if pos == from && from > end {
				end, next = pos, h.BaseOffset
			}
			stop := pos + int64(h.Size())
			if stop > limit || h.NextOffset() > req.UpTo {
				return false
			}
			end, next = stop, h.NextOffset()
			return true
		})
		if err != nil {
			return ReadResult{}, err
		}
	}
	l.cursors[l.nextCursor] = cursor{from: next, seg: s, pos: end}
	l.nextCursor = (l.nextCursor + 1) % len(l.cursors)
	n := int(end - first.pos)
	return ReadResult{
		Segments:   append(req.Space[:0], env.Segment{File: s.file, Off: first.pos, Len: n}),
		Size:       n,
		BaseOffset: first.base,
		NextOffset: next,
		Epoch:      first.epoch,
	}, nil
}
