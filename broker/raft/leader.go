package raft

import (
	"cmp"
	"slices"
	"time"

	"odradek/broker/wire"
)

// replica is what a leader knows of another node that fetches from it.
type replica struct {
	id wire.NodeID
	// fetchOffset is where its last valid fetch began: a voter has everything before
	// it on disk. wire.NoOffset in this epoch so far.
	fetchOffset wire.Offset
	lastContact int64 // of a Fetch or FetchSnapshot; for voters at first the election
	lastFetch   int64 // of the last valid fetch, -1 if none
	// lastCaughtUp is when the replica last had everything that the leader had when
	// the replica fetched, -1 if never in this epoch (KIP-836).
	lastCaughtUp int64
	// endAtLastFetch is the leader's log end then.
	endAtLastFetch wire.Offset
	// tell: send BeginQuorumEpoch until it is answered.
	tell bool
}

// observerExpiry is how long a silent observer is remembered, as in Kafka.
const observerExpiry = int64(300 * time.Second)

func (s *leader) voterByID(id wire.NodeID) *replica {
	for i := range s.voters {
		if s.voters[i].id == id {
			return &s.voters[i]
		}
	}
	return nil
}

// replica finds or, for observers, makes the entry of a node that fetches.
func (r *Raft) replica(s *leader, id wire.NodeID) *replica {
	if v := s.voterByID(id); v != nil {
		return v
	}
	i, found := slices.BinarySearchFunc(s.observers, id, func(o replica, id wire.NodeID) int { return cmp.Compare(o.id, id) })
	if !found {
		s.observers = slices.DeleteFunc(s.observers, func(o replica) bool { return o.lastContact < r.now-observerExpiry })
		i, _ = slices.BinarySearchFunc(s.observers, id, func(o replica, id wire.NodeID) int { return cmp.Compare(o.id, id) })
		s.observers = slices.Insert(s.observers, i, replica{id: id, fetchOffset: wire.NoOffset, lastFetch: -1, lastCaughtUp: -1})
	}
	return &s.observers[i]
}

// fetched notes a fetch that agrees with the log.
func (r *Raft) fetched(v *replica, offset wire.Offset) {
	switch {
	case offset >= r.log.end:
		v.lastCaughtUp = r.now
	case v.lastFetch >= 0 && offset >= v.endAtLastFetch:
		v.lastCaughtUp = max(v.lastCaughtUp, v.lastFetch)
	}
	v.fetchOffset, v.lastFetch, v.endAtLastFetch = offset, r.now, r.log.end
}

// quorumDeadline is when the leader has not heard of a majority for too long. Then
// another may lead already, and this one would keep its clients waiting.
func (s *leader) quorumDeadline() int64 {
	needed := s.majority - 1 // besides itself
	if needed == 0 {
		return never
	}
	var few [8]int64 // asked for at every input: no allocation for quorums of usual size
	contacts := few[:0]
	for i := range s.voters {
		contacts = append(contacts, s.voters[i].lastContact)
	}
	slices.Sort(contacts)
	return contacts[len(contacts)-needed] + s.quorumTimeout
}

// byFetchOffset lists the other voters, the most caught up first.
func (s *leader) byFetchOffset() []wire.NodeID {
	sorted := slices.Clone(s.voters)
	slices.SortStableFunc(sorted, func(a, b replica) int { return cmp.Compare(b.fetchOffset, a.fetchOffset) })
	ids := make([]wire.NodeID, len(sorted))
	for i := range sorted {
		ids[i] = sorted[i].id
	}
	return ids
}

// durableMajority is the offset before which a majority of the voters has
// everything on disk, this node included up to where its log is flushed.
func (r *Raft) durableMajority(s *leader) wire.Offset {
	var few [8]wire.Offset
	offsets := append(few[:0], r.log.flushed)
	for i := range s.voters {
		offsets = append(offsets, s.voters[i].fetchOffset)
	}
	slices.Sort(offsets)
	return offsets[len(offsets)-s.majority]
}

// advanceHighWatermark raises the leader's high watermark to what is committed.
func (r *Raft) advanceHighWatermark() {
	s, ok := r.state.(*leader)
	if !ok {
		return
	}
	hw := min(r.durableMajority(s), r.log.readable)
	if hw <= s.epochStart {
		// A majority that has only records of earlier epochs can still be overruled
		// by a candidate with a later one (Raft, figure 8; KAFKA-12619).
		return
	}
	if r.raiseHighWatermark(hw) {
		if !s.ready {
			s.ready = true
			r.emit(LeaderReady{Epoch: r.quorum.LeaderEpoch})
		}
		r.wakeFetches()
	}
}

// Append reserves offsets for n records of the leader of epoch: the shell appends
// them, as one batch with that base offset and epoch, before it does anything else,
// and reports Written and Flushed. The error is an [*ErrNotLeader].
func (r *Raft) Append(now int64, epoch wire.LeaderEpoch, n int32) (base wire.Offset, err error) {
	check(n > 0, "append of %d records", n)
	// An AppendLeaderChange or TruncateTo that is still to be executed would come
	// after the batch.
	check(len(r.effects) == 0, "append with effects waiting")
	if !r.enter(now) || r.state.kind() != Leader || r.quorum.LeaderEpoch != epoch {
		return 0, &ErrNotLeader{Current: r.announced}
	}
	base = r.log.end
	r.log.append(epoch, base+wire.Offset(n))
	return base, nil
}
