package storage

import (
	"odradek/broker/env"
	"odradek/broker/failpoint"
	"odradek/broker/wire"
)

// roll begins a new active segment and seals the old one. snapshot is the state of the
// producers at base.
func (l *Log) roll(t *env.Task, base wire.Offset, snapshot []byte) error {
	if err := l.injected(failpoint.StorageRoll); err != nil {
		return err
	}
	old := l.active()
	if old.indexStale || old.abortedStale {
		// The recovery point may be in this segment: once there is a later one, recovery
		// would take the indexes for complete.
		if err := old.writeIndex(t, l.e.Disk); err != nil {
			return err
		}
	}
	if err := l.writeSnapshot(t, base, snapshot); err != nil {
		return err
	}
	s, err := createSegment(t, l.e, l.dir, base)
	if err != nil {
		return err
	}
	check(base >= old.next && base > old.base, "%s: rolled to offset %d", old.path(logSuffix), base)
	old.next = base // no reader looks for later offsets here
	l.segments = append(l.segments, s)
	if old.indexDurable {
		l.useIndex(old)
	} else {
		l.seal(old)
	}
	l.trace(env.Debug, "segment-rolled", env.I("base", base))
	// As Kafka does: a sealed segment is not left unsynced until the next flush.
	l.sync.demand = max(l.sync.demand, l.logEnd)
	l.syncIfDemanded()
	return nil
}

// seal writes the index files of a segment that gets no more appends.
func (l *Log) seal(s *segment) {
	l.useIndex(s)
	s.indexDurable = false
	l.janitor.do(func(t *env.Task) error { return s.writeIndex(t, l.e.Disk) }, func(err error) {
		if err != nil {
			l.goOffline("writing an index", err)
		}
	})
}

// loadedIndexes is how many sealed segments of a log keep their index in memory.
const loadedIndexes = 4

// useIndex makes a sealed segment's index the last to be dropped.
func (l *Log) useIndex(s *segment) {
	for i, o := range l.loaded {
		if o == s {
			copy(l.loaded[i:], l.loaded[i+1:])
			l.loaded[len(l.loaded)-1] = s
			return
		}
	}
	l.loaded = append(l.loaded, s)
	if len(l.loaded) > loadedIndexes && l.loaded[0].indexDurable {
		l.loaded[0].index = nil
		copy(l.loaded, l.loaded[1:])
		l.loaded[len(l.loaded)-1] = nil
		l.loaded = l.loaded[:len(l.loaded)-1]
	}
}

// forgetIndex takes a segment off the list of those whose index may be dropped.
func (l *Log) forgetIndex(s *segment) {
	for i, o := range l.loaded {
		if o == s {
			l.loaded = append(l.loaded[:i], l.loaded[i+1:]...)
			return
		}
	}
}
