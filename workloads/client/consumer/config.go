package consumer

import (
	"time"

	"odradek/workloads/client/attempt"
)

// Reset says where to go when there is no valid position.
type Reset uint8

const (
	// ResetNone: nowhere, the user must seek.
	ResetNone Reset = iota
	ResetEarliest
	ResetLatest
	// ResetTimestamp: to the first record whose timestamp is at least
	// Config.ResetTimestamp.
	ResetTimestamp
)

// Config holds Kafka's consumer settings. Start from [DefaultConfig].
type Config struct {
	// MinBytes is how many bytes a fetch waits for, for at most MaxWait.
	MinBytes int
	MaxWait  time.Duration
	// MaxBytes bounds a fetch, PartitionMaxBytes each partition of it; the first
	// batch is returned whatever its size (KIP-74).
	MaxBytes, PartitionMaxBytes int
	// MaxPollRecords bounds what one Take returns.
	MaxPollRecords int
	// ReadCommitted hides records of open and aborted transactions.
	ReadCommitted bool
	Reset         Reset
	// ResetTimestamp in ms, for the policy of that name.
	ResetTimestamp int64
	// CheckCRC verifies each batch's checksum.
	CheckCRC bool
	// DrainFirst asks a node for nothing while there is something of its that Take has not
	// given, as franz-go does. The Java consumer asks for its other partitions meanwhile,
	// and so may wait for those with the one that is busy left out.
	DrainFirst bool
	// FetchEpochs puts the epoch of the last record read into Fetch (version 12
	// on), so that the broker can report divergence in the answer. The Java
	// consumer leaves it out and relies on OffsetForLeaderEpoch alone.
	FetchEpochs bool
	Backoff     attempt.Backoff
}

// DefaultConfig is what the Java consumer has by default, except for the reset
// policy: none, so that no test skips records without noticing.
func DefaultConfig() Config {
	return Config{
		MinBytes:          1,
		MaxWait:           500 * time.Millisecond,
		MaxBytes:          50 << 20,
		PartitionMaxBytes: 1 << 20,
		MaxPollRecords:    500,
		CheckCRC:          true,
		Backoff:           attempt.Backoff{Initial: 100 * time.Millisecond, Max: time.Second},
	}
}
