package storage

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"odradek/broker/env"
	"odradek/broker/wire"
)

// Suffixes of snapshot files, complete and being written.
const (
	snapshotSuffix = ".checkpoint"
	partSuffix     = ".checkpoint.part"
)

// SnapshotID names a snapshot of the metadata log (KIP-630): the state after every
// record below EndOffset, the last of which has epoch Epoch.
type SnapshotID struct {
	EndOffset wire.Offset
	Epoch     wire.LeaderEpoch
}

// name is the file's name without its suffix.
func (id SnapshotID) name() string { return fmt.Sprintf("%020d-%010d", id.EndOffset, id.Epoch) }

func parseSnapshotName(name string) (SnapshotID, bool) {
	stem, ok := strings.CutSuffix(name, snapshotSuffix)
	if !ok || len(stem) != 31 || stem[20] != '-' {
		return SnapshotID{}, false
	}
	end, err1 := strconv.ParseInt(stem[:20], 10, 64)
	epoch, err2 := strconv.ParseInt(stem[21:], 10, 32)
	if err1 != nil || err2 != nil || end < 0 || epoch < 0 {
		return SnapshotID{}, false
	}
	return SnapshotID{wire.Offset(end), wire.LeaderEpoch(epoch)}, true
}

// Snapshots lists the complete snapshots in the log's directory, oldest first.
func (l *Log) Snapshots(done func([]SnapshotID, error)) {
	spawnValue(l.e, func(t *env.Task) ([]SnapshotID, error) {
		entries, err := list(t, l.e.Disk, l.dir)
		if err != nil {
			return nil, err
		}
		var ids []SnapshotID
		for _, entry := range entries {
			if id, ok := parseSnapshotName(entry.Name); ok && !entry.Dir {
				ids = append(ids, id)
			}
		}
		slices.SortFunc(ids, func(a, b SnapshotID) int {
			return cmp.Or(cmp.Compare(a.EndOffset, b.EndOffset), cmp.Compare(a.Epoch, b.Epoch))
		})
		return ids, nil
	}, done)
}

// CreateSnapshot begins to write a snapshot. It replaces an unfinished one.
func (l *Log) CreateSnapshot(id SnapshotID, done func(*SnapshotWriter, error)) {
	spawnValue(l.e, func(t *env.Task) (*SnapshotWriter, error) {
		f, err := openFile(t, l.e.Disk, l.path(id.name()+partSuffix), env.Create)
		if err != nil {
			return nil, err
		}
		if err := truncateFile(t, f, 0); err != nil {
			f.Close()
			return nil, err
		}
		return &SnapshotWriter{log: l, id: id, file: f}, nil
	}, done)
}

// OpenSnapshot opens a complete snapshot; a missing one is fs.ErrNotExist.
func (l *Log) OpenSnapshot(id SnapshotID, done func(*SnapshotReader, error)) {
	l.e.Disk.Open(l.path(id.name()+snapshotSuffix), env.ReadOnly, func(f env.File, err error) {
		if err != nil {
			done(nil, err)
			return
		}
		done(&SnapshotReader{id: id, file: f}, nil)
	})
}

// DeleteSnapshot removes a snapshot. A missing one is fine.
func (l *Log) DeleteSnapshot(id SnapshotID, done func(error)) {
	l.e.Disk.Remove(l.path(id.name()+snapshotSuffix), func(err error) {
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		done(err)
	})
}

// SnapshotWriter is a snapshot being written. It counts only after Freeze; a crash before
// leaves nothing of it. After an error it must be aborted.
type SnapshotWriter struct {
	log  *Log
	id   SnapshotID
	file env.File
	size int64
	// failed is the first error of an Append: Freeze must not pass over it.
	failed error
}

// ID is the snapshot's name.
func (w *SnapshotWriter) ID() SnapshotID { return w.id }

// Size is the number of bytes appended.
func (w *SnapshotWriter) Size() int64 { return w.size }

// Append appends bytes, which must stay unmodified until done. Several may be under way.
func (w *SnapshotWriter) Append(b []byte, done func(error)) {
	pos := w.size
	w.size += int64(len(b))
	w.file.WriteAt([][]byte{b}, pos, func(err error) {
		if err != nil && w.failed == nil {
			w.failed = err
		}
		done(err)
	})
}

// Freeze makes the snapshot complete and durable, and ends the writer.
func (w *SnapshotWriter) Freeze(done func(error)) {
	l, d := w.log, w.log.e.Disk
	spawn(l.e, func(t *env.Task) error {
		err := syncFile(t, w.file) // completes after the appends
		w.file.Close()
		if err = cmp.Or(w.failed, err); err != nil {
			return err
		}
		name := l.path(w.id.name())
		if err := rename(t, d, name+partSuffix, name+snapshotSuffix); err != nil {
			return err
		}
		return syncDir(t, d, l.dir)
	}, done)
}

// Abort drops the snapshot and ends the writer.
func (w *SnapshotWriter) Abort() {
	w.file.Close()
	// A part that stays is removed at the next start.
	w.log.e.Disk.Remove(w.log.path(w.id.name()+partSuffix), func(error) {})
}

// SnapshotReader reads a complete snapshot.
type SnapshotReader struct {
	id   SnapshotID
	file env.File
}

// ID is the snapshot's name.
func (r *SnapshotReader) ID() SnapshotID { return r.id }

// Size is the snapshot's length in bytes.
func (r *SnapshotReader) Size() int64 { return r.file.Size() }

// ReadAt fills buf from position pos, as env.File does.
func (r *SnapshotReader) ReadAt(buf []byte, pos int64, done func(n int, err error)) {
	r.file.ReadAt(buf, pos, done)
}

// Segment is a region of the snapshot to be sent: FetchSnapshot's answer.
func (r *SnapshotReader) Segment(pos int64, n int) env.Segment {
	return env.Segment{File: r.file, Off: pos, Len: n}
}

// Close lets go of the file.
func (r *SnapshotReader) Close() { r.file.Close() }
