package broker

import (
	"errors"
	"time"

	"odradek/broker/env"
	"odradek/broker/failpoint"
	"odradek/broker/storage"
	"odradek/broker/wire"
)

// cleaningState is what the cleaner knows of a partition.
type cleaningState struct {
	busy bool // it is being compacted
	// damaged: what is in its log is not what was written. Compacting would hide that; the
	// partition grows until the node restarts, and serves what it can.
	damaged bool
	// failures counts the attempts in a row that failed for another reason, such as a disk
	// that is full. It is tried again at retryAt.
	failures int
	retryAt  env.Time
}

// Before a partition whose compaction has failed is tried again there is a pause, which
// doubles up to cleaningPauseMax: each attempt reads what is dirty once more. Kafka does not
// try again before it restarts, though the disk may long have room.
const (
	cleaningPause    = time.Second
	cleaningPauseMax = 5 * time.Minute
)

// startCleaning begins to compact the logs of topics whose cleanup.policy says so, at most
// log.cleaner.threads at a time, the dirtiest first. Each replica compacts its own log, up
// to its own high watermark and last stable offset, so that replicas differ in what they
// have removed, and in nothing else. As in Kafka a tombstone reaches every replica only if
// none is away for longer than delete.retention.ms: one that comes back later finds neither
// the tombstone nor what it deleted, and keeps that.
func (n *Node) startCleaning() {
	if !n.cfg.CleanerEnable {
		return
	}
	for range n.cfg.CleanerThreads {
		n.env.Tasks.Go(n.keepCleaning)
	}
}

// keepCleaning is one of the cleaner's coroutines. With nothing to do it looks again after
// log.cleaner.backoff.ms.
func (n *Node) keepCleaning(t *env.Task) {
	backoff := max(ms(n.cfg.CleanerBackoffMs), time.Millisecond)
	for {
		t.Sleep(n.env.Clock, backoff)
		for !n.stopped && n.cleanDirtiest(t) {
		}
		if n.stopped {
			return
		}
	}
}

// cleanDirtiest compacts the log that needs it most, and reports whether there was one.
func (n *Node) cleanDirtiest(t *env.Task) bool {
	var dirtiest *partition
	var most storage.Dirtiness
	for i := 0; i < len(n.replicas.list); i++ { // which may change meanwhile
		p := n.replicas.list[i]
		if !p.mayBeCleaned() {
			continue
		}
		d, err := env.Await2(t, func(done func(storage.Dirtiness, error)) { p.log.Dirtiness(p.cleanUpTo(), done) })
		switch {
		case err != nil:
			p.cleaningFailed(err)
		case d.Due && (dirtiest == nil || d.Compare(&most) > 0):
			dirtiest, most = p, d
		}
	}
	if dirtiest == nil || !dirtiest.mayBeCleaned() || n.stopped {
		return false
	}
	return dirtiest.clean(t)
}

func (p *partition) mayBeCleaned() bool {
	c := &p.cleaning
	return p.topic.Compact() && !c.busy && !c.damaged && p.n.env.Clock.Now() >= c.retryAt &&
		p.log != nil && p.err == nil && !p.gone && !p.cutting
}

// cleanUpTo is the offset that compaction must not pass: what lies above could be
// truncated, and what it had outdated would be the committed value again.
func (p *partition) cleanUpTo() wire.Offset {
	if p.n.env.Fail.On(failpoint.ZooCleaningAboveHighWatermark) {
		return p.log.LogEndOffset()
	}
	return p.lastStableOffset()
}

// clean compacts the partition's log, and reports whether that went well.
func (p *partition) clean(t *env.Task) bool {
	cfg := p.n.cfg
	threads := int64(cfg.CleanerThreads)
	p.cleaning.busy = true
	_, err := env.Await2(t, func(done func(storage.CleanStats, error)) {
		p.log.Clean(p.cleanUpTo(), storage.CleanerConfig{
			DedupeBytes: cfg.CleanerDedupeBytes / threads, BufferBytes: cfg.CleanerBufferBytes,
			BytesPerSecond: max(cfg.CleanerIOMaxPPM/1_000_000/threads, 1),
		}, done)
	})
	p.cleaning.busy = false
	if err != nil {
		p.cleaningFailed(err)
		return false
	}
	p.cleaning.failures = 0
	return true
}

// cleaningFailed decides when compaction is tried again. One that the log itself has ended
// is as soon as the log is at rest.
func (p *partition) cleaningFailed(err error) {
	if errors.Is(err, storage.ErrInterrupted) || errors.Is(err, storage.ErrTruncating) || errors.Is(err, storage.ErrClosed) || p.err != nil {
		return
	}
	c := &p.cleaning
	var corrupt *storage.CorruptError
	if c.damaged = errors.As(err, &corrupt); c.damaged {
		p.n.env.Trace.Event(env.Warn, "partition-uncleanable", env.S("partition", p.tp.String()), env.Err(err))
		return
	}
	pause := min(cleaningPause<<min(c.failures, 10), cleaningPauseMax)
	c.failures++
	c.retryAt = p.n.env.Clock.Now().Add(pause)
	p.n.env.Trace.Event(env.Warn, "cleaning-failed", env.S("partition", p.tp.String()), env.I("failures", c.failures),
		env.I("retry-ms", pause.Milliseconds()), env.Err(err))
}
