package storage

import "odradek/broker/env"

// Close finishes what is queued, flushes, writes the indexes and closes the files.
// After success the log may be opened with Clean. Closing a log that is offline closes
// the files and returns its error; closing twice is [ErrClosed].
func (l *Log) Close(done func(error)) {
	if l.closing {
		l.later(func() { done(ErrClosed) })
		return
	}
	l.closing = true
	finish := func(err error) {
		l.shut()
		done(err)
	}
	if l.err != nil {
		offline := l.err
		l.later(func() { finish(offline) })
		return
	}
	l.ops = append(l.ops, op{what: "closing", done: finish, run: l.settle})
	l.pump()
}

// settle makes everything durable that a clean start relies on.
func (l *Log) settle(t *env.Task) error {
	l.holdSyncs(t)
	if l.err != nil {
		return l.err
	}
	if l.logEnd > l.flushed {
		if err := l.syncDirty(t); err != nil {
			return err
		}
	}
	waiters := l.sync.waiters
	l.sync.waiters = nil
	for i := range waiters {
		waiters[i].fail(nil)
	}
	l.stopCleaning(t)
	l.janitor.drain(t)
	if l.err != nil {
		return l.err
	}
	if err := l.writeSnapshot(t, l.logEnd, l.producers.Snapshot()); err != nil {
		return err
	}
	if err := l.active().writeIndex(t, l.e.Disk); err != nil {
		return err
	}
	return env.Await(t, func(done func(error)) {
		l.epochFile.write(func(err error) {
			if err == nil {
				l.epochs.endWrite()
			}
			done(err)
		})
	})
}

// abandon gives the log up without making anything durable: its directory is about to
// be deleted. Pending operations fail with [ErrClosed]. It returns when none of the log's
// own is under way any more.
func (l *Log) abandon(t *env.Task) {
	if l.err == nil {
		l.err = ErrClosed
	}
	l.closing = true
	l.failPending(ErrClosed)
	if l.busy() {
		t.Suspend(func(wake func()) { l.whenIdle = wake })
	}
	l.shut()
}

// busy reports whether anything of the log's own is under way on the disk.
func (l *Log) busy() bool {
	return l.running || l.sync.running || l.janitor.busy || l.epochFile.busy || l.cleaning != nil
}

func (l *Log) wakeIfIdle() {
	if wake := l.whenIdle; wake != nil && !l.busy() {
		l.whenIdle = nil
		wake()
	}
}

// shut closes the files.
func (l *Log) shut() {
	if l.err == nil {
		l.err = ErrClosed
	}
	if l.sync.timer != nil {
		l.sync.timer.Stop()
		l.sync.timer = nil
	}
	l.generation++
	l.tail.clear()
	for _, s := range l.segments {
		s.file.Close()
	}
}
