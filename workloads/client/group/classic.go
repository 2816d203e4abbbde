package group

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"odradek/broker/wire"
)

// classicState is where a member of a classic group stands:
//
//	unjoined  -> preparing  the script polls and there are topics
//	preparing -> joining    the script has heard what it gives up (Revoke, Lose, or nothing)
//	joining   -> syncing    JoinGroup: a follower
//	joining   -> dividing   JoinGroup: the leader
//	joining   -> unjoined   an error
//	dividing  -> syncing    the metadata of all topics are there, the partitions divided
//	syncing   -> settling   SyncGroup: an assignment
//	syncing   -> unjoined   an error, most often REBALANCE_IN_PROGRESS
//	dividing  -> unjoined   the heartbeat is refused
//	settling  -> stable     the script has heard of the assignment
//	stable    -> preparing  a rebalance (REBALANCE_IN_PROGRESS, other topics, other partitions
//	                        of them, partitions given up cooperatively), and the script polls
//	settling, stable, preparing -> unjoined   fenced (UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION)
//	any       -> unjoined   the script has not polled for too long
//	any       -> leaving    Leave, and nothing is owned any more
type classicState uint8

const (
	unjoined classicState = iota
	preparing
	joining
	dividing
	syncing
	settling
	stable
	leaving
)

func (s classicState) String() string {
	return [...]string{"unjoined", "preparing", "joining", "dividing", "syncing", "settling", "stable", "leaving"}[s]
}

// classic is a membership of the classic protocol.
type classic struct {
	*Core
	state classicState
	// id and generation are empty and -1 outside the group.
	id         string
	generation int32
	// cooperative: all assignors are, so nothing is given up before a join (KIP-429).
	cooperative bool
	// lost: what is owned belongs to a membership that is no more.
	lost bool
	// rejoin: a rebalance is due. joined are the topics it was joined with.
	rejoin bool
	joined []string
	// protocol is the name of the assignor of this generation.
	protocol string
	// held are the partitions of the latest assignment, and heldIn its generation: what an
	// eager sticky assignor goes by.
	held   []wire.TopicPartition
	heldIn int32
	// life grows with every change of the membership, so that answers to an earlier one
	// are told apart.
	life uint64
	// failures in a row, and when to join next, in ns.
	failures  int
	notBefore int64
	leader    leadership
	// others are the topics of all members, if this is the leader.
	others []string
	beat   heartbeat
}

func newClassic(c *Core) *classic {
	g := &classic{Core: c, generation: -1, heldIn: -1, cooperative: true}
	for _, a := range c.cfg.Assignors {
		g.cooperative = g.cooperative && a.Cooperative()
	}
	return g
}

func (g *classic) String() string { return g.state.String() }

func (g *classic) member() Member {
	return Member{Group: g.cfg.ID, Generation: g.generation, ID: g.id, Instance: g.cfg.Instance}
}

func (g *classic) mayCommit() error {
	switch {
	case g.lost || !g.member().In():
		return ErrNotMember
	case g.state == preparing || g.state == settling || g.state == stable:
		return nil
	}
	return ErrRebalancing
}

func (g *classic) enter(s classicState) {
	g.state = s
	g.life++
}

func (g *classic) poll(now int64) {
	switch g.state {
	case unjoined, stable:
		if g.state == stable {
			g.watch()
		}
		if !g.leaving && g.present() && len(g.topics) > 0 && (g.state == unjoined || g.rejoin) && now >= g.notBefore && len(g.changes) == 0 {
			g.prepare(now)
		}
	case preparing:
		if len(g.changes) == 0 {
			g.join(now)
		}
	case dividing:
		g.divide(now)
	}
	g.pollHeartbeat(now)
}

func (g *classic) deadline() int64 {
	d := g.heartbeatDeadline()
	if g.state == unjoined && g.polling && !g.leaving && len(g.topics) > 0 && len(g.changes) == 0 {
		d = min(d, g.notBefore)
	}
	if _, known := g.finder.Node(); known && g.state == preparing && len(g.changes) == 0 {
		d = min(d, g.notBefore)
	}
	return d
}

