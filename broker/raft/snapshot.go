package raft

import (
	"fmt"
	"slices"

	"odradek/broker/wire"
)

// install lets a snapshot replace the whole log. Until the shell has done it this
// node neither fetches nor campaigns: it may vote, by what its log was before, as
// the leader does not count what it has not fetched for.
func (r *Raft) install(s Snapshot) {
	check(r.installing == nil, "snapshots %v and %v installed at once", s, r.installing)
	r.installing = &s
	r.emit(InstallSnapshot{ID: s.ID})
}

// SnapshotInstalled says that InstallSnapshot is done.
func (r *Raft) SnapshotInstalled(now int64, id OffsetAndEpoch) {
	if !r.enter(now) {
		return
	}
	check(r.installing != nil && r.installing.ID == id, "snapshot %v installed, expected %v", id, r.installing)
	for _, s := range r.log.snapshots {
		if s.ID != id {
			r.emit(DeleteSnapshot{ID: s.ID})
		}
	}
	r.log.reset(*r.installing)
	r.installing = nil
	r.raiseHighWatermark(id.Offset)
	r.act()
}

// SnapshotID names the snapshot of the state before offset, which must be
// committed and not below the log's start.
func (r *Raft) SnapshotID(offset wire.Offset) OffsetAndEpoch {
	check(offset >= r.log.start && offset <= r.highWatermark, "snapshot at %d outside [%d, %d]", offset, r.log.start, r.highWatermark)
	return OffsetAndEpoch{Offset: offset, Epoch: r.log.epochBefore(offset)}
}

// SnapshotCreated says that this node has written a snapshot of its own, durably.
// What it makes superfluous comes back as DeleteLogPrefix and DeleteSnapshot, the
// snapshot itself if a newer one came from the leader meanwhile.
func (r *Raft) SnapshotCreated(now int64, s Snapshot) {
	if !r.enter(now) {
		return
	}
	check(s.Size > 0 && s.ID.Offset > 0, "empty snapshot %v", s)
	if n := len(r.log.snapshots); n > 0 && s.ID.Offset <= r.log.snapshots[n-1].ID.Offset || r.installing != nil && s.ID.Offset <= r.installing.ID.Offset {
		if n == 0 || !slices.ContainsFunc(r.log.snapshots, func(k Snapshot) bool { return k.ID == s.ID }) {
			r.emit(DeleteSnapshot{ID: s.ID})
		}
		return
	}
	check(s.ID == r.SnapshotID(s.ID.Offset), "snapshot %v of a log that has %v there", s.ID, r.SnapshotID(s.ID.Offset))
	r.log.snapshots = append(r.log.snapshots, s)
	r.trim()
	r.act()
}

// trim keeps the configured number of snapshots and the log from the oldest on: a
// record goes only once a snapshot on this disk covers it (KAFKA-14238).
func (r *Raft) trim() {
	l := &r.log
	drop := max(0, len(l.snapshots)-r.cfg.SnapshotsKept)
	for l.snapshots[drop].ID.Offset < l.start {
		drop++ // a crash came between deleting the log and the snapshot
	}
	oldest := l.snapshots[drop].ID
	if oldest.Offset > l.start && (drop > 0 || l.start > 0) {
		l.deletePrefix(oldest.Offset)
		r.emit(DeleteLogPrefix{Offset: oldest.Offset})
	}
	for _, s := range l.snapshots[:drop] {
		r.emit(DeleteSnapshot{ID: s.ID})
	}
	l.snapshots = slices.Delete(l.snapshots, 0, drop)
}

// restoreSnapshots repeats what a crash may have interrupted.
func (r *Raft) restoreSnapshots() {
	l := &r.log
	n := len(l.snapshots)
	if n == 0 {
		return
	}
	latest := l.snapshots[n-1]
	if !l.covers(latest.ID) {
		// It came from a leader, or the log lost what was not synced. Either way the
		// snapshot is of committed records, and the log is not.
		l.snapshots = l.snapshots[:n-1]
		r.install(latest)
		return
	}
	r.raiseHighWatermark(latest.ID.Offset)
	r.trim()
}

// view checks what was restored. A crash can leave the log without the snapshot
// that is about to replace it, and snapshots and log beyond what is kept; anything
// else is a damaged disk.
func (c *Restored) view() (logView, error) {
	g := c.Log
	l := logView{
		start: g.StartOffset, end: g.EndOffset, readable: g.EndOffset, flushed: g.EndOffset,
		epochs: slices.Clone(g.Epochs), snapshots: slices.Clone(c.Snapshots),
	}
	for len(l.epochs) > 1 && l.epochs[1].StartOffset <= l.start {
		l.epochs = l.epochs[1:]
	}
	if l.start < 0 || l.end < l.start {
		return l, fmt.Errorf("raft: log from %d to %d", l.start, l.end)
	}
	for i, e := range l.epochs {
		if e.Epoch < 0 || e.StartOffset >= l.end || i > 0 && (e.Epoch <= l.epochs[i-1].Epoch || e.StartOffset <= l.epochs[i-1].StartOffset) {
			return l, fmt.Errorf("raft: epochs %v of a log up to %d", l.epochs, l.end)
		}
	}
	if l.end > l.start && (len(l.epochs) == 0 || l.epochs[0].StartOffset > l.start) {
		return l, fmt.Errorf("raft: epochs %v do not say whose the record at %d is", l.epochs, l.start)
	}
	for i, s := range l.snapshots {
		if s.ID.Offset <= 0 || s.ID.Epoch < 0 || s.Size <= 0 || i > 0 && s.ID.Compare(l.snapshots[i-1].ID) <= 0 {
			return l, fmt.Errorf("raft: snapshots %v", l.snapshots)
		}
	}
	n := len(l.snapshots)
	if l.start > 0 && (n == 0 || l.snapshots[n-1].ID.Offset < l.start) {
		return l, fmt.Errorf("raft: the log starts at %d and no snapshot covers what came before", l.start)
	}
	return l, nil
}
