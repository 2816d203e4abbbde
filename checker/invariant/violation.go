package invariant

import (
	"fmt"

	"odradek/broker/wire"
)

// Name names an invariant.
type Name string

// Invariants of replication.
const (
	// MaximalISR: the leader's maximal ISR (what its high watermark counts)
	// contains the controller's ISR, and equals it when no AlterPartition is
	// pending and both know the same partition epoch.
	MaximalISR Name = "maximal-isr"
	// ISRHasCommitted: every member of ISR and ELR has a log end at or beyond the
	// true high watermark.
	ISRHasCommitted Name = "isr-has-committed"
	// FencedInISR: no fenced broker is in the ISR, except the last one, without
	// leader (KIP-841).
	FencedInISR Name = "fenced-in-isr"
	// LeaderComplete: the newest leader holds everything committed. (Of the
	// metadata quorum too.)
	LeaderComplete Name = "leader-complete"
	// CommittedPrefix: all replicas have the same log below their high watermarks,
	// for ever.
	CommittedPrefix Name = "committed-prefix"
	// LogMatching: two logs with a batch of the same last offset and epoch are
	// equal up to there.
	LogMatching Name = "log-matching"
	// OneLeader: an epoch has at most one leader.
	OneLeader Name = "one-leader"
	// WatermarkMonotonic: a leader's high watermark does not go back in its epoch;
	// a quorum member's never while it runs.
	WatermarkMonotonic Name = "watermark-monotonic"
	// WatermarkInLog: log start <= high watermark <= log end.
	WatermarkInLog Name = "watermark-in-log"
	// StableInLog: last stable offset <= high watermark.
	StableInLog Name = "stable-in-log"
	// StableMonotonic: a leader's last stable offset does not go back in its epoch.
	StableMonotonic Name = "stable-monotonic"
	// AckedCommitted: acks=all is acknowledged only below the high watermark, and
	// once min.insync.replicas replicas have the record.
	AckedCommitted Name = "acked-committed"
)

// Invariants of the metadata quorum, besides some of the above.
const (
	// EpochMonotonic: a member's epoch never goes back, restarts included.
	EpochMonotonic Name = "epoch-monotonic"
	// OneVote: a member votes for one candidate in an epoch, restarts included.
	OneVote Name = "one-vote"
	// VoteDurable: a vote is on disk before it is answered.
	VoteDurable Name = "vote-durable"
	// SnapshotCommitted: a snapshot ends at a committed offset.
	SnapshotCommitted Name = "snapshot-committed"
)

// Bookkeeping means that the reported changes do not add up to the reported log:
// a bug of the harness, or of the storage that it watches.
const Bookkeeping Name = "bookkeeping"

// Violation is an invariant that does not hold.
type Violation struct {
	Invariant Name
	Subject   string // the partition, or "quorum"
	Sentence  string
	Nodes     []wire.NodeID // involved
}

func (v Violation) String() string {
	return fmt.Sprintf("%s of %s: %s %v", v.Invariant, v.Subject, v.Sentence, v.Nodes)
}

// findings collects the violations of one call.
type findings struct {
	subject string
	list    []Violation
}

func (f *findings) add(name Name, nodes []wire.NodeID, format string, args ...any) {
	f.list = append(f.list, Violation{name, f.subject, fmt.Sprintf(format, args...), nodes})
}
