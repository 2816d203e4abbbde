package storage

import (
	"fmt"
	"time"

	"odradek/broker/env"
	"odradek/broker/failpoint"
	"odradek/broker/producers"
	"odradek/broker/wire"
)

// AppendOptions are those of one append by a leader.
type AppendOptions struct {
	// Epoch is stamped into the batches.
	Epoch wire.LeaderEpoch
	// Sync has the append acknowledged only once it is durable.
	Sync bool
	// Rules are those by which a batch with a producer id is judged. There may be only
	// one batch then. Without an origin it is not judged.
	Rules producers.Rules
}

// AppendResult says what became of an append.
type AppendResult struct {
	BaseOffset wire.Offset // of the first record
	NextOffset wire.Offset // after the last record
	// MaxTimestamp is the largest timestamp in the append, in ms since the epoch.
	MaxTimestamp int64
	// AppendTime is the timestamp given to all records under LogAppendTime, else -1.
	AppendTime int64
	// Duplicate says that nothing was appended: this is the first copy of the batch.
	Duplicate bool
}

// Append appends whole batches as the leader: they get the next offsets and the
// leader epoch, in place. The bytes belong to the log from then on and must not be
// modified. done follows when they are written, or durable if that is demanded by
// opts or by the flush policy. Errors: [InvalidBatchError], [StaleEpochError],
// *[producers.Refusal], [ErrTruncating] and [ErrClosed] before anything was done;
// [OfflineError], after which it is unknown whether the records will be there after a
// restart; [ErrTruncated]. The caller has validated the batches (wire.Codec.Validate).
func (l *Log) Append(batches []byte, opts AppendOptions, done func(AppendResult, error)) {
	c, err := l.prepare(batches, wire.RefuseTruncated)
	if err == nil && opts.Epoch < l.epochs.latest() {
		err = &StaleEpochError{Got: opts.Epoch, Latest: l.epochs.latest()}
	}
	if err == nil && c.produced && opts.Rules.Origin != producers.Own {
		first, duplicate, refusal := l.judge(c, &opts.Rules)
		if duplicate {
			l.acknowledge(first, opts.Sync, done)
			return
		}
		err = refusal
	}
	if err != nil {
		l.later(func() { done(AppendResult{}, err) })
		return
	}
	c.done, c.sync, c.result.AppendTime = done, opts.Sync, -1
	now := int64(-1)
	if l.cfg.LogAppendTime {
		now = l.e.Clock.Wall() / int64(time.Millisecond)
		c.result.AppendTime = now
		l.e.CPU.Charge(env.OpCRC, len(c.bytes))
	}
	next := l.plan.next
	for i := range c.batches {
		b := &c.batches[i]
		raw := c.bytes[b.pos:]
		records := b.next - b.base
		b.base, b.next, b.epoch = next, next+records, opts.Epoch
		wire.SetBaseOffset(raw, next)
		wire.SetLeaderEpoch(raw, opts.Epoch)
		if now >= 0 {
			wire.SetLogAppendTime(raw, now)
			b.maxTimestamp = now
		}
		next = b.next
	}
	l.submit(c)
}

// AppendAsFollower appends batches that have their offsets and epochs, as fetched from
// the leader. The first must begin at NextOffset, or behind it: compaction has removed the
// offsets between, whatever cleanup.policy says by now. An incomplete last batch is left
// out. sync has the append acknowledged only once it is durable. The caller has
// checked the CRCs. Errors: those of Append, and [UnexpectedOffsetError].
func (l *Log) AppendAsFollower(batches []byte, sync bool, done func(AppendResult, error)) {
	c, err := l.prepare(batches, wire.AllowTruncated)
	if err == nil {
		err = l.checkContinues(c)
	}
	if err != nil {
		l.later(func() { done(AppendResult{}, err) })
		return
	}
	c.done, c.sync, c.result.AppendTime = done, sync, -1
	if !l.gaps && c.gapped(l.plan.next) {
		l.ops = append(l.ops, op{what: "expecting gaps", run: l.expectGaps})
	}
	l.submit(c)
}

// gapped reports whether offsets from next on are left out.
func (c *chunk) gapped(next wire.Offset) bool {
	for i := range c.batches {
		if c.batches[i].base > next {
			return true
		}
		next = c.batches[i].next
	}
	return false
}

func (l *Log) prepare(batches []byte, last wire.Truncated) (*chunk, error) {
	switch {
	case l.err != nil:
		return nil, l.err
	case l.closing:
		return nil, ErrClosed
	case l.truncating:
		return nil, ErrTruncating
	}
	return newChunk(batches, last)
}

