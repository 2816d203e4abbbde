package storage

import (
	"odradek/broker/env"
	"odradek/broker/wire"
)

// TruncateTo removes everything from offset to on; a batch that contains it goes too,
// so that the log may end below. It waits for writes under way, and appends are
// refused meanwhile. At or above the end it only trims the epoch cache: a leader may
// have begun an epoch there and never appended in it (KAFKA-10706). Below
// LogStartOffset it is an [OffsetOutOfRangeError]. After success it is durable.
func (l *Log) TruncateTo(to wire.Offset, done func(error)) {
	err := l.usable()
	switch {
	case err != nil:
	case l.truncating:
		err = ErrTruncating
	case to < l.logStart:
		err = &OffsetOutOfRangeError{Offset: to, Start: l.logStart, End: l.plan.next}
	case to >= l.plan.next:
		if l.epochs.truncate(to) {
			l.saveEpochs()
		}
		// Nothing goes, but done still follows the writes under way.
		l.ops = append(l.ops, op{what: "truncating", done: done, run: func(*env.Task) error { return nil }})
		l.pump()
		return
	}
	if err != nil {
		l.later(func() { done(err) })
		return
	}
	l.truncating = true
	l.ops = append(l.ops, op{what: "truncating", done: done, run: func(t *env.Task) error {
		return l.standStill(t, func() error { return l.truncate(t, to) })
	}})
	l.pump()
}

// TruncateFullyAndStartAt removes everything and begins anew at offset start. After
// success it is durable.
func (l *Log) TruncateFullyAndStartAt(start wire.Offset, done func(error)) {
	err := l.usable()
	if err == nil && l.truncating {
		err = ErrTruncating
	}
	if err != nil {
		l.later(func() { done(err) })
		return
	}
	check(start >= 0, "%s: truncated to start at offset %d", l.dir, start)
	l.truncating = true
	l.ops = append(l.ops, op{what: "truncating", done: done, run: func(t *env.Task) error {
		return l.standStill(t, func() error { return l.startOver(t, start) })
	}})
	l.pump()
}

// standStill runs a truncation while nothing else touches the files.
func (l *Log) standStill(t *env.Task, run func() error) error {
	l.holdSyncs(t)
	l.janitor.drain(t)
	err := l.err
	if err == nil {
		err = run()
	}
	l.recoveryCap = noChange
	l.truncating = false
	if err != nil {
		return err
	}
	// What was waiting for a sync is durable now, or gone.
	waiters := l.sync.waiters
	l.sync.waiters = nil
	for i := range waiters {
		if w := &waiters[i]; w.chunk != nil && w.offset > l.logEnd {
			w.fail(ErrTruncated)
		} else {
			w.fail(nil)
		}
	}
	l.releaseSyncs()
	return nil
}

// recede gives up what lies at or after offset to, for all to see, before the files are
// touched: no reader may be sent what is about to go, and no checkpoint may claim it.
func (l *Log) recede(to wire.Offset) {
	l.generation++
	l.tail.clear()
	l.cursors = [len(l.cursors)]cursor{}
	l.logEnd = to
	l.flushed = min(l.flushed, to)
	l.recoveryCap = to
	l.cleaned = min(l.cleaned, to)
	if l.cleaning != nil {
		l.cleaning.stopped = true
	}
	l.sync.demand = 0
	l.plan.next = to
}

func (l *Log) tellCut(to wire.Offset, empty bool) {
	if l.opts.Observer.Cut != nil {
		l.opts.Observer.Cut(l, to, empty)
	}
}

