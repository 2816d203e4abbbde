package storage

import (
	"odradek/broker/env"
	"odradek/broker/wire"
)

// Log is the record log of one partition. All methods belong to the node's loop.
//
// Offsets, always in this order:
//
//	LogStartOffset <= FlushedOffset <= LogEndOffset <= NextOffset
type Log struct {
	e   *env.Env
	dir string
	cfg Config
}

// Open loads or recovers the log in dir, which must exist and have its topic's files
// only, and creates the first segment if there is none. Errors: [CorruptError], or
// what the disk returned.
func Open(task *env.Task, e *env.Env, dir string, cfg Config, opts Options) (*Log, error) {
	panic("not written yet")
}

// Dir is the log's directory, relative to the disk's root.
func (l *Log) Dir() string { return l.dir }

// Config is the configuration in force.
func (l *Log) Config() Config { return l.cfg }

// SetConfig replaces the configuration for what is appended and retained from now on.
func (l *Log) SetConfig(cfg Config) { l.cfg = cfg }

// LogStartOffset is the first offset that may be read.
func (l *Log) LogStartOffset() wire.Offset { panic("not written yet") }

// LogEndOffset is the offset after the last record that is written and readable.
func (l *Log) LogEndOffset() wire.Offset { panic("not written yet") }

// NextOffset is the offset that the next append gets: LogEndOffset plus what is on
// its way to the disk.
func (l *Log) NextOffset() wire.Offset { panic("not written yet") }

// FlushedOffset is the offset below which everything survives power loss.
func (l *Log) FlushedOffset() wire.Offset { panic("not written yet") }

// RecoveryPoint is the offset that may be checkpointed as durable in every respect
// (records, indexes, leader epochs): at most FlushedOffset.
func (l *Log) RecoveryPoint() wire.Offset { panic("not written yet") }

// Size is the number of bytes in all segments' record files.
func (l *Log) Size() int64 { panic("not written yet") }

// Err is nil, the [OfflineError], or [ErrClosed].
func (l *Log) Err() error { panic("not written yet") }

// LatestEpoch is the leader epoch of the last entry of the epoch cache, or
// wire.NoLeaderEpoch.
func (l *Log) LatestEpoch() wire.LeaderEpoch { panic("not written yet") }

// EndOffsetForEpoch answers OffsetsForLeaderEpoch and the divergence check of Fetch
// (KIP-101, KIP-279): the largest epoch of this log that is <= epoch, and where it
// ends. For the latest epoch that is LogEndOffset. For an epoch above all known ones,
// or none known, both results are -1; below all known ones it is the
// requested epoch and the start of the first.
func (l *Log) EndOffsetForEpoch(epoch wire.LeaderEpoch) (wire.LeaderEpoch, wire.Offset) {
	panic("not written yet")
}

// AssignEpochStart records that the leader epoch begins at NextOffset, as a new
// leader does before its first append. An epoch not above the latest is ignored.
func (l *Log) AssignEpochStart(epoch wire.LeaderEpoch) { panic("not written yet") }

// AppendOptions are those of one append by a leader.
type AppendOptions struct {
	// Epoch is stamped into the batches.
	Epoch wire.LeaderEpoch
	// Sync has the append acknowledged only once it is durable.
	Sync bool
}

// AppendResult says what became of an append.
type AppendResult struct {
	BaseOffset wire.Offset // of the first record
	NextOffset wire.Offset // after the last record
	// MaxTimestamp is the largest timestamp in the append, in ms since the epoch.
	MaxTimestamp int64
	// AppendTime is the timestamp given to all records under LogAppendTime, else -1.
	AppendTime int64
}

// Append appends whole batches as the leader: they get the next offsets and the
// leader epoch, in place. The bytes belong to the log from then on and must not be
// modified. done follows when they are written, or durable if that is demanded by
// opts or by the flush policy. Errors: [InvalidBatchError], [StaleEpochError],
// [ErrTruncating] and [ErrClosed] before anything was done; [OfflineError], after
// which it is unknown whether the records will be there after a restart.
func (l *Log) Append(batches []byte, opts AppendOptions, done func(AppendResult, error)) {
	panic("not written yet")
}

