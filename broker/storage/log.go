package storage

import (
	"fmt"
	"path"

	"odradek/broker/env"
	"odradek/broker/producers"
	"odradek/broker/wire"
)

// Log is the record log of one partition. All methods belong to the node's loop.
//
// Offsets, always in this order:
//
//	LogStartOffset <= FlushedOffset <= LogEndOffset <= NextOffset
//
// except that FlushedOffset may lag behind LogStartOffset after DeleteRecords.
//
// Two queues order what happens to the files: the operations of append.go (writes,
// rolls, truncations, closing), of which one runs at a time, and the janitor, which
// renames, removes and writes index files behind their back. Syncs run beside both. An
// operation that needs the others to stand still says so (holdSyncs, janitor.drain).
type Log struct {
	e    *env.Env
	dir  string
	cfg  Config
	opts Options

	segments []*segment // by base offset, never empty; the last is active
	logStart wire.Offset
	logEnd   wire.Offset
	flushed  wire.Offset
	// recoveryCap bounds RecoveryPoint while a truncation is under way.
	recoveryCap wire.Offset
	epochs      *epochCache
	epochFile   sharedFile
	tail        tail

	plan    plan
	ops     []op
	running bool     // an operation is under way
	flight  []*chunk // being written
	landed  []*chunk // spare memory for flight
	bufs    [][]byte // of flight
	// onWritten is written, made a value once.
	onWritten func(error)
	janitor   lane

	sync syncState

	whenIdle func() // wakes abandon
	// truncating refuses appends; closing refuses everything.
	truncating, closing bool
	err                 error // OfflineError or ErrClosed
	// cleaned is the end of the last cleaning. gaps says that offsets may be missing, which
	// a cleaning here or, for a follower, at the leader has removed; it is on the disk before
	// the first one is (see expectGaps). Elsewhere a missing offset is lost data.
	cleaned  wire.Offset
	gaps     bool
	cleaning *cleaning // under way
	// generation counts the changes that move or remove what was written, so that
	// a reader notices that the ground shifted.
	generation int
	cursors    [4]cursor
	nextCursor int
	loaded     []*segment // sealed segments with their index in memory, oldest first
	codec      *wire.Codec
	// producers is the state at NextOffset; snapshots are the offsets at which the disk
	// has it, or had it, ascending.
	producers *producers.State
	snapshots []wire.Offset
	// txnIndexes are the segments for which a transaction index was found, while opening.
	txnIndexes map[wire.Offset]bool
}

// Dir is the log's directory, relative to the disk's root.
func (l *Log) Dir() string { return l.dir }

// Config is the configuration in force.
func (l *Log) Config() Config { return l.cfg }

// SetConfig replaces the configuration for what is appended and retained from now on.
func (l *Log) SetConfig(cfg Config) {
	l.cfg = cfg
	l.tail.budget = int64(cfg.CacheBytes)
}

// LogStartOffset is the first offset that may be read.
func (l *Log) LogStartOffset() wire.Offset { return l.logStart }

// LogEndOffset is the offset after the last record that is written and readable.
func (l *Log) LogEndOffset() wire.Offset { return l.logEnd }

// NextOffset is the offset that the next append gets: LogEndOffset plus what is on
// its way to the disk.
func (l *Log) NextOffset() wire.Offset { return l.plan.next }

// FlushedOffset is the offset below which everything survives power loss.
func (l *Log) FlushedOffset() wire.Offset { return l.flushed }

// RecoveryPoint is the offset that may be checkpointed: below it, records and leader
// epochs are durable. It is at most FlushedOffset.
func (l *Log) RecoveryPoint() wire.Offset {
	return min(l.flushed, l.recoveryCap, l.epochs.cleanBelow())
}

// Size is the number of bytes in all segments' record files.
func (l *Log) Size() int64 {
	var n int64
	for _, s := range l.segments {
		n += s.size
	}
	return n
}

// Err is nil, the [OfflineError], or [ErrClosed].
func (l *Log) Err() error { return l.err }

// LatestEpoch is the leader epoch of the last entry of the epoch cache, or
// wire.NoLeaderEpoch.
func (l *Log) LatestEpoch() wire.LeaderEpoch { return l.epochs.latest() }

// EndOffsetForEpoch answers OffsetsForLeaderEpoch and the divergence check of Fetch
// (KIP-101, KIP-279): the largest epoch of this log that is <= epoch, and where it
// ends. For the latest epoch that is LogEndOffset. For an epoch above all known ones,
// or none known, both results are -1; below all known ones it is the
// requested epoch and the start of the first.
func (l *Log) EndOffsetForEpoch(epoch wire.LeaderEpoch) (wire.LeaderEpoch, wire.Offset) {
	return l.epochs.endOffset(epoch, l.logEnd)
}

// AssignEpochStart records that the leader epoch begins at NextOffset, as a new
// leader does before its first append. An epoch not above the latest is ignored.
func (l *Log) AssignEpochStart(epoch wire.LeaderEpoch) {
	if l.err == nil && l.epochs.assign(epoch, l.plan.next) {
		l.saveEpochs()
	}
}

// saveEpochs writes the epoch cache behind the scenes: until it is durable, the
// recovery point stays below the change.
func (l *Log) saveEpochs() {
	if l.err != nil {
		return
	}
	l.epochFile.write(func(err error) {
		if err != nil {
			l.goOffline("writing "+leaderEpochFile, err)
			return
		}
		l.epochs.endWrite()
	})
}

func (l *Log) active() *segment { return l.segments[len(l.segments)-1] }

func (l *Log) path(name string) string { return path.Join(l.dir, name) }

func (l *Log) trace(level env.Level, kind string, attrs ...env.Attr) {
	l.e.Trace.Event(level, kind, append([]env.Attr{env.S("log", l.dir)}, attrs...)...)
}

// later runs fn on a later turn of the loop, for results that are known at once.
func (l *Log) later(fn func()) { l.e.Clock.After(0, fn) }

// goOffline takes the log out of service for good. Everything that waits fails.
func (l *Log) goOffline(what string, cause error) {
	if l.err != nil {
		return
	}
	l.err = &OfflineError{Dir: l.dir, Op: what, Cause: cause}
	l.trace(env.Error, "log-offline", env.S("operation", what), env.Err(cause))
	l.failPending(l.err)
	if l.opts.Observer.WentOffline != nil {
		l.opts.Observer.WentOffline(l, l.err)
	}
}

// failPending ends everything queued and unacknowledged with err. An operation that is
// under way ends by itself.
func (l *Log) failPending(err error) {
	flight, ops, waiters := l.flight, l.ops, l.sync.waiters
	l.flight, l.ops, l.sync.waiters = nil, nil, nil
	for _, w := range waiters {
		if w.chunk != nil {
			w.fail(err)
		}
	}
	for _, c := range flight {
		c.finish(err)
	}
	for _, o := range ops {
		o.fail(err)
	}
	for _, w := range waiters {
		if w.chunk == nil {
			w.fail(err)
		}
	}
}

// check is an always-on invariant: only a bug can break it.
func check(ok bool, format string, args ...any) {
	if !ok {
		panic("storage: " + fmt.Sprintf(format, args...))
	}
}

// EpochStart is an entry of the leader epoch cache.
type EpochStart struct {
	Epoch       wire.LeaderEpoch
	StartOffset wire.Offset
}

// Epochs lists the leader epochs of the log, ascending.
func (l *Log) Epochs() []EpochStart {
	list := make([]EpochStart, 0, len(l.epochs.entries))
	for _, e := range l.epochs.entries {
		list = append(list, EpochStart{e.epoch, e.start})
	}
	return list
}
