package raft

// handleResponse handles the answer to the request that p had under way. False
// means that the next request to p should wait a little.
func (r *Raft) handleResponse(p *peer, resp Response) bool {
	h := resp.header()
	switch {
	case h.LeaderEpoch < r.quorum.LeaderEpoch || h.ErrorCode == ErrUnknownLeaderEpoch:
		return false // the peer is behind; it will hear of this epoch
	case h.LeaderID >= 0 && !r.isVoter(h.LeaderID):
		return false
	case r.contradicts(h.LeaderAndEpoch):
		return false
	case r.wouldVote(resp):
		// The leader that it names has been lost by the voter, too.
	case r.learn(h.LeaderAndEpoch):
		return true // what was asked belongs to the state that has ended
	}
	switch q := resp.(type) {
	case FetchResponse:
		return h.ErrorCode == ErrNone && r.handleFetchResponse(p, q)
	case FetchSnapshotResponse:
		return r.handleFetchSnapshotResponse(q)
	case VoteResponse:
		return h.ErrorCode == ErrNone && r.handleVoteResponse(p, q)
	case BeginQuorumEpochResponse:
		return h.ErrorCode == ErrNone && r.handleBeginQuorumEpochResponse(p)
	case EndQuorumEpochResponse:
		return h.ErrorCode == ErrNone && r.handleEndQuorumEpochResponse(p)
	}
	return false
}

// wouldVote recognises a pre-vote granted in this epoch.
func (r *Raft) wouldVote(resp Response) bool {
	v, ok := resp.(VoteResponse)
	return ok && v.VoteGranted && v.LeaderEpoch == r.quorum.LeaderEpoch && r.state.kind() == Prospective
}
