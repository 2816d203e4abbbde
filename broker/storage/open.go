package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"odradek/broker/env"
	"odradek/broker/producers"
	"odradek/broker/wire"
)

// Open loads or recovers the log in dir, which must exist, and creates the first segment
// if there is none. Errors: [CorruptError], or what the disk returned.
//
// Recovery checks every batch of the segment that contains opts.RecoveryPoint and of the
// later ones: length, magic, CRC, offsets that follow each other, epochs that do not
// decrease. It cuts the log where that ends, or fails if the damage is below the recovery
// point. With opts.Clean only the end of the last segment is looked at.
func Open(task *env.Task, e *env.Env, dir string, cfg Config, opts Options) (*Log, error) {
	l := &Log{e: e, dir: dir, cfg: cfg, opts: opts, logStart: opts.LogStart, cleaned: opts.Cleaned, gaps: opts.Gaps, recoveryCap: noChange, producers: producers.New(e.Fail)}
	l.tail.budget, l.tail.memory = int64(cfg.CacheBytes), opts.memory
	l.janitor = lane{e: e, idle: l.wakeIfIdle}
	l.epochFile = sharedFile{e: e, path: l.path(leaderEpochFile), idle: l.wakeIfIdle,
		render: func() []byte { return l.epochs.beginWrite() }}
	if err := l.open(task); err != nil {
		for _, s := range l.segments {
			s.file.Close()
		}
		return nil, err
	}
	return l, nil
}

func (l *Log) open(t *env.Task) error {
	bases, err := l.listSegments(t)
	if err != nil {
		return err
	}
	epochsKnown, err := l.readEpochs(t)
	if err != nil {
		return err
	}
	if len(bases) == 0 {
		if l.opts.RecoveryPoint > l.opts.LogStart {
			return &CorruptError{Path: l.dir, Reason: fmt.Sprintf("no segments, although everything below offset %d had been durable", l.opts.RecoveryPoint)}
		}
		return l.openEmpty(t)
	}
	if bases, err = l.dropDeleted(t, bases); err != nil {
		return err
	}
	// The log start may have gone back since the epochs below it were forgotten, by a
	// restart of the log that was cut short.
	start := max(l.logStart, bases[0])
	covered := len(l.epochs.entries) > 0 && l.epochs.entries[0].start <= start
	first := l.firstToCheck(bases, epochsKnown && covered)
	for i, base := range bases {
		next := noChange
		if i+1 < len(bases) {
			next = bases[i+1]
		}
		if i < first {
			err = l.loadSealed(t, base, next)
		} else {
			err = l.openUnchecked(t, base, next)
		}
		if err != nil {
			return err
		}
		if s := l.active(); s.next != next && i+1 < len(bases) {
			// What follows does not belong to the log: it ends here.
			if err := l.dropSegments(t, bases[i+1:]); err != nil {
				return err
			}
			break
		}
	}
	if err := l.finishOpen(t); err != nil {
		return err
	}
	unknown := noChange
	if !l.opts.Clean {
		unknown = bases[first]
	}
	return l.loadProducers(t, unknown)
}

// dropDeleted finishes what DeleteRecords had begun: segments wholly below the log start go,
// oldest first. It returns the others.
func (l *Log) dropDeleted(t *env.Task, bases []wire.Offset) ([]wire.Offset, error) {
	for len(bases) > 1 && bases[1] <= l.logStart {
		if err := l.removeSegment(t, bases[0]); err != nil {
			return nil, err
		}
		bases = bases[1:]
	}
	return bases, nil
}

// removeSegment deletes the files of a segment that is not open, durably.
func (l *Log) removeSegment(t *env.Task, base wire.Offset) error {
	for _, suffix := range segmentSuffixes {
		if err := remove(t, l.e.Disk, segmentPath(l.dir, base, suffix)); err != nil {
			return err
		}
	}
	return syncDir(t, l.e.Disk, l.dir)
}

