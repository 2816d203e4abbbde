package storage

import (
	"slices"
	"strings"

	"odradek/broker/env"
	"odradek/broker/wire"
)

// A new segment takes the place of the old ones like this (the names are Kafka's; what a
// crash leaves, the next start finishes or undoes):
//
//	writing        <base>.log.cleaned and its indexes       a start removes them
//	complete       all four synced
//	swapping       indexes renamed to .swap, synced; then the .log.swap, synced
//	               from here on a start goes on with the next steps
//	cleared        the old segments except the first renamed to .deleted, synced
//	replaced       indexes renamed to their names, replacing the first one's; synced
//	done           .log renamed to its name, synced
//
// Every index has a file here, also an empty one, so that what is not named .swap any more
// is known to be in its place. In memory the exchange happens at the moment when swapping
// begins: until it is done on the disk too, the old segments tell the same story.
const (
	cleanedSuffix = ".cleaned"
	swapSuffix    = ".swap"
)

// cleanedSuffixes are the files of a new segment, the decisive one last.
var cleanedSuffixes = [...]string{indexSuffix, timeIndexSuffix, txnIndexSuffix, logSuffix}

// writeCleaned completes the files of a new segment.
func (s *segment) writeCleaned(t *env.Task, d env.Disk) error {
	if err := syncFile(t, s.file); err != nil {
		return err
	}
	s.index.addTime()
	offsets, times := s.index.encode()
	for i, content := range [][]byte{offsets, times, s.encodeAborted()} {
		if err := writeFile(t, d, s.path(cleanedSuffixes[i]+cleanedSuffix), content, true); err != nil {
			return err
		}
	}
	s.indexDurable = true
	return nil
}

// exchange puts the new segment in the place of the old ones, which the janitor then does
// on the disk as well. [ErrInterrupted] if they are not all there any more.
func (l *Log) exchange(t *env.Task, c *cleaning, fresh *segment, old []*segment) error {
	return env.Await(t, func(done func(error)) {
		l.janitor.do(func(t *env.Task) error {
			if c.over() || !l.replace(fresh, old) {
				return ErrInterrupted
			}
			if err := l.swap(t, fresh, old[1:]); err != nil {
				l.goOffline("exchanging segments", err)
				return l.err
			}
			l.e.Clock.After(l.cfg.FileDeleteDelay, func() { l.removeDeleted(old) })
			return nil
		}, done)
	})
}

// replace exchanges the segments in memory.
func (l *Log) replace(fresh *segment, old []*segment) bool {
	i := slices.Index(l.segments, old[0])
	if i < 0 || i+len(old) >= len(l.segments) || !slices.Equal(l.segments[i:i+len(old)], old) {
		return false
	}
	l.segments = append(append(append([]*segment(nil), l.segments[:i]...), fresh), l.segments[i+len(old):]...)
	fresh.swapped = true
	l.generation++
	l.tail.forget(fresh.next)
	l.cursors = [len(l.cursors)]cursor{}
	for _, s := range old {
		l.forgetIndex(s)
	}
	l.useIndex(fresh)
	if l.opts.Observer.Cleaned != nil {
		l.opts.Observer.Cleaned(l, Cleaned{From: fresh.base, UpTo: fresh.next, Batches: l.cleaning.sieve.ids})
	}
	return true
}

// swap exchanges the segments on the disk. others are the old ones but the first, whose
// names the new one takes over.
func (l *Log) swap(t *env.Task, fresh *segment, others []*segment) error {
	d := l.e.Disk
	if err := l.renameCleaned(t, fresh.base, cleanedSuffix, swapSuffix); err != nil {
		return err
	}
	for _, s := range others {
		for _, suffix := range cleanedSuffixes {
			if err := renameIfThere(t, d, s.path(suffix), s.path(suffix)+deletedSuffix); err != nil {
				return err
			}
		}
	}
	if len(others) > 0 {
		if err := syncDir(t, d, l.dir); err != nil {
			return err
		}
	}
	if err := l.renameCleaned(t, fresh.base, swapSuffix, ""); err != nil {
		return err
	}
	return l.forgetSnapshots(t, fresh.base, fresh.next)
}

