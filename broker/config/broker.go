package config

import "odradek/broker/wire"

// Broker holds the effective configs of one node. Times are milliseconds and sizes
// bytes unless the name says otherwise; -1 means no limit where the key says so.
type Broker struct {
	// Identity and roles.
	NodeID              wire.NodeID
	ProcessRoles        []string // "broker", "controller" or both
	Rack                string
	Listeners           []Listener
	AdvertisedListeners []Listener // by default the listeners
	ControllerListeners []string   // names
	InterBrokerListener string     // name
	LogDirs             []string
	MetadataLogDir      string // by default the first of LogDirs

	// Metadata quorum (KIP-595) and its log (KIP-630).
	QuorumVoters             []Voter
	QuorumElectionTimeoutMs  int
	QuorumElectionBackoffMs  int
	QuorumFetchTimeoutMs     int
	QuorumRequestTimeoutMs   int
	QuorumRetryBackoffMs     int
	QuorumAppendLingerMs     int
	MetadataLogSegmentBytes  int
	MetadataLogSegmentMs     int64
	MetadataSnapshotBytes    int64 // new records that make a snapshot due
	MetadataSnapshotMs       int64 // age that makes a snapshot due; 0 is never
	MetadataMaxIdleMs        int   // 0: no NoOp records
	MetadataRetentionBytes   int64
	MetadataRetentionMs      int64
	BrokerHeartbeatMs        int
	BrokerSessionTimeoutMs   int
	RegistrationTimeoutMs    int
	ControlledShutdown       bool
	ControlledShutdownTries  int
	ControlledShutdownWaitMs int64

	// Topics.
	AutoCreateTopics        bool
	DeleteTopics            bool
	NumPartitions           int
	ReplicationFactor       int
	AutoLeaderRebalance     bool
	LeaderRebalanceSeconds  int
	LeaderImbalancePercent  int
	MaxRequestPartitions    int
	RetentionCheckMs        int64
	CleanerEnable           bool
	CleanerBackoffMs        int64
	CleanerDedupeBytes      int64
	CleanerBufferBytes      int
	CleanerIOMaxPPM         int64 // millionths of a byte per second
	CleanerThreads          int
	RecoveryPointIntervalMs int
	StartOffsetIntervalMs   int
	ProducerIDExpirationMs  int
	ProducerIDCheckMs       int

	// Replication.
	ReplicaLagTimeMaxMs     int64
	ReplicaFetchMaxBytes    int
	ReplicaFetchMinBytes    int
	ReplicaFetchMaxWaitMs   int
	ReplicaFetchBackoffMs   int
	LeaderThrottledRate     int64 // bytes per second
	FollowerThrottledRate   int64 // bytes per second
	DirectoryThrottledRate  int64 // bytes per second
	ReplicaFetchMaxResponse int   // bytes
	ReplicaFetchers         int
	ReplicaSocketTimeoutMs  int
	HWCheckpointIntervalMs  int64

	// Network and requests.
	MaxRequestBytes        int
	MaxConnections         int
	MaxConnectionsPerIP    int
	ConnectionsMaxIdleMs   int64
	QueuedMaxRequests      int
	RequestTimeoutMs       int
	ControllerSocketMs     int
	FetchMaxBytes          int
	FetchSessionCacheSlots int

	// Groups.
	OffsetMetadataMaxBytes   int
	OffsetsTopicPartitions   int
	OffsetsTopicReplication  int
	OffsetsTopicSegmentBytes int
	OffsetsRetentionMinutes  int
	OffsetsRetentionCheckMs  int64
	OffsetsCommitTimeoutMs   int
	OffsetsLoadBufferBytes   int
	GroupProtocols           []string
	GroupInitialRebalanceMs  int
	GroupMaxSize             int
	GroupMinSessionMs        int
	GroupMaxSessionMs        int
	GroupAppendLingerMs      int
	ConsumerSessionMs        int
	ConsumerMinSessionMs     int
	ConsumerMaxSessionMs     int
	ConsumerHeartbeatMs      int
	ConsumerMinHeartbeatMs   int
	ConsumerMaxHeartbeatMs   int
	ConsumerGroupMaxSize     int
	ConsumerAssignors        []string
	ConsumerMigrationPolicy  string
	TxnTopicPartitions       int
	TxnTopicReplication      int
	TxnTopicMinISR           int
	TxnTopicSegmentBytes     int
	TxnLoadBufferBytes       int
	TxnMaxTimeoutMs          int
	TxnAbortTimedOutMs       int
	TxnRemoveExpiredMs       int
	TxnIDExpirationMs        int
	TxnPartitionVerification bool

	// TopicDefaults are the configs of a topic that sets none itself.
	TopicDefaults Topic

	// Unparsed forms, turned into the fields above by resolve.
	listeners, advertised, controllerListeners string
	securityProtocols                          []string
	interBrokerProtocol                        string
	logDir, logDirs                            string
	voters                                     []string
}

// Listener is a named address that a node binds or advertises.
type Listener struct {
	Name     string
	Protocol string // "PLAINTEXT", "SSL", "SASL_PLAINTEXT" or "SASL_SSL"
	Host     string // "" binds every interface
	Port     int
}

// Voter is a member of the metadata quorum.
type Voter struct {
	ID   wire.NodeID
	Host string
	Port int
}

// IsBroker reports whether the node has the broker role.
func (b *Broker) IsBroker() bool { return contains(b.ProcessRoles, "broker") }

// IsController reports whether the node has the controller role.
func (b *Broker) IsController() bool { return contains(b.ProcessRoles, "controller") }
