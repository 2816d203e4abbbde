package group

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/coordinator"
	"odradek/broker/failpoint"
)

// memberState is how far a member is on its way to the target. Kafka's numbers, which are in
// records.
//
//	stable      -> unrevoked    the target takes something away
//	stable      -> unreleased   the target gives something that another member still has
//	stable      -> stable       a new target that can be had at once
//	unrevoked   -> any          the member has said that it has let go
//	unreleased  -> any          at its next heartbeat, by what is free then
//	any         -> gone         it leaves, its session is over, or unrevoked is for too long
type memberState int8

const (
	memberStable memberState = 0
	unrevoked    memberState = 1 // it stays in its epoch until it has given up what it must
	unreleased   memberState = 2 // it is in the target's epoch and waits for others
)

// Member epochs with a meaning of their own.
const (
	joinEpoch  int32 = 0
	leaveEpoch int32 = -1
	awayEpoch  int32 = -2 // a static member that has left and will be back
)

// consumerMember is one member of a consumer group.
type consumerMember struct {
	id                   string
	instance, rack       *string
	clientID, clientHost string
	topics               []string // by name, sorted
	pattern              string   // and by regular expression; "" is none
	rebalanceMs          int32
	assignor             string           // the one it votes for, "" is none
	classic              *classicProtocol // nil for one that speaks the consumer protocol

	epoch    int32
	previous int32 // the epoch before, which it may still have if an answer was lost
	state    memberState
	assigned partitions // what it has, or may take
	revoking partitions // what it has to give up
	target   partitions

	session timer
	// revocation ends what unrevoked is, at the latest.
	revocation timer
	// step ends the wait for the next request of a classic member that is in a rebalance.
	step timer

	// What is different from the log, in this turn.
	described, retargeted, moved bool
}

// classicProtocol is what a member of the classic protocol has said in JoinGroup.
type classicProtocol struct {
	sessionMs int32
	protocols []kmsg.JoinGroupRequestProtocol // best first
}

func (mb *consumerMember) stopTimers(m *Machine) {
	m.timers.stop(&mb.session)
	m.timers.stop(&mb.revocation)
	m.timers.stop(&mb.step)
}

// memberOrNew is the member of that id, which is new if there was none.
func (g *consumer) memberOrNew(id string) *consumerMember {
	mb := g.members[id]
	if mb == nil {
		mb = &consumerMember{id: id}
		mb.session.fire = func(t *turn) { g.expel(t, mb, "member-expired") }
		mb.revocation.fire = func(t *turn) { g.expel(t, mb, "member-fenced") }
		mb.step.fire = func(t *turn) { g.expel(t, mb, "member-fenced") }
		g.members[id] = mb
	}
	return mb
}

// drop takes a member out of the maps.
func (g *consumer) drop(mb *consumerMember) {
	mb.stopTimers(g.m)
	g.disown(mb, mb.assigned)
	g.disown(mb, mb.revoking)
	delete(g.members, mb.id)
	if mb.instance != nil && g.statics[*mb.instance] == mb.id {
		delete(g.statics, *mb.instance)
	}
}

// remove takes a member out of the group. What it had is free.
func (g *consumer) remove(t *turn, mb *consumerMember) {
	g.touch(t)
	g.drop(mb)
	g.gone = append(g.gone, mb.id)
	g.shrunk = g.shrunk || mb.classic == nil
	g.dropPattern(mb.pattern)
}

// expel removes a member that has not done in time what it had to.
func (g *consumer) expel(t *turn, mb *consumerMember, why string) {
	t.event(Event{Kind: why, Group: g.id, Member: mb.id, Generation: mb.epoch})
	g.remove(t, mb)
	g.raise(t)
}

