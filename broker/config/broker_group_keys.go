package config

var groupCoordinatorKeys = []Key{
	{
		Name: "offset.metadata.max.bytes", Type: Int, Default: "4096", check: atLeast(0),
		broker: func(b *Broker) any { return &b.OffsetMetadataMaxBytes },
		Doc:    "Largest text that a client may store with a committed offset.",
	}, {
		Name: "offsets.topic.num.partitions", Type: Int, Default: "50", check: between(1, 100_000),
		broker: func(b *Broker) any { return &b.OffsetsTopicPartitions },
		Doc:    "Partitions of the topic of committed offsets; fixed once it exists.",
	}, {
		Name: "offsets.topic.replication.factor", Type: Short, Default: "3", check: atLeast(1),
		broker: func(b *Broker) any { return &b.OffsetsTopicReplication },
		Doc:    "Replicas of the topic of committed offsets; it is not created before there are enough brokers.",
	}, {
		Name: "offsets.topic.segment.bytes", Type: Int, Default: "104857600", check: atLeast(14),
		broker: func(b *Broker) any { return &b.OffsetsTopicSegmentBytes },
		Doc:    "Segment size of the topic of committed offsets; small ones compact and load faster.",
	}, {
		Name: "offsets.retention.minutes", Type: Int, Default: "10080", check: atLeast(1),
		broker: func(b *Broker) any { return &b.OffsetsRetentionMinutes },
		Doc:    "Minutes that committed offsets outlive their group's last member or use.",
	}, {
		Name: "offsets.retention.check.interval.ms", Type: Long, Default: "600000", check: atLeast(1),
		broker: func(b *Broker) any { return &b.OffsetsRetentionCheckMs },
		Doc:    "How often committed offsets are searched for expired ones.",
	}, {
		Name: "offsets.commit.timeout.ms", Type: Int, Default: "5000", check: atLeast(1),
		broker: func(b *Broker) any { return &b.OffsetsCommitTimeoutMs },
		Doc:    "Longest time that a commit waits for its replicas.",
	}, {
		Name: "offsets.load.buffer.size", Type: Int, Default: "5242880", check: atLeast(1),
		broker: func(b *Broker) any { return &b.OffsetsLoadBufferBytes },
		Doc:    "Bytes read at a time while a coordinator loads.",
	}, {
		Name: "group.coordinator.rebalance.protocols", Type: List, Default: "classic,consumer", check: nonEmptyListOf("classic", "consumer"),
		broker: func(b *Broker) any { return &b.GroupProtocols },
		Doc:    "Group protocols that are served.",
	}, {
		Name: "group.coordinator.append.linger.ms", Type: Int, Default: "5", check: atLeast(0),
		broker: func(b *Broker) any { return &b.GroupAppendLingerMs },
		Doc:    "How long Kafka's group coordinator gathers records before it writes them. This one never waits.",
	}, {
		Name: "group.initial.rebalance.delay.ms", Type: Int, Default: "3000", check: atLeast(0),
		broker: func(b *Broker) any { return &b.GroupInitialRebalanceMs },
		Doc:    "How long the first rebalance of a classic group waits for more members.",
	}, {
		Name: "group.max.size", Type: Int, Default: "2147483647", check: atLeast(1),
		broker: func(b *Broker) any { return &b.GroupMaxSize },
		Doc:    "Most members of a classic group.",
	}, {
		Name: "group.min.session.timeout.ms", Type: Int, Default: "6000", check: atLeast(1),
		broker: func(b *Broker) any { return &b.GroupMinSessionMs },
		Doc:    "Shortest session time-out that a classic member may ask for.",
	}, {
		Name: "group.max.session.timeout.ms", Type: Int, Default: "1800000", check: atLeast(1),
		broker: func(b *Broker) any { return &b.GroupMaxSessionMs },
		Doc:    "Longest session time-out that a classic member may ask for.",
	}, {
		Name: "group.consumer.session.timeout.ms", Type: Int, Default: "45000", check: atLeast(1),
		broker: func(b *Broker) any { return &b.ConsumerSessionMs },
		Doc:    "Silence after which a consumer group drops a member (KIP-848).",
	}, {
		Name: "group.consumer.min.session.timeout.ms", Type: Int, Default: "45000", check: atLeast(1),
		broker: func(b *Broker) any { return &b.ConsumerMinSessionMs },
		Doc:    "Shortest session time-out that a group's config may set.",
	}, {
		Name: "group.consumer.max.session.timeout.ms", Type: Int, Default: "60000", check: atLeast(1),
		broker: func(b *Broker) any { return &b.ConsumerMaxSessionMs },
		Doc:    "Longest session time-out that a group's config may set.",
	}, {
		Name: "group.consumer.heartbeat.interval.ms", Type: Int, Default: "5000", check: atLeast(1),
		broker: func(b *Broker) any { return &b.ConsumerHeartbeatMs },
		Doc:    "How often members of a consumer group report.",
	}, {
		Name: "group.consumer.min.heartbeat.interval.ms", Type: Int, Default: "5000", check: atLeast(1),
		broker: func(b *Broker) any { return &b.ConsumerMinHeartbeatMs },
		Doc:    "Shortest heartbeat interval that a group's config may set.",
	}, {
		Name: "group.consumer.max.heartbeat.interval.ms", Type: Int, Default: "15000", check: atLeast(1),
		broker: func(b *Broker) any { return &b.ConsumerMaxHeartbeatMs },
		Doc:    "Longest heartbeat interval that a group's config may set.",
	}, {
		Name: "group.consumer.max.size", Type: Int, Default: "2147483647", check: atLeast(1),
		broker: func(b *Broker) any { return &b.ConsumerGroupMaxSize },
		Doc:    "Most members of a consumer group.",
	}, {
		Name: "group.consumer.assignors", Type: List, Default: "uniform,range", check: nonEmptyListOf("uniform", "range"),
		broker: func(b *Broker) any { return &b.ConsumerAssignors },
		Doc:    "Assignors on the broker's side; the first is the default.",
	}, {
		Name: "group.consumer.migration.policy", Type: String, Default: "bidirectional", check: oneOf("bidirectional", "upgrade", "downgrade", "disabled"),
		broker: func(b *Broker) any { return &b.ConsumerMigrationPolicy },
		Doc:    "Whether groups may be converted between the classic and the consumer protocol.",
	},
}

