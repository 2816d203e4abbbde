package client

import (
	"time"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/workloads/client/attempt"
)

// Admin changes and describes the cluster. Every method retries until the timeout
// given with WithTimeout (default 60 s) what may succeed later. Errors are of type
// *AdminError.
type Admin struct{}

// AdminError says how an admin operation failed.
type AdminError struct {
	// Outcome is Failed only if no attempt can have had an effect.
	Outcome  attempt.Outcome
	Attempts []attempt.Attempt
	Err      error
}

func (e *AdminError) Error() string { return e.Err.Error() }
func (e *AdminError) Unwrap() error { return e.Err }

// NewTopic describes a topic to create.
type NewTopic struct {
	Name string
	// Partitions and ReplicationFactor may be -1 for the broker's default.
	Partitions        int32
	ReplicationFactor int16
	// Configs are set in the order of their names.
	Configs map[string]string
}

// CreateTopic creates a topic and gives its id (zero if the broker is too old to
// tell).
func (a *Admin) CreateTopic(t *env.Task, topic NewTopic) (wire.UUID, error) {
	panic("first commit: API only")
}

// DeleteTopic deletes a topic by name.
func (a *Admin) DeleteTopic(t *env.Task, topic string) error { panic("first commit: API only") }

// CreatePartitions raises the number of partitions to count.
func (a *Admin) CreatePartitions(t *env.Task, topic string, count int32) error {
	panic("first commit: API only")
}

// ConfigEntry is one config as described by a broker.
type ConfigEntry struct {
	Name, Value string
	Null        bool
	ReadOnly    bool
	Source      int8
}

// DescribeTopicConfigs lists a topic's configs, sorted by name.
func (a *Admin) DescribeTopicConfigs(t *env.Task, topic string) ([]ConfigEntry, error) {
	panic("first commit: API only")
}

// ConfigChange sets a config, or deletes it (back to the default).
type ConfigChange struct {
	Name, Value string
	Delete      bool
}

// AlterTopicConfigs changes a topic's configs (IncrementalAlterConfigs).
func (a *Admin) AlterTopicConfigs(t *env.Task, topic string, changes []ConfigChange) error {
	panic("first commit: API only")
}

// BrokerInfo is a broker as listed by DescribeCluster.
type BrokerInfo struct {
	Node   wire.NodeID
	Addr   string
	Rack   string
	Fenced bool
}

// ClusterInfo is the answer of DescribeCluster.
type ClusterInfo struct {
	ClusterID  string
	Controller wire.NodeID
	// Brokers are sorted by node.
	Brokers []BrokerInfo
}

// DescribeCluster asks any broker for the cluster's members.
func (a *Admin) DescribeCluster(t *env.Task) (ClusterInfo, error) { panic("first commit: API only") }

// PartitionInfo is a partition as listed by DescribeTopic.
type PartitionInfo struct {
	Partition     int32
	Leader        wire.NodeID
	LeaderEpoch   wire.LeaderEpoch
	Replicas, ISR []wire.NodeID
	// Code is the partition's error code in the metadata.
	Code int16
}

// TopicInfo is the answer of DescribeTopic.
type TopicInfo struct {
	Name string
	ID   wire.UUID
	// Partitions are sorted by number.
	Partitions []PartitionInfo
}

// DescribeTopic asks any broker for a topic's metadata.
func (a *Admin) DescribeTopic(t *env.Task, topic string) (TopicInfo, error) {
	panic("first commit: API only")
}

// ListedOffset is the answer of ListOffsets.
type ListedOffset struct {
	Offset    wire.Offset
	Timestamp int64
	Epoch     wire.LeaderEpoch
}

// Special timestamps of ListOffsets.
const (
	LatestOffset   int64 = -1
	EarliestOffset int64 = -2
)

// ListOffset asks a partition's leader for the offset of a timestamp in ms, or of
// one of the special ones. readCommitted makes the latest the last stable offset.
func (a *Admin) ListOffset(t *env.Task, tp wire.TopicPartition, timestamp int64, readCommitted bool) (ListedOffset, error) {
	panic("first commit: API only")
}

// WithTimeout is the same client with another bound on each operation.
func (a *Admin) WithTimeout(d time.Duration) *Admin { panic("first commit: API only") }

// Close ends the client; pending operations end with ErrClosed.
func (a *Admin) Close() { panic("first commit: API only") }
