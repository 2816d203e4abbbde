package raft

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"odradek/broker/failpoint"
	"odradek/broker/wire"
)

// Raft is one node's part in the quorum: a pure state machine. Inputs are the
// methods below, each with the time of the node's monotonic clock in nanoseconds;
// what they decide is collected by Take.
type Raft struct {
	cfg      Config
	voters   []wire.NodeID // sorted
	voter    bool          // this node is one
	majority int
	rand     *rand.Rand
	fail     *failpoint.Registry

	now    int64
	halted bool
	quorum QuorumState
	state  state
	log    logView
	// highWatermark never goes down while the node runs. After a restart it begins
	// at the latest snapshot.
	highWatermark wire.Offset
	// leaderHighWatermark is what the leader last said; ours follows as far as the
	// log is readable here.
	leaderHighWatermark wire.Offset
	// installing is the snapshot that replaces the log, until the shell has done it.
	installing *Snapshot

	peers         []peer // the other voters, sorted by id
	lastRequestID RequestID
	announced     LeaderAndEpoch

	effects   []Effect
	taken     []Effect // the slice that Take returned last, for reuse
	persisted PersistSeq
	persists  PersistSeq // the last one issued
	// parked waits for the persist that was the last one issued when the message
	// was decided.
	parked []parkedMessage
}

type parkedMessage struct {
	seq    PersistSeq
	effect Effect
}

// ErrNotLeader refuses an append on a node that does not lead in that epoch.
type ErrNotLeader struct{ Current LeaderAndEpoch }

func (e *ErrNotLeader) Error() string {
	return fmt.Sprintf("raft: not the leader of that epoch; node %d leads epoch %d", e.Current.LeaderID, e.Current.LeaderEpoch)
}

// New starts a node. The first effects are waiting in Take. The error says that
// the configuration or what was restored makes no sense.
func New(now int64, c Config, restored Restored) (*Raft, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	log, err := restored.view()
	if err != nil {
		return nil, err
	}
	r := &Raft{
		cfg:                 c,
		voters:              slices.Sorted(slices.Values(c.Voters)),
		majority:            len(c.Voters)/2 + 1,
		rand:                c.Rand,
		fail:                c.Fail,
		now:                 now,
		quorum:              restored.Quorum,
		log:                 log,
		leaderHighWatermark: wire.NoOffset,
		announced:           LeaderAndEpoch{LeaderID: wire.NoNode, LeaderEpoch: wire.NoLeaderEpoch},
	}
	for _, id := range r.voters {
		if id == c.NodeID {
			r.voter = true
		} else {
			r.peers = append(r.peers, peer{id: id})
		}
	}
	r.restoreSnapshots()
	if err := r.restoreState(); err != nil {
		return nil, err
	}
	r.act()
	return r, nil
}

// restoreState chooses the first state. See the table of transitions.
func (r *Raft) restoreState() error {
	q := r.quorum
	self := r.cfg.NodeID
	switch {
	case q.LeaderEpoch < 0:
		return fmt.Errorf("raft: quorum state has epoch %d", q.LeaderEpoch)
	case !r.voter && (q.LeaderID == self || q.VotedID == self):
		return fmt.Errorf("raft: node %d is no voter but its quorum state %+v says so", self, q)
	case q.LeaderID >= 0 && !r.isVoter(q.LeaderID):
		return fmt.Errorf("raft: leader %d of the quorum state is no voter", q.LeaderID)
	}
	switch last := r.log.lastEpoch(); {
	case last > q.LeaderEpoch:
		// The quorum state is lost or older than the log, which no crash can do.
		// The log proves that the epoch existed.
		r.quorum = QuorumState{LeaderID: wire.NoNode, LeaderEpoch: last, VotedID: wire.NoNode}
		r.persist()
		r.state = &unattached{electionDeadline: r.electionDeadline()}
	case q.LeaderID == self:
		r.state = &resigned{electionDeadline: r.electionDeadline(), successors: r.others(), unacked: r.others()}
	case q.LeaderID >= 0:
		r.state = r.newFollower()
	default:
		r.state = &unattached{electionDeadline: r.electionDeadline()}
	}
	r.announce()
	if len(r.voters) == 1 && r.voter { // nobody else to wait for
		if r.state.kind() == Resigned {
			r.expire()
		}
		r.expire()
	}
	return nil
}

// Take returns the effects decided since the last Take, in order. The slice is
// valid until the Take after this one. It must be called, and the effects
// executed, after every input.
func (r *Raft) Take() []Effect {
	out := r.effects
	clear(r.taken)
	r.effects, r.taken = r.taken[:0], out
	return out
}

// Tick says that Deadline has passed. Ticking early or twice is harmless.
func (r *Raft) Tick(now int64) {
	if r.enter(now) {
		r.act()
	}
}

