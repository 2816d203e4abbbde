package raft

import (
	"time"

	"odradek/broker/wire"
)

// transition moves to the next state and quorum state, makes the latter durable
// and says who leads.
func (r *Raft) transition(next state, q QuorumState) {
	from, old := r.state, r.quorum
	check(legal[from.kind()]&(1<<next.kind()) != 0, "illegal transition from %v to %v", from.kind(), next.kind())
	switch next.kind() {
	case Unattached, Follower:
	default:
		check(r.voter, "an observer became %v", next.kind())
	}
	check(q.LeaderEpoch >= old.LeaderEpoch, "the epoch went back from %d to %d", old.LeaderEpoch, q.LeaderEpoch)
	if q.LeaderEpoch == old.LeaderEpoch {
		check(old.LeaderID < 0 || q.LeaderID == old.LeaderID, "two leaders, %d and %d, in epoch %d", old.LeaderID, q.LeaderID, q.LeaderEpoch)
		check(old.VotedID < 0 || q.VotedID == old.VotedID, "two votes, for %d and %d, in epoch %d", old.VotedID, q.VotedID, q.LeaderEpoch)
	}
	r.state = next
	r.resetPeers()
	if q != old {
		r.quorum = q
		r.persist()
	}
	r.announce()
	switch s := from.(type) {
	case *leader:
		r.refuseFetches(s)
	case *follower:
		if s.download != nil {
			r.emit(AbortSnapshot{ID: s.download.id})
		}
	}
}

// becomeUnattached goes to a higher epoch whose leader is not known.
func (r *Raft) becomeUnattached(epoch wire.LeaderEpoch) {
	check(epoch > r.quorum.LeaderEpoch, "unattached in epoch %d after %d", epoch, r.quorum.LeaderEpoch)
	deadline := r.electionDeadline()
	// A node whose time was running already keeps it, or a candidate that cannot
	// win could keep those that can from trying.
	if d := r.state.deadline(); r.voter && r.state.kind() != Leader && d > r.now {
		deadline = min(deadline, d)
	}
	r.transition(&unattached{electionDeadline: deadline},
		QuorumState{LeaderID: wire.NoNode, LeaderEpoch: epoch, VotedID: wire.NoNode})
}

// vote gives this epoch's vote.
func (r *Raft) vote(candidate wire.NodeID) {
	check(r.quorum.VotedID < 0 && r.quorum.LeaderID < 0, "vote for %d in %+v", candidate, r.quorum)
	r.quorum.VotedID = candidate
	r.persist()
	if s, ok := r.state.(*unattached); ok {
		s.electionDeadline = r.electionDeadline() // give the candidate time
	}
}

func (r *Raft) becomeProspective() {
	s := &prospective{election: r.newElection()}
	s.record(r.cfg.NodeID, true) // nothing to make durable: it is only a question
	r.transition(s, r.quorum)
}

// giveUp ends a pre-vote that was not won.
func (r *Raft) giveUp() {
	if r.quorum.LeaderID >= 0 {
		// The others have not lost their leader: perhaps only its fetch was lost.
		r.transition(r.newFollower(), r.quorum)
		return
	}
	r.transition(&unattached{electionDeadline: r.electionDeadline()}, r.quorum)
}

func (r *Raft) becomeCandidate() {
	r.transition(&candidate{election: r.newElection()},
		QuorumState{LeaderID: wire.NoNode, LeaderEpoch: r.quorum.LeaderEpoch + 1, VotedID: r.cfg.NodeID})
}

func (r *Raft) becomeLeader(won *candidate) {
	check(r.installing == nil, "elected while the log is being replaced by %v", r.installing)
	q := r.quorum
	q.LeaderID = r.cfg.NodeID
	s := &leader{
		epochStart:    r.log.end,
		granting:      sortedNodes(won.granted),
		majority:      r.majority,
		quorumTimeout: int64(r.cfg.FetchTimeout) * 3 / 2, // as Kafka: time for a follower's retry
		beginInterval: int64(r.cfg.FetchTimeout) / 2,
	}
	s.beginDeadline = r.now + s.beginInterval
	for _, p := range r.peers {
		s.voters = append(s.voters, replica{id: p.id, fetchOffset: wire.NoOffset, lastContact: r.now, lastFetch: -1, lastCaughtUp: -1, tell: true})
	}
	r.transition(s, q)
	r.log.append(q.LeaderEpoch, s.epochStart+1)
	r.emit(AppendLeaderChange{
		BaseOffset:     s.epochStart,
		Epoch:          q.LeaderEpoch,
		LeaderID:       q.LeaderID,
		Voters:         r.voters,
		GrantingVoters: s.granting,
	})
}