// listSegments returns the base offsets of the segments, sorted, and removes leftovers.
func (l *Log) listSegments(t *env.Task) ([]wire.Offset, error) {
	entries, err := list(t, l.e.Disk, l.dir)
	if err == nil {
		entries, err = l.finishSwaps(t, entries)
	}
	if err != nil {
		return nil, err
	}
	var bases []wire.Offset
	for _, entry := range entries {
		if base, suffix, ok := parseSegmentName(entry.Name); ok && suffix == logSuffix {
			if entry.Dir {
				return nil, &CorruptError{Path: l.path(entry.Name), Reason: "a directory has the name of a segment"}
			}
			bases = append(bases, base)
		}
	}
	slices.Sort(bases)
	for _, entry := range entries {
		base, suffix, ok := parseSegmentName(entry.Name)
		_, exists := slices.BinarySearch(bases, base)
		if ok && suffix == producerSuffix && !entry.Dir {
			l.snapshots = append(l.snapshots, base)
		}
		if ok && exists && suffix == txnIndexSuffix {
			if l.txnIndexes == nil {
				l.txnIndexes = make(map[wire.Offset]bool)
			}
			l.txnIndexes[base] = true
		}
		orphan := ok && !exists && (suffix == indexSuffix || suffix == timeIndexSuffix || suffix == txnIndexSuffix)
		if entry.Dir || !(orphan || strings.HasSuffix(entry.Name, deletedSuffix) || strings.HasSuffix(entry.Name, temporarySuffix) ||
			strings.HasSuffix(entry.Name, partSuffix)) {
			continue
		}
		if err := remove(t, l.e.Disk, l.path(entry.Name)); err != nil {
			return nil, err
		}
	}
	return bases, nil
}

// readEpochs loads the leader epochs. They are not known if the file is missing or
// damaged: the records say them too.
func (l *Log) readEpochs(t *env.Task) (known bool, err error) {
	l.epochs = newEpochCache(nil)
	content, err := readFile(t, l.e.Disk, l.path(leaderEpochFile))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	entries, err := parseEpochs(l.path(leaderEpochFile), content)
	if err != nil {
		l.trace(env.Warn, "leader-epochs-rebuilt", env.Err(err))
		return false, nil
	}
	l.epochs.entries = entries
	return true, nil
}

// firstToCheck is the index of the first segment to be read through: the last one after
// a clean stop, the one with the recovery point otherwise, and the very first if
// the epochs have to be found in the records.
func (l *Log) firstToCheck(bases []wire.Offset, epochsKnown bool) int {
	switch {
	case !epochsKnown:
		return 0
	case l.opts.Clean:
		return len(bases) - 1
	}
	i, exact := slices.BinarySearch(bases, l.opts.RecoveryPoint)
	if !exact {
		i--
	}
	return max(0, i)
}

func (l *Log) openEmpty(t *env.Task) error {
	if err := l.dropSnapshots(t, wire.NoOffset); err != nil {
		return err
	}
	s, err := createSegment(t, l.e, l.dir, l.logStart)
	if err != nil {
		return err
	}
	l.segments = []*segment{s}
	l.logEnd, l.flushed = l.logStart, l.logStart
	l.plan = l.planOf(s, wire.NoTimestamp)
	l.epochs.truncate(0)
	return l.settleEpochs(t)
}

// openSegment opens a segment's record file; how far it goes is not known yet.
func (l *Log) openSegment(t *env.Task, base wire.Offset) (*segment, error) {
	s := &segment{dir: l.dir, base: base, next: base, indexStale: true, maxTimestamp: wire.NoTimestamp, maxLast: base}
	f, err := openFile(t, l.e.Disk, s.path(logSuffix), env.ReadWrite)
	if err != nil {
		return nil, err
	}
	s.file = f
	l.segments = append(l.segments, s)
	return s, nil
}

// loadSealed takes a segment below the recovery point as it is.
func (l *Log) loadSealed(t *env.Task, base, next wire.Offset) error {
	s, err := l.openSegment(t, base)
	if err != nil {
		return err
	}
	s.size, s.next = s.file.Size(), next
	s.indexDurable, s.indexStale = true, false
	if s.size == 0 {
		return s.corrupt(0, fmt.Sprintf("empty, but the next segment begins at offset %d", next))
	}
	// The rest of the index is read when it is needed.
	if last, ok := s.readLastTime(t, l.e.Disk); ok {
		s.maxTimestamp, s.maxLast = last.timestamp, last.last
		return nil
	}
	_, err = l.rebuildIndex(t, s)
	return err
}

// openUnchecked loads or recovers one segment that has to be read.
func (l *Log) openUnchecked(t *env.Task, base, next wire.Offset) error {
	s, err := l.openSegment(t, base)
	if err != nil {
		return err
	}
	if l.opts.Clean && next == noChange {
		done, err := l.loadLast(t, s)
		if done || err != nil {
			return err
		}
	}
	return l.recover(t, s, next)
}