// Request hands in a request of another node. Its answer is a SendResponse,
// ReadLog or ReadSnapshot with the same token, perhaps much later.
func (r *Raft) Request(now int64, token Token, req Request) {
	if !r.enter(now) {
		return
	}
	switch q := req.(type) {
	case VoteRequest:
		r.handleVote(token, q)
	case BeginQuorumEpochRequest:
		r.handleBeginQuorumEpoch(token, q)
	case EndQuorumEpochRequest:
		r.handleEndQuorumEpoch(token, q)
	case FetchRequest:
		r.handleFetch(token, q)
	case FetchSnapshotRequest:
		r.handleFetchSnapshot(token, q)
	default:
		panic(fmt.Sprintf("raft: request of type %T", req))
	}
	r.act()
}

// Response hands in the answer to a SendRequest. Unknown and late ones are ignored.
func (r *Raft) Response(now int64, id RequestID, resp Response) {
	if !r.enter(now) {
		return
	}
	if p := r.inflight(id); p != nil {
		p.request = 0
		if !r.handleResponse(p, resp) && !r.halted {
			p.backoffUntil = r.after(r.cfg.RetryBackoff)
		}
	}
	r.act()
}

// RequestFailed says that a SendRequest will not be answered.
func (r *Raft) RequestFailed(now int64, id RequestID) {
	if !r.enter(now) {
		return
	}
	if p := r.inflight(id); p != nil {
		p.request = 0
		p.backoffUntil = r.after(r.cfg.RetryBackoff)
	}
	r.act()
}

// Persisted says that the Persist effects up to seq are durable (or superseded by
// one that is).
func (r *Raft) Persisted(now int64, seq PersistSeq) {
	if !r.enter(now) {
		return
	}
	check(seq <= r.persists, "persisted %d of %d", seq, r.persists)
	r.persisted = max(r.persisted, seq)
	keep := r.parked[:0]
	for _, m := range r.parked {
		if m.seq <= r.persisted {
			r.emit(m.effect)
		} else {
			keep = append(keep, m)
		}
	}
	clear(r.parked[len(keep):])
	r.parked = keep
	r.wakeFetches()
	r.act()
}

// Written says that the log's records before end can be read. Flushed implies it.
func (r *Raft) Written(now int64, end wire.Offset) {
	if !r.enter(now) {
		return
	}
	check(end <= r.log.end, "written up to %d, the log ends at %d", end, r.log.end)
	r.log.readable = max(r.log.readable, end)
	r.followHighWatermark()
	r.wakeFetches()
	r.act()
}

// Flushed says that the log's records before end are durable.
func (r *Raft) Flushed(now int64, end wire.Offset) {
	if !r.enter(now) {
		return
	}
	check(end <= r.log.end, "flushed up to %d, the log ends at %d", end, r.log.end)
	r.log.flushed = max(r.log.flushed, end)
	r.log.readable = max(r.log.readable, end)
	r.followHighWatermark()
	r.advanceHighWatermark()
	r.wakeFetches()
	r.act()
}

// enter begins an input.
func (r *Raft) enter(now int64) bool {
	check(now >= r.now, "the clock went back from %d to %d", r.now, now)
	r.now = now
	return !r.halted
}

// act does what is due in the current state, until nothing is.
func (r *Raft) act() {
	for changes := 0; !r.halted && r.turn(); changes++ {
		check(changes < 2*int(numStates), "%v keeps changing its state", r.state.kind())
	}
	if !r.halted {
		r.sendDue()
	}
}

// turn makes the transition that is due, if one is.
func (r *Raft) turn() bool {
	switch s := r.state.(type) {
	case *prospective:
		if s.won() {
			r.becomeCandidate()
			return true
		}
		if s.lost() {
			r.giveUp()
			return true
		}
	case *candidate:
		if r.durable() {
			// Its own vote counts once a crash cannot undo it.
			s.record(r.cfg.NodeID, true)
		}
		if s.won() {
			r.becomeLeader(s)
			return true
		}
	case *leader:
		r.expireFetches(s)
		if r.now >= s.quorumDeadline() {
			r.becomeResigned()
			return true
		}
		return false
	}
	if r.now >= r.state.deadline() {
		return r.expire()
	}
	return false
}

// expire handles the end of the current state's time.
func (r *Raft) expire() bool {
	if r.installing != nil {
		// What it would campaign with is being replaced: wait for that.
		switch s := r.state.(type) {
		case *unattached:
			s.electionDeadline = r.electionDeadline()
			return false
		case *follower:
			s.fetchDeadline = r.now + s.timeout
			return false
		}
	}
	switch s := r.state.(type) {
	case *unattached, *candidate:
		r.becomeProspective()
	case *prospective:
		r.giveUp()
	case *follower:
		if !r.voter {
			s.lost, s.fetchDeadline = true, never
			return false
		}
		r.becomeProspective()
	case *resigned:
		r.becomeUnattached(r.quorum.LeaderEpoch + 1)
	}
	return true
}

// Deadline is when Tick is due, math.MaxInt64 for never.
func (r *Raft) Deadline() int64 {
	if r.halted {
		return never
	}
	d := r.state.deadline()
	for i := range r.peers {
		d = min(d, r.peers[i].deadline(r.now))
	}
	return d
}

func (r *Raft) isVoter(id wire.NodeID) bool {
	_, ok := slices.BinarySearch(r.voters, id)
	return ok
}
