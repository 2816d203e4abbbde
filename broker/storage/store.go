package storage

import (
	"odradek/broker/env"
	"odradek/broker/wire"
)

// StoreConfig says whose data directory it is. The directory is the disk's root.
type StoreConfig struct {
	ClusterID string
	NodeID    wire.NodeID
}

// Store is the data directory of a node. All methods belong to the node's loop.
type Store struct{}

// CleanShutdown tells how the previous run ended.
type CleanShutdown struct {
	Clean bool
	// BrokerEpoch is that of the run that ended cleanly, else wire.NoBrokerEpoch
	// (KIP-966: a broker that registers without it has stopped uncleanly).
	BrokerEpoch wire.BrokerEpoch
}

// Partition is a partition directory.
type Partition struct {
	wire.TopicPartition
	// TopicID is zero if the directory has no partition.metadata.
	TopicID wire.UUID
}

// PartitionOffset is one entry of an offset checkpoint.
type PartitionOffset struct {
	wire.TopicPartition
	Offset wire.Offset
}

// OpenStore opens the data directory, or makes a new one of an empty one: identity,
// checkpoints, partition directories; not the logs. The clean-shutdown marker is
// removed, durably, before it returns. Directories of deleted partitions are removed
// in the background. Errors: [IdentityError], [CorruptError], or the disk's.
func OpenStore(task *env.Task, e *env.Env, cfg StoreConfig) (*Store, error) {
	panic("not written yet")
}

// DirectoryID is the id of this data directory (KIP-858).
func (s *Store) DirectoryID() wire.UUID { panic("not written yet") }

// PreviousShutdown tells how the previous run ended.
func (s *Store) PreviousShutdown() CleanShutdown { panic("not written yet") }

// Partitions lists the partition directories, sorted.
func (s *Store) Partitions() []Partition { panic("not written yet") }

// OpenLog opens the log of an existing partition directory.
func (s *Store) OpenLog(task *env.Task, tp wire.TopicPartition, cfg Config, obs Observer) (*Log, error) {
	panic("not written yet")
}

// OpenLogs opens the logs of several partitions, a few at a time, calling each with
// every log or error as it comes, and returns when all are done.
func (s *Store) OpenLogs(task *env.Task, tps []wire.TopicPartition,
	configure func(wire.TopicPartition) (Config, Observer), each func(wire.TopicPartition, *Log, error)) {
	panic("not written yet")
}

// CreatePartition makes the directory of a new partition, durably, and opens its empty
// log, which starts at offset 0. An existing one is fs.ErrExist.
func (s *Store) CreatePartition(p Partition, cfg Config, obs Observer, done func(*Log, error)) {
	panic("not written yet")
}

// DeletePartition gives up the partition's log (pending appends fail with [ErrClosed]) and
// renames its directory, durably; the files are removed in the background.
func (s *Store) DeletePartition(tp wire.TopicPartition, done func(error)) {
	panic("not written yet")
}

// Log returns an open log, or nil.
func (s *Store) Log(tp wire.TopicPartition) *Log { panic("not written yet") }

// HighWatermark is the partition's last checkpointed high watermark, 0 if there is none.
// The caller bounds it by the log's start and end.
func (s *Store) HighWatermark(tp wire.TopicPartition) wire.Offset { panic("not written yet") }

// CheckpointHighWatermarks writes the given high watermarks, which replace all earlier
// ones of open logs.
func (s *Store) CheckpointHighWatermarks(hws []PartitionOffset, done func(error)) {
	panic("not written yet")
}

// Checkpoint writes the recovery points and start offsets of all open logs.
func (s *Store) Checkpoint(done func(error)) { panic("not written yet") }

// ReadFile reads a small file at the root of the data directory, or below a partition
// directory. A missing one is fs.ErrNotExist.
func (s *Store) ReadFile(path string, done func([]byte, error)) { panic("not written yet") }

// WriteFileAtomic replaces a small file: after success the new content is durable, and
// before it, whatever happens, the old content is there. Writes of one path happen in order.
func (s *Store) WriteFileAtomic(path string, content []byte, done func(error)) {
	panic("not written yet")
}

// Close closes all logs, writes the checkpoints and, if no log was offline, the
// clean-shutdown marker with the given broker epoch.
func (s *Store) Close(brokerEpoch wire.BrokerEpoch, done func(error)) { panic("not written yet") }