// loadLast loads the last segment after a clean stop: from its index, and from the
// records behind its last entry. done is false if it has to be read whole.
func (l *Log) loadLast(t *env.Task, s *segment) (done bool, err error) {
	s.size, s.next = s.file.Size(), noChange
	x, ok := s.readIndex(t, l.e.Disk)
	s.next = s.base
	if !ok || len(l.epochs.entries) == 0 {
		return false, nil
	}
	v := verifier{log: l, seg: s, index: x, pos: x.cut(s.size), next: s.base, rewriteFrom: noChange}
	if n := len(x.offsets); n > 0 {
		v.resumeAt(x.offsets[n-1])
	}
	if err := v.run(t); err != nil {
		return false, err
	}
	if v.pos < s.size {
		return false, nil // perhaps the index led astray; reading everything decides
	}
	v.conclude()
	return true, nil
}

// recover checks a whole segment and cuts it where it stops making sense.
func (l *Log) recover(t *env.Task, s *segment, next wire.Offset) error {
	s.size = s.file.Size()
	l.epochs.truncate(s.base) // the records say the rest
	v := verifier{log: l, seg: s, index: newIndex(s.base), next: s.base, assignEpochs: true, rewriteFrom: l.opts.RecoveryPoint}
	if l.opts.Clean {
		v.rewriteFrom = noChange
	}
	if err := v.run(t); err != nil {
		return err
	}
	torn := v.pos < s.size
	if torn {
		if l.opts.Clean || v.next < l.opts.RecoveryPoint {
			return s.corrupt(v.pos, v.reason)
		}
		l.trace(env.Warn, "torn-tail-cut", env.I("base", s.base), env.I("from", s.size), env.I("to", v.pos), env.S("reason", v.reason))
		if err := truncateFile(t, s.file, v.pos); err != nil {
			return err
		}
		s.size = v.pos
	}
	v.conclude()
	if err := syncFile(t, s.file); err != nil {
		return err
	}
	if next == noChange || s.next != next {
		return nil // the last one, now
	}
	s.next = next
	return s.writeIndex(t, l.e.Disk)
}

// dropSegments removes segments that do not continue the log: they were created before a
// crash and what lies before them was lost. Below the recovery point that cannot be.
func (l *Log) dropSegments(t *env.Task, bases []wire.Offset) error {
	end := l.active()
	if l.opts.Clean || end.next < l.opts.RecoveryPoint {
		return end.corrupt(end.size, fmt.Sprintf("ends at offset %d, but the next segment begins at %d", end.next, bases[0]))
	}
	slices.Reverse(bases)
	for _, base := range bases {
		l.trace(env.Warn, "segment-dropped", env.I("base", base), env.I("log-end", end.next))
		if err := l.removeSegment(t, base); err != nil {
			return err
		}
	}
	return nil
}

// finishOpen settles the offsets when the segments are known.
func (l *Log) finishOpen(t *env.Task) error {
	s := l.active()
	l.logEnd, l.flushed = s.next, s.next
	if l.logEnd < l.opts.RecoveryPoint {
		return s.corrupt(s.size, fmt.Sprintf("ends at offset %d, but everything below %d had been durable", l.logEnd, l.opts.RecoveryPoint))
	}
	l.logStart = max(l.logStart, l.segments[0].base)
	if l.logStart > l.logEnd {
		// Records were deleted up to an end that power loss took away: what is left is
		// below the start.
		return l.restartEmpty(t)
	}
	s.indexDurable = false
	first, err := l.firstTimestamp(t, s)
	if err != nil {
		return err
	}
	l.plan = l.planOf(s, first)
	l.epochs.truncate(l.logEnd)
	l.epochs.raiseStart(l.logStart)
	if !l.opts.Clean {
		if err := syncDir(t, l.e.Disk, l.dir); err != nil {
			return err
		}
	}
	return l.settleEpochs(t)
}

// settleEpochs writes the epochs if they are not what the file says.
func (l *Log) settleEpochs(t *env.Task) error {
	if l.epochs.cleanBelow() == noChange {
		return nil
	}
	if err := writeFileAtomic(t, l.e.Disk, l.path(leaderEpochFile), l.epochs.beginWrite()); err != nil {
		return err
	}
	l.epochs.endWrite()
	return nil
}

func (l *Log) restartEmpty(t *env.Task) error {
	for len(l.segments) > 0 {
		if err := l.removeActive(t); err != nil {
			return err
		}
	}
	return l.openEmpty(t)
}

// firstTimestamp is the largest timestamp in the segment's first batch, which segment.ms
// counts from.
func (l *Log) firstTimestamp(t *env.Task, s *segment) (int64, error) {
	ts := wire.NoTimestamp
	err := s.scan(t, 0, s.size, func(h *wire.BatchHeader, _ int64) bool {
		ts = h.MaxTimestamp
		return false
	})
	return ts, err
}
