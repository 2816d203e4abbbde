package group

import (
	"cmp"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
	"odradek/workloads/client/attempt"
)

// Effort is how hard a commit tries.
type Effort uint8

const (
	// Once: a single attempt, as Java's commitAsync.
	Once Effort = iota
	// Retry what may pass until Config.Timeout, as Java's commitSync. A refusal of the
	// member (its generation, its epoch) is final.
	Retry
	// Insist: also retry with a newer member epoch, as Java's automatic commit before
	// partitions are given up.
	Insist
)

// commit is one under way.
type commit struct {
	Commit
	trying
	effort Effort
	// maybe are partitions of which an attempt may have committed the offset.
	maybe map[wire.TopicPartition]bool
}

// Commit begins to commit. Its result comes from Commits.
func (c *Core) Commit(now int64, offsets Offsets, effort Effort) CommitID {
	c.lastID.commit++
	c.commits = append(c.commits, &commit{
		Commit: Commit{ID: c.lastID.commit, Offsets: maps.Clone(offsets)},
		effort: effort, trying: trying{deadline: now + int64(c.cfg.Timeout)}, maybe: make(map[wire.TopicPartition]bool),
	})
	return c.lastID.commit
}

// Commits takes the results of commits.
func (c *Core) Commits() []Commit {
	ended := c.committed
	c.committed = nil
	return ended
}

// pollCommits ends what takes too long and makes attempts that are due.
func (c *Core) pollCommits(now int64) {
	for _, k := range slices.Clone(c.commits) {
		switch due, err := k.due(now, cmp.Or(c.err, c.membership.mayCommit())); {
		case len(k.Offsets) == 0:
			c.endCommit(k, nil, nil)
		case err != nil:
			c.endCommit(k, nil, err)
		case due:
			if node, ok := c.node(); ok {
				c.attemptCommit(now, node, k)
			}
		}
	}
}

func (c *Core) attemptCommit(now int64, node wire.NodeID, k *commit) {
	m := c.Member()
	req := OffsetCommitRequest(m, k.Offsets)
	lowest := int16(2)
	switch {
	case c.cfg.Protocol == Consumer:
		lowest = 9
	case m.Instance != "":
		lowest = 7
	}
	at := len(k.Attempts)
	k.Attempts = append(k.Attempts, attempt.Attempt{
		ID: c.lastID.request + 1, Node: node, LeaderEpoch: wire.NoLeaderEpoch, Sent: now, Outcome: attempt.Unknown,
	})
	k.inFlight = true
	c.send(req, lowest, 9, 0, func(now int64, _ wire.NodeID, resp kmsg.Response, err error) {
		if !slices.Contains(c.commits, k) {
			return // ended by its deadline
		}
		k.inFlight = false
		a := &k.Attempts[at]
		a.Done = now
		if err != nil {
			a.Err, a.Outcome = err, attempt.OutcomeOf(err)
			if a.Outcome != attempt.Failed {
				c.mayHave(k, nil)
			}
			c.retryCommit(now, k, nil, err, !unserved(err))
			return
		}
		c.onCommit(now, k, a, m, resp.(*kmsg.OffsetCommitResponse))
	})
}

// mayHave marks all partitions, or those of which the answer leaves it open.
func (c *Core) mayHave(k *commit, codes map[wire.TopicPartition]int16) {
	for tp := range k.Offsets { //odradek:unordered a set
		if code, ok := codes[tp]; !ok || Classify(code).Outcome != attempt.Failed {
			k.maybe[tp] = true
		}
	}
}

func (c *Core) onCommit(now int64, k *commit, a *attempt.Attempt, m Member, resp *kmsg.OffsetCommitResponse) {
	codes := ReadOffsetCommit(resp)
	c.mayHave(k, codes)
	worst := Worst(k.Offsets, codes)
	a.Code, a.Outcome = worst, attempt.Failed
	for tp := range k.Offsets { //odradek:unordered whether there is one
		if code, answered := codes[tp]; !answered || Classify(code).Outcome != attempt.Failed {
			a.Outcome = attempt.Unknown
		}
	}
	if worst == 0 {
		a.Outcome = attempt.OK
		c.endCommit(k, codes, nil)
		return
	}
	c.passing(a.Node, worst)
	c.membership.refused(now, m, worst)
	retry := Classify(worst).Retriable
	if k.effort == Insist && worst == kerr.StaleMemberEpoch.Code {
		retry = true
	}
	c.retryCommit(now, k, codes, attempt.NewCodeError(worst, nil), retry)
}

// OffsetCommitRequest is a request to commit offsets as a member, or with generation -1 and
// no id as nobody.
func OffsetCommitRequest(m Member, offsets Offsets) *kmsg.OffsetCommitRequest {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation, req.MemberID, req.InstanceID = m.Group, m.Generation, m.ID, optional(m.Instance)
	for _, tp := range slices.SortedFunc(maps.Keys(offsets), wire.TopicPartition.Compare) {
		if n := len(req.Topics); n == 0 || req.Topics[n-1].Topic != tp.Topic {
			t := kmsg.NewOffsetCommitRequestTopic()
			t.Topic = tp.Topic
			req.Topics = append(req.Topics, t)
		}
		o := offsets[tp]
		p := kmsg.NewOffsetCommitRequestTopicPartition()
		p.Partition, p.Offset, p.LeaderEpoch, p.Metadata = tp.Partition, int64(o.Offset), int32(o.LeaderEpoch), &o.Metadata
		t := &req.Topics[len(req.Topics)-1]
		t.Partitions = append(t.Partitions, p)
	}
	return req
}

