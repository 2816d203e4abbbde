package raft

import (
	"slices"

	"odradek/broker/wire"
)

// logView is what the decider knows of the shell's log, as it is once the effects
// decided so far are executed.
type logView struct {
	start    wire.Offset // the log begins here
	end      wire.Offset // LogEndOffset
	readable wire.Offset // everything before it can be read
	flushed  wire.Offset // everything before it is durable
	epochs   []EpochStart
	// snapshots are in ascending order; if start > 0 the first ends at start.
	snapshots []Snapshot
}

// lastEpoch is the epoch of the last record, 0 if there never was one.
func (l *logView) lastEpoch() wire.LeaderEpoch {
	if n := len(l.epochs); n > 0 {
		return l.epochs[n-1].Epoch
	}
	if n := len(l.snapshots); n > 0 && l.snapshots[n-1].ID.Offset == l.end {
		return l.snapshots[n-1].ID.Epoch
	}
	return 0
}

func (l *logView) last() OffsetAndEpoch {
	return OffsetAndEpoch{Offset: l.end, Epoch: l.lastEpoch()}
}

// append notes a batch that ends before end, with records of one epoch.
func (l *logView) append(epoch wire.LeaderEpoch, end wire.Offset) {
	check(end > l.end && epoch >= l.lastEpoch(), "append of epoch %d up to %d after %v", epoch, end, l.last())
	if n := len(l.epochs); n == 0 || l.epochs[n-1].Epoch < epoch {
		l.epochs = append(l.epochs, EpochStart{Epoch: epoch, StartOffset: l.end})
	}
	l.end = end
}

func (l *logView) truncate(to wire.Offset) {
	check(to >= l.start && to <= l.end, "truncation to %d outside [%d, %d]", to, l.start, l.end)
	l.end = to
	l.readable = min(l.readable, to)
	l.flushed = min(l.flushed, to)
	for n := len(l.epochs); n > 0 && l.epochs[n-1].StartOffset >= to; n-- {
		l.epochs = l.epochs[:n-1]
	}
}

// reset empties the log and lets it start at the end of a snapshot.
func (l *logView) reset(s Snapshot) {
	l.start, l.end, l.readable, l.flushed = s.ID.Offset, s.ID.Offset, s.ID.Offset, s.ID.Offset
	l.epochs = l.epochs[:0]
	l.snapshots = append(l.snapshots[:0], s)
}

// deletePrefix forgets what is before offset.
func (l *logView) deletePrefix(offset wire.Offset) {
	check(offset >= l.start && offset <= l.end, "deletion up to %d outside [%d, %d]", offset, l.start, l.end)
	l.start = offset
	for len(l.epochs) > 1 && l.epochs[1].StartOffset <= offset {
		l.epochs = slices.Delete(l.epochs, 0, 1)
	}
	// An epoch that ends before the start is known from the snapshot only.
	if len(l.epochs) == 1 && l.end == offset {
		l.epochs = l.epochs[:0]
	}
}

// covers reports whether the log continues, or contains, the state of a snapshot:
// by the log matching property it does if the record before it has its epoch.
func (l *logView) covers(id OffsetAndEpoch) bool {
	return id.Offset == l.start || id.Offset > l.start && id.Offset <= l.end && l.epochBefore(id.Offset) == id.Epoch
}

// epochBefore is the epoch of the record before offset, 0 for the first.
func (l *logView) epochBefore(offset wire.Offset) wire.LeaderEpoch {
	if l.start > 0 && offset == l.start {
		return l.snapshots[0].ID.Epoch
	}
	epoch := wire.LeaderEpoch(0)
	for _, e := range l.epochs {
		if e.StartOffset < offset {
			epoch = e.Epoch
		}
	}
	return epoch
}

// endOf finds the largest epoch, up to the given one, that the log knows of, and
// where it ends.
func (l *logView) endOf(epoch wire.LeaderEpoch) OffsetAndEpoch {
	if epoch >= l.lastEpoch() {
		return l.last()
	}
	for i := len(l.epochs) - 2; i >= 0; i-- {
		if l.epochs[i].Epoch <= epoch {
			return OffsetAndEpoch{Offset: l.epochs[i+1].StartOffset, Epoch: l.epochs[i].Epoch}
		}
	}
	// Every record is of a later epoch: what remains is the snapshot, or nothing.
	if l.start > 0 {
		return l.snapshots[0].ID
	}
	return OffsetAndEpoch{}
}

// place is the leader's judgement of where a replica's log ends.
type place uint8

const (
	placeValid     place = iota // the log agrees up to there
	placeDiverging              // the replica must truncate first
	placeSnapshot               // the replica must fetch a snapshot first
)

// locate compares the end of a replica's log with this one. The second result is
// the diverging epoch and its end, or the snapshot to fetch (KIP-595, KIP-630).
func (l *logView) locate(at OffsetAndEpoch) (place, OffsetAndEpoch) {
	if at.Offset == 0 && l.start == 0 {
		if n := len(l.snapshots); n > 0 {
			return placeSnapshot, l.snapshots[n-1].ID // shorter than replaying the log
		}
		return placeValid, NoOffsetAndEpoch
	}
	if l.start > 0 {
		first := l.snapshots[0].ID
		if at.Offset < l.start || at.Offset == l.start && at.Epoch != first.Epoch || at.Epoch < first.Epoch {
			return placeSnapshot, l.snapshots[len(l.snapshots)-1].ID
		}
	}
	if end := l.endOf(at.Epoch); end.Epoch != at.Epoch || end.Offset < at.Offset {
		return placeDiverging, end
	}
	return placeValid, NoOffsetAndEpoch
}

// truncationFor is where a follower cuts its log when the leader says that it may
// keep what is before the end of the diverging epoch.
func (l *logView) truncationFor(diverging OffsetAndEpoch) wire.Offset {
	own := l.endOf(diverging.Epoch)
	if own.Epoch != diverging.Epoch {
		return own.Offset
	}
	return min(own.Offset, diverging.Offset)
}
