package group

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
	"odradek/workloads/client/cluster"
)

// heartbeat is when a member of a classic group shows that it lives.
type heartbeat struct {
	inFlight bool
	// next one, and when the session has lasted without an answer for too long, in ns.
	next    int64
	session int64
}

// restart counts from now on: the coordinator has just heard of the member.
func (b *heartbeat) restart(now int64) {
	b.next, b.session = now, now
}

// beats tells in which states heartbeats are sent: not while joining, which stands for
// them.
func (g *classic) beats() bool {
	switch g.state {
	case dividing, syncing, settling, stable, preparing:
		return g.member().In() && !g.lost
	}
	return false
}

func (g *classic) heartbeatDeadline() int64 {
	if !g.beats() {
		return cluster.Never
	}
	d := g.beat.session + int64(g.cfg.SessionTimeout)
	if _, known := g.finder.Node(); known && !g.beat.inFlight {
		d = min(d, g.beat.next+int64(g.cfg.HeartbeatInterval))
	}
	return d
}

func (g *classic) pollHeartbeat(now int64) {
	if !g.beats() {
		return
	}
	if now >= g.beat.session+int64(g.cfg.SessionTimeout) {
		// Most likely the coordinator is another by now.
		if node, ok := g.finder.Node(); ok {
			g.finder.Lost(node)
		}
		g.beat.session = now
	}
	if _, ok := g.node(); !ok || g.beat.inFlight || now < g.beat.next+int64(g.cfg.HeartbeatInterval) {
		return
	}
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group, req.Generation, req.MemberID, req.InstanceID = g.cfg.ID, g.generation, g.id, optional(g.cfg.Instance)
	lowest := int16(0)
	if g.cfg.Instance != "" {
		lowest = 3
	}
	g.beat.inFlight = true
	g.beat.next = now
	m := g.member()
	g.send(req, lowest, 4, 0, func(now int64, node wire.NodeID, resp kmsg.Response, err error) {
		g.beat.inFlight = false
		switch {
		case m != g.member() || !g.beats() || g.over:
		case err == nil:
			g.onHeartbeat(now, node, resp.(*kmsg.HeartbeatResponse))
		case unserved(err):
			g.fail(err)
		default:
			g.hurry(now)
		}
	})
}

// hurry makes the next heartbeat come after a back-off instead of the interval.
func (g *classic) hurry(now int64) {
	g.beat.next = now + int64(g.cfg.Backoff.After(1, g.rng)) - int64(g.cfg.HeartbeatInterval)
}

func (g *classic) onHeartbeat(now int64, node wire.NodeID, resp *kmsg.HeartbeatResponse) {
	code := resp.ErrorCode
	switch {
	case code == 0:
		g.beat.session = now
	case g.passing(node, code):
		g.hurry(now)
	case g.refusal(now, code, nil):
		// REBALANCE_IN_PROGRESS counts as a sign of life of both.
		g.beat.session = now
	default:
		g.fail(fatal(code, nil))
	}
}

// sendLeave tells the coordinator, if there is something to tell and it is known, and
// calls done after the answer. It reports whether it sent anything.
func (g *classic) sendLeave(done func()) bool {
	if _, ok := g.finder.Node(); !ok || g.id == "" || g.cfg.Instance != "" {
		return false
	}
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = g.cfg.ID
	// The version picks which of the two goes out.
	req.MemberID = g.id
	m := kmsg.NewLeaveGroupRequestMember()
	m.MemberID = g.id
	req.Members = append(req.Members, m)
	g.send(req, 0, 5, 0, func(int64, wire.NodeID, kmsg.Response, error) {
		if done != nil {
			done()
		}
	})
	return true
}