// truncate is the coroutine of TruncateTo.
//
// The order is what makes it safe to crash in: first the checkpoints stop claiming that
// what follows is durable, then segments go from the newest to the oldest, so that
// what is left is always a prefix, and at last the cut is synced: otherwise power
// loss could bring back old records behind, or in place of, new ones.
func (l *Log) truncate(t *env.Task, to wire.Offset) error {
	from := l.logEnd
	if to >= from { // an append before it was given up
		return nil
	}
	s := l.segments[l.segmentOf(to)]
	sealed := s != l.active()
	pos, end, err := l.cutPoint(t, s, to, sealed)
	if err != nil {
		return err
	}
	l.recede(end)
	l.tellCut(end, false)
	// DeleteRecords may have put the start into the batch that goes.
	l.logStart = min(l.logStart, end)
	if err := l.announce(t, end, l.logStart); err != nil {
		return err
	}
	if err := l.dropSnapshots(t, end); err != nil {
		return err
	}
	for l.active() != s {
		if err := l.removeActive(t); err != nil {
			return err
		}
	}
	if sealed {
		// Its index files say more than what stays: recovery or sealing makes new ones.
		l.forgetIndex(s)
		s.index, s.indexDurable, s.indexStale = newIndex(s.base), false, true
	}
	if err := truncateFile(t, s.file, pos); err != nil {
		return err
	}
	s.size, s.next, s.dirty = pos, end, true
	if err := s.addScanned(t, s.index, s.index.cut(pos), pos, l.cfg.IndexIntervalBytes); err != nil {
		return err
	}
	s.maxTimestamp, s.maxLast = s.index.maxTimestamp, s.index.maxLast
	s.cutAborted(end)
	first, err := l.firstTimestamp(t, s)
	if err != nil {
		return err
	}
	if err := l.syncDirty(t); err != nil {
		return err
	}
	if err := l.reloadProducers(t); err != nil {
		return err
	}
	l.plan = l.planOf(s, first)
	if l.epochs.truncate(l.logEnd) {
		l.saveEpochs()
	}
	l.trace(env.Detail, "log-truncated", env.I("from", from), env.I("to", l.logEnd))
	return nil
}

// cutPoint is where the segment, which contains offset to, has to end, as a position and as
// an offset: the end of the last batch that does not reach beyond it. Index files are not
// trusted here: an error would cut too much or too little.
func (l *Log) cutPoint(t *env.Task, s *segment, to wire.Offset, sealed bool) (pos int64, end wire.Offset, err error) {
	var from int64
	if !sealed {
		// One whose batch ends below to, since that is where the log ends then.
		entry, _ := s.index.floor(to - 1)
		from = entry.pos
	}
	pos, end = s.size, s.base
	err = s.scan(t, from, s.size, func(h *wire.BatchHeader, at int64) bool {
		if h.NextOffset() > to {
			pos = at
			return false
		}
		end = h.NextOffset()
		return true
	})
	return pos, end, err
}

// startOver is the coroutine of TruncateFullyAndStartAt. A crash leaves a prefix of the
// old log, or none, with start as its start.
func (l *Log) startOver(t *env.Task, start wire.Offset) error {
	from := l.logEnd
	l.recede(start)
	l.tellCut(start, true)
	l.logStart, l.recoveryCap = start, 0
	if err := l.announce(t, 0, start); err != nil {
		return err
	}
	l.producers = l.producers.Renew()
	if err := l.dropSnapshots(t, wire.NoOffset); err != nil {
		return err
	}
	for len(l.segments) > 0 {
		if err := l.removeActive(t); err != nil {
			return err
		}
	}
	s, err := createSegment(t, l.e, l.dir, start)
	if err != nil {
		return err
	}
	l.segments = append(l.segments, s)
	l.logStart, l.logEnd, l.flushed = start, start, start
	l.plan = l.planOf(s, wire.NoTimestamp)
	if l.epochs.truncate(0) {
		l.saveEpochs()
	}
	l.trace(env.Detail, "log-truncated-fully", env.I("from", from), env.I("start", start))
	return nil
}

// removeActive deletes the newest segment, durably.
func (l *Log) removeActive(t *env.Task) error {
	s := l.active()
	l.forgetIndex(s)
	if err := s.removeFiles(t, l.e.Disk); err != nil {
		return err
	}
	l.segments = l.segments[:len(l.segments)-1]
	return nil
}

func (l *Log) announce(t *env.Task, recoveryPoint, logStart wire.Offset) error {
	if l.opts.BeforeTruncation == nil {
		return nil
	}
	return env.Await(t, func(done func(error)) { l.opts.BeforeTruncation(recoveryPoint, logStart, done) })
}
