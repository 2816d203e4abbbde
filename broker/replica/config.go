package replica

import (
	"math"
	"time"

	"odradek/broker/failpoint"
)

// Never is the deadline of a decider that waits for nothing.
const Never int64 = math.MaxInt64

// longAgo is a time before every now, small enough to subtract without overflow.
const longAgo int64 = math.MinInt64 / 4

// Config is what a partition's deciders are tuned with.
type Config struct {
	// LagTimeMax is replica.lag.time.max.ms: a follower that has not been caught
	// up for longer leaves the ISR.
	LagTimeMax time.Duration
	// RetryBackoff is how long to wait before an AlterPartition request is sent
	// again, or an ineligible replica proposed again.
	RetryBackoff time.Duration
	// FetchBackoff is replica.fetch.backoff.ms: how long a follower leaves a
	// partition out of its fetches after an error.
	FetchBackoff time.Duration
	// CountFlushed makes the leader count its own log only up to what
	// [Leader.OnFlushed] reported. Kafka counts what is written, in the page
	// cache: acknowledged records then survive unless all in-sync replicas lose
	// power together. Followers decide the same for themselves, by reporting
	// [Follower.OnAppended] only after their flush.
	CountFlushed bool
	// Fail is the node's failpoint registry; nil has none armed.
	Fail *failpoint.Registry
}

// DefaultConfig has Kafka's defaults.
func DefaultConfig() Config {
	return Config{LagTimeMax: 30 * time.Second, RetryBackoff: 50 * time.Millisecond, FetchBackoff: time.Second}
}