// checkContinues reports whether the chunk's own offsets and epochs continue the log.
func (l *Log) checkContinues(c *chunk) error {
	next, epoch := l.plan.next, l.epochs.latest()
	for i := range c.batches {
		b := &c.batches[i]
		// A segment ends with a batch, also a compacted one, so that no gap is larger than a
		// segment can be.
		if b.base < next || !fits(next, b.next-1) {
			return &UnexpectedOffsetError{Got: b.base, Want: next}
		}
		if b.epoch < epoch {
			return &StaleEpochError{Got: b.epoch, Latest: epoch}
		}
		next, epoch = b.next, b.epoch
	}
	if !fits(c.base(), c.next()-1) {
		return &InvalidBatchError{fmt.Sprintf("offsets %d to %d in one append", c.base(), c.next()-1)}
	}
	return nil
}

// plan is the end of the log as it will be when everything queued is written. Offsets
// and rolls are decided against it.
type plan struct {
	next           wire.Offset
	base           wire.Offset // of the active segment
	pos            int64       // its size
	since          int64       // bytes since its last index entry
	entries        int64       // of its offset index; its time index has no more
	firstTimestamp int64       // of its first batch, -1 if there is none
	created        int64       // wall clock, ns
	// flushAt is the end of the last append that flush.messages made wait for a sync.
	flushAt wire.Offset
}

// planOf is the plan when nothing is queued.
func (l *Log) planOf(s *segment, firstTimestamp int64) plan {
	return plan{
		next: s.next, base: s.base, pos: s.size, since: s.index.since, entries: int64(len(s.index.offsets)),
		firstTimestamp: firstTimestamp, created: l.e.Clock.Wall(), flushAt: s.next,
	}
}

// submit queues a chunk whose batches have their final offsets.
func (l *Log) submit(c *chunk) {
	c.result.BaseOffset, c.result.NextOffset, c.result.MaxTimestamp = c.base(), c.next(), wire.NoTimestamp
	for i := range c.batches {
		c.result.MaxTimestamp = max(c.result.MaxTimestamp, c.batches[i].maxTimestamp)
	}
	p := &l.plan
	if l.mustRoll(c) {
		base := p.next
		*p = plan{next: p.next, base: base, firstTimestamp: wire.NoTimestamp, created: l.e.Clock.Wall(), flushAt: p.flushAt}
		snapshot := l.producers.Snapshot() // of what the roll finds written
		l.ops = append(l.ops, op{what: "rolling a segment", run: func(t *env.Task) error { return l.roll(t, base, snapshot) }})
	}
	if p.pos == 0 {
		p.firstTimestamp = c.batches[0].maxTimestamp
	}
	changed, end := false, p.next
	c.pos = p.pos
	for i := range c.batches {
		b := &c.batches[i]
		b.pos += c.pos
		if p.since > l.cfg.IndexIntervalBytes {
			p.entries++
			p.since = 0
		}
		p.since += int64(b.size)
		// Of an epoch whose first records are compacted away it is known that it began behind
		// the batch before, and that is where a replica with other records has to cut.
		if l.epochs.assign(b.epoch, end) {
			changed = true
		}
		end = b.next
	}
	if c.produced {
		l.produce(c)
	}
	p.pos += c.size
	p.next = c.next()
	if p.next-p.flushAt >= wire.Offset(l.cfg.FlushMessages) {
		c.sync = true
	}
	if c.sync {
		p.flushAt = p.next
	}
	if changed {
		l.saveEpochs()
	}
	l.ops = append(l.ops, op{chunk: c})
	l.pump()
}

// mustRoll decides whether the chunk begins a new segment (Kafka: LogSegment.shouldRoll).
func (l *Log) mustRoll(c *chunk) bool {
	p := &l.plan
	if !fits(p.base, c.next()-1) {
		return true
	}
	if p.pos == 0 {
		return false
	}
	waited := (l.e.Clock.Wall() - p.created) / int64(time.Millisecond)
	if p.firstTimestamp >= 0 {
		waited = c.result.MaxTimestamp - p.firstTimestamp // ms: producers choose these freely
	}
	// One time entry is kept free for the one that sealing adds.
	full := (p.entries+1)*offsetEntrySize > l.cfg.IndexBytes || (p.entries+2)*timeEntrySize > l.cfg.IndexBytes
	return p.pos+c.size > min(l.cfg.SegmentBytes, maxBatchSize) || waited > l.cfg.SegmentTime.Milliseconds() || full
}

