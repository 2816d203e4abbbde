package raft

import "odradek/broker/failpoint"

// Vote (API key 52, versions 0-2: v1 names the voter, v2 adds pre-votes).
//
// Behaviour: KIP-595 for votes, KIP-996 for pre-votes. A vote is answered after it
// is durable. Errors: INVALID_REQUEST, FENCED_LEADER_EPOCH, INCONSISTENT_VOTER_SET,
// INVALID_VOTER_KEY.
//
// Deviation from Kafka: a follower whose leader resigned grants pre-votes at once,
// rather than after its own time-out, so that hand-over takes one round.

func (r *Raft) handleVote(token Token, q VoteRequest) {
	deny := func(code ErrorCode) { r.respond(token, VoteResponse{ResponseHeader: r.header(code)}) }
	lastEpoch := q.LastOffsetEpoch
	if !q.PreVote {
		lastEpoch++ // the epoch to lead is new
	}
	switch {
	case q.LastOffset < 0 || q.LastOffsetEpoch < 0 || lastEpoch > q.CandidateEpoch || q.CandidateID == r.cfg.NodeID:
		deny(ErrInvalidRequest)
		return
	case q.CandidateEpoch < r.quorum.LeaderEpoch:
		deny(ErrFencedLeaderEpoch)
		return
	case !r.voter || !r.isVoter(q.CandidateID):
		deny(ErrInconsistentVoterSet)
		return
	}
	if q.CandidateEpoch > r.quorum.LeaderEpoch {
		r.becomeUnattached(q.CandidateEpoch)
	}
	if q.VoterID >= 0 && q.VoterID != r.cfg.NodeID {
		deny(ErrInvalidVoterKey)
		return
	}
	granted := r.grants(q)
	if granted && !q.PreVote && r.quorum.VotedID < 0 {
		r.vote(q.CandidateID)
	}
	resp := VoteResponse{ResponseHeader: r.header(ErrNone), VoteGranted: granted}
	if granted && !q.PreVote && r.fail.On(failpoint.ZooVoteBeforeDurable) {
		r.emit(SendResponse{Token: token, Response: resp})
		return
	}
	r.respond(token, resp)
}

// grants decides on a vote or pre-vote in the current epoch.
func (r *Raft) grants(q VoteRequest) bool {
	upToDate := OffsetAndEpoch{Offset: q.LastOffset, Epoch: q.LastOffsetEpoch}.Compare(r.log.last()) >= 0
	if !q.PreVote {
		if r.quorum.VotedID >= 0 {
			return r.quorum.VotedID == q.CandidateID
		}
		return r.quorum.LeaderID < 0 && upToDate
	}
	switch s := r.state.(type) {
	case *leader:
		return false
	case *follower:
		// A leader that is alive here should not be disturbed (KIP-996).
		return upToDate && (!s.heard || s.ended)
	}
	return upToDate
}

func (r *Raft) sendVotes(s *election, preVote bool) {
	if s.lost() {
		return
	}
	last := r.log.last()
	for i := range r.peers {
		p := &r.peers[i]
		if s.answered(p.id) || !r.ready(p) {
			continue
		}
		r.request(p, VoteRequest{
			VoterID:         p.id,
			CandidateID:     r.cfg.NodeID,
			CandidateEpoch:  r.quorum.LeaderEpoch,
			LastOffsetEpoch: last.Epoch,
			LastOffset:      last.Offset,
			PreVote:         preVote,
		})
	}
}

func (r *Raft) handleVoteResponse(p *peer, resp VoteResponse) bool {
	switch s := r.state.(type) {
	case *prospective:
		s.record(p.id, resp.VoteGranted)
	case *candidate:
		s.record(p.id, resp.VoteGranted)
	default:
		check(false, "a vote answered in state %v", r.state.kind())
	}
	return true
}
