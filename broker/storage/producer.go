package storage

import (
	"fmt"
	"slices"
	"time"

	"odradek/broker/env"
	"odradek/broker/failpoint"
	"odradek/broker/producers"
	"odradek/broker/wire"
)

// Producers is what the log knows of idempotent producers, for looking at. It is the
// state at NextOffset: what is on its way to the disk counts, so that the batch behind it
// can be judged. If that is never written, the log is offline, and the state is never
// written either: a snapshot is of what has been written when it is.
func (l *Log) Producers() *producers.State { return l.producers }

// Verify begins the verification of a producer's transaction before its first batch here
// is appended, or joins one that is under way; see [producers.State.Verify].
func (l *Log) Verify(h *wire.BatchHeader, epochBump bool) producers.Guard {
	return l.producers.Verify(h, epochBump, l.wallMillis())
}

// LastStableOffset is the offset below which every transaction is decided and its marker
// replicated, given the high watermark of the moment. It is at most that.
func (l *Log) LastStableOffset(highWatermark wire.Offset) wire.Offset {
	// A transaction may have begun below a start that was raised since.
	return max(l.producers.LastStableOffset(highWatermark), min(l.logStart, highWatermark))
}

// ExpireProducers forgets producers of which nothing came for age, in ms.
func (l *Log) ExpireProducers(age int64) {
	if n := l.producers.Expire(l.wallMillis(), age); n > 0 {
		l.trace(env.Debug, "producers-expired", env.I("count", n))
	}
}

// NoteRefused plants the bug of row 36 of the zoo, if that is asked for: a batch that is
// not going to be appended leaves its traces.
func (l *Log) NoteRefused(batch []byte) {
	if !l.e.Fail.On(failpoint.ZooProducerStateBeforeAppend) {
		return
	}
	h, err := wire.ReadBatchHeader(batch)
	if err != nil || !h.HasProducer() || h.Transactional() {
		return
	}
	if _, duplicate, err := l.producers.Check(&h, producers.Rules{Origin: producers.Client}); duplicate || err != nil {
		return
	}
	h.BaseOffset = l.plan.next
	l.producers.Append(&h)
}

// judge asks whether the producer of the chunk's only batch may append it.
func (l *Log) judge(c *chunk, rules *producers.Rules) (first producers.Batch, duplicate bool, err error) {
	if len(c.batches) != 1 {
		return first, false, &InvalidBatchError{fmt.Sprintf("%d batches of a producer in one append", len(c.batches))}
	}
	h := c.header(0)
	if !h.Control() {
		return l.producers.Check(&h, *rules)
	}
	m, ok, err := wire.ReadEndMarker(&h, c.bytes)
	if !ok || err != nil {
		return first, false, &InvalidBatchError{"a producer's control batch that ends no transaction"}
	}
	return first, false, l.producers.CheckMarker(&h, m, rules.TransactionVersion)
}

// acknowledge answers an append whose batch is in the log, or on its way there: as the
// first copy was, and not before it.
func (l *Log) acknowledge(first producers.Batch, sync bool, done func(AppendResult, error)) {
	res := AppendResult{
		BaseOffset: first.FirstOffset, NextOffset: first.LastOffset + 1, MaxTimestamp: first.Timestamp, AppendTime: -1, Duplicate: true,
	}
	if l.cfg.LogAppendTime {
		res.AppendTime = first.Timestamp
	}
	sync = sync || l.cfg.FlushMessages <= 1
	l.ops = append(l.ops, op{what: "acknowledging", run: func(*env.Task) error { return nil }, done: func(err error) {
		if err == nil && sync && l.flushed < res.NextOffset {
			l.sync.add(waiter{offset: res.NextOffset, done: func(err error) {
				if err == nil && l.flushed < res.NextOffset {
					err = ErrTruncated // what ends a wait then
				}
				done(res, err)
			}})
			l.syncIfDemanded()
			return
		}
		done(res, err)
	}})
	l.pump()
}

// header reads the header of the chunk's i-th batch.
func (c *chunk) header(i int) wire.BatchHeader {
	h, err := wire.ReadBatchHeader(c.bytes[c.batches[i].pos-c.pos:])
	if err != nil {
		panic(fmt.Sprintf("storage: a batch that was taken apart has no header: %v", err))
	}
	return h
}

// produce takes note of what producers have in the chunk, which is about to be queued.
func (l *Log) produce(c *chunk) {
	for i := range c.batches {
		h := c.header(i)
		if !h.HasProducer() {
			continue
		}
		if !h.Control() {
			l.producers.Append(&h)
			continue
		}
		m, ok, err := wire.ReadEndMarker(&h, c.bytes[c.batches[i].pos-c.pos:])
		check(err == nil, "%s: a marker that was read before: %v", l.dir, err)
		if !ok {
			continue
		}
		if a, aborted := l.producers.End(&h, m); aborted {
			c.aborted = append(c.aborted, a)
		}
	}
}

// writeSnapshot writes the state of the producers at an offset, unless the disk has it.
// The caller syncs the directory. Without a snapshot the next start would have to read the
// log from the one before it, or all of it.
func (l *Log) writeSnapshot(t *env.Task, at wire.Offset, content []byte) error {
	if _, exists := slices.BinarySearch(l.snapshots, at); exists {
		return nil
	}
	// Whole before it has its name, so that it need not be written again when it is found.
	if err := writeFileWhole(t, l.e.Disk, segmentPath(l.dir, at, producerSuffix), content); err != nil {
		return err
	}
	i, _ := slices.BinarySearch(l.snapshots, at) // a cleaning may have forgotten some meanwhile
	l.snapshots = slices.Insert(slices.Clip(l.snapshots), i, at)
	return nil
}

