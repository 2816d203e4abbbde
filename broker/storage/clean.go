package storage

import (
	"errors"
	"fmt"
	"time"

	"odradek/broker/env"
	"odradek/broker/failpoint"
	"odradek/broker/wire"
)

// CleanerConfig is what one cleaning may use.
type CleanerConfig struct {
	// DedupeBytes is log.cleaner.dedupe.buffer.size: memory for the map of keys. If it
	// does not have room for all, the rest is left to the next cleaning.
	DedupeBytes int64
	// BufferBytes is log.cleaner.io.buffer.size: how much is read and written at a time. A
	// larger batch gets what it needs.
	BufferBytes int
	// BytesPerSecond is log.cleaner.io.max.bytes.per.second, of reads and writes together.
	// 0 is without limit.
	BytesPerSecond int64
}

// CleanStats tells what a cleaning did.
type CleanStats struct {
	// From and UpTo are the part of the log whose keys were looked at: below UpTo no other
	// record has the key of one in it.
	From, UpTo wire.Offset
	Keys       int // in the map
	// Partial says that the map was full before all was in it.
	Partial bool
	// Segments were read, and became NewSegments.
	Segments, NewSegments    int
	BytesRead, BytesKept     int64
	RecordsRead, RecordsKept int64
}

// ErrInterrupted ends a cleaning whose log was truncated or closed, or lost segments to
// retention, meanwhile. What it has replaced so far stays; the rest can be tried again.
var ErrInterrupted = errors.New("the log changed under its cleaning")

// Cleaned tells an observer that the segments in [From, UpTo) have been replaced by one
// that has these batches. Those that were rewritten have new checksums, and may be empty.
type Cleaned struct {
	From, UpTo wire.Offset
	Batches    []BatchID
}

// cleaning is one run of compaction over a log (KIP-58, KIP-534): it fills a map with the
// latest offset of each key in the dirty part, and then rewrites all segments from the
// first one to the end of that part without the records that the map outdates. Appends and
// reads go on meanwhile; each new segment takes the place of its old ones at once.
type cleaning struct {
	l     *Log
	cfg   CleanerConfig
	sieve *sieve
	stats CleanStats
	buf   []byte
	// stopped is set by what changes the log's segments.
	stopped bool
	waiting []func() // for the end
	began   env.Time
	moved   int64 // bytes, since began
}

// Clean compacts the log; stable is as in [Log.Dirtiness]. One cleaning of a log may run at
// a time. Errors: [ErrInterrupted], [ErrTruncating], [ErrClosed], [CorruptError], which the
// next cleaning would meet again, or the disk's, such as [env.ErrNoSpace], which may pass:
// the log is as it was before, or cleaned in part, and loses nothing. [OfflineError] if it
// happened while segments were being exchanged.
func (l *Log) Clean(stable wire.Offset, cfg CleanerConfig, done func(CleanStats, error)) {
	err := l.usable()
	if err == nil && l.truncating {
		err = ErrTruncating
	}
	if err != nil {
		l.later(func() { done(CleanStats{}, err) })
		return
	}
	check(l.cleaning == nil, "%s is being cleaned already", l.dir)
	c := &cleaning{l: l, cfg: cfg, began: l.e.Clock.Now()}
	l.cleaning = c
	spawn(l.e, func(t *env.Task) error { return c.run(t, stable) }, func(err error) {
		l.cleaning = nil
		for _, wake := range c.waiting {
			wake()
		}
		l.wakeIfIdle()
		if err != nil && c.over() {
			err = ErrInterrupted
			if l.err != nil {
				err = l.err
			}
		}
		done(c.stats, err)
	})
}

// stopCleaning ends a cleaning that is under way.
func (l *Log) stopCleaning(t *env.Task) {
	if c := l.cleaning; c != nil {
		c.stopped = true
		t.Suspend(func(wake func()) { c.waiting = append(c.waiting, wake) })
	}
}

// over reports whether there is no use in going on.
func (c *cleaning) over() bool { return c.stopped || c.l.err != nil || c.l.closing || c.l.truncating }