// renameCleaned renames the files of a new segment, durably: the indexes, then the log.
func (l *Log) renameCleaned(t *env.Task, base wire.Offset, from, to string) error {
	for i, suffix := range cleanedSuffixes {
		if i == len(cleanedSuffixes)-1 {
			if err := syncDir(t, l.e.Disk, l.dir); err != nil {
				return err
			}
		}
		name := segmentPath(l.dir, base, suffix)
		if err := renameIfThere(t, l.e.Disk, name+from, name+to); err != nil {
			return err
		}
	}
	return syncDir(t, l.e.Disk, l.dir)
}

// forgetSnapshots removes the snapshots of producers within a segment, which were at the
// starts of the old ones. Until they are gone they say nothing wrong.
func (l *Log) forgetSnapshots(t *env.Task, base, next wire.Offset) error {
	var gone []wire.Offset
	l.snapshots = slices.DeleteFunc(slices.Clone(l.snapshots), func(at wire.Offset) bool {
		if at <= base || at >= next {
			return false
		}
		gone = append(gone, at)
		return true
	})
	for _, at := range gone {
		if err := remove(t, l.e.Disk, segmentPath(l.dir, at, producerSuffix)); err != nil {
			return err
		}
	}
	return nil
}

// finishSwaps goes on where a crash ended an exchange of segments, and removes what was
// not complete. It returns the directory as it is then.
func (l *Log) finishSwaps(t *env.Task, entries []env.DirEntry) ([]env.DirEntry, error) {
	var swaps []wire.Offset
	found := false
	for _, entry := range entries {
		if entry.Dir || !strings.HasSuffix(entry.Name, cleanedSuffix) && !strings.HasSuffix(entry.Name, swapSuffix) {
			continue
		}
		found = true
		base, suffix, ok := parseSegmentName(entry.Name)
		switch {
		case ok && suffix == logSuffix+swapSuffix:
			swaps = append(swaps, base)
		case strings.HasSuffix(entry.Name, cleanedSuffix):
			if err := remove(t, l.e.Disk, l.path(entry.Name)); err != nil {
				return nil, err
			}
		}
	}
	if !found {
		return entries, nil
	}
	for _, base := range swaps {
		if err := l.finishSwap(t, base, entries); err != nil {
			return nil, err
		}
	}
	// Indexes without a log: the crash came before it was decided.
	for _, entry := range entries {
		base, suffix, ok := parseSegmentName(entry.Name)
		if ok && strings.HasSuffix(suffix, swapSuffix) && !slices.Contains(swaps, base) {
			if err := remove(t, l.e.Disk, l.path(entry.Name)); err != nil {
				return nil, err
			}
		}
	}
	return list(t, l.e.Disk, l.dir)
}

// finishSwap has a new segment take the place of what is left of the old ones.
func (l *Log) finishSwap(t *env.Task, base wire.Offset, entries []env.DirEntry) error {
	name := segmentPath(l.dir, base, logSuffix+swapSuffix)
	f, err := openFile(t, l.e.Disk, name, env.ReadOnly)
	if err != nil {
		return err
	}
	defer f.Close()
	s := &segment{dir: l.dir, base: base, next: base, file: f, size: f.Size()}
	err = s.scan(t, 0, s.size, func(h *wire.BatchHeader, _ int64) bool {
		s.next = h.NextOffset()
		return true
	})
	if err != nil {
		return err
	}
	l.trace(env.Info, "segment-swap-finished", env.I("base", base), env.I("next", s.next))
	for _, entry := range entries {
		other, suffix, ok := parseSegmentName(entry.Name)
		if ok && other > base && other < s.next && slices.Contains(cleanedSuffixes[:], suffix) {
			if err := remove(t, l.e.Disk, l.path(entry.Name)); err != nil {
				return err
			}
		}
	}
	if err := syncDir(t, l.e.Disk, l.dir); err != nil {
		return err
	}
	return l.renameCleaned(t, base, swapSuffix, "")
}

// expectGaps takes note, durably, that offsets may be missing in this log. Without that
// the next start would take them for lost, and cut the log there.
func (l *Log) expectGaps(t *env.Task) error {
	if l.gaps {
		return nil
	}
	// Written before the first gap, and again after an error.
	if err := l.saveCleaned(t); err != nil {
		return err
	}
	l.gaps = true
	return nil
}

// saveCleaned makes the end of the last cleaning durable.
func (l *Log) saveCleaned(t *env.Task) error {
	if l.opts.SaveCleaned == nil {
		return nil
	}
	return env.Await(t, func(done func(error)) { l.opts.SaveCleaned(l.cleaned, done) })
}
