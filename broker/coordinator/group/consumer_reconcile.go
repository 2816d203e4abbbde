package group

import "odradek/broker/wire"

// reconcile leads a member a step towards its target, by what it has said that it owns:
//
//  1. What it has and the target does not give it, it has to give up. Until it says that
//     it has, it stays in its epoch, and nothing else happens to it.
//  2. Then it enters the target's epoch and gets what is free. A partition that somebody
//     else may be using is not: the member asks again with its next heartbeat.
//
// So at any time at most one member may be using a partition, and nobody waits for
// members that it has nothing to do with. reported is whether the member has said what it
// owns; what it does not repeat has not changed.
//
// A partition that the member was to give up and that the target gives back to it by the
// time that it has let go stays its own throughout (KAFKA-16147 is what went wrong there).
func (g *consumer) reconcile(t *turn, mb *consumerMember, owned partitions, reported bool) {
	has := func(s partitions) bool { return len(s) > 0 && (!reported || owned.overlaps(s)) }
	switch {
	case mb.state == memberStable && mb.epoch == g.targetEpoch:
		return
	case mb.state == unrevoked && has(mb.revoking):
		return
	}
	keep := mb.assigned.and(mb.target)
	if surplus := mb.assigned.without(mb.target); has(surplus) {
		g.move(t, mb, unrevoked, mb.epoch, keep, surplus)
		return
	}
	free := mb.target.without(keep).where(func(p wire.TopicIDPartition) bool { return g.isFreeFor(mb, p) })
	next := keep.or(free)
	state := memberStable
	if len(next) < len(mb.target) {
		state = unreleased
	}
	if mb.state == unreleased && state == unreleased && mb.epoch == g.targetEpoch && len(free) == 0 && len(keep) == len(mb.assigned) {
		return // it still waits
	}
	g.move(t, mb, state, g.targetEpoch, next, nil)
}

func (g *consumer) isFreeFor(mb *consumerMember, p wire.TopicIDPartition) bool {
	owner := g.owners[p]
	return owner == nil || owner == mb
}

// waitsForOthers reports whether somebody else may still be using a part of the target.
func (g *consumer) waitsForOthers(mb *consumerMember) bool {
	for _, p := range mb.target {
		if !g.isFreeFor(mb, p) {
			return true
		}
	}
	return false
}