// newFollower draws a fetch time-out, a little longer than configured: the leader
// answers all who wait at once, and when it dies they should not all campaign at
// once. (In Kafka the time-out is fixed.)
func (r *Raft) newFollower() *follower {
	timeout := int64(r.cfg.FetchTimeout)
	timeout += r.rand.Int64N(timeout/4 + 1)
	return &follower{timeout: timeout, fetchDeadline: r.now + timeout}
}

func (r *Raft) becomeFollower(id wire.NodeID, epoch wire.LeaderEpoch) {
	check(id != r.cfg.NodeID, "follower of itself in epoch %d", epoch)
	q := QuorumState{LeaderID: id, LeaderEpoch: epoch, VotedID: wire.NoNode}
	if epoch == r.quorum.LeaderEpoch {
		q.VotedID = r.quorum.VotedID
	}
	r.transition(r.newFollower(), q)
}

func (r *Raft) becomeResigned() {
	successors := r.state.(*leader).byFetchOffset()
	r.transition(&resigned{
		electionDeadline: r.electionDeadline(),
		unacked:          r.others(),
		successors:       successors,
	}, r.quorum)
}

// Resign gives up leading epoch and tells the others to elect a successor. It does
// nothing if this node does not lead in that epoch (any more).
func (r *Raft) Resign(now int64, epoch wire.LeaderEpoch) {
	if !r.enter(now) {
		return
	}
	if r.state.kind() == Leader && r.quorum.LeaderEpoch == epoch {
		r.becomeResigned()
	}
	r.act()
}

// learn acts on news of who leads, or on that nobody is known to lead, in an epoch
// that is not lower than this node's. It reports whether the state changed.
func (r *Raft) learn(q LeaderAndEpoch) bool {
	switch {
	case q.LeaderEpoch > r.quorum.LeaderEpoch && q.LeaderID < 0:
		r.becomeUnattached(q.LeaderEpoch)
	case q.LeaderEpoch > r.quorum.LeaderEpoch,
		q.LeaderEpoch == r.quorum.LeaderEpoch && q.LeaderID >= 0 && r.quorum.LeaderID < 0:
		r.becomeFollower(q.LeaderID, q.LeaderEpoch)
	default:
		return false
	}
	return true
}

// contradicts finds news that cannot be true unless some node forgot what it had
// made durable, and then halts.
func (r *Raft) contradicts(q LeaderAndEpoch) bool {
	switch {
	case q.LeaderID < 0 || q.LeaderEpoch < r.quorum.LeaderEpoch:
		return false
	case q.LeaderEpoch == r.quorum.LeaderEpoch && (r.quorum.LeaderID == q.LeaderID || r.quorum.LeaderID < 0 && q.LeaderID != r.cfg.NodeID):
		return false
	case q.LeaderEpoch > r.quorum.LeaderEpoch && q.LeaderID != r.cfg.NodeID:
		return false
	}
	r.halt("node %d is said to lead epoch %d, but this node %d knows %+v", q.LeaderID, q.LeaderEpoch, r.cfg.NodeID, r.quorum)
	return true
}

// announce says who leads, if that is news. A resigned leader leads no more, and
// one that has restarted does not lead again (KAFKA-17333).
func (r *Raft) announce() {
	q := r.quorum.leader()
	if r.state.kind() == Resigned {
		q.LeaderID = wire.NoNode
	}
	if q != r.announced {
		r.announced = q
		r.emit(LeaderChanged{LeaderAndEpoch: q})
	}
}

func (r *Raft) newElection() election {
	return election{electionDeadline: r.electionDeadline(), majority: r.majority, voters: len(r.voters)}
}

// electionDeadline draws a time-out: different ones keep candidates from splitting
// the votes for ever.
func (r *Raft) electionDeadline() int64 {
	if !r.voter {
		return never
	}
	t := int64(r.cfg.ElectionTimeout)
	return r.now + t + r.rand.Int64N(t)
}

func (r *Raft) after(d time.Duration) int64 { return r.now + int64(d) }
