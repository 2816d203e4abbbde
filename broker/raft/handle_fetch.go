package raft

import (
	"slices"

	"odradek/broker/wire"
)

// Fetch (API key 1, versions 12-18 for the quorum: v12 brought diverging epochs).
//
// Behaviour: KIP-595. A fetch from the end of the log waits for news, up to its
// MaxWait: records, a higher high watermark than the replica knows (KIP-1166), or
// the end of this leadership. Errors: INVALID_REQUEST, FENCED_LEADER_EPOCH,
// UNKNOWN_LEADER_EPOCH, NOT_LEADER_OR_FOLLOWER, BROKER_NOT_AVAILABLE.
//
// Deviations from Kafka: a resigned leader answers BROKER_NOT_AVAILABLE, which
// makes the replica wait a little, rather than NOT_LEADER_OR_FOLLOWER with its own
// id. A replica has one waiting fetch: a new one ends the wait of the one before.

// parkedFetch is a fetch that waits for news.
type parkedFetch struct {
	token Token
	req   FetchRequest
	until int64
}

// leaderOnly validates a request that only the leader of that epoch may serve.
func (r *Raft) leaderOnly(epoch wire.LeaderEpoch) ErrorCode {
	switch kind := r.state.kind(); {
	case epoch < r.quorum.LeaderEpoch:
		return ErrFencedLeaderEpoch
	case epoch > r.quorum.LeaderEpoch:
		return ErrUnknownLeaderEpoch
	case kind == Resigned:
		return ErrBrokerNotAvailable
	case kind != Leader:
		return ErrNotLeaderOrFollower
	}
	return ErrNone
}

func (r *Raft) handleFetch(token Token, q FetchRequest) {
	if q.MaxWait < 0 || q.FetchOffset < 0 || q.LastFetchedEpoch < 0 || q.LastFetchedEpoch > q.CurrentLeaderEpoch || q.ReplicaID == r.cfg.NodeID {
		r.respond(token, r.fetchResponse(ErrInvalidRequest))
		return
	}
	if code := r.leaderOnly(q.CurrentLeaderEpoch); code != ErrNone {
		r.respond(token, r.fetchResponse(code))
		return
	}
	s := r.state.(*leader)
	r.supersede(s, q.ReplicaID)
	verdict, id := r.log.locate(OffsetAndEpoch{Offset: q.FetchOffset, Epoch: q.LastFetchedEpoch})
	if q.ReplicaID >= 0 {
		v := r.replica(s, q.ReplicaID)
		v.lastContact, v.tell = r.now, false
		if verdict == placeValid {
			r.fetched(v, q.FetchOffset)
			r.advanceHighWatermark()
		}
	}
	resp := r.fetchResponse(ErrNone)
	switch verdict {
	case placeDiverging:
		resp.DivergingEpoch = id
		r.respond(token, resp)
	case placeSnapshot:
		resp.SnapshotID = id
		r.respond(token, resp)
	case placeValid:
		f := parkedFetch{token: token, req: q, until: r.now + int64(q.MaxWait)}
		if !r.answerFetch(s, &f) {
			s.parked = append(s.parked, f)
		}
	}
}

// answerFetch answers a valid fetch if there is news or its time is over.
func (r *Raft) answerFetch(s *leader, f *parkedFetch) bool {
	switch {
	case r.log.start > f.req.FetchOffset:
		resp := r.fetchResponse(ErrNone)
		_, resp.SnapshotID = r.log.locate(OffsetAndEpoch{Offset: f.req.FetchOffset, Epoch: f.req.LastFetchedEpoch})
		r.respond(f.token, resp)
	case r.log.readable > f.req.FetchOffset && r.durable():
		// Read only once the answer may leave: by then the log may be another one.
		r.emit(ReadLog{Token: f.token, Offset: f.req.FetchOffset, MaxBytes: f.req.MaxBytes, Response: r.fetchResponse(ErrNone)})
	case s.ready && r.highWatermark > f.req.HighWatermark, r.now >= f.until:
		r.respond(f.token, r.fetchResponse(ErrNone))
	default:
		return false
	}
	return true
}

// wakeFetches answers the waiting fetches that there is news for.
func (r *Raft) wakeFetches() {
	if s, ok := r.state.(*leader); ok {
		s.parked = slices.DeleteFunc(s.parked, func(f parkedFetch) bool { return r.answerFetch(s, &f) })
	}
}

// expireFetches answers the waiting fetches whose time is over.
func (r *Raft) expireFetches(s *leader) {
	for i := range s.parked {
		if r.now >= s.parked[i].until {
			r.wakeFetches()
			return
		}
	}
}

// supersede ends the wait of a replica's fetch when its next one is there: it does
// not wait for the answer any more.
func (r *Raft) supersede(s *leader, id wire.NodeID) {
	s.parked = slices.DeleteFunc(s.parked, func(f parkedFetch) bool {
		old := id >= 0 && f.req.ReplicaID == id
		if old {
			r.respond(f.token, r.fetchResponse(ErrNone))
		}
		return old
	})
}

// refuseFetches answers what waits when a leadership has ended.
func (r *Raft) refuseFetches(s *leader) {
	for _, f := range s.parked {
		r.respond(f.token, r.fetchResponse(r.leaderOnly(f.req.CurrentLeaderEpoch)))
	}
	s.parked = nil
}

func (r *Raft) fetchResponse(code ErrorCode) FetchResponse {
	resp := FetchResponse{
		ResponseHeader: r.header(code),
		HighWatermark:  wire.NoOffset,
		LogStartOffset: r.log.start,
		DivergingEpoch: NoOffsetAndEpoch,
		SnapshotID:     NoOffsetAndEpoch,
	}
	if s, ok := r.state.(*leader); ok && s.ready {
		resp.HighWatermark = r.highWatermark
	}
	return resp
}