// op is one operation on the end of the log: a chunk to write, or something else, which
// runs alone.
type op struct {
	chunk *chunk
	what  string
	run   func(t *env.Task) error
	done  func(error) // may be nil
}

func (o *op) fail(err error) {
	if o.chunk != nil {
		o.chunk.finish(err)
	} else if o.done != nil {
		o.done(err)
	}
}

func (c *chunk) finish(err error) {
	done := c.done
	c.done = nil // the tail keeps the chunk, not what its sender holds on to
	done(c.result, err)
}

// Bounds of one write: enough to make the disk's fixed costs small.
const (
	maxWriteBytes   = 8 << 20
	maxWriteBuffers = 512
)

// pump starts the next operation unless one is under way.
func (l *Log) pump() {
	if l.running || len(l.ops) == 0 || l.err != nil {
		return
	}
	l.running = true
	if l.ops[0].chunk != nil {
		l.startWrite()
		return
	}
	o := l.ops[0]
	l.popOps(1)
	spawn(l.e, o.run, func(err error) {
		l.running = false
		if err != nil {
			l.goOffline(o.what, err)
		}
		if o.done != nil {
			o.done(l.err)
		}
		l.pump()
		l.wakeIfIdle()
	})
}

func (l *Log) popOps(n int) {
	clear(l.ops[:n])
	if n == len(l.ops) {
		l.ops = l.ops[:0]
	} else {
		l.ops = l.ops[n:]
	}
}

// startWrite writes all chunks at the head of the queue at once: while one write is
// under way the next ones gather (group commit).
func (l *Log) startWrite() {
	seg := l.active()
	var size int64
	n := 0
	for n < len(l.ops) && n < maxWriteBuffers {
		c := l.ops[n].chunk
		if c == nil || (n > 0 && size+c.size > maxWriteBytes) {
			break
		}
		if c.pos != seg.size+size {
			check(false, "%s, segment %d: chunk planned for position %d is written at %d", l.dir, seg.base, c.pos, seg.size+size)
		}
		c.seg = seg
		l.flight = append(l.flight, c)
		l.bufs = append(l.bufs, c.bytes)
		size += c.size
		n++
	}
	l.popOps(n)
	if err := l.injected(failpoint.StorageAppend); err != nil {
		l.later(func() { l.written(err) })
		return
	}
	if l.onWritten == nil {
		l.onWritten = l.written
	}
	seg.file.WriteAt(l.bufs, seg.size, l.onWritten)
}

// written follows a write.
func (l *Log) written(err error) {
	l.running = false
	clear(l.bufs)
	l.bufs = l.bufs[:0]
	if err != nil {
		l.goOffline("appending", err)
	}
	if l.err != nil {
		l.wakeIfIdle()
		return // went offline meanwhile; the chunks have failed with the rest
	}
	seg := l.active()
	flight := l.flight
	l.flight = l.landed[:0]
	seg.dirty = true
	for _, c := range flight {
		for i := range c.batches {
			seg.applied(&c.batches[i], l.cfg.IndexIntervalBytes)
		}
		if c.produced {
			seg.plain = false
		}
		if c.aborted != nil {
			seg.aborted, seg.abortedStale = append(seg.aborted, c.aborted...), true
			c.aborted = nil
		}
		l.logEnd = c.next()
		l.tellWrote(c)
		if c.sync {
			l.sync.add(waiter{offset: l.logEnd, chunk: c})
		}
		l.tail.push(c)
	}
	// The disk gets its next work before the callbacks make more of it; a truncation has
	// to wait until they have told of what it takes away.
	if len(l.ops) > 0 && l.ops[0].chunk != nil {
		l.pump()
	}
	l.syncIfDemanded()
	l.armFlushTimer()
	for i, c := range flight {
		flight[i] = nil
		if !c.sync {
			c.finish(nil)
		}
	}
	l.landed = flight
	l.advanced()
	l.pump()
}

// tellWrote tells the observer of a chunk's batches.
func (l *Log) tellWrote(c *chunk) {
	if l.opts.Observer.Wrote == nil {
		return
	}
	for i := range c.batches {
		b := &c.batches[i]
		raw := c.bytes[b.pos-c.pos:][:b.size]
		h, err := wire.ReadBatchHeader(raw)
		check(err == nil, "%s: a batch that was written has no header: %v", l.dir, err)
		l.opts.Observer.Wrote(l, BatchID{Base: b.base, Last: b.next - 1, Epoch: b.epoch, CRC: h.CRC}, raw)
	}
}

func (l *Log) advanced() {
	if l.opts.Observer.Advanced != nil && l.err == nil {
		l.opts.Observer.Advanced(l)
	}
}
