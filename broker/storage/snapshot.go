package storage

import "odradek/broker/wire"

// SnapshotID names a snapshot of the metadata log (KIP-630): the state after every
// record below EndOffset, the last of which has epoch Epoch.
type SnapshotID struct {
	EndOffset wire.Offset
	Epoch     wire.LeaderEpoch
}

// Snapshots lists the complete snapshots in the log's directory, oldest first.
func (l *Log) Snapshots(done func([]SnapshotID, error)) { panic("not written yet") }

// CreateSnapshot begins to write a snapshot. It replaces an unfinished one.
func (l *Log) CreateSnapshot(id SnapshotID, done func(*SnapshotWriter, error)) {
	panic("not written yet")
}

// OpenSnapshot opens a complete snapshot; a missing one is fs.ErrNotExist.
func (l *Log) OpenSnapshot(id SnapshotID, done func(*SnapshotReader, error)) {
	panic("not written yet")
}

// DeleteSnapshot removes a snapshot. A missing one is fine.
func (l *Log) DeleteSnapshot(id SnapshotID, done func(error)) { panic("not written yet") }

// SnapshotWriter is a snapshot being written. It counts only after Freeze.
type SnapshotWriter struct{}

// ID is the snapshot's name.
func (w *SnapshotWriter) ID() SnapshotID { panic("not written yet") }

// Size is the number of bytes appended.
func (w *SnapshotWriter) Size() int64 { panic("not written yet") }

// Append appends bytes, which must stay unmodified until done.
func (w *SnapshotWriter) Append(b []byte, done func(error)) { panic("not written yet") }

// Freeze makes the snapshot complete and durable, and ends the writer.
func (w *SnapshotWriter) Freeze(done func(error)) { panic("not written yet") }

// Abort drops the snapshot and ends the writer.
func (w *SnapshotWriter) Abort() { panic("not written yet") }

// SnapshotReader reads a complete snapshot.
type SnapshotReader struct{}

// ID is the snapshot's name.
func (r *SnapshotReader) ID() SnapshotID { panic("not written yet") }

// Size is the snapshot's length in bytes.
func (r *SnapshotReader) Size() int64 { panic("not written yet") }

// ReadAt fills buf from position pos, as env.File does.
func (r *SnapshotReader) ReadAt(buf []byte, pos int64, done func(n int, err error)) {
	panic("not written yet")
}

// Close lets go of the file.
func (r *SnapshotReader) Close() { panic("not written yet") }