// ReadOffsetCommit gives the error code of each partition.
func ReadOffsetCommit(resp *kmsg.OffsetCommitResponse) map[wire.TopicPartition]int16 {
	codes := make(map[wire.TopicPartition]int16)
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			codes[wire.TopicPartition{Topic: t.Topic, Partition: p.Partition}] = p.ErrorCode
		}
	}
	return codes
}

// Worst is the code that counts: one that does not pass before one that does, and
// UNKNOWN_SERVER_ERROR if the answer leaves out what was asked.
func Worst(offsets Offsets, codes map[wire.TopicPartition]int16) int16 {
	var worst int16
	for _, tp := range slices.SortedFunc(maps.Keys(offsets), wire.TopicPartition.Compare) {
		code, answered := codes[tp]
		if !answered {
			code = kerr.UnknownServerError.Code
		}
		if severity(code) > severity(worst) {
			worst = code
		}
	}
	return worst
}

func severity(code int16) int {
	switch {
	case code == 0:
		return 0
	case Classify(code).Retriable:
		return 1
	}
	return 2
}

// retryCommit tries again later, or ends.
func (c *Core) retryCommit(now int64, k *commit, codes map[wire.TopicPartition]int16, err error, may bool) {
	if !may || k.effort == Once {
		c.endCommit(k, codes, err)
		return
	}
	c.later(now, &k.trying, err)
}

// endCommit gives a commit its outcome. codes are those of the last attempt.
func (c *Core) endCommit(k *commit, codes map[wire.TopicPartition]int16, err error) {
	c.commits = slices.DeleteFunc(c.commits, func(o *commit) bool { return o == k })
	k.Err = err
	if k.inFlight {
		c.mayHave(k, nil)
	}
	of := make(map[wire.TopicPartition]attempt.Outcome, len(k.Offsets))
	count := make(map[attempt.Outcome]int)
	for _, tp := range slices.SortedFunc(maps.Keys(k.Offsets), wire.TopicPartition.Compare) {
		code, answered := codes[tp]
		switch {
		case answered && code == 0:
			of[tp] = attempt.OK
		case k.maybe[tp]:
			of[tp] = attempt.Unknown
		default:
			of[tp] = attempt.Failed
		}
		count[of[tp]]++
	}
	switch len(k.Offsets) {
	case count[attempt.OK]:
		k.Outcome = attempt.OK
	case count[attempt.Failed]:
		k.Outcome = attempt.Failed
	default:
		k.Outcome = attempt.Unknown
		if count[attempt.Unknown] < len(k.Offsets) {
			k.Partitions = of
		}
	}
	c.committed = append(c.committed, k.Commit)
}

// Close ends everything that is under way: commits with the outcome that is known of
// them, and ErrClosed.
func (c *Core) Close() {
	slices.SortFunc(c.commits, func(a, b *commit) int { return cmp.Compare(a.ID, b.ID) })
	for _, k := range slices.Clone(c.commits) {
		c.endCommit(k, nil, ErrClosed)
	}
	for _, f := range c.fetches {
		c.fetched = append(c.fetched, Fetched{ID: f.id, Err: ErrClosed})
	}
	c.fetches = nil
	c.over = true
}

// Classify gives the meaning of an error code as the answer to OffsetCommit, and to
// requests that change a group by hand. Only codes
// that a coordinator gives before it appends are Failed: NOT_COORDINATOR, for instance, is
// also what a commit is told whose coordinator lost its office before it knew the
// commit durable.
func Classify(code int16) attempt.Class {
	switch code {
	case 0:
		return attempt.Class{Outcome: attempt.OK}
	case kerr.CoordinatorLoadInProgress.Code, kerr.UnknownTopicOrPartition.Code, kerr.ThrottlingQuotaExceeded.Code:
		return attempt.Class{Outcome: attempt.Failed, Retriable: true}
	case kerr.NotCoordinator.Code, kerr.CoordinatorNotAvailable.Code, kerr.RequestTimedOut.Code:
		return attempt.Class{Outcome: attempt.Unknown, Retriable: true}
	case kerr.UnknownMemberID.Code, kerr.IllegalGeneration.Code, kerr.FencedInstanceID.Code,
		kerr.StaleMemberEpoch.Code, kerr.FencedMemberEpoch.Code, kerr.RebalanceInProgress.Code,
		kerr.OffsetMetadataTooLarge.Code, kerr.InvalidCommitOffsetSize.Code, kerr.InvalidGroupID.Code,
		kerr.GroupIDNotFound.Code, kerr.NonEmptyGroup.Code, kerr.GroupSubscribedToTopic.Code, kerr.GroupAuthorizationFailed.Code, kerr.TopicAuthorizationFailed.Code,
		kerr.UnsupportedVersion.Code, kerr.InvalidRequest.Code:
		return attempt.Class{Outcome: attempt.Failed}
	}
	return attempt.Class{Outcome: attempt.Unknown}
}
