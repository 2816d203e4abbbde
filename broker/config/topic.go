package config

// Topic holds the effective configs of one topic. Times are milliseconds, sizes
// bytes; -1 means no limit where the key says so.
type Topic struct {
	CleanupPolicy             []string // "delete", "compact" or both
	CompressionGzipLevel      int
	CompressionLz4Level       int
	CompressionType           string // "producer", "uncompressed" or a codec
	CompressionZstdLevel      int
	DeleteRetentionMs         int64
	FileDeleteDelayMs         int64
	FlushMessages             int64
	FlushMs                   int64
	FollowerThrottledReplicas []string
	IndexIntervalBytes        int
	LeaderThrottledReplicas   []string
	MaxCompactionLagMs        int64
	MaxMessageBytes           int
	MessageTimestampAfterMax  int64  // ms
	MessageTimestampBeforeMax int64  // ms
	MessageTimestampType      string // "CreateTime" or "LogAppendTime"
	MinCleanableDirtyRatioPPM int64  // parts per million
	MinCompactionLagMs        int64
	MinInSyncReplicas         int
	Preallocate               bool
	RetentionBytes            int64 // -1: no limit
	RetentionMs               int64 // -1: no limit
	SegmentBytes              int
	SegmentIndexBytes         int
	SegmentJitterMs           int64
	SegmentMs                 int64
	UncleanLeaderElection     bool
}

// Compact reports whether cleanup.policy contains compact.
func (t *Topic) Compact() bool { return contains(t.CleanupPolicy, "compact") }

// Delete reports whether cleanup.policy contains delete.
func (t *Topic) Delete() bool { return contains(t.CleanupPolicy, "delete") }

// LogAppendTime reports whether the broker stamps records.
func (t *Topic) LogAppendTime() bool { return t.MessageTimestampType == "LogAppendTime" }

func contains(list []string, item string) bool {
	for _, s := range list {
		if s == item {
			return true
		}
	}
	return false
}

const (
	msPerMinute = 60_000
	msPerHour   = 3_600_000
)

func same(names ...string) []Synonym {
	synonyms := make([]Synonym, len(names))
	for i, n := range names {
		synonyms[i] = Synonym{n, 1}
	}
	return synonyms
}

