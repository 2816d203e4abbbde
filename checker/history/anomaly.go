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
	// AbortedRead: a value of a failed append was read (G1a).
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

// Verdict is whether an anomaly breaks the run's guarantees.
type Verdict string

const (
	Violation Verdict = "violation"
	Allowed   Verdict = "allowed"
)

// Anomaly is one finding.
type Anomaly struct {
	Name      Name                `json:"name"`
	Partition wire.TopicPartition `json:"partition"`
	Verdict   Verdict             `json:"verdict"`
	Because   string              `json:"because"` // the rule that forbids or allows it
	Sentence  string              `json:"sentence"`
	Seqs      []int64             `json:"seqs"` // offending events
}

func (a *Anomaly) String() string {
	return fmt.Sprintf("%s %s in %v: %s (%s) %v", a.Verdict, a.Name, a.Partition, a.Sentence, a.Because, a.Seqs)
}

// Report is the outcome of [Check].
type Report struct {
	Anomalies []Anomaly `json:"anomalies"`
	// Acknowledged, Unknown and Failed count appends, Read records in polls, Final
	// records in the final logs. All zero means that nothing was judged.
	Acknowledged, Unknown, Failed, Read, Final int
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
	for i := range r.Anomalies {
		fmt.Fprintln(&b, r.Anomalies[i].String())
	}
	return b.String()
}
