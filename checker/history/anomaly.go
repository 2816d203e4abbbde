package history

import (
	"fmt"
	"strings"

	"odradek/broker/wire"
)

// Name names an anomaly.
type Name string

const (
	// LostWrite: acknowledged at an offset that the final log covers, but the
	// final log does not have it there.
	LostWrite Name = "lost-write"
	// Unseen: acknowledged at or beyond the final log's end.
	Unseen Name = "unseen"
	// Vanished: read by a consumer, but not in the final log at that offset, which
	// has nothing there.
	Vanished Name = "vanished"
	// Duplicate: one value at two offsets of the final log.
	Duplicate Name = "duplicate"
	// InconsistentOffsets: one offset was seen (in an acknowledgement, a poll or
	// the final log) with two values.
	InconsistentOffsets Name = "inconsistent-offsets"
	// AbortedRead: a value of a failed append or an aborted transaction was read
	// (G1a).
	AbortedRead Name = "aborted-read"
	// UnwrittenRead: a value was read that nobody had sent by then.
	UnwrittenRead Name = "unwritten-read"
	// NonmonotonicSend: successive appends of one producer landed in reverse
	// order.
	NonmonotonicSend Name = "nonmonotonic-send"
	// PollSkip: a consumer went past a record without getting it.
	PollSkip Name = "poll-skip"
	// NonmonotonicPoll: a consumer got an offset again or a lower one.
	NonmonotonicPoll Name = "nonmonotonic-poll"
	// OffsetRegression: successive answers to one client about the latest offset
	// go back (KIP-207).
	OffsetRegression Name = "offset-regression"
	// BrokenFinalRead: the final read itself has no single answer: pieces that
	// overlap or go back.
	BrokenFinalRead Name = "broken-final-read"
)

// Anomalies of transactions.
const (
	// PrecommittedRead: a value was read before anybody asked for the commit of its
	// transaction.
	PrecommittedRead Name = "precommitted-read"
	// IntermediateRead: a part of a committed transaction was read, and another part
	// can never be (G1b).
	IntermediateRead Name = "intermediate-read"
	// TornTransaction: readers of committed records get one part of a transaction in
	// the end and not another, be it a record or an offset.
	TornTransaction Name = "torn-transaction"
	// LostTransaction: a commit was acknowledged, and nothing of it is there.
	LostTransaction Name = "lost-transaction"
	// Cycle: transactions have read from one another in a circle (G1c).
	Cycle Name = "g1c"
	// HangingTransaction: in the end the last stable offset is not at the log's end.
	HangingTransaction Name = "hanging-transaction"
	// HiddenRecord: a record outside of transactions that readers of committed records
	// do not get.
	HiddenRecord Name = "hidden-record"
	// SharedProducer: two producers got the same producer id.
	SharedProducer Name = "shared-producer-id"
	// EpochRegression: a producer epoch that is negative, or went back.
	EpochRegression Name = "epoch-regression"
	// ZombieWrite: a transactional producer could go on after another one had taken
	// its place.
	ZombieWrite Name = "zombie-write"
)

// Anomalies of groups.
const (
	// DoubleOwnership: two members had a partition at the same time.
	DoubleOwnership Name = "double-ownership"
	// StaleMember: the coordinator accepted something of a generation that was over.
	StaleMember Name = "stale-member"
	// CommitRegression: a committed offset is not the newest that was committed.
	CommitRegression Name = "commit-regression"
	// PhantomCommit: a committed offset that nobody had committed.
	PhantomCommit Name = "phantom-commit"
	// AbortedOffset: a committed offset of a transaction that is aborted.
	AbortedOffset Name = "aborted-offset"
	// Unconsumed: a record below the committed offset that no member was given.
	Unconsumed Name = "unconsumed"
	// Lag: a group that was able to has not read everything in the end.
	Lag Name = "lag"
	// NotOnce: an input of a [Pipeline] without an output, or with several.
	NotOnce Name = "not-exactly-once"
)

// Anomalies of compacted logs.
const (
	// LostKey: the newest record of a key is gone.
	LostKey Name = "lost-key"
	// LostTombstone: a tombstone was removed before its time.
	LostTombstone Name = "lost-tombstone"
	// StaleTable: a consumer that has read everything has a value for a key that had
	// been deleted.
	StaleTable Name = "stale-table"
)

// Verdict is whether an anomaly breaks the run's guarantees.
type Verdict string

const (
	Violation Verdict = "violation"
	Allowed   Verdict = "allowed"
)

// Anomaly is one finding.
type Anomaly struct {
	Name      Name                `json:"name"`
	Partition wire.TopicPartition `json:"partition,omitzero"` // zero if none in particular
	Subject   string              `json:"subject,omitempty"`  // "group g", "transaction 7 of t"
	Verdict   Verdict             `json:"verdict"`
	Because   string              `json:"because"` // the rule that forbids or allows it
	Sentence  string              `json:"sentence"`
	Seqs      []int64             `json:"seqs"` // offending events
}

// Where is what the anomaly is about: a partition, a group, a transaction, a producer, or
// two of them.
func (a *Anomaly) Where() string {
	switch {
	case a.Subject == "":
		return a.Partition.String()
	case a.Partition == noPartition:
		return a.Subject
	}
	return a.Subject + ", " + a.Partition.String()
}

func (a *Anomaly) String() string {
	return fmt.Sprintf("%s %s in %s: %s (%s) %v", a.Verdict, a.Name, a.Where(), a.Sentence, a.Because, a.Seqs)
}

// Report is the outcome of [Check].
type Report struct {
	Anomalies []Anomaly `json:"anomalies"`
	// Acknowledged, Unknown and Failed count appends, Read records in polls, Final
	// records in the final logs. All zero means that nothing was judged.
	Acknowledged, Unknown, Failed, Read, Final int
	// Compacted counts acknowledged appends that compaction removed.
	Compacted int
	// Committed, Aborted and Undecided count transactions; Producers the producer ids
	// and epochs that were given out.
	Committed, Aborted, Undecided, Producers int
	// Memberships counts members of groups, Commits acknowledged commits, Fetched the
	// committed offsets that were read, Given records handed to members, FinalOffsets the
	// committed offsets in the end, and Inputs the records that pipelines have processed.
	Memberships, Commits, Fetched, Given, FinalOffsets, Inputs int
}

// Violations are the anomalies that break the run's guarantees.
func (r *Report) Violations() []Anomaly { return r.with(Violation) }

// Allowed are the others.
func (r *Report) Allowed() []Anomaly { return r.with(Allowed) }

func (r *Report) with(v Verdict) []Anomaly {
	var out []Anomaly
	for _, a := range r.Anomalies {
		if a.Verdict == v {
			out = append(out, a)
		}
	}
	return out
}

func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d appends acknowledged, %d unknown, %d failed; %d records read, %d in the final logs\n",
		r.Acknowledged, r.Unknown, r.Failed, r.Read, r.Final)
	if n := r.Committed + r.Aborted + r.Undecided; n > 0 {
		fmt.Fprintf(&b, "%d transactions committed, %d aborted, %d undecided\n", r.Committed, r.Aborted, r.Undecided)
	}
	if r.Memberships+r.Commits > 0 {
		fmt.Fprintf(&b, "%d memberships, %d offsets committed, %d records given to members\n", r.Memberships, r.Commits, r.Given)
	}
	for i := range r.Anomalies {
		fmt.Fprintln(&b, r.Anomalies[i].String())
	}
	return b.String()
}
