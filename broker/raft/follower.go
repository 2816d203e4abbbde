package raft

import (
	"odradek/broker/wire"
)

// sendFetch asks the leader for what comes next. Only a log that is on disk to its
// end is fetched for, because the offset tells the leader what this node cannot
// lose. (An observer's shell need not sync before it reports Flushed.)
func (r *Raft) sendFetch(s *follower) {
	if r.installing != nil || r.log.flushed < r.log.end {
		return
	}
	if s.lost {
		r.fetchFromAnyVoter()
		return
	}
	p := r.peer(r.quorum.LeaderID)
	if !r.ready(p) {
		return
	}
	if d := s.download; d != nil {
		r.request(p, FetchSnapshotRequest{
			ReplicaID:          r.cfg.NodeID,
			CurrentLeaderEpoch: r.quorum.LeaderEpoch,
			SnapshotID:         d.id,
			Position:           d.position,
			MaxBytes:           r.cfg.SnapshotMaxBytes,
		})
		return
	}
	r.request(p, r.fetchRequest())
}

func (r *Raft) fetchRequest() FetchRequest {
	return FetchRequest{
		ReplicaID:          r.cfg.NodeID,
		CurrentLeaderEpoch: r.quorum.LeaderEpoch,
		FetchOffset:        r.log.end,
		LastFetchedEpoch:   r.log.lastEpoch(),
		HighWatermark:      r.highWatermark,
		MaxWait:            r.cfg.FetchMaxWait,
		MaxBytes:           r.cfg.FetchMaxBytes,
	}
}

// fetchFromAnyVoter is how an observer finds the leader: whoever it asks says who
// leads.
func (r *Raft) fetchFromAnyVoter() {
	var candidates []*peer
	for i := range r.peers {
		p := &r.peers[i]
		if r.ready(p) {
			candidates = append(candidates, p)
		} else if p.request != 0 {
			return
		}
	}
	if len(candidates) > 0 && r.installing == nil && r.log.flushed == r.log.end {
		r.request(candidates[r.rand.IntN(len(candidates))], r.fetchRequest())
	}
}

// handleFetchResponse acts on a response without error. What a leader that keeps
// to the protocol cannot have said is refused, and asked for again a little later.
func (r *Raft) handleFetchResponse(p *peer, resp FetchResponse) bool {
	s, ok := r.state.(*follower)
	if !ok || p.id != r.quorum.LeaderID {
		return false // an observer was answered by a node that does not lead
	}
	s.heard = true
	check(r.log.flushed == r.log.end, "a fetch was answered while the log is flushed to %d of %d", r.log.flushed, r.log.end)
	switch {
	case !resp.DivergingEpoch.IsNone():
		if !r.truncate(resp.DivergingEpoch) {
			return false
		}
	case !resp.SnapshotID.IsNone():
		if !r.startDownload(s, resp.SnapshotID) {
			return false
		}
	default:
		if !r.appendFetched(resp) {
			return false
		}
	}
	s.alive(r.now)
	return true
}

// alive starts the fetch time-out anew. A leader that has announced its end is
// not waited for longer than before.
func (s *follower) alive(now int64) {
	s.lost = false
	if !s.ended {
		s.fetchDeadline = now + s.timeout
	}
}

// truncate removes what the leader does not have.
func (r *Raft) truncate(diverging OffsetAndEpoch) bool {
	to := r.log.truncationFor(diverging)
	switch {
	case to < max(r.highWatermark, r.leaderHighWatermark):
		r.halt("leader %d of epoch %d lacks committed records: it has epoch %d up to %d, the high watermark is %d",
			r.quorum.LeaderID, r.quorum.LeaderEpoch, diverging.Epoch, diverging.Offset, max(r.highWatermark, r.leaderHighWatermark))
		return false
	case to >= r.log.end:
		return false // nothing would change, and the next answer would be the same
	}
	r.log.truncate(to)
	r.emit(TruncateTo{Offset: to})
	return true
}

// appendFetched appends records of the leader and learns its high watermark.
func (r *Raft) appendFetched(resp FetchResponse) bool {
	if !r.continuesLog(resp) {
		return false
	}
	for _, b := range resp.Batches {
		r.log.append(b.Epoch, b.LastOffset+1)
	}
	if len(resp.Batches) > 0 {
		r.emit(AppendFetched{Records: resp.Records, Batches: resp.Batches})
	}
	// The leader has agreed with this log up to here and not further.
	r.leaderHighWatermark = min(resp.HighWatermark, r.log.end)
	r.followHighWatermark()
	return true
}

// continuesLog reports whether the batches are the next ones of a log that is led
// in the epoch of the response.
func (r *Raft) continuesLog(resp FetchResponse) bool {
	next, epoch := r.log.end, r.log.lastEpoch()
	for _, b := range resp.Batches {
		if b.BaseOffset != next || b.LastOffset < b.BaseOffset || b.Epoch < epoch || b.Epoch > resp.LeaderEpoch {
			return false
		}
		next, epoch = b.LastOffset+1, b.Epoch
	}
	return len(resp.Batches) > 0 || len(resp.Records) == 0
}

// followHighWatermark raises the high watermark to the leader's, as far as records
// can be read here.
func (r *Raft) followHighWatermark() {
	if r.state.kind() == Leader {
		return
	}
	r.raiseHighWatermark(min(r.leaderHighWatermark, r.log.readable))
}

func (r *Raft) raiseHighWatermark(to wire.Offset) bool {
	if to <= r.highWatermark {
		return false
	}
	r.highWatermark = to
	r.emit(AdvanceHighWatermark{Offset: to})
	return true
}