func (c *cleaning) run(t *env.Task, stable wire.Offset) error {
	l := c.l
	d, err := l.dirtiness(t, stable)
	if err != nil {
		return err
	}
	c.stats.From, c.stats.UpTo = d.FirstDirty, d.FirstDirty
	if d.UpTo <= d.FirstDirty {
		return nil
	}
	// What was aborted is removed by the word of markers, which may lie far behind it. They
	// must not be lost after that: their transactions would be open again.
	if err := env.Await(t, l.Flush); err != nil {
		return err
	}
	// A start must know that offsets may be missing before it can find any missing.
	if err := l.expectGaps(t); err != nil {
		return err
	}
	sources := l.segmentsBelow(d.UpTo)
	keys, upTo, err := c.learn(t, sources, d)
	if err != nil {
		return err
	}
	c.stats.Keys, c.stats.Partial = keys.used, upTo < d.UpTo
	sources = l.segmentsBelow(d.UpTo) // some may have been deleted
	for len(sources) > 0 && sources[len(sources)-1].base >= upTo {
		sources = sources[:len(sources)-1]
	}
	if len(sources) == 0 || c.over() {
		return ErrInterrupted
	}
	now := l.wallMillis()
	horizon := now + l.cfg.DeleteRetention.Milliseconds()
	c.sieve = &sieve{
		keys: keys, upTo: upTo, codec: wire.NewCodec(wire.DefaultMaxDecompressed), now: now, horizon: max(horizon, now),
		// Aborted transactions are looked up to the end of the last segment, not only to
		// the end of the map: their markers may lie between.
		outcomes: newOutcomes(l.AbortedTransactions(sources[0].base, sources[len(sources)-1].next)),
		last:     lastBatches(l.producers),
		watched:  l.opts.Observer.Cleaned != nil,
		stats:    &c.stats,
	}
	for _, group := range l.groups(sources) {
		if err := c.merge(t, group); err != nil {
			return err
		}
		c.stats.Segments += len(group)
		c.stats.NewSegments++
	}
	if c.over() {
		return ErrInterrupted
	}
	c.stats.UpTo, l.cleaned = upTo, upTo
	l.trace(env.Info, "log-cleaned", env.I("from", d.FirstDirty), env.I("up-to", upTo), env.I("keys", keys.used),
		env.I("segments", c.stats.Segments), env.I("new-segments", c.stats.NewSegments),
		env.I("records", c.stats.RecordsRead), env.I("kept", c.stats.RecordsKept),
		env.I("bytes", c.stats.BytesRead), env.I("bytes-kept", c.stats.BytesKept))
	return l.saveCleaned(t)
}

// segmentsBelow are the sealed segments that end at or below an offset.
func (l *Log) segmentsBelow(end wire.Offset) []*segment {
	n := 0
	for n+1 < len(l.segments) && l.segments[n].next <= end {
		n++
	}
	return append([]*segment(nil), l.segments[:n]...)
}

// groups parts segments into runs that become one each, within the limits of a segment.
func (l *Log) groups(sources []*segment) [][]*segment {
	var groups [][]*segment
	var size, entries int64
	for i, s := range sources {
		n := s.size / wire.BatchHeaderSize
		if s.index != nil {
			n = int64(len(s.index.offsets))
		} else if l.cfg.IndexIntervalBytes > 0 {
			n = min(n, s.size/l.cfg.IndexIntervalBytes+1)
		}
		last := len(groups) - 1
		if i == 0 || size+s.size > min(l.cfg.SegmentBytes, maxBatchSize) || !fits(groups[last][0].base, s.next-1) ||
			(entries+n+1)*timeEntrySize > l.cfg.IndexBytes {
			groups = append(groups, nil)
			last, size, entries = last+1, 0, 0
		}
		groups[last] = append(groups[last], s)
		size, entries = size+s.size, entries+n
	}
	return groups
}

// learn fills the map of keys from the dirty part of the segments, and returns how far it
// got.
func (c *cleaning) learn(t *env.Task, sources []*segment, d Dirtiness) (*keyMap, wire.Offset, error) {
	limit := max(c.cfg.DedupeBytes/keyBytes*9/10, 1)
	m := &learner{
		limit: int(limit), from: d.FirstDirty, upTo: d.FirstDirty,
		keys:     newKeyMap(int(min(limit, int64(d.UpTo-d.FirstDirty)))),
		codec:    wire.NewCodec(wire.DefaultMaxDecompressed),
		outcomes: newOutcomes(c.l.AbortedTransactions(d.FirstDirty, d.UpTo)),
	}
	for _, s := range sources {
		if s.next <= d.FirstDirty {
			continue
		}
		err := c.through(t, s, m.learn, func(int64) (bool, error) { return !m.full, nil })
		if err != nil {
			return nil, 0, err
		}
		if m.full {
			return m.keys, m.upTo, nil
		}
	}
	return m.keys, d.UpTo, nil
}

// through has a segment's batches processed, some at a time, off the loop if possible;
// after each time more is asked whether to go on behind the position.
func (c *cleaning) through(t *env.Task, s *segment, process func(buf []byte, left int64) (done, need int, err error), more func(pos int64) (bool, error)) error {
	size := s.size
	if want := min(int64(max(c.cfg.BufferBytes, 4<<10)), size); int64(len(c.buf)) < want {
		c.buf = make([]byte, want)
	}
	for pos := int64(0); pos < size; {
		n, err := readAt(t, s.file, c.buf[:min(int64(len(c.buf)), size-pos)], pos)
		if c.over() {
			return ErrInterrupted
		}
		if err != nil {
			return err
		}
		var done, need int
		t.Suspend(func(wake func()) {
			c.l.e.CPU.Work(env.OpDecompress, n, func() { done, need, err = process(c.buf[:n], size-pos) }, wake)
		})
		var damaged *damageError
		switch {
		case c.over():
			return ErrInterrupted
		case errors.As(err, &damaged):
			return s.corrupt(pos+int64(damaged.at), damaged.reason)
		case err != nil:
			return err
		}
		pos += int64(done)
		goOn, err := more(pos)
		if err != nil || !goOn {
			return err
		}
		if done == 0 {
			if need <= len(c.buf) {
				return s.corrupt(pos, fmt.Sprintf("file ends within a batch: %d bytes left", size-pos))
			}
			c.buf = make([]byte, need)
		}
		if err := c.pace(t, done); err != nil {
			return err
		}
	}
	return nil
}