// dropSnapshots removes, durably, the snapshots above an offset: what is appended there
// later is not what they speak of.
func (l *Log) dropSnapshots(t *env.Task, above wire.Offset) error {
	return l.dropSnapshotsIf(t, func(at wire.Offset) bool { return at > above })
}

func (l *Log) dropSnapshotsIf(t *env.Task, unwanted func(at wire.Offset) bool) error {
	kept := l.snapshots[:0:0]
	for _, at := range l.snapshots {
		if !unwanted(at) {
			kept = append(kept, at)
			continue
		}
		if err := remove(t, l.e.Disk, segmentPath(l.dir, at, producerSuffix)); err != nil {
			return err
		}
	}
	if len(kept) == len(l.snapshots) {
		return nil
	}
	l.snapshots = kept
	return syncDir(t, l.e.Disk, l.dir)
}

// loadProducers makes the state of the producers from the newest snapshot and the batches
// behind it, when the log is opened. The transaction indexes of the segments from offset
// unknown on are made again as well.
func (l *Log) loadProducers(t *env.Task, unknown wire.Offset) error {
	slices.Sort(l.snapshots)
	unknown = l.loadAborted(t, unknown)
	fresh, at := l.newestSnapshot(t, min(unknown, l.logEnd))
	err := l.replayProducers(t, fresh, at, func(s *segment, a producers.AbortedTransaction) {
		if s.base >= unknown {
			s.aborted, s.abortedStale = append(s.aborted, a), true
		}
	})
	if err != nil {
		return err
	}
	l.producers = fresh
	if err := l.saveAborted(t); err != nil {
		return err
	}
	// Those at the starts of segments are removed with them, that at the end is the next
	// start's. Those above the end are of what a crash took away, and must go before
	// something else is there.
	return l.dropSnapshotsIf(t, func(at wire.Offset) bool {
		return at != l.logEnd && l.segments[l.segmentOf(at)].base != at
	})
}

// reloadProducers makes the state again after a truncation.
func (l *Log) reloadProducers(t *env.Task) error {
	if l.producers.Blank() {
		return nil // there was nobody, so there is nobody below
	}
	fresh, at := l.newestSnapshot(t, l.logEnd)
	if err := l.replayProducers(t, fresh, at, nil); err != nil {
		return err
	}
	l.producers = fresh
	return nil
}

// newestSnapshot is the state according to the newest usable snapshot at or below an
// offset, and where that was taken; without one, nothing is known at the first segment's
// start. Snapshots below that would leave a gap.
func (l *Log) newestSnapshot(t *env.Task, limit wire.Offset) (*producers.State, wire.Offset) {
	base := l.segments[0].base
	for _, at := range slices.Backward(l.snapshots) {
		if at > limit || at < base {
			continue
		}
		fresh := l.producers.Renew()
		content, err := readFile(t, l.e.Disk, segmentPath(l.dir, at, producerSuffix))
		if err == nil {
			if err = fresh.Load(content, at); err == nil {
				return fresh, at
			}
		}
		// Unreadable is as good as missing: the records say the same.
		l.trace(env.Warn, "producer-snapshot-unfit", env.I("offset", at), env.Err(err))
		i, _ := slices.BinarySearch(l.snapshots, at)
		l.snapshots = slices.Delete(slices.Clone(l.snapshots), i, i+1) // to be written again
	}
	return l.producers.Renew(), base
}

// replayProducers brings a state from offset from on to the end of the log. It tells of
// every transaction that a marker aborts; aborted may be nil.
func (l *Log) replayProducers(t *env.Task, s *producers.State, from wire.Offset, aborted func(*segment, producers.AbortedTransaction)) error {
	for _, seg := range l.segments {
		if seg.plain || seg.size == 0 || seg.next <= from {
			continue
		}
		if err := l.replaySegment(t, s, seg, from, aborted); err != nil {
			return err
		}
	}
	return nil
}

func (l *Log) replaySegment(t *env.Task, s *producers.State, seg *segment, from wire.Offset, aborted func(*segment, producers.AbortedTransaction)) error {
	var pos int64
	if seg.index != nil {
		entry, _ := seg.index.floor(from)
		pos = entry.pos
	}
	var failed error
	err := seg.scan(t, pos, seg.size, func(h *wire.BatchHeader, at int64) bool {
		switch {
		case h.NextOffset() <= from || !h.HasProducer():
			return true
		case !h.Control():
			s.Append(h)
			return true
		}
		raw := make([]byte, h.Size())
		var n int
		if n, failed = readAt(t, seg.file, raw, at); failed != nil {
			return false
		}
		m, ok, err := wire.ReadEndMarker(h, raw[:n])
		if err != nil || n < len(raw) {
			failed = seg.corrupt(at, fmt.Sprintf("a marker cannot be read: %v", err))
			return false
		}
		if !ok {
			return true
		}
		if a, was := s.End(h, m); was && aborted != nil {
			aborted(seg, a)
		}
		return true
	})
	if failed != nil {
		return failed
	}
	return err
}

func (l *Log) wallMillis() int64 { return l.e.Clock.Wall() / int64(time.Millisecond) }
