package storage

import (
	"errors"
	"io/fs"

	"odradek/broker/env"
	"odradek/broker/wire"
)

// DeleteRecords raises LogStartOffset to newStart, durably, and deletes segments that
// lie wholly below it. At or below LogStartOffset it changes nothing. The caller must
// keep it at or below the high watermark. Errors: [OffsetOutOfRangeError] above
// LogEndOffset.
func (l *Log) DeleteRecords(newStart wire.Offset, done func(error)) {
	err := l.usable()
	if err == nil && newStart > l.logEnd {
		err = &OffsetOutOfRangeError{Offset: newStart, Start: l.logStart, End: l.logEnd}
	}
	if err == nil && l.truncating {
		err = ErrTruncating
	}
	if err != nil {
		l.later(func() { done(err) })
		return
	}
	// Even if nothing changes: the call that changed it may not be durable yet.
	newStart = max(newStart, l.logStart)
	l.logStart = newStart
	n := 0
	for n+1 < len(l.segments) && l.segments[n+1].base <= newStart {
		n++
	}
	var saved error
	l.janitor.do(func(t *env.Task) error {
		if l.opts.SaveLogStart == nil {
			return nil
		}
		return env.Await(t, l.opts.SaveLogStart)
	}, func(err error) {
		saved = err
		if err == nil && l.opts.SaveLogStart != nil {
			l.raiseEpochs(newStart)
		}
		if n == 0 {
			done(err)
		}
	})
	if n > 0 {
		l.deleteOldest(n, func(err error) { done(errors.Join(saved, err)) })
	}
}

// ApplyRetention deletes the segments that the configured time and size no longer
// retain, all below highWatermark. done gets their number.
func (l *Log) ApplyRetention(highWatermark wire.Offset, done func(segments int, err error)) {
	err := l.usable()
	if err == nil && l.truncating {
		err = ErrTruncating
	}
	n := 0
	if err == nil {
		n = l.expired(highWatermark)
	}
	if n == 0 {
		l.later(func() { done(0, err) })
		return
	}
	finish := func(err error) { done(n, err) }
	if n < len(l.segments) {
		l.deleteOldest(n, finish)
		return
	}
	// Everything goes: a new segment keeps the log's end.
	l.rollForRetention(func(err error) {
		if err == nil && l.truncating {
			err = ErrTruncating
		}
		n = min(l.expired(highWatermark), len(l.segments)-1)
		if err != nil || n == 0 {
			done(0, err)
			return
		}
		l.deleteOldest(n, finish)
	})
}

// expired counts the oldest segments that retention lets go.
func (l *Log) expired(highWatermark wire.Offset) int {
	now := l.wallMillis()
	excess := int64(-1)
	if l.cfg.RetentionBytes >= 0 {
		excess = l.Size() - l.cfg.RetentionBytes
	}
	n := 0
	for i, s := range l.segments {
		active := i == len(l.segments)-1
		if s.next > highWatermark || (active && (s.size == 0 || l.plan.next != l.logEnd)) {
			break
		}
		// A segment without timestamps (maxTimestamp -1) has no age.
		old := l.cfg.RetentionTime >= 0 && s.maxTimestamp >= 0 &&
			now-s.maxTimestamp > l.cfg.RetentionTime.Milliseconds()
		big := excess >= s.size && excess >= 0
		below := s.next <= l.logStart && !active
		if !old && !big && !below {
			break
		}
		excess -= s.size
		n++
	}
	return n
}

// rollForRetention begins a new segment although the active one is not full.
func (l *Log) rollForRetention(done func(error)) {
	base := l.plan.next
	if l.plan.pos == 0 || l.truncating {
		l.later(func() { done(nil) })
		return
	}
	l.plan = plan{next: base, base: base, firstTimestamp: wire.NoTimestamp, created: l.e.Clock.Wall(), flushAt: l.plan.flushAt}
	snapshot := l.producers.Snapshot()
	l.ops = append(l.ops, op{what: "rolling a segment", done: done, run: func(t *env.Task) error { return l.roll(t, base, snapshot) }})
	l.pump()
}

// deleteOldest takes the n oldest segments out of the log, renames their files and has
// them removed after the configured delay, so that what is being sent from them can
// be finished.
func (l *Log) deleteOldest(n int, done func(error)) {
	gone := append([]*segment(nil), l.segments[:n]...)
	l.segments = append([]*segment(nil), l.segments[n:]...)
	l.generation++
	start := l.segments[0].base
	l.logStart = max(l.logStart, start)
	for _, s := range gone {
		l.forgetIndex(s)
	}
	l.trace(env.Info, "segments-deleted", env.I("count", int64(n)), env.I("log-start", l.logStart))
	l.janitor.do(func(t *env.Task) error { return l.renameDeleted(t, gone) }, func(err error) {
		if err != nil {
			l.goOffline("deleting segments", err)
		} else {
			l.raiseEpochs(start)
		}
		done(err)
	})
}

// raiseEpochs forgets the epochs below start. That must wait until it is durable that the
// log starts there: a crash could bring back records whose epochs nobody knows.
func (l *Log) raiseEpochs(start wire.Offset) {
	if l.err == nil && l.epochs.raiseStart(start) {
		l.saveEpochs()
	}
}

func (l *Log) renameDeleted(t *env.Task, gone []*segment) error {
	for _, s := range gone {
		if l.err != nil {
			// An older segment may have stayed: to go on would leave a hole, and recovery
			// would take what follows it for lost.
			return l.err
		}
		for _, suffix := range segmentSuffixes {
			err := rename(t, l.e.Disk, s.path(suffix), s.path(suffix)+deletedSuffix)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		// One after the other: what power loss leaves must not have a hole.
		if err := syncDir(t, l.e.Disk, l.dir); err != nil {
			return err
		}
	}
	l.e.Clock.After(l.cfg.FileDeleteDelay, func() { l.removeDeleted(gone) })
	return nil
}

// removeDeleted deletes the renamed files. Their names no longer mean anything, so that
// failing only costs space until the next start.
func (l *Log) removeDeleted(gone []*segment) {
	for _, s := range gone {
		s.file.Close()
	}
	if l.closing || l.err != nil {
		return
	}
	l.janitor.do(func(t *env.Task) error {
		for _, s := range gone {
			for _, suffix := range segmentSuffixes {
				if err := remove(t, l.e.Disk, s.path(suffix)+deletedSuffix); err != nil {
					return err
				}
			}
		}
		return nil
	}, func(err error) {
		if err != nil {
			l.trace(env.Warn, "deleted-segment-stays", env.Err(err))
		}
	})
}
