package storage

import (
	"fmt"

	"odradek/broker/env"
	"odradek/broker/failpoint"
	"odradek/broker/wire"
)

// syncState is the syncing side of a log. At most one sync is in flight; who asks
// meanwhile shares the next one.
type syncState struct {
	running bool
	// hold counts the operations that want no sync to begin.
	hold    int
	waiters []waiter
	// demand is the offset to be synced although nobody waits: flush.ms, a roll.
	demand wire.Offset
	timer  env.Timer // of flush.ms
	idle   []func()  // wake-ups for the end of the running sync
}

// waiter wants everything below offset durable: a chunk to acknowledge, or a Flush.
type waiter struct {
	offset wire.Offset
	chunk  *chunk
	done   func(error)
}

func (w *waiter) fail(err error) {
	if w.chunk != nil {
		w.chunk.finish(err)
	} else {
		w.done(err)
	}
}

// add keeps the waiters in the order of acknowledgement: by offset, appends before flushes.
func (s *syncState) add(w waiter) {
	s.waiters = append(s.waiters, w)
	for i := len(s.waiters) - 1; i > 0 && w.before(&s.waiters[i-1]); i-- {
		s.waiters[i-1], s.waiters[i] = w, s.waiters[i-1]
	}
}

func (w *waiter) before(o *waiter) bool {
	return w.offset < o.offset || (w.offset == o.offset && w.chunk != nil && o.chunk == nil)
}

// Flush makes everything appended so far durable. done follows those of the appends.
func (l *Log) Flush(done func(error)) {
	if err := l.usable(); err != nil {
		l.later(func() { done(err) })
		return
	}
	if l.flushed >= l.plan.next {
		l.later(func() { done(l.err) })
		return
	}
	l.sync.add(waiter{offset: l.plan.next, done: done})
	l.syncIfDemanded()
}

// usable is why the log takes no more orders, if so.
func (l *Log) usable() error {
	if l.err == nil && l.closing {
		return ErrClosed
	}
	return l.err
}

// syncIfDemanded begins a sync if something that is written has to become durable.
func (l *Log) syncIfDemanded() {
	if l.sync.running || l.sync.hold > 0 || l.err != nil || l.flushed >= l.logEnd {
		return
	}
	wanted := l.sync.demand > l.flushed
	for i := range l.sync.waiters {
		wanted = wanted || l.sync.waiters[i].offset <= l.logEnd
	}
	if wanted {
		l.startSync()
	}
}

// startSync syncs every segment that has unsynced bytes.
func (l *Log) startSync() {
	l.sync.running = true
	target := l.logEnd
	if err := l.injected(failpoint.StorageSync); err != nil {
		l.later(func() { l.synced(target, err) })
		return
	}
	pending := 0
	var failed error
	for _, s := range l.dirty() {
		s.dirty = false
		pending++
		s.file.Sync(func(err error) {
			if err != nil && failed == nil {
				failed = err
			}
			if pending--; pending == 0 {
				l.synced(target, failed)
			}
		})
	}
	check(pending > 0, "%s: unflushed from %d to %d, but no segment is dirty", l.dir, l.flushed, l.logEnd)
}

// dirty is the segments with unsynced bytes: a run at the end.
func (l *Log) dirty() []*segment {
	i := len(l.segments)
	for i > 0 && (l.segments[i-1].dirty || l.segments[i-1].size == 0) {
		i--
	}
	for i < len(l.segments) && !l.segments[i].dirty {
		i++ // empty ones
	}
	return l.segments[i:]
}

// synced follows a sync.
func (l *Log) synced(target wire.Offset, err error) {
	l.sync.running = false
	idle := l.sync.idle
	l.sync.idle = nil
	defer func() {
		for _, wake := range idle {
			wake()
		}
		l.wakeIfIdle()
	}()
	if l.err != nil {
		return
	}
	if err != nil {
		// The kernel may have dropped the dirty pages and report success next time:
		// trying again could acknowledge what is lost.
		l.goOffline("syncing", err)
		return
	}
	l.flushed = max(l.flushed, target)
	ready, waiting := splitWaiters(l.sync.waiters, l.flushed)
	l.sync.waiters = waiting
	l.syncIfDemanded()
	l.armFlushTimer()
	for i := range ready {
		ready[i].fail(nil)
	}
	l.advanced()
}

// splitWaiters parts those at or below the offset from the others, both in order.
func splitWaiters(ws []waiter, offset wire.Offset) (below, above []waiter) {
	for _, w := range ws {
		if w.offset <= offset {
			below = append(below, w)
		} else {
			above = append(above, w)
		}
	}
	return below, above
}

// armFlushTimer lets flush.ms run from the first unflushed record.
func (l *Log) armFlushTimer() {
	if l.cfg.FlushTime <= 0 || l.sync.timer != nil || l.flushed >= l.logEnd || l.closing {
		return
	}
	l.sync.timer = l.e.Clock.After(l.cfg.FlushTime, func() {
		l.sync.timer = nil
		l.sync.demand = l.logEnd
		l.syncIfDemanded()
	})
}

// holdSyncs waits for the running sync and lets no other begin before releaseSyncs.
func (l *Log) holdSyncs(t *env.Task) {
	l.sync.hold++
	if l.sync.running {
		t.Suspend(func(wake func()) { l.sync.idle = append(l.sync.idle, wake) })
	}
}

func (l *Log) releaseSyncs() {
	l.sync.hold--
	l.syncIfDemanded()
}

// syncDirty makes everything written durable, while syncs are held.
func (l *Log) syncDirty(t *env.Task) error {
	if err := l.injected(failpoint.StorageSync); err != nil {
		return err
	}
	for _, s := range l.dirty() {
		s.dirty = false
		if err := syncFile(t, s.file); err != nil {
			return err
		}
	}
	l.flushed = l.logEnd
	return nil
}

// injected is the error that an armed failpoint asks for.
func (l *Log) injected(name failpoint.Name) error {
	switch v := l.e.Fail.Value(name); v {
	case "":
		return nil
	case "nospace":
		return fmt.Errorf("failpoint %s: %w", name, env.ErrNoSpace)
	default:
		return fmt.Errorf("failpoint %s: %w", name, env.ErrIO)
	}
}
