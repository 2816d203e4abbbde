package invariant

import (
	"slices"
	"testing"

	"odradek/broker/wire"
)

func member(n wire.NodeID, epoch wire.LeaderEpoch, end, hw wire.Offset, changes ...Change) Member {
	return Member{Node: n, Running: true, Epoch: epoch, LogEnd: end, HighWatermark: hw, Changes: changes}
}

func elected(m Member) Member { m.Leader = true; return m }

func TestPlantedViolationsOfTheQuorum(t *testing.T) {
	for _, test := range []struct {
		name string
		run  func(q *Quorum) []Violation
		want Name
	}{
		{"all is well", func(q *Quorum) []Violation {
			return slices.Concat(
				q.Voted(Vote{Node: 2, Epoch: 1, Candidate: 1, DurableEpoch: 1, DurableCandidate: 1}),
				q.Observe(elected(member(1, 1, 1, -1, appended(0, 0, 1, 7)))),
				q.Observe(member(2, 1, 1, 0, appended(0, 0, 1, 7))),
				q.Observe(elected(member(1, 1, 1, 1))),
				q.Observe(member(2, 1, 1, 1)),
				q.Voted(Vote{Node: 1, Epoch: 2, Candidate: 2, DurableEpoch: 2, DurableCandidate: 2}),
				q.Observe(elected(member(2, 2, 2, 1, appended(1, 1, 2, 8)))),
				q.Observe(member(3, 2, 2, 2, Change{Kind: StartedAt, Offset: 1}, appended(1, 1, 2, 8))))
		}, ""},
		{"two leaders in an epoch", func(q *Quorum) []Violation {
			return slices.Concat(q.Observe(elected(member(1, 3, 0, -1))), q.Observe(elected(member(2, 3, 0, -1))))
		}, OneLeader},
		{"two votes in an epoch", func(q *Quorum) []Violation {
			return slices.Concat(q.Voted(Vote{3, 1, 1, 1, 1}), q.Voted(Vote{3, 1, 2, 1, 2}))
		}, OneVote},
		{"the same vote twice", func(q *Quorum) []Violation {
			return slices.Concat(q.Voted(Vote{3, 1, 1, 1, 1}), q.Voted(Vote{3, 1, 1, 1, 1}))
		}, ""},
		{"a vote that is not on disk", func(q *Quorum) []Violation { return q.Voted(Vote{3, 2, 1, 1, 1}) }, VoteDurable},
		{"a vote for another on disk", func(q *Quorum) []Violation { return q.Voted(Vote{3, 2, 1, 2, 3}) }, VoteDurable},
		{"a vote of an epoch that has passed", func(q *Quorum) []Violation { return q.Voted(Vote{3, 2, 1, 5, 3}) }, ""},
		{"an epoch goes back over a restart", func(q *Quorum) []Violation {
			return slices.Concat(q.Observe(member(1, 4, 0, -1)), q.Observe(Member{Node: 1}), q.Observe(member(1, 3, 0, -1)))
		}, EpochMonotonic},
		{"a watermark goes back", func(q *Quorum) []Violation {
			return slices.Concat(q.Observe(member(1, 1, 1, 1, appended(0, 0, 1, 7))), q.Observe(member(1, 1, 1, 0)))
		}, WatermarkMonotonic},
		{"a watermark is not known after a restart", func(q *Quorum) []Violation {
			return slices.Concat(q.Observe(member(1, 1, 1, 1, appended(0, 0, 1, 7))), q.Observe(Member{Node: 1}), q.Observe(member(1, 1, 1, 0)))
		}, ""},
		{"a watermark beyond the log", func(q *Quorum) []Violation { return q.Observe(member(1, 1, 0, 1)) }, WatermarkInLog},
		{"logs differ in one epoch", func(q *Quorum) []Violation {
			return slices.Concat(q.Observe(member(1, 1, 1, -1, appended(0, 0, 1, 7))), q.Observe(member(2, 1, 1, -1, appended(0, 0, 1, 8))))
		}, LogMatching},
		{"logs differ below what is committed", func(q *Quorum) []Violation {
			return slices.Concat(q.Observe(member(1, 1, 1, 1, appended(0, 0, 1, 7))), q.Observe(member(2, 2, 1, 1, appended(0, 0, 2, 8))))
		}, CommittedPrefix},
		{"a leader without what is committed", func(q *Quorum) []Violation {
			return slices.Concat(q.Observe(member(1, 1, 1, 1, appended(0, 0, 1, 7))), q.Observe(elected(member(2, 2, 0, -1))))
		}, LeaderComplete},
		{"a leader that commits over it", func(q *Quorum) []Violation {
			return slices.Concat(q.Observe(member(1, 1, 1, 1, appended(0, 0, 1, 7))), q.Observe(elected(member(2, 2, 1, 1, appended(0, 0, 2, 8)))))
		}, LeaderComplete},
		{"committed metadata is lost with the power", func(q *Quorum) []Violation {
			return slices.Concat(q.Observe(elected(member(1, 1, 1, 1, appended(0, 0, 1, 7)))),
				q.Observe(Member{Node: 1, Changes: []Change{{Kind: TruncatedTo}}}), q.Observe(elected(member(1, 2, 0, -1))))
		}, LeaderComplete},
		{"with an excuse", func(q *Quorum) []Violation {
			a := q.Observe(elected(member(1, 1, 1, 1, appended(0, 0, 1, 7))))
			q.Excuse(0)
			return slices.Concat(a, q.Observe(Member{Node: 1, Changes: []Change{{Kind: TruncatedTo}}}), q.Observe(elected(member(1, 2, 0, -1))))
		}, ""},
		{"a snapshot of what is not committed", func(q *Quorum) []Violation {
			return q.Observe(member(1, 1, 5, 5, Change{Kind: StartedAt, Offset: 5}))
		}, SnapshotCommitted},
		{"the harness missed a change", func(q *Quorum) []Violation { return q.Observe(member(1, 1, 1, -1)) }, Bookkeeping},
	} {
		t.Run(test.name, func(t *testing.T) { expect(t, test.run(NewQuorum()), test.want) })
	}
}
