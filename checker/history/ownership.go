package history

import (
	"cmp"
	"slices"

	"odradek/broker/wire"
)

// ownership judges who had a partition (rule 16).
//
// A member has a partition from the event that assigned it until it was revoked or lost, by
// the member's own knowledge. Two members that have one at the same time are
//
//   - a violation if both have it in one generation: an assignment gives a partition to
//     one member. (Except for two processes with one instance id: the second takes the
//     place of the first, in the same generation.)
//   - a violation if, while both had it, both asked the coordinator for something that
//     only members get (a heartbeat, a commit) and got it: it took both for members.
//   - else allowed: one of them is a zombie that has been removed and does not know it.
//
// The requests count from their invocation on, so neither answers that came late nor
// requests that were under way make a violation.
func (c *judge) ownership(g *group) {
	tps := make([]wire.TopicPartition, 0, len(g.owned))
	for tp := range g.owned { //odradek:unordered sorted below
		tps = append(tps, tp)
	}
	slices.SortFunc(tps, wire.TopicPartition.Compare)
	var conflicts []*conflict
	known := make(map[[2]*membership]*conflict)
	for _, tp := range tps {
		var open []*ownership
		for _, o := range g.owned[tp] { // as begun
			open = slices.DeleteFunc(open, func(x *ownership) bool { return x.until < o.from() })
			for _, x := range open {
				k := [2]*membership{x.who, o.who}
				y := known[k]
				if y == nil {
					y = &conflict{}
					known[k] = y
					conflicts = append(conflicts, y)
				}
				y.add(x, o, c.g.Forgetful)
			}
			open = append(open, o)
		}
	}
	for _, y := range conflicts {
		c.conflict(g, y)
	}
	c.staleCommits(g)
}

// conflict is what two memberships had in common.
type conflict struct {
	a, b       *ownership // the first, or the first that is a violation
	partitions int
	why        string  // of a violation
	seqs       []int64 // that show it
}

func (y *conflict) add(a, b *ownership, forgetful bool) {
	y.partitions++
	why, seqs := bothLive(a, b, forgetful)
	if y.a == nil || y.why == "" && why != "" {
		y.a, y.b, y.why, y.seqs = a, b, why, seqs
	}
}

// bothLive decides about two ownerships of which b began second, while a was not over.
func bothLive(a, b *ownership, forgetful bool) (why string, seqs []int64) {
	from, until := b.from(), min(a.until, b.until)
	static := a.who.Instance != "" && a.who.Instance == b.who.Instance
	if !static && !forgetful { // a group that was deleted begins with generation 1 again
		for i, x := range a.spans {
			for j, y := range b.spans {
				begin, end := max(x.from, y.from), min(a.endOf(i), b.endOf(j))
				if x.generation == y.generation && begin < end {
					return "in one generation", []int64{x.from, y.from}
				}
			}
		}
	}
	x, y := a.who.acceptedIn(from, until), b.who.acceptedIn(from, until)
	if x != 0 && y != 0 {
		return "and the coordinator served both", []int64{a.from(), b.from(), x, y}
	}
	return "", nil
}

func (o *ownership) endOf(i int) int64 {
	if i+1 < len(o.spans) {
		return o.spans[i+1].from
	}
	return o.until
}

// acceptedIn is the first request between two events that was accepted, 0 if there is
// none.
func (m *membership) acceptedIn(from, until int64) int64 {
	i, _ := slices.BinarySearch(m.accepted, from)
	if i < len(m.accepted) && m.accepted[i] < until {
		return m.accepted[i]
	}
	return 0
}

func (c *judge) conflict(g *group, y *conflict) {
	a, b := y.a, y.b
	r := allows("rule 16: one of them has been removed and has not heard of it")
	seqs := []int64{a.from(), b.from()}
	how := "at the same time"
	if y.why != "" {
		r = c.g.lossOf(violates("rule 16: one member at most owns a partition"), OffsetsTopic)
		seqs, how = y.seqs, y.why
	}
	c.found(about{DoubleOwnership, a.tp, "group " + g.name}, r, seqs, "%s (member %s, generation %d) and %s (member %s, generation %d) had %v and %d more, %s",
		a.who.process, a.who.ID, a.spans[0].generation, b.who.process, b.who.ID, b.spans[0].generation, a.tp, y.partitions-1, how)
}

// staleCommits reports commits of a classic generation that was over when they were
// asked for. (In a group with members of KIP-848 everybody has an epoch of his own.)
func (c *judge) staleCommits(g *group) {
	if g.consumer {
		return
	}
	slices.SortFunc(g.stale, func(a, b *commitAttempt) int { return cmp.Compare(a.invokeSeq, b.invokeSeq) })
	for _, a := range g.stale {
		what := "heartbeat"
		if a.commit {
			what = "commit"
		}
		r := c.g.lossOf(violates("rule 16: what comes from an old generation is refused"), OffsetsTopic)
		c.found(about{name: StaleMember, subject: "group " + g.name}, r, []int64{a.overtaken, a.invokeSeq, a.returnSeq},
			"the coordinator accepted a %s of %s (member %s) in generation %d, although another member was in a newer one before it was sent", what, a.who.process, a.who.ID, a.generation)
	}
}
