package consumer

import (
	"odradek/broker/wire"
	"odradek/workloads/client/attempt"
)

// state of an assigned partition; doc.go lists the transitions.
type state uint8

const (
	stopped state = iota
	resetting
	validating
	fetching
	awaiting
)

func (s state) String() string {
	return [...]string{"stopped", "resetting", "validating", "fetching", "awaiting"}[s]
}

// partition is one assigned partition.
type partition struct {
	wire.TopicPartition
	state state
	// pos is valid while validating and fetching, and while stopped if hasPos.
	pos    Position
	hasPos bool
	// posRead: pos.Epoch is the epoch of a record that was read, not what a broker
	// said of an end of the log.
	posRead bool
	// leaderEpoch is the leader's epoch for which pos is taken to be valid.
	leaderEpoch wire.LeaderEpoch
	// soughtEpoch is pos.Epoch as long as the metadata have not been told of it. They may
	// come from a broker that knows only older leaders.
	soughtEpoch wire.LeaderEpoch
	// life grows whenever what is under way or buffered stops being wanted: with
	// each seek and change of state.
	life uint64
	// pending is the request under way whose answer is wanted, 0 for none.
	pending attempt.ID
	// resetTo and timestamp say what to ask while resetting.
	resetTo   Reset
	timestamp int64
	// failures in a row, and when the next request may be made, in ns.
	failures  int
	notBefore int64
	progress  Progress
	// served is when (counted in answers with data) the partition last got data.
	served uint64
	data   fetched
}

// nowhere is no position.
var nowhere = Position{Offset: wire.NoOffset, Epoch: wire.NoLeaderEpoch}

// enter changes the state and forgets what belonged to the old one.
func (p *partition) enter(s state) {
	p.state = s
	p.life++
	p.pending = 0
	p.data = fetched{}
}

// seek makes pos the position. With an epoch it is validated first.
func (p *partition) seek(pos Position, read bool) {
	p.pos, p.hasPos, p.posRead = pos, true, read
	p.leaderEpoch, p.soughtEpoch = wire.NoLeaderEpoch, pos.Epoch
	p.failures, p.notBefore = 0, 0
	p.enter(fetching)
}

// reset asks for a new position.
func (p *partition) reset(to Reset, timestamp int64) {
	p.resetTo, p.timestamp = to, timestamp
	p.pos, p.hasPos = nowhere, false
	p.failures, p.notBefore = 0, 0
	if to == ResetNone {
		p.enter(stopped)
		return
	}
	p.enter(resetting)
}

// meetLeader compares the position with the leader that the metadata name: it has to
// be validated if the leader's epoch is news and the position has one.
func (p *partition) meetLeader(epoch wire.LeaderEpoch) {
	if p.state != fetching && p.state != validating || epoch <= p.leaderEpoch {
		return
	}
	p.leaderEpoch = epoch
	p.failures, p.notBefore = 0, 0 // the new leader has refused nothing yet
	if p.pos.Epoch != wire.NoLeaderEpoch {
		p.enter(validating)
	} else if p.state == fetching {
		// An answer of the old leader may hold what the new one does not have.
		p.enter(fetching)
	}
}
