package raft

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"odradek/broker/failpoint"
	"odradek/broker/wire"
)

// Config is what a node is told once. The names in the comments are Kafka's.
type Config struct {
	NodeID wire.NodeID
	// Voters is the static set of voters. A node that is not in it is an observer:
	// it fetches, and neither votes nor counts.
	Voters []wire.NodeID

	ElectionTimeout    time.Duration // controller.quorum.election.timeout.ms; time-outs are drawn from [1, 2) times it
	ElectionBackoffMax time.Duration // controller.quorum.election.backoff.max.ms
	FetchTimeout       time.Duration // controller.quorum.fetch.timeout.ms; drawn from [1, 1.25] times it
	RequestTimeout     time.Duration // controller.quorum.request.timeout.ms
	RetryBackoff       time.Duration // controller.quorum.retry.backoff.ms
	FetchMaxWait       time.Duration // how long a leader may hold this node's fetch; less than the time-outs
	FetchMaxBytes      int32         // of records in one fetch
	SnapshotMaxBytes   int32         // of a snapshot in one fetch
	// SnapshotsKept is how many snapshots stay, at least 1. The log is kept from
	// the oldest of them on, so that a follower that is a little late need not fetch
	// a snapshot.
	SnapshotsKept int

	// Rand draws election time-outs and whom an observer asks.
	Rand *rand.Rand
	// Fail may be nil.
	Fail *failpoint.Registry
}

// DefaultConfig has Kafka's defaults; NodeID, Voters and Rand are left to set.
func DefaultConfig() Config {
	return Config{
		NodeID:             wire.NoNode,
		ElectionTimeout:    time.Second,
		ElectionBackoffMax: time.Second,
		FetchTimeout:       2 * time.Second,
		RequestTimeout:     2 * time.Second,
		RetryBackoff:       20 * time.Millisecond,
		FetchMaxWait:       500 * time.Millisecond,
		FetchMaxBytes:      8 << 20,
		SnapshotMaxBytes:   8 << 20,
		SnapshotsKept:      2,
	}
}

func (c *Config) validate() error {
	switch {
	case c.NodeID < 0:
		return errors.New("raft: node id is not set")
	case len(c.Voters) == 0:
		return errors.New("raft: no voters")
	case c.Rand == nil:
		return errors.New("raft: no source of randomness")
	case c.SnapshotsKept < 1:
		return errors.New("raft: at least one snapshot must be kept")
	case c.FetchMaxBytes <= 0 || c.SnapshotMaxBytes <= 0:
		return errors.New("raft: byte limits must be positive")
	case c.ElectionTimeout <= 0 || c.FetchTimeout <= 0 || c.RequestTimeout <= 0 || c.RetryBackoff <= 0 || c.ElectionBackoffMax <= 0:
		return errors.New("raft: time-outs must be positive")
	case c.FetchMaxWait < 0 || c.FetchMaxWait >= c.FetchTimeout || c.FetchMaxWait >= c.RequestTimeout:
		// A leader without news would look like a dead one.
		return errors.New("raft: the fetch wait must be shorter than the fetch and request time-outs")
	}
	sorted := slices.Sorted(slices.Values(c.Voters))
	for i, v := range sorted {
		if v < 0 || i > 0 && sorted[i-1] == v {
			return fmt.Errorf("raft: voters %v: ids must be distinct and not negative", c.Voters)
		}
	}
	return nil
}

// Restored is what the shell found on its disk. All of it must be durable: a log
// that was recovered from the page cache is synced before the decider sees it.
type Restored struct {
	Quorum QuorumState // EmptyQuorumState if there is no file
	Log    RestoredLog
	// Snapshots is every complete snapshot, in ascending order.
	Snapshots []Snapshot
}

// RestoredLog describes the metadata log.
type RestoredLog struct {
	StartOffset wire.Offset
	EndOffset   wire.Offset
	// Epochs says at which offset each epoch begins, ascending in both. Every epoch
	// has records before EndOffset; the first may begin before StartOffset.
	Epochs []EpochStart
}

// EpochStart is one entry of the leader epoch cache.
type EpochStart struct {
	Epoch       wire.LeaderEpoch
	StartOffset wire.Offset
}

// Snapshot is a complete snapshot on this node's disk.
type Snapshot struct {
	ID   OffsetAndEpoch
	Size int64 // bytes, more than 0
}