var transactionKeys = []Key{
	{
		Name: "transaction.state.log.num.partitions", Type: Int, Default: "50", check: between(1, 100_000),
		broker: func(b *Broker) any { return &b.TxnTopicPartitions },
		Doc:    "Partitions of the topic of transactions; fixed once it exists.",
	}, {
		Name: "transaction.state.log.replication.factor", Type: Short, Default: "3", check: atLeast(1),
		broker: func(b *Broker) any { return &b.TxnTopicReplication },
		Doc:    "Replicas of the topic of transactions.",
	}, {
		Name: "transaction.state.log.min.isr", Type: Int, Default: "2", check: atLeast(1),
		broker: func(b *Broker) any { return &b.TxnTopicMinISR },
		Doc:    "min.insync.replicas of the topic of transactions.",
	}, {
		Name: "transaction.state.log.segment.bytes", Type: Int, Default: "104857600", check: atLeast(14),
		broker: func(b *Broker) any { return &b.TxnTopicSegmentBytes },
		Doc:    "Segment size of the topic of transactions.",
	}, {
		Name: "transaction.state.log.load.buffer.size", Type: Int, Default: "5242880", check: atLeast(1),
		broker: func(b *Broker) any { return &b.TxnLoadBufferBytes },
		Doc:    "Bytes read at a time while a transaction coordinator loads.",
	}, {
		Name: "transaction.max.timeout.ms", Type: Int, Default: "900000", check: atLeast(1),
		broker: func(b *Broker) any { return &b.TxnMaxTimeoutMs },
		Doc:    "Longest transaction time-out that a producer may ask for.",
	}, {
		Name: "transaction.abort.timed.out.transaction.cleanup.interval.ms", Type: Int, Default: "10000", check: atLeast(1),
		broker: func(b *Broker) any { return &b.TxnAbortTimedOutMs },
		Doc:    "How often timed out transactions are looked for.",
	}, {
		Name: "transaction.remove.expired.transaction.cleanup.interval.ms", Type: Int, Default: "3600000", check: atLeast(1),
		broker: func(b *Broker) any { return &b.TxnRemoveExpiredMs },
		Doc:    "How often expired transactional ids are looked for.",
	}, {
		Name: "transactional.id.expiration.ms", Type: Int, Default: "604800000", check: atLeast(1),
		broker: func(b *Broker) any { return &b.TxnIDExpirationMs },
		Doc:    "Idle time after which a transactional id is forgotten.",
	}, {
		Name: "transaction.partition.verification.enable", Type: Boolean, Default: "true", Scope: ClusterWide,
		broker: func(b *Broker) any { return &b.TxnPartitionVerification },
		Doc:    "Whether a partition asks the coordinator before it takes a transaction's first record (KIP-890).",
	},
}