// pace waits as long as moving n more bytes has to take.
func (c *cleaning) pace(t *env.Task, n int) error {
	c.moved += int64(n)
	if c.cfg.BytesPerSecond <= 0 {
		return nil
	}
	due := time.Duration(c.moved/c.cfg.BytesPerSecond)*time.Second +
		time.Duration(c.moved%c.cfg.BytesPerSecond)*time.Second/time.Duration(c.cfg.BytesPerSecond)
	for {
		wait := due - c.l.e.Clock.Now().Sub(c.began)
		if wait <= 0 {
			return nil
		}
		// In small steps: whoever closes the log waits for the cleaning to notice.
		t.Sleep(c.l.e.Clock, min(wait, 50*time.Millisecond))
		if c.over() {
			return ErrInterrupted
		}
	}
}

// merge rewrites a run of segments into one, which takes their place.
func (c *cleaning) merge(t *env.Task, group []*segment) error {
	l, first := c.l, group[0]
	fresh := &segment{
		dir: l.dir, base: first.base, next: group[len(group)-1].next, index: newIndex(first.base),
		maxTimestamp: wire.NoTimestamp, maxLast: first.base,
	}
	c.sieve.aborted, c.sieve.ids, c.sieve.produced, c.sieve.rewritten = nil, nil, false, len(group) > 1
	for i, s := range group {
		closing := i == len(group)-1
		process := func(buf []byte, left int64) (int, int, error) { return c.sieve.pass(buf, left, closing) }
		if err := c.through(t, s, process, func(int64) (bool, error) { return true, c.write(t, first, fresh) }); err != nil {
			c.discard(t, fresh)
			return err
		}
		if !l.e.Fail.On(failpoint.ZooPartialCleaning) {
			for _, a := range s.aborted {
				if a.LastOffset >= c.sieve.upTo { // as the batches there
					c.sieve.aborted = append(c.sieve.aborted, a)
				}
			}
		}
	}
	if fresh.file == nil {
		return nil // nothing would change
	}
	fresh.aborted, fresh.plain = c.sieve.aborted, !c.sieve.produced
	err := fresh.writeCleaned(t, l.e.Disk)
	if err == nil {
		err = l.exchange(t, c, fresh, group)
	}
	if err != nil {
		c.discard(t, fresh)
	}
	return err
}

// write adds what came out of the sieve to the new segment. As long as that is the same as
// the old one nothing is written, since most of a large log does not change.
func (c *cleaning) write(t *env.Task, old, fresh *segment) error {
	out, batches := c.sieve.take(nil)
	if fresh.file == nil && c.sieve.rewritten {
		f, err := openFile(t, c.l.e.Disk, fresh.path(logSuffix+cleanedSuffix), env.Create)
		if err != nil {
			return err
		}
		fresh.file = f
		if err := truncateFile(t, f, 0); err != nil {
			return err
		}
		if err := c.copy(t, old.file, f, fresh.size); err != nil {
			return err
		}
	}
	at := fresh.size
	for i := range batches {
		b := &batches[i]
		b.pos += at
		fresh.applied(b, c.l.cfg.IndexIntervalBytes)
	}
	if fresh.file == nil || len(out) == 0 {
		return nil
	}
	if err := writeAt(t, fresh.file, out, at); err != nil {
		return err
	}
	c.sieve.out = out[:0] // to be used again
	return c.pace(t, len(out))
}

// copy copies the first size bytes.
func (c *cleaning) copy(t *env.Task, from, to env.File, size int64) error {
	buf := make([]byte, min(size, int64(max(c.cfg.BufferBytes, 4<<10))))
	for pos := int64(0); pos < size; {
		n, err := readAt(t, from, buf[:min(int64(len(buf)), size-pos)], pos)
		if err == nil && n == 0 {
			err = env.ErrIO
		}
		if err == nil {
			err = writeAt(t, to, buf[:n], pos)
		}
		if err == nil {
			err = c.pace(t, n)
		}
		if err != nil {
			return err
		}
		pos += int64(n)
	}
	return nil
}

// discard removes what was written of a new segment. What stays is removed at the next
// start.
func (c *cleaning) discard(t *env.Task, fresh *segment) {
	if fresh.file == nil || fresh.swapped {
		return
	}
	fresh.file.Close()
	for _, suffix := range cleanedSuffixes {
		_ = remove(t, c.l.e.Disk, fresh.path(suffix+cleanedSuffix))
	}
}