// AppendAsFollower appends batches that have their offsets and epochs, as fetched from
// the leader. The first must begin at NextOffset. An incomplete last batch is left out.
// Further errors: [UnexpectedOffsetError], [CorruptError]-free: the caller has
// checked the CRCs.
func (l *Log) AppendAsFollower(batches []byte, sync bool, done func(AppendResult, error)) {
	panic("not written yet")
}

// Flush makes everything appended so far durable.
func (l *Log) Flush(done func(error)) { panic("not written yet") }

// ReadRequest says what to read.
type ReadRequest struct {
	From     wire.Offset
	UpTo     wire.Offset // no batch that reaches beyond this; LogEndOffset at most
	MaxBytes int
	// MinOneBatch returns the first batch even if it is larger than MaxBytes.
	MinOneBatch bool
}

// ReadResult is a run of whole batches. The first contains From, so that it may
// begin below it, or is the first after it. An empty result (Size 0) has NextOffset
// == From.
type ReadResult struct {
	Segments   []env.Segment
	Size       int         // bytes
	BaseOffset wire.Offset // of the first batch
	NextOffset wire.Offset // after the last batch
	// Epoch is the leader epoch of the first batch.
	Epoch wire.LeaderEpoch
}

// TryRead is Read without waiting: ok is false if the disk has to be asked. An
// [OffsetOutOfRangeError] is known at once.
func (l *Log) TryRead(req ReadRequest) (res ReadResult, ok bool, err error) {
	panic("not written yet")
}

// Read finds the batches from req.From on. Their bytes are not read when they can be
// sent from the file. Errors: [OffsetOutOfRangeError] if From is outside
// [LogStartOffset, LogEndOffset], [OfflineError], [ErrClosed], [CorruptError].
func (l *Log) Read(req ReadRequest, done func(ReadResult, error)) { panic("not written yet") }

// ReadBatches is Read with the bytes in one slice, for replay. The caller owns them.
func (l *Log) ReadBatches(req ReadRequest, done func(batches []byte, res ReadResult, err error)) {
	panic("not written yet")
}

// TimestampOffset is a record found by its timestamp. Offset is -1 if there is none.
type TimestampOffset struct {
	Timestamp int64 // ms since the Unix epoch
	Offset    wire.Offset
	Epoch     wire.LeaderEpoch
}

// OffsetForTimestamp finds the first record whose timestamp is at least ts (ms).
func (l *Log) OffsetForTimestamp(ts int64, done func(TimestampOffset, error)) {
	panic("not written yet")
}

// OffsetOfMaxTimestamp finds the first record with the largest timestamp (KIP-734).
func (l *Log) OffsetOfMaxTimestamp(done func(TimestampOffset, error)) {
	panic("not written yet")
}

// TruncateTo removes everything from offset to on; a batch that contains it goes too,
// so that the log may end below. It waits for writes under way, and appends are
// refused meanwhile. At or above the end it only trims the epoch cache. Below
// LogStartOffset it is an [OffsetOutOfRangeError].
func (l *Log) TruncateTo(to wire.Offset, done func(error)) { panic("not written yet") }

// TruncateFullyAndStartAt removes everything and begins anew at offset start.
func (l *Log) TruncateFullyAndStartAt(start wire.Offset, done func(error)) {
	panic("not written yet")
}

// DeleteRecords raises LogStartOffset to newStart and deletes segments that lie
// wholly below it. The caller must keep it at or below the high watermark. Errors:
// [OffsetOutOfRangeError].
func (l *Log) DeleteRecords(newStart wire.Offset, done func(error)) { panic("not written yet") }

// ApplyRetention deletes the segments that the configured time and size no longer
// retain, all below highWatermark. done gets their number.
func (l *Log) ApplyRetention(highWatermark wire.Offset, done func(segments int, err error)) {
	panic("not written yet")
}

// Close finishes what is queued, flushes, writes the indexes and closes the files.
// After success the log may be opened with Clean.
func (l *Log) Close(done func(error)) { panic("not written yet") }
