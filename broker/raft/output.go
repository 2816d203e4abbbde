package raft

import (
	"fmt"
	"slices"

	"odradek/broker/wire"
)

func (r *Raft) emit(e Effect) { r.effects = append(r.effects, e) }

// persist has the quorum state written. Nothing that another node could see leaves
// this one until that is done: a vote that a crash undid would let two leaders win
// the same epoch.
func (r *Raft) persist() {
	r.persists++
	r.emit(Persist{Seq: r.persists, State: r.quorum})
}

// durable reports whether the quorum state is on disk as it is.
func (r *Raft) durable() bool { return r.persisted == r.persists }

// send emits a message as soon as what it may reveal is durable.
func (r *Raft) send(e Effect) {
	if r.durable() {
		r.emit(e)
		return
	}
	r.parked = append(r.parked, parkedMessage{seq: r.persists, effect: e})
}

func (r *Raft) respond(token Token, resp Response) {
	r.send(SendResponse{Token: token, Response: resp})
}

// header is the common part of a response as of now.
func (r *Raft) header(code ErrorCode) ResponseHeader {
	return ResponseHeader{ErrorCode: code, LeaderAndEpoch: r.quorum.leader()}
}

func (r *Raft) halt(format string, args ...any) {
	r.halted = true
	r.parked = nil
	r.emit(Halt{Reason: fmt.Sprintf(format, args...)})
}

// peer is what this node has under way with another voter: one request at a time.
type peer struct {
	id           wire.NodeID
	request      RequestID // 0 if none
	requestUntil int64
	backoffUntil int64
}

// deadline is when the peer next becomes ready without an answer.
func (p *peer) deadline(now int64) int64 {
	switch {
	case p.request != 0:
		return p.requestUntil
	case p.backoffUntil > now:
		return p.backoffUntil
	}
	return never
}

// ready reports whether a request may be sent, giving up one that is overdue.
func (r *Raft) ready(p *peer) bool {
	if p.request != 0 && r.now >= p.requestUntil {
		p.request = 0
		p.backoffUntil = r.after(r.cfg.RetryBackoff)
	}
	return p.request == 0 && r.now >= p.backoffUntil
}

func (r *Raft) request(p *peer, req Request) {
	r.lastRequestID++
	p.request = r.lastRequestID
	p.requestUntil = r.after(r.cfg.RequestTimeout)
	r.send(SendRequest{ID: p.request, To: p.id, Request: req})
}

func (r *Raft) inflight(id RequestID) *peer {
	for i := range r.peers {
		if r.peers[i].request == id && id != 0 {
			return &r.peers[i]
		}
	}
	return nil
}

// resetPeers forgets requests of the state that ends: their answers say nothing
// about the next one.
func (r *Raft) resetPeers() {
	for i := range r.peers {
		r.peers[i] = peer{id: r.peers[i].id}
	}
	r.parked = slices.DeleteFunc(r.parked, func(m parkedMessage) bool {
		_, ok := m.effect.(SendRequest)
		return ok
	})
}

// sendDue sends the requests that the current state wants sent.
func (r *Raft) sendDue() {
	switch s := r.state.(type) {
	case *unattached:
		if !r.voter {
			r.fetchFromAnyVoter()
		}
	case *prospective:
		r.sendVotes(&s.election, true)
	case *candidate:
		r.sendVotes(&s.election, false)
	case *leader:
		r.sendBeginQuorumEpoch(s)
	case *follower:
		r.sendFetch(s)
	case *resigned:
		r.sendEndQuorumEpoch(s)
	}
	// An overdue request that is not wanted any more must not keep Deadline in the
	// past.
	for i := range r.peers {
		r.ready(&r.peers[i])
	}
}

// others lists the other voters.
func (r *Raft) others() []wire.NodeID {
	ids := make([]wire.NodeID, len(r.peers))
	for i := range r.peers {
		ids[i] = r.peers[i].id
	}
	return ids
}

func (r *Raft) peer(id wire.NodeID) *peer {
	i := slices.IndexFunc(r.peers, func(p peer) bool { return p.id == id })
	check(i >= 0, "node %d is no other voter", id)
	return &r.peers[i]
}

func sortedNodes(ids []wire.NodeID) []wire.NodeID { return slices.Sorted(slices.Values(ids)) }
