package group

import (
	"time"

	"odradek/workloads/client/attempt"
)

// Protocol is how a member takes part in its group.
type Protocol uint8

const (
	// Classic: JoinGroup, SyncGroup, Heartbeat; a member, the leader, assigns.
	Classic Protocol = iota
	// Consumer: ConsumerGroupHeartbeat; the coordinator assigns (KIP-848).
	Consumer
)

func (p Protocol) String() string {
	if p == Consumer {
		return "consumer"
	}
	return "classic"
}

// Config holds Kafka's settings of a group's member. Start from [DefaultConfig].
type Config struct {
	// ID of the group (group.id).
	ID string
	// Protocol (group.protocol).
	Protocol Protocol
	// Instance makes the membership static (group.instance.id), if not empty.
	Instance string
	// Rack of the member (client.rack), if not empty.
	Rack string
	// SessionTimeout and HeartbeatInterval are of the classic protocol only; in the
	// other the broker decides (session.timeout.ms, heartbeat.interval.ms).
	SessionTimeout, HeartbeatInterval time.Duration
	// MaxPollInterval is how long the script may take between two polls before the
	// member leaves, and how long a rebalance waits for it (max.poll.interval.ms).
	MaxPollInterval time.Duration
	// Assignors of the classic protocol, by preference (partition.assignment.strategy).
	// All members need one in common. Cooperative and eager ones do not mix, except that
	// an eager one may come after a cooperative one, or before it, for a rolling change
	// (KIP-429): the member is cooperative only if all of its assignors are.
	Assignors []Assignor
	// RemoteAssignor of the consumer protocol (group.remote.assignor); empty leaves it to
	// the broker.
	RemoteAssignor string
	// AutoCommit commits the positions of what was handed out, every
	// AutoCommitInterval, before partitions are given up, and at the end
	// (enable.auto.commit, auto.commit.interval.ms).
	AutoCommit         bool
	AutoCommitInterval time.Duration
	// RequireStable makes reading committed offsets wait for transactions that may
	// change them (KIP-447). The shell sets it for consumers that read committed.
	RequireStable bool
	// Timeout bounds a commit and the reading of committed offsets
	// (default.api.timeout.ms).
	Timeout time.Duration
	Backoff attempt.Backoff
}

// DefaultConfig is what the Java consumer has by default, except that nothing is
// committed by itself, so that scripts say what they have processed.
func DefaultConfig(id string) Config {
	return Config{
		ID:                 id,
		SessionTimeout:     45 * time.Second,
		HeartbeatInterval:  3 * time.Second,
		MaxPollInterval:    5 * time.Minute,
		Assignors:          []Assignor{Range, CooperativeSticky},
		AutoCommitInterval: 5 * time.Second,
		Timeout:            time.Minute,
		Backoff:            attempt.Backoff{Initial: 100 * time.Millisecond, Max: time.Second},
	}
}
