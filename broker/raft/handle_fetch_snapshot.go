package raft

// FetchSnapshot (API key 59, versions 0-1).
//
// Behaviour: KIP-630. A replica that the leader has sent to a snapshot fetches it
// piece by piece; each piece counts as a sign of life, as a Fetch does. When the
// leader has deleted the snapshot meanwhile, the replica fetches from the log
// again and is told of another one. Errors: INVALID_REQUEST, FENCED_LEADER_EPOCH,
// UNKNOWN_LEADER_EPOCH, NOT_LEADER_OR_FOLLOWER, BROKER_NOT_AVAILABLE,
// SNAPSHOT_NOT_FOUND, POSITION_OUT_OF_RANGE.

// download is a snapshot on its way here.
type download struct {
	id       OffsetAndEpoch
	position int64 // bytes that are here
	size     int64 // of the whole, 0 before the first piece
}

func (r *Raft) handleFetchSnapshot(token Token, q FetchSnapshotRequest) {
	resp := FetchSnapshotResponse{ResponseHeader: r.header(ErrNone), SnapshotID: q.SnapshotID, Position: q.Position}
	if q.MaxBytes <= 0 || q.ReplicaID == r.cfg.NodeID {
		resp.ErrorCode = ErrInvalidRequest
		r.respond(token, resp)
		return
	}
	if resp.ErrorCode = r.leaderOnly(q.CurrentLeaderEpoch); resp.ErrorCode != ErrNone {
		r.respond(token, resp)
		return
	}
	if q.ReplicaID >= 0 {
		v := r.replica(r.state.(*leader), q.ReplicaID)
		v.lastContact, v.tell = r.now, false
	}
	if !r.durable() {
		// By the time that the answer may leave, the snapshot could be gone.
		resp.ErrorCode = ErrBrokerNotAvailable
		r.respond(token, resp)
		return
	}
	resp.ErrorCode = ErrSnapshotNotFound
	for _, s := range r.log.snapshots {
		if s.ID == q.SnapshotID {
			resp.ErrorCode, resp.Size = ErrNone, s.Size
		}
	}
	if resp.ErrorCode == ErrNone && (q.Position < 0 || q.Position >= resp.Size) {
		resp.ErrorCode = ErrPositionOutOfRange
	}
	if resp.ErrorCode != ErrNone {
		r.respond(token, resp)
		return
	}
	r.emit(ReadSnapshot{Token: token, MaxBytes: q.MaxBytes, Response: resp})
}

// startDownload begins to fetch a snapshot, if it takes this node further. Its
// epoch says nothing about that: records here that were never committed can be of
// a later one.
func (r *Raft) startDownload(s *follower, id OffsetAndEpoch) bool {
	if id.Offset <= r.highWatermark {
		return false
	}
	s.download = &download{id: id}
	r.emit(StartSnapshot{ID: id})
	return true
}

func (r *Raft) handleFetchSnapshotResponse(resp FetchSnapshotResponse) bool {
	s, ok := r.state.(*follower)
	check(ok && s.download != nil, "FetchSnapshot answered in state %v", r.state.kind())
	d := s.download
	switch {
	case resp.ErrorCode == ErrSnapshotNotFound, resp.ErrorCode == ErrPositionOutOfRange:
		r.abortDownload(s) // the leader has another one now
		return false
	case resp.ErrorCode != ErrNone:
		return false
	case resp.SnapshotID != d.id || resp.Position != d.position || len(resp.Bytes) == 0 ||
		d.size != 0 && resp.Size != d.size || resp.Position+int64(len(resp.Bytes)) > resp.Size:
		r.abortDownload(s)
		return false
	}
	s.heard = true
	s.alive(r.now)
	d.size = resp.Size
	r.emit(WriteSnapshot{ID: d.id, Position: d.position, Bytes: resp.Bytes})
	d.position += int64(len(resp.Bytes))
	if d.position == d.size {
		s.download = nil
		r.install(Snapshot{ID: d.id, Size: d.size})
	}
	return true
}

func (r *Raft) abortDownload(s *follower) {
	r.emit(AbortSnapshot{ID: s.download.id})
	s.download = nil
}