var topicKeys = sorted([]Key{
	{
		Name: "cleanup.policy", Type: List, Default: "delete", check: nonEmptyListOf("compact", "delete"),
		Synonyms: same("log.cleanup.policy"), topic: func(t *Topic) any { return &t.CleanupPolicy },
		Doc: "What happens to old segments: delete drops them by age or size, compact keeps the last record of each key, and both may be combined.",
	}, {
		Name: "compression.gzip.level", Type: Int, Default: "-1", check: orEqual(-1, between(1, 9)),
		Synonyms: same("compression.gzip.level"), topic: func(t *Topic) any { return &t.CompressionGzipLevel },
		Doc: "Level used when compression.type is gzip.",
	}, {
		Name: "compression.lz4.level", Type: Int, Default: "9", check: between(1, 17),
		Synonyms: same("compression.lz4.level"), topic: func(t *Topic) any { return &t.CompressionLz4Level },
		Doc: "Level used when compression.type is lz4.",
	}, {
		Name: "compression.type", Type: String, Default: "producer",
		check:    oneOf("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"),
		Synonyms: same("compression.type"), topic: func(t *Topic) any { return &t.CompressionType },
		Doc: "Codec of batches on disk; producer keeps what the producer chose.",
	}, {
		Name: "compression.zstd.level", Type: Int, Default: "3", check: between(-131072, 22),
		Synonyms: same("compression.zstd.level"), topic: func(t *Topic) any { return &t.CompressionZstdLevel },
		Doc: "Level used when compression.type is zstd.",
	}, {
		Name: "delete.retention.ms", Type: Long, Default: "86400000", check: atLeast(0),
		Synonyms: same("log.cleaner.delete.retention.ms"), topic: func(t *Topic) any { return &t.DeleteRetentionMs },
		Doc: "How long compaction keeps tombstones, so that a reader that started at the beginning sees them.",
	}, {
		Name: "file.delete.delay.ms", Type: Long, Default: "60000", check: atLeast(0),
		Synonyms: same("log.segment.delete.delay.ms"), topic: func(t *Topic) any { return &t.FileDeleteDelayMs },
		Doc: "Time between taking a segment out of the log and deleting its files.",
	}, {
		Name: "flush.messages", Type: Long, Default: "9223372036854775807", check: atLeast(1),
		Synonyms: same("log.flush.interval.messages"), topic: func(t *Topic) any { return &t.FlushMessages },
		Doc: "Number of records after which the log is synced to disk; 1 syncs before every acknowledgement.",
	}, {
		Name: "flush.ms", Type: Long, Default: "9223372036854775807", check: atLeast(0),
		Synonyms: same("log.flush.interval.ms", "log.flush.scheduler.interval.ms"), topic: func(t *Topic) any { return &t.FlushMs },
		Doc: "Longest time that a record stays unsynced.",
	}, {
		Name: "follower.replication.throttled.replicas", Type: List, Default: "", check: throttledReplicas,
		topic: func(t *Topic) any { return &t.FollowerThrottledReplicas },
		Doc:   "Replicas whose replication is throttled on the follower, as partition:broker pairs or *.",
	}, {
		Name: "index.interval.bytes", Type: Int, Default: "4096", check: atLeast(0),
		Synonyms: same("log.index.interval.bytes"), topic: func(t *Topic) any { return &t.IndexIntervalBytes },
		Doc: "Bytes of log between two entries of the offset index.",
	}, {
		Name: "leader.replication.throttled.replicas", Type: List, Default: "", check: throttledReplicas,
		topic: func(t *Topic) any { return &t.LeaderThrottledReplicas },
		Doc:   "Replicas whose replication is throttled on the leader, as partition:broker pairs or *.",
	}, {
		Name: "max.compaction.lag.ms", Type: Long, Default: "9223372036854775807", check: atLeast(1),
		Synonyms: same("log.cleaner.max.compaction.lag.ms"), topic: func(t *Topic) any { return &t.MaxCompactionLagMs },
		Doc: "Longest time that a record may stay uncompacted.",
	}, {
		Name: "max.message.bytes", Type: Int, Default: "1048588", check: atLeast(0),
		Synonyms: same("message.max.bytes"), topic: func(t *Topic) any { return &t.MaxMessageBytes },
		Doc: "Largest record batch accepted, after compression.",
	}, {
		Name: "message.timestamp.after.max.ms", Type: Long, Default: "3600000", check: atLeast(0),
		Synonyms: same("log.message.timestamp.after.max.ms"), topic: func(t *Topic) any { return &t.MessageTimestampAfterMax },
		Doc: "How far a record's timestamp may lie after the broker's clock (CreateTime only).",
	}, {
		Name: "message.timestamp.before.max.ms", Type: Long, Default: "9223372036854775807", check: atLeast(0),
		Synonyms: same("log.message.timestamp.before.max.ms"), topic: func(t *Topic) any { return &t.MessageTimestampBeforeMax },
		Doc: "How far a record's timestamp may lie before the broker's clock (CreateTime only).",
	}, {
		Name: "message.timestamp.type", Type: String, Default: "CreateTime", check: oneOf("CreateTime", "LogAppendTime"),
		Synonyms: same("log.message.timestamp.type"), topic: func(t *Topic) any { return &t.MessageTimestampType },
		Doc: "Whether timestamps are the producer's (CreateTime) or the broker's (LogAppendTime).",
	}, {
		Name: "min.cleanable.dirty.ratio", Type: Double, Default: "0.5", check: ratio,
		Synonyms: same("log.cleaner.min.cleanable.ratio"), topic: func(t *Topic) any { return &t.MinCleanableDirtyRatioPPM },
		Doc: "Share of the log that must be uncompacted before compaction starts.",
	}, {
		Name: "min.compaction.lag.ms", Type: Long, Default: "0", check: atLeast(0),
		Synonyms: same("log.cleaner.min.compaction.lag.ms"), topic: func(t *Topic) any { return &t.MinCompactionLagMs },
		Doc: "Shortest time that a record stays uncompacted.",
	}, {
		Name: "min.insync.replicas", Type: Int, Default: "1", check: atLeast(1),
		Synonyms: same("min.insync.replicas"), topic: func(t *Topic) any { return &t.MinInSyncReplicas },
		Doc: "Replicas that must be in sync for a write with acks=all; with fewer it is refused.",
	}, {
		Name: "preallocate", Type: Boolean, Default: "false",
		Synonyms: same("log.preallocate"), topic: func(t *Topic) any { return &t.Preallocate },
		Doc: "Whether a new segment's file gets its full size at once.",
	}, {
		Name: "retention.bytes", Type: Long, Default: "-1", check: atLeast(-1),
		Synonyms: same("log.retention.bytes"), topic: func(t *Topic) any { return &t.RetentionBytes },
		Doc: "Size of a partition beyond which old segments are deleted; -1 is no limit.",
	}, {
		Name: "retention.ms", Type: Long, Default: "604800000", check: atLeast(-1),
		Synonyms: []Synonym{{"log.retention.ms", 1}, {"log.retention.minutes", msPerMinute}, {"log.retention.hours", msPerHour}},
		topic:    func(t *Topic) any { return &t.RetentionMs },
		Doc:      "Age beyond which old segments are deleted; -1 is no limit.",
	}, {
		// Kafka 4.0 demands 1 MiB. The simulation needs tiny segments, so the limit is
		// that of Kafka before 4.0.
		Name: "segment.bytes", Type: Int, Default: "1073741824", check: atLeast(14),
		Synonyms: same("log.segment.bytes"), topic: func(t *Topic) any { return &t.SegmentBytes },
		Doc: "Size at which a segment is closed and a new one started.",
	}, {
		Name: "segment.index.bytes", Type: Int, Default: "10485760", check: atLeast(4),
		Synonyms: same("log.index.size.max.bytes"), topic: func(t *Topic) any { return &t.SegmentIndexBytes },
		Doc: "Largest size of a segment's offset index; a full index also closes the segment.",
	}, {
		Name: "segment.jitter.ms", Type: Long, Default: "0", check: atLeast(0),
		Synonyms: []Synonym{{"log.roll.jitter.ms", 1}, {"log.roll.jitter.hours", msPerHour}},
		topic:    func(t *Topic) any { return &t.SegmentJitterMs },
		Doc:      "Upper bound of a random time taken off segment.ms, so that not all segments roll together.",
	}, {
		Name: "segment.ms", Type: Long, Default: "604800000", check: atLeast(1),
		Synonyms: []Synonym{{"log.roll.ms", 1}, {"log.roll.hours", msPerHour}},
		topic:    func(t *Topic) any { return &t.SegmentMs },
		Doc:      "Age at which a segment is closed even if it is not full.",
	}, {
		Name: "unclean.leader.election.enable", Type: Boolean, Default: "false",
		Synonyms: same("unclean.leader.election.enable"), topic: func(t *Topic) any { return &t.UncleanLeaderElection },
		Doc: "Whether a replica that may lack committed records can lead when nothing better is left; this loses data.",
	},
})