// watch looks for reasons to rebalance that the member itself sees.
func (g *classic) watch() {
	if !slices.Equal(g.joined, g.topics) || g.partitionsChanged() {
		g.rejoin = true
	}
}

// prepare has the script give up what it must not keep through the rebalance.
func (g *classic) prepare(now int64) {
	g.enter(preparing)
	g.rejoin = false
	switch {
	case g.lost:
		if len(g.owned) > 0 {
			m := g.member()
			m.Generation, m.ID = -1, ""
			g.tell(Lose, g.owned, m)
		}
	case g.cooperative:
		gone := slices.DeleteFunc(slices.Clone(g.owned), func(tp wire.TopicPartition) bool {
			return slices.Contains(g.topics, tp.Topic)
		})
		if len(gone) > 0 {
			g.tell(Revoke, gone, g.member())
		}
	default:
		if len(g.owned) > 0 {
			g.tell(Revoke, g.owned, g.member())
		}
	}
	if len(g.changes) == 0 {
		g.join(now)
	}
}

func (g *classic) changed(now int64) {
	switch g.state {
	case preparing:
		if g.lost && len(g.owned) > 0 {
			// It was lost while the script heard of something else.
			g.tell(Lose, g.owned, Member{Group: g.cfg.ID, Generation: -1, Instance: g.cfg.Instance})
			return
		}
		g.join(now)
	case settling:
		g.held, g.heldIn = g.owned, g.generation
		g.enter(stable)
	}
}

// unjoin ends the membership's part in a generation: it will join again, with its
// id if it keeps it.
func (g *classic) unjoin(now int64, pause bool) {
	g.recall()
	g.enter(unjoined)
	g.rejoin = false
	if pause {
		g.failures++
		g.notBefore = now + int64(g.cfg.Backoff.After(g.failures, g.rng))
	} else {
		g.notBefore = now
	}
}

// fence takes a refusal of the member: what it owns is lost.
func (g *classic) fence(now int64, keepID bool, err error) {
	g.event(Fenced, g.member(), err)
	g.forget(keepID)
	g.unjoin(now, false)
}

// forget ends the generation, and with it the ownership.
func (g *classic) forget(keepID bool) {
	g.generation = -1
	g.lost = true
	g.held, g.heldIn = nil, -1
	g.others, g.leader = nil, leadership{}
	if !keepID {
		g.id = ""
	}
}

func (g *classic) refused(now int64, m Member, code int16) {
	if m != g.member() || !m.In() {
		return // of an earlier generation
	}
	g.refusal(now, code, nil)
}

// refusal takes an error code with which anything was answered that was sent in this
// generation. It reports whether it was one about the membership.
func (g *classic) refusal(now int64, code int16, detail *string) bool {
	switch code {
	case kerr.UnknownMemberID.Code:
		g.fence(now, false, fatal(code, detail))
	case kerr.IllegalGeneration.Code:
		g.fence(now, true, fatal(code, detail))
	case kerr.FencedInstanceID.Code:
		g.event(Fenced, g.member(), fatal(code, detail))
		g.forget(false)
		g.fail(fatal(code, detail))
	case kerr.RebalanceInProgress.Code:
		g.rejoin = true
	default:
		return false
	}
	return true
}

// mayExpire: not while joining, where Java sends no heartbeats and so does not look.
func (g *classic) mayExpire() bool {
	return g.state != unjoined && g.state != joining && g.state != leaving
}

// abandon leaves because the script does not poll. A static member keeps its place until
// its session times out.
func (g *classic) abandon(now int64) {
	m := g.member()
	g.sendLeave(nil)
	g.event(Left, m, nil)
	g.forget(false)
	g.unjoin(now, false)
}

func (g *classic) leave(now int64) {
	m := g.member()
	if g.state == leaving {
		return
	}
	g.enter(leaving)
	if m.In() {
		g.event(Left, m, nil)
	}
	if !g.sendLeave(g.left) {
		g.left()
	}
}
