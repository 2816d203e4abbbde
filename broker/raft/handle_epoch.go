package raft

import (
	"slices"

	"odradek/broker/wire"
)

// BeginQuorumEpoch (API key 53, versions 0-1).
//
// Behaviour: KIP-595. A leader tells the voters that do not fetch from it, again
// and again, that it leads. Errors: FENCED_LEADER_EPOCH, INCONSISTENT_VOTER_SET,
// INVALID_VOTER_KEY, INVALID_REQUEST.
//
// EndQuorumEpoch (API key 54, versions 0-1).
//
// Behaviour: a resigned leader tells the voters, so that they need not wait for
// their time-outs; the most caught up goes first. Errors: as above.

// voterOnly validates a request of the leader of an epoch to a voter.
func (r *Raft) voterOnly(id wire.NodeID, epoch wire.LeaderEpoch) ErrorCode {
	switch {
	case epoch < r.quorum.LeaderEpoch:
		return ErrFencedLeaderEpoch
	case id == r.cfg.NodeID:
		return ErrInvalidRequest
	case !r.voter || !r.isVoter(id):
		return ErrInconsistentVoterSet
	}
	return ErrNone
}

func (r *Raft) handleBeginQuorumEpoch(token Token, q BeginQuorumEpochRequest) {
	code := r.voterOnly(q.LeaderID, q.LeaderEpoch)
	if code == ErrNone {
		news := LeaderAndEpoch{LeaderID: q.LeaderID, LeaderEpoch: q.LeaderEpoch}
		if r.contradicts(news) {
			return
		}
		if !r.learn(news) && r.state.kind() == Prospective {
			r.giveUp() // the leader it thought lost is there
		}
		if q.VoterID >= 0 && q.VoterID != r.cfg.NodeID {
			code = ErrInvalidVoterKey
		}
	}
	r.respond(token, BeginQuorumEpochResponse{ResponseHeader: r.header(code)})
}

func (r *Raft) sendBeginQuorumEpoch(s *leader) {
	if r.now >= s.beginDeadline {
		for i := range s.voters {
			if v := &s.voters[i]; v.lastContact <= r.now-s.beginInterval {
				v.tell = true
			}
		}
		s.beginDeadline = r.now + s.beginInterval
	}
	for i := range s.voters {
		v := &s.voters[i]
		if !v.tell {
			continue
		}
		if p := r.peer(v.id); r.ready(p) {
			r.request(p, BeginQuorumEpochRequest{VoterID: v.id, LeaderID: r.cfg.NodeID, LeaderEpoch: r.quorum.LeaderEpoch})
		}
	}
}

func (r *Raft) handleBeginQuorumEpochResponse(p *peer) bool {
	s, ok := r.state.(*leader)
	check(ok, "BeginQuorumEpoch answered in state %v", r.state.kind())
	s.voterByID(p.id).tell = false
	return true
}

func (r *Raft) handleEndQuorumEpoch(token Token, q EndQuorumEpochRequest) {
	code := r.voterOnly(q.LeaderID, q.LeaderEpoch)
	if code == ErrNone {
		news := LeaderAndEpoch{LeaderID: q.LeaderID, LeaderEpoch: q.LeaderEpoch}
		if r.contradicts(news) {
			return
		}
		r.learn(news)
		if s, ok := r.state.(*follower); ok {
			s.ended = true
			s.fetchDeadline = min(s.fetchDeadline, r.now+r.successorBackoff(q.PreferredSuccessors))
		}
	}
	r.respond(token, EndQuorumEpochResponse{ResponseHeader: r.header(code)})
}

// successorBackoff lets the preferred successor campaign at once and each other
// voter wait twice as long as the one before it, the last one (and one that is not
// in the list) ElectionBackoffMax.
func (r *Raft) successorBackoff(successors []wire.NodeID) int64 {
	longest := int64(r.cfg.ElectionBackoffMax)
	switch i := slices.Index(successors, r.cfg.NodeID); i {
	case -1:
		return longest
	case 0:
		return 0
	default:
		return longest >> min(len(successors)-1-i, 62)
	}
}

func (r *Raft) sendEndQuorumEpoch(s *resigned) {
	for _, id := range s.unacked {
		if p := r.peer(id); r.ready(p) {
			r.request(p, EndQuorumEpochRequest{
				LeaderID:            r.cfg.NodeID,
				LeaderEpoch:         r.quorum.LeaderEpoch,
				PreferredSuccessors: s.successors,
			})
		}
	}
}

func (r *Raft) handleEndQuorumEpochResponse(p *peer) bool {
	s, ok := r.state.(*resigned)
	check(ok, "EndQuorumEpoch answered in state %v", r.state.kind())
	s.unacked = slices.DeleteFunc(s.unacked, func(id wire.NodeID) bool { return id == p.id })
	return true
}
