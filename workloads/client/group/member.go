package group

import (
	"errors"

	"odradek/broker/wire"
	"odradek/workloads/client/attempt"
)

// Offset is a committed position.
type Offset struct {
	Offset wire.Offset
	// LeaderEpoch of the last record consumed; NoLeaderEpoch if it is not known.
	LeaderEpoch wire.LeaderEpoch
	Metadata    string
}

// Offsets are positions to be committed, or committed.
type Offsets map[wire.TopicPartition]Offset

// Member is who commits: what Kafka calls group metadata.
type Member struct {
	Group string
	// Generation of the classic protocol, member epoch of the other; -1 outside a group.
	Generation int32
	// ID is empty outside a group.
	ID       string
	Instance string
}

// In tells whether the member is in its group.
func (m Member) In() bool { return m.Generation >= 0 && m.ID != "" }

// ChangeKind says what a change of the assignment is.
type ChangeKind uint8

const (
	// Revoke: the partitions are given up in an orderly way; positions can still be
	// committed.
	Revoke ChangeKind = iota
	// Lose: the partitions may belong to somebody else already.
	Lose
	// Assign: partitions (maybe none) are added.
	Assign
)

func (k ChangeKind) String() string {
	return [...]string{"revoke", "lose", "assign"}[k]
}

// Change is what the script has to hear of before the core goes on.
type Change struct {
	Kind ChangeKind
	// Partitions that go or come, sorted. Not to be modified.
	Partitions []wire.TopicPartition
	// Member as it was when the partitions were held (Revoke, Lose), or is.
	Member Member
}

// Event is what happened to a membership, for whoever watches.
type Event struct {
	Kind EventKind
	Member
	// Err of Fenced and Failed.
	Err error
}

// EventKind says what happened to a membership.
type EventKind uint8

const (
	// Joined: a new generation or member epoch.
	Joined EventKind = iota
	// Fenced: the coordinator does not count the member in any more. It joins again by
	// itself.
	Fenced
	// Left: by Leave, or because the script did not poll.
	Left
	// Failed: for good. Every poll returns the error.
	Failed
)

func (k EventKind) String() string {
	return [...]string{"joined", "fenced", "left", "failed"}[k]
}

// Commit is how a commit ended.
type Commit struct {
	// ID numbers the commits of a member from 1 on, in the order of their calls.
	ID      CommitID
	Offsets Offsets
	// Outcome is OK if all offsets were committed, Failed if certainly none was nor
	// will be, else Unknown.
	Outcome attempt.Outcome
	// Err is nil if and only if the outcome is OK.
	Err error
	// Partitions has the outcome of each, where they differ.
	Partitions map[wire.TopicPartition]attempt.Outcome
	Attempts   []attempt.Attempt
}

// CommitID numbers commits.
type CommitID uint64

// Of is the outcome of one partition's offset.
func (c *Commit) Of(tp wire.TopicPartition) attempt.Outcome {
	if o, ok := c.Partitions[tp]; ok {
		return o
	}
	return c.Outcome
}

// Fetched is how the reading of committed offsets ended. Partitions without a committed
// offset are in none of the two.
type Fetched struct {
	ID      FetchID
	Offsets Offsets
	// Refused are partitions that were answered with an error that does not pass.
	Refused map[wire.TopicPartition]error
	// Err of the whole; then nothing is known of any partition.
	Err error
}

// FetchID numbers the readings of committed offsets.
type FetchID uint64

// Errors that end an operation, or a membership.
var (
	// ErrNotMember: the member is not in its group at the moment; nothing was sent.
	ErrNotMember = errors.New("not a member of the group")
	// ErrRebalancing: a rebalance is under way; the next poll takes part in it.
	ErrRebalancing = errors.New("the group rebalances")
	// ErrFencedInstance: another member has the same instance id (FENCED_INSTANCE_ID,
	// UNRELEASED_INSTANCE_ID). The member is of no more use.
	ErrFencedInstance = errors.New("another member has the same instance id")
	// ErrTimeout: Config.Timeout has passed; it wraps the latest refusal.
	ErrTimeout = errors.New("timed out")
	// ErrClosed: the member was closed.
	ErrClosed = errors.New("member closed")
)
