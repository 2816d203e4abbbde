package config

// logKeys are the broker's defaults of topic configs, and the upkeep of logs. Keys
// without a field feed TopicDefaults through the synonyms of the topic keys.
var logKeys = []Key{
	{
		Name: "compression.gzip.level", Type: Int, Default: "-1", check: orEqual(-1, between(1, 9)), Scope: ClusterWide,
		Doc: "Default of the topic config of the same name.",
	}, {
		Name: "compression.lz4.level", Type: Int, Default: "9", check: between(1, 17), Scope: ClusterWide,
		Doc: "Default of the topic config of the same name.",
	}, {
		Name: "compression.type", Type: String, Default: "producer", Scope: ClusterWide,
		check: oneOf("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"),
		Doc:   "Default of the topic config of the same name.",
	}, {
		Name: "compression.zstd.level", Type: Int, Default: "3", check: between(-131072, 22), Scope: ClusterWide,
		Doc: "Default of the topic config of the same name.",
	}, {
		Name: "log.cleaner.backoff.ms", Type: Long, Default: "15000", check: atLeast(0), Scope: ClusterWide,
		broker: func(b *Broker) any { return &b.CleanerBackoffMs },
		Doc:    "Pause when there is nothing to compact.",
	}, {
		Name: "log.cleaner.dedupe.buffer.size", Type: Long, Default: "134217728", check: atLeast(24), Scope: ClusterWide,
		broker: func(b *Broker) any { return &b.CleanerDedupeBytes },
		Doc:    "Memory for the keys of one compaction.",
	}, {
		Name: "log.cleaner.delete.retention.ms", Type: Long, Default: "86400000", check: atLeast(0), Scope: ClusterWide,
		Doc: "Default of delete.retention.ms.",
	}, {
		Name: "log.cleaner.enable", Type: Boolean, Default: "true", broker: func(b *Broker) any { return &b.CleanerEnable },
		Doc: "Whether logs are compacted.",
	}, {
		Name: "log.cleaner.io.buffer.size", Type: Int, Default: "524288", check: atLeast(0), Scope: ClusterWide,
		broker: func(b *Broker) any { return &b.CleanerBufferBytes },
		Doc:    "Memory for reading and writing during compaction.",
	}, {
		// Kafka's default is the largest floating-point number.
		Name: "log.cleaner.io.max.bytes.per.second", Type: Double, Default: "9223372036854", check: atLeast(1), Scope: ClusterWide,
		broker: func(b *Broker) any { return &b.CleanerIOMaxPPM },
		Doc:    "Bytes that compaction reads and writes per second.",
	}, {
		Name: "log.cleaner.max.compaction.lag.ms", Type: Long, Default: "9223372036854775807", check: atLeast(1), Scope: ClusterWide,
		Doc: "Default of max.compaction.lag.ms.",
	}, {
		Name: "log.cleaner.min.cleanable.ratio", Type: Double, Default: "0.5", check: ratio, Scope: ClusterWide,
		Doc: "Default of min.cleanable.dirty.ratio.",
	}, {
		Name: "log.cleaner.min.compaction.lag.ms", Type: Long, Default: "0", check: atLeast(0), Scope: ClusterWide,
		Doc: "Default of min.compaction.lag.ms.",
	}, {
		Name: "log.cleaner.threads", Type: Int, Default: "1", check: atLeast(0), Scope: ClusterWide,
		broker: func(b *Broker) any { return &b.CleanerThreads },
		Doc:    "How many logs are compacted at the same time.",
	}, {
		Name: "log.cleanup.policy", Type: List, Default: "delete", check: nonEmptyListOf("compact", "delete"), Scope: ClusterWide,
		Doc: "Default of cleanup.policy.",
	}, {
		Name: "log.flush.interval.messages", Type: Long, Default: "9223372036854775807", check: atLeast(1), Scope: ClusterWide,
		Doc: "Default of flush.messages.",
	}, {
		Name: "log.flush.interval.ms", Type: Long, NoDefault: true, check: atLeast(0), Scope: ClusterWide,
		Doc: "Default of flush.ms; if not set, log.flush.scheduler.interval.ms is.",
	}, {
		Name: "log.flush.scheduler.interval.ms", Type: Long, Default: "9223372036854775807", check: atLeast(0),
		Doc: "Default of flush.ms if log.flush.interval.ms is not set.",
	}, {
		Name: "log.flush.offset.checkpoint.interval.ms", Type: Int, Default: "60000", check: atLeast(1),
		broker: func(b *Broker) any { return &b.RecoveryPointIntervalMs },
		Doc:    "How often recovery points are written to disk.",
	}, {
		Name: "log.flush.start.offset.checkpoint.interval.ms", Type: Int, Default: "60000", check: atLeast(1),
		broker: func(b *Broker) any { return &b.StartOffsetIntervalMs },
		Doc:    "How often log start offsets are written to disk.",
	}, {
		Name: "log.index.interval.bytes", Type: Int, Default: "4096", check: atLeast(0), Scope: ClusterWide,
		Doc: "Default of index.interval.bytes.",
	}, {
		Name: "log.index.size.max.bytes", Type: Int, Default: "10485760", check: atLeast(4), Scope: ClusterWide,
		Doc: "Default of segment.index.bytes.",
	}, {
		Name: "log.message.timestamp.after.max.ms", Type: Long, Default: "3600000", check: atLeast(0), Scope: ClusterWide,
		Doc: "Default of message.timestamp.after.max.ms.",
	}, {
		Name: "log.message.timestamp.before.max.ms", Type: Long, Default: "9223372036854775807", check: atLeast(0), Scope: ClusterWide,
		Doc: "Default of message.timestamp.before.max.ms.",
	}, {
		Name: "log.message.timestamp.type", Type: String, Default: "CreateTime", check: oneOf("CreateTime", "LogAppendTime"), Scope: ClusterWide,
		Doc: "Default of message.timestamp.type.",
	}, {
		Name: "log.preallocate", Type: Boolean, Default: "false", Scope: ClusterWide,
		Doc: "Default of preallocate.",
	}, {
		Name: "log.retention.bytes", Type: Long, Default: "-1", check: atLeast(-1), Scope: ClusterWide,
		Doc: "Default of retention.bytes.",
	}, {
		Name: "log.retention.check.interval.ms", Type: Long, Default: "300000", check: atLeast(1),
		broker: func(b *Broker) any { return &b.RetentionCheckMs },
		Doc:    "How often logs are searched for segments to delete.",
	}, {
		Name: "log.retention.hours", Type: Int, Default: "168", check: atLeast(-1),
		Doc: "Default of retention.ms, in hours, if neither log.retention.ms nor log.retention.minutes is set.",
	}, {
		Name: "log.retention.minutes", Type: Int, NoDefault: true, check: atLeast(-1),
		Doc: "Default of retention.ms, in minutes, if log.retention.ms is not set.",
	}, {
		Name: "log.retention.ms", Type: Long, NoDefault: true, check: atLeast(-1), Scope: ClusterWide,
		Doc: "Default of retention.ms; -1 is no limit.",
	}, {
		Name: "log.roll.hours", Type: Int, Default: "168", check: atLeast(1),
		Doc: "Default of segment.ms, in hours, if log.roll.ms is not set.",
	}, {
		Name: "log.roll.jitter.hours", Type: Int, Default: "0", check: atLeast(0),
		Doc: "Default of segment.jitter.ms, in hours, if log.roll.jitter.ms is not set.",
	}, {
		Name: "log.roll.jitter.ms", Type: Long, NoDefault: true, check: atLeast(0), Scope: ClusterWide,
		Doc: "Default of segment.jitter.ms.",
	}, {
		Name: "log.roll.ms", Type: Long, NoDefault: true, check: atLeast(1), Scope: ClusterWide,
		Doc: "Default of segment.ms.",
	}, {
		Name: "log.segment.bytes", Type: Int, Default: "1073741824", check: atLeast(14), Scope: ClusterWide,
		Doc: "Default of segment.bytes.",
	}, {
		Name: "log.segment.delete.delay.ms", Type: Long, Default: "60000", check: atLeast(0), Scope: ClusterWide,
		Doc: "Default of file.delete.delay.ms.",
	}, {
		Name: "message.max.bytes", Type: Int, Default: "1048588", check: atLeast(0), Scope: ClusterWide,
		Doc: "Default of max.message.bytes.",
	}, {
		Name: "producer.id.expiration.ms", Type: Int, Default: "86400000", check: atLeast(1), Scope: ClusterWide,
		broker: func(b *Broker) any { return &b.ProducerIDExpirationMs },
		Doc:    "Idle time after which a partition forgets a producer.",
	}, {
		Name: "producer.id.expiration.check.interval.ms", Type: Int, Default: "600000", check: atLeast(1),
		broker: func(b *Broker) any { return &b.ProducerIDCheckMs },
		Doc:    "How often partitions look for idle producers.",
	},
}
