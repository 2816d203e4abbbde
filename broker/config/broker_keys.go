package config

var brokerKeys = sorted(nodeKeys, quorumKeys, replicationKeys, networkKeys, logKeys, groupCoordinatorKeys, transactionKeys)

var nodeKeys = []Key{
	{
		Name: "node.id", Type: Int, NoDefault: true, check: atLeast(0), broker: func(b *Broker) any { return (*int32)(&b.NodeID) },
		Doc: "Id of this node in the cluster, for all its roles.",
	}, {
		Name: "process.roles", Type: List, Default: "broker,controller", check: nonEmptyListOf("broker", "controller"),
		broker: func(b *Broker) any { return &b.ProcessRoles },
		Doc:    "Roles of this process: broker, controller or both.",
	}, {
		Name: "broker.rack", Type: String, Default: "", broker: func(b *Broker) any { return &b.Rack },
		Doc: "Where the broker stands; replicas of a partition are spread over racks.",
	}, {
		Name: "listeners", Type: String, Default: "PLAINTEXT://:9092", Scope: PerBroker, broker: func(b *Broker) any { return &b.listeners },
		Doc: "Addresses to listen on, as NAME://host:port, separated by commas.",
	}, {
		Name: "advertised.listeners", Type: String, Default: "", broker: func(b *Broker) any { return &b.advertised },
		Doc: "Addresses told to clients where they differ from listeners.",
	}, {
		Name: "listener.security.protocol.map", Type: List, Default: "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
		broker: func(b *Broker) any { return &b.securityProtocols },
		Doc:    "Security protocol of each listener, as NAME:PROTOCOL pairs.",
	}, {
		Name: "controller.listener.names", Type: String, Default: "CONTROLLER", broker: func(b *Broker) any { return &b.controllerListeners },
		Doc: "Listeners of the controller; the first one is used to reach other controllers.",
	}, {
		Name: "inter.broker.listener.name", Type: String, Default: "", broker: func(b *Broker) any { return &b.InterBrokerListener },
		Doc: "Listener that brokers use among themselves; by default the one named like the security protocol.",
	}, {
		Name: "security.inter.broker.protocol", Type: String, Default: "PLAINTEXT", check: oneOf("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
		broker: func(b *Broker) any { return &b.interBrokerProtocol },
		Doc:    "Name of the listener between brokers unless inter.broker.listener.name says it.",
	}, {
		Name: "log.dir", Type: String, Default: "/tmp/kafka-logs", broker: func(b *Broker) any { return &b.logDir },
		Doc: "Directory of the logs if log.dirs is not set.",
	}, {
		Name: "log.dirs", Type: String, Default: "", broker: func(b *Broker) any { return &b.logDirs },
		Doc: "Directories of the logs, separated by commas.",
	}, {
		Name: "metadata.log.dir", Type: String, Default: "", broker: func(b *Broker) any { return &b.MetadataLogDir },
		Doc: "Directory of the metadata log; by default the first of log.dirs.",
	}, {
		Name: "auto.create.topics.enable", Type: Boolean, Default: "true", broker: func(b *Broker) any { return &b.AutoCreateTopics },
		Doc: "Whether asking for an unknown topic creates it.",
	}, {
		Name: "delete.topic.enable", Type: Boolean, Default: "true", broker: func(b *Broker) any { return &b.DeleteTopics },
		Doc: "Whether topics can be deleted.",
	}, {
		Name: "num.partitions", Type: Int, Default: "1", check: between(1, 100_000), broker: func(b *Broker) any { return &b.NumPartitions },
		Doc: "Partitions of a topic that is created without a number.",
	}, {
		Name: "default.replication.factor", Type: Int, Default: "1", check: between(1, 32767), broker: func(b *Broker) any { return &b.ReplicationFactor },
		Doc: "Replicas of a topic that is created without a number.",
	}, {
		Name: "auto.leader.rebalance.enable", Type: Boolean, Default: "true", broker: func(b *Broker) any { return &b.AutoLeaderRebalance },
		Doc: "Whether the controller moves leadership back to preferred replicas.",
	}, {
		Name: "leader.imbalance.check.interval.seconds", Type: Long, Default: "300", check: between(1, 1_000_000),
		broker: func(b *Broker) any { return &b.LeaderRebalanceSeconds },
		Doc:    "Seconds between two looks for leaders that are not preferred.",
	}, {
		Name: "leader.imbalance.per.broker.percentage", Type: Int, Default: "10", check: between(0, 100),
		broker: func(b *Broker) any { return &b.LeaderImbalancePercent },
		Doc:    "Accepted for Kafka's sake. As in Kafka with a metadata quorum, every imbalance is mended.",
	}, {
		Name: "max.request.partition.size.limit", Type: Int, Default: "2000", check: atLeast(1),
		broker: func(b *Broker) any { return &b.MaxRequestPartitions },
		Doc:    "Most partitions in one answer to DescribeTopicPartitions.",
	},
}

var quorumKeys = []Key{
	{
		Name: "controller.quorum.voters", Type: List, Default: "", broker: func(b *Broker) any { return &b.voters },
		Doc: "Members of the metadata quorum, as id@host:port, separated by commas.",
	}, {
		Name: "controller.quorum.election.timeout.ms", Type: Int, Default: "1000", check: atLeast(1),
		broker: func(b *Broker) any { return &b.QuorumElectionTimeoutMs },
		Doc:    "Time without a leader after which a candidate starts another election.",
	}, {
		Name: "controller.quorum.election.backoff.max.ms", Type: Int, Default: "1000", check: atLeast(0),
		broker: func(b *Broker) any { return &b.QuorumElectionBackoffMs },
		Doc:    "Upper bound of the random pause between two elections.",
	}, {
		Name: "controller.quorum.fetch.timeout.ms", Type: Int, Default: "2000", check: atLeast(1),
		broker: func(b *Broker) any { return &b.QuorumFetchTimeoutMs },
		Doc:    "Time without a successful fetch after which a follower calls an election, and time without a majority's fetches after which a leader steps down.",
	}, {
		Name: "controller.quorum.request.timeout.ms", Type: Int, Default: "2000", check: atLeast(1),
		broker: func(b *Broker) any { return &b.QuorumRequestTimeoutMs },
		Doc:    "Time after which a quorum request without an answer is given up.",
	}, {
		Name: "controller.quorum.retry.backoff.ms", Type: Int, Default: "20", check: atLeast(0),
		broker: func(b *Broker) any { return &b.QuorumRetryBackoffMs },
		Doc:    "Pause before a failed quorum request is sent again.",
	}, {
		Name: "controller.quorum.append.linger.ms", Type: Int, Default: "25", check: atLeast(0),
		broker: func(b *Broker) any { return &b.QuorumAppendLingerMs },
		Doc:    "How long the leader gathers records before it writes them.",
	}, {
		Name: "metadata.log.segment.bytes", Type: Int, Default: "1073741824", check: atLeast(12),
		broker: func(b *Broker) any { return &b.MetadataLogSegmentBytes },
		Doc:    "Size at which a segment of the metadata log is closed.",
	}, {
		Name: "metadata.log.segment.ms", Type: Long, Default: "604800000", check: atLeast(1),
		broker: func(b *Broker) any { return &b.MetadataLogSegmentMs },
		Doc:    "Age at which a segment of the metadata log is closed.",
	}, {
		Name: "metadata.log.max.record.bytes.between.snapshots", Type: Long, Default: "20971520", check: atLeast(1),
		broker: func(b *Broker) any { return &b.MetadataSnapshotBytes },
		Doc:    "Bytes of new records that make a snapshot due.",
	}, {
		Name: "metadata.log.max.snapshot.interval.ms", Type: Long, Default: "3600000", check: atLeast(0),
		broker: func(b *Broker) any { return &b.MetadataSnapshotMs },
		Doc:    "Time after which a snapshot is due if there are new records; 0 is never.",
	}, {
		Name: "metadata.max.idle.interval.ms", Type: Int, Default: "500", check: atLeast(0),
		broker: func(b *Broker) any { return &b.MetadataMaxIdleMs },
		Doc:    "How often an idle active controller writes a record that changes nothing; 0 is never.",
	}, {
		Name: "metadata.max.retention.bytes", Type: Long, Default: "104857600", check: atLeast(-1),
		broker: func(b *Broker) any { return &b.MetadataRetentionBytes },
		Doc:    "Size of metadata log and snapshots beyond which old ones are deleted.",
	}, {
		Name: "metadata.max.retention.ms", Type: Long, Default: "604800000", check: atLeast(-1),
		broker: func(b *Broker) any { return &b.MetadataRetentionMs },
		Doc:    "Age beyond which parts of the metadata log that a snapshot covers are deleted.",
	}, {
		Name: "broker.heartbeat.interval.ms", Type: Int, Default: "2000", check: atLeast(1),
		broker: func(b *Broker) any { return &b.BrokerHeartbeatMs },
		Doc:    "How often a broker reports to the active controller.",
	}, {
		Name: "broker.session.timeout.ms", Type: Int, Default: "9000", check: atLeast(1),
		broker: func(b *Broker) any { return &b.BrokerSessionTimeoutMs },
		Doc:    "Silence after which the controller fences a broker.",
	}, {
		Name: "initial.broker.registration.timeout.ms", Type: Int, Default: "60000", check: atLeast(1),
		broker: func(b *Broker) any { return &b.RegistrationTimeoutMs },
		Doc:    "How long a starting broker tries to register before it gives up.",
	}, {
		Name: "controlled.shutdown.enable", Type: Boolean, Default: "true", broker: func(b *Broker) any { return &b.ControlledShutdown },
		Doc: "Whether a stopping broker hands over its leaderships first.",
	}, {
		Name: "controlled.shutdown.max.retries", Type: Int, Default: "3", check: atLeast(0),
		broker: func(b *Broker) any { return &b.ControlledShutdownTries },
		Doc:    "How often a failed controlled shutdown is tried again.",
	}, {
		Name: "controlled.shutdown.retry.backoff.ms", Type: Long, Default: "5000", check: atLeast(0),
		broker: func(b *Broker) any { return &b.ControlledShutdownWaitMs },
		Doc:    "Pause before a failed controlled shutdown is tried again.",
	},
}

var replicationKeys = []Key{
	{
		Name: "leader.replication.throttled.rate", Type: Long, Default: "9223372036854775807", check: atLeast(0), Scope: ClusterWide,
		broker: func(b *Broker) any { return &b.LeaderThrottledRate },
		Doc:    "Bytes per second that this broker sends to replicas outside the ISR, of the partitions that leader.replication.throttled.replicas names.",
	}, {
		Name: "follower.replication.throttled.rate", Type: Long, Default: "9223372036854775807", check: atLeast(0), Scope: ClusterWide,
		broker: func(b *Broker) any { return &b.FollowerThrottledRate },
		Doc:    "Bytes per second that this broker fetches while it is outside the ISR, of the partitions that follower.replication.throttled.replicas names.",
	}, {
		// kafka-reassign-partitions --verify clears it together with the two above.
		Name: "replica.alter.log.dirs.io.max.bytes.per.second", Type: Long, Default: "9223372036854775807", check: atLeast(0), Scope: ClusterWide,
		broker: func(b *Broker) any { return &b.DirectoryThrottledRate },
		Doc:    "Bytes per second that a broker moves between its directories. This one has one directory, and moves nothing.",
	},
	{
		Name: "replica.lag.time.max.ms", Type: Long, Default: "30000", check: atLeast(1),
		broker: func(b *Broker) any { return &b.ReplicaLagTimeMaxMs },
		Doc:    "A follower that has not caught up with the leader's end for this long leaves the ISR.",
	}, {
		Name: "replica.fetch.max.bytes", Type: Int, Default: "1048576", check: atLeast(0),
		broker: func(b *Broker) any { return &b.ReplicaFetchMaxBytes },
		Doc:    "Bytes that a follower asks for per partition; a larger first batch is sent nevertheless.",
	}, {
		Name: "replica.fetch.min.bytes", Type: Int, Default: "1", check: atLeast(0),
		broker: func(b *Broker) any { return &b.ReplicaFetchMinBytes },
		Doc:    "Bytes that the leader waits for before it answers a follower.",
	}, {
		Name: "replica.fetch.wait.max.ms", Type: Int, Default: "500", check: atLeast(0),
		broker: func(b *Broker) any { return &b.ReplicaFetchMaxWaitMs },
		Doc:    "Longest time that a follower's fetch waits at the leader; below replica.lag.time.max.ms.",
	}, {
		Name: "replica.fetch.backoff.ms", Type: Int, Default: "1000", check: atLeast(0),
		broker: func(b *Broker) any { return &b.ReplicaFetchBackoffMs },
		Doc:    "Pause after a failed fetch of a partition.",
	}, {
		Name: "replica.fetch.response.max.bytes", Type: Int, Default: "10485760", check: atLeast(0),
		broker: func(b *Broker) any { return &b.ReplicaFetchMaxResponse },
		Doc:    "Bytes that a follower asks for in one response.",
	}, {
		Name: "num.replica.fetchers", Type: Int, Default: "1", check: between(1, 1024), Scope: ClusterWide,
		broker: func(b *Broker) any { return &b.ReplicaFetchers },
		Doc:    "Connections over which a follower fetches from one leader.",
	}, {
		Name: "replica.socket.timeout.ms", Type: Int, Default: "30000", check: atLeast(1),
		broker: func(b *Broker) any { return &b.ReplicaSocketTimeoutMs },
		Doc:    "Time after which a fetch without an answer is given up.",
	}, {
		Name: "replica.high.watermark.checkpoint.interval.ms", Type: Long, Default: "5000", check: atLeast(1),
		broker: func(b *Broker) any { return &b.HWCheckpointIntervalMs },
		Doc:    "How often high watermarks are written to disk.",
	}, {
		Name: "min.insync.replicas", Type: Int, Default: "1", check: atLeast(1), Scope: ClusterWide,
		Doc: "Default of the topic config of the same name.",
	}, {
		Name: "unclean.leader.election.enable", Type: Boolean, Default: "false", Scope: ClusterWide,
		Doc: "Default of the topic config of the same name.",
	},
}

var networkKeys = []Key{
	{
		Name: "socket.request.max.bytes", Type: Int, Default: "104857600", check: atLeast(1),
		broker: func(b *Broker) any { return &b.MaxRequestBytes },
		Doc:    "Largest request accepted; a larger one closes the connection.",
	}, {
		Name: "max.connections", Type: Int, Default: "2147483647", check: atLeast(0), Scope: ClusterWide,
		broker: func(b *Broker) any { return &b.MaxConnections },
		Doc:    "Most connections at a time.",
	}, {
		Name: "max.connections.per.ip", Type: Int, Default: "2147483647", check: atLeast(0), Scope: ClusterWide,
		broker: func(b *Broker) any { return &b.MaxConnectionsPerIP },
		Doc:    "Most connections at a time from one address.",
	}, {
		Name: "connections.max.idle.ms", Type: Long, Default: "600000", check: atLeast(1),
		broker: func(b *Broker) any { return &b.ConnectionsMaxIdleMs },
		Doc:    "Idle time after which a connection is closed.",
	}, {
		Name: "queued.max.requests", Type: Int, Default: "500", check: atLeast(1),
		broker: func(b *Broker) any { return &b.QueuedMaxRequests },
		Doc:    "Requests that may wait before reading from connections pauses.",
	}, {
		Name: "request.timeout.ms", Type: Int, Default: "30000", check: atLeast(1),
		broker: func(b *Broker) any { return &b.RequestTimeoutMs },
		Doc:    "Time after which the broker gives up a request of its own.",
	}, {
		Name: "controller.socket.timeout.ms", Type: Int, Default: "30000", check: atLeast(1),
		broker: func(b *Broker) any { return &b.ControllerSocketMs },
		Doc:    "Time after which a request to the controller is given up.",
	}, {
		Name: "fetch.max.bytes", Type: Int, Default: "57671680", check: atLeast(1024),
		broker: func(b *Broker) any { return &b.FetchMaxBytes },
		Doc:    "Most bytes in one fetch response, whatever the client asks for.",
	}, {
		Name: "max.incremental.fetch.session.cache.slots", Type: Int, Default: "1000", check: atLeast(0),
		broker: func(b *Broker) any { return &b.FetchSessionCacheSlots },
		Doc:    "Most incremental fetch sessions kept (KIP-227).",
	},
}