// replace gives the place of a static member to one with another id: what it has, and what
// it shall have. The caller says the rest.
func (g *consumer) replace(t *turn, old *consumerMember, id string) *consumerMember {
	g.remove(t, old)
	mb := g.memberOrNew(id)
	mb.instance, mb.topics, mb.pattern = old.instance, old.topics, old.pattern
	mb.assignor, mb.rebalanceMs, mb.rack = old.assignor, old.rebalanceMs, old.rack
	mb.target = old.target
	g.usePattern(mb.pattern)
	g.statics[*mb.instance] = id
	mb.described, mb.retargeted = true, true
	g.move(t, mb, memberStable, 0, old.assigned, nil)
	t.event(Event{Kind: "static-member-replaced", Group: g.id, Member: id, Generation: g.epoch})
	return mb
}

// move is a step of a member: what it has and what it has to give up from now on.
func (g *consumer) move(t *turn, mb *consumerMember, s memberState, epoch int32, assigned, revoking partitions) {
	g.touch(t)
	wasAssigned, wasRevoking := mb.assigned, mb.revoking
	if mb.epoch != epoch {
		mb.previous, mb.epoch = mb.epoch, epoch
	}
	mb.state, mb.assigned, mb.revoking, mb.moved = s, assigned, revoking, true
	if g.m.cfg.Fail.On(failpoint.ZooPartitionEpochLost) {
		// One after the other: a partition that goes from the second to the first is lost.
		g.disown(mb, wasAssigned)
		g.own(mb, assigned)
		g.disown(mb, wasRevoking)
		g.own(mb, revoking)
	} else {
		g.disown(mb, wasAssigned)
		g.disown(mb, wasRevoking)
		g.claim(mb)
	}
	if s == unrevoked {
		g.m.timers.start(&mb.revocation, t.later(int64(mb.rebalanceMs)))
	} else {
		g.m.timers.stop(&mb.revocation)
	}
}

// hear starts the member's session anew.
func (g *consumer) hear(t *turn, mb *consumerMember) {
	ms := g.m.cfg.Group(g.id).ConsumerSessionMs
	if mb.classic != nil {
		ms = int(mb.classic.sessionMs)
	}
	g.m.timers.start(&mb.session, t.later(int64(ms)))
}

// raise begins a new epoch of the group, one in a turn.
func (g *consumer) raise(t *turn) {
	g.touch(t)
	if g.epochRaised {
		return
	}
	g.epochRaised = true
	g.epoch++
}

// touch has the group's changes written when the turn is over.
func (g *consumer) touch(t *turn) {
	if !g.touched {
		g.touched = true
		t.touched = append(t.touched, g)
	}
}

// done is what has been decided. It writes what has changed of consumer groups.
func (t *turn) done() coordinator.Decision {
	for _, g := range t.touched {
		if !g.ended && !g.downgrade(t) {
			t.appendSplit(g.flush(t))
		}
		g.changes = changes{}
	}
	t.touched = nil
	return t.out
}

// flush is the records of what has changed. What a crash in the middle of a group too
// large for one batch leaves behind is a group whose epoch is ahead of its target: a new
// coordinator makes another.
func (g *consumer) flush(t *turn) []coordinator.Record {
	records := g.first
	for _, id := range slices.Sorted(slices.Values(g.gone)) {
		records = append(records, g.memberTombstones(id)...)
	}
	var targets, moves []coordinator.Record
	for _, id := range g.memberIDs() {
		mb := g.members[id]
		if mb.described {
			records = append(records, g.memberRecord(mb))
		}
		if mb.retargeted {
			targets = append(targets, g.targetOfRecord(mb))
		}
		if mb.moved {
			moves = append(moves, g.currentRecord(mb))
		}
		mb.described, mb.retargeted, mb.moved = false, false, false
	}
	records = append(records, g.patternRecords()...)
	if g.epochRaised {
		records = append(records, g.groupRecord())
		t.event(Event{Kind: "group-epoch", Group: g.id, Generation: g.epoch, Count: len(g.members)})
	}
	records = append(records, targets...)
	if g.targetChanged {
		records = append(records, g.targetRecord())
	}
	records = append(records, moves...)
	g.written = g.written || len(records) > 0
	if len(moves) > 0 && g.state() == consumerStable {
		t.event(Event{Kind: "group-stable", Group: g.id, Generation: g.epoch, Count: len(g.members)})
	}
	return records
}
