package storage

import (
	"math"
	"time"

	"odradek/broker/wire"
)

// Config is the topic configuration that a log obeys. Zero values are not
// defaults: start from [DefaultConfig].
type Config struct {
	// SegmentBytes is segment.bytes: a segment is rolled before it would grow
	// beyond this. A single append larger than this gets a segment of its own.
	SegmentBytes int64
	// SegmentTime is segment.ms: a segment is rolled when the timestamps of an
	// append lie this far after those of the segment's first batch.
	SegmentTime time.Duration
	// IndexBytes is segment.index.bytes: a segment is rolled when its offset
	// index (8 bytes an entry) or time index (12) would grow beyond this.
	IndexBytes int64
	// IndexIntervalBytes is index.interval.bytes: an index entry every so many
	// bytes of log.
	IndexIntervalBytes int64
	// RetentionTime is retention.ms; negative is for ever.
	RetentionTime time.Duration
	// RetentionBytes is retention.bytes; negative is without limit.
	RetentionBytes int64
	// FlushMessages is flush.messages: an append that leaves this many records
	// unflushed is acknowledged after a sync.
	FlushMessages int64
	// FlushTime is flush.ms: records are synced at the latest this long after
	// they were written. Zero is never.
	FlushTime time.Duration
	// FileDeleteDelay is file.delete.delay.ms: how long a deleted segment stays
	// on disk, renamed.
	FileDeleteDelay time.Duration
	// LogAppendTime is message.timestamp.type=LogAppendTime: the leader replaces
	// the timestamps of what it appends by its own wall clock.
	LogAppendTime bool
	// Compact is cleanup.policy with compact. Whoever owns the log calls [Log.Clean].
	Compact bool
	// MinDirtyPPM is min.cleanable.dirty.ratio in parts per million: compaction begins when
	// more than this share of the log is dirty.
	MinDirtyPPM int64
	// MinCompactionLag and MaxCompactionLag are min.compaction.lag.ms and
	// max.compaction.lag.ms: for how long a record may not be compacted, and after how long
	// it has to be.
	MinCompactionLag, MaxCompactionLag time.Duration
	// DeleteRetention is delete.retention.ms: how long compaction keeps tombstones, and
	// markers of transactions that have no records left.
	DeleteRetention time.Duration
	// CacheBytes bounds the recently appended bytes that are kept in memory for
	// readers at the tail.
	CacheBytes int
}

// DefaultConfig is Kafka's default topic configuration, and 1 MiB of cache.
func DefaultConfig() Config {
	return Config{
		SegmentBytes:       1 << 30,
		SegmentTime:        7 * 24 * time.Hour,
		IndexBytes:         10 << 20,
		IndexIntervalBytes: 4096,
		RetentionTime:      7 * 24 * time.Hour,
		RetentionBytes:     -1,
		FlushMessages:      math.MaxInt64,
		FileDeleteDelay:    time.Minute,
		MinDirtyPPM:        million / 2,
		MaxCompactionLag:   forever,
		DeleteRetention:    24 * time.Hour,
		CacheBytes:         1 << 20,
	}
}

// Observer is told about a log. All functions may be nil; they run on the loop,
// Advanced and WentOffline after the callbacks of the operations that caused them.
type Observer struct {
	// Advanced follows a rise of LogEndOffset or FlushedOffset.
	Advanced func(l *Log)
	// WentOffline follows the error that took the log offline, once.
	WentOffline func(l *Log, err error)
	// Wrote and Cut are for checkers: they tell at once, before anybody can act on it,
	// of every batch that has become readable, and that everything from an offset on
	// has gone, or everything altogether (empty), to go on there. The batch's bytes must
	// not be kept.
	Wrote func(l *Log, b BatchID, batch []byte)
	Cut   func(l *Log, to wire.Offset, empty bool)
	// Cleaned tells, for checkers too, of compaction when readers begin to see it.
	Cleaned func(l *Log, c Cleaned)
}

// BatchID tells a batch from others.
type BatchID struct {
	Base, Last wire.Offset
	Epoch      wire.LeaderEpoch
	CRC        uint32 // of what follows it in the batch
}

// Options is what [Open] must know besides the configuration. [Store.OpenLog] fills
// in all but the Observer.
type Options struct {
	Observer Observer
	// Clean says that the log was closed by [Log.Close] and not touched since: it
	// is loaded, not recovered.
	Clean bool
	// RecoveryPoint is the offset below which everything is durable, 0 if
	// unknown. Recovery checks what lies above it.
	RecoveryPoint wire.Offset
	// LogStart is the checkpointed start of the log, 0 if unknown. An empty
	// directory becomes a log that starts here.
	LogStart wire.Offset
	// Cleaned is the checkpointed end of the last cleaning, 0 if unknown. Gaps says that
	// one was checkpointed: only then may offsets be missing in the log.
	Cleaned wire.Offset
	Gaps    bool
	// BeforeTruncation makes sure, durably, that a later Open is told a RecoveryPoint and a
	// Cleaned of at most the given and exactly this LogStart. Nil means that later Opens
	// will be told 0.
	BeforeTruncation func(recoveryPoint, logStart wire.Offset, done func(error))
	// SaveLogStart makes LogStartOffset durable, as a later Open's LogStart. It runs
	// before DeleteRecords is acknowledged. Nil means that this does not matter.
	SaveLogStart func(done func(error))
	// memory bounds what the tail keeps, together with those of other logs.
	memory *memory
	// SaveCleaned makes sure, durably, that a later Open is told this Cleaned, with Gaps.
	// Nil means that this does not matter.
	SaveCleaned func(upTo wire.Offset, done func(error))
}
