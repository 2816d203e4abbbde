package netsim

import (
	"math/rand/v2"
	"slices"
	"time"

	"odradek/broker/env"
	"odradek/sim"
)

// ProcessCrash closes the sockets of the host's processes, which are dead, as the
// operating system does. What a process wrote in computing time that it had charged
// but not yet spent was never written.
func (h *Host) ProcessCrash() {
	now := h.n.k.Now()
	h.eachEnd(func(c *conn) {
		c.out.trim(func(ch *chunk) bool { return ch.sent > now })
		for c.out.queue.len() > 0 && c.out.queue.back().sent > now {
			c.out.queued -= c.out.queue.back().seg.Size()
			c.out.queue.dropBack()
		}
		c.shut(now)
	})
	clear(h.listeners)
}

// eachEnd calls fn for the ends at this host that are not over.
func (h *Host) eachEnd(fn func(c *conn)) {
	h.n.ends(func(c *conn) {
		if c.host == h {
			fn(c)
		}
	})
}

// PowerLoss silences the host: its connections are gone without a word, and
// so is what had not left it. PowerOn brings it back.
func (h *Host) PowerLoss() {
	if h.down {
		return
	}
	now := h.n.k.Now()
	h.eachEnd(func(c *conn) {
		c.out.trim(func(ch *chunk) bool { return ch.depart > now })
		c.end(failed, env.ErrReset)
	})
	clear(h.listeners)
	h.down = true
	h.reviewLinks()
}

// PowerOn ends a PowerLoss. Peers that have not noticed it learn it from a reset, as
// soon as they send, or probe, an end that is no more.
func (h *Host) PowerOn() {
	if !h.down {
		return
	}
	h.down = false
	h.reviewLinks()
	n := h.n
	for _, from := range n.hosts {
		if l := n.links[[2]int{from.index, h.index}]; l != nil && !l.blocked() {
			l.reopen()
		}
	}
	n.ends(func(c *conn) {
		if c.peer.host != h || c.state != open {
			return
		}
		wait := time.Duration(c.out.link.random.Uint64N(uint64(n.cfg.DeadAfter)/4 + 1))
		n.k.Schedule(sim.Event{At: n.k.Now().Add(wait), Node: c.host.node, Kind: n.kinds.reset, Do: c, Arg: phaseProbe})
	})
}

func (h *Host) reviewLinks() {
	for _, other := range h.n.hosts {
		if l := h.n.links[[2]int{h.index, other.index}]; l != nil {
			l.review()
		}
	}
}

// Reset breaks all connections between two hosts; it returns how many.
func (n *Network) Reset(a, b string) int {
	var chosen []*pipe
	for _, p := range n.pipes {
		x, y := p.ends[0].host.name, p.ends[1].host.name
		if x == a && y == b || x == b && y == a {
			chosen = append(chosen, p)
		}
	}
	return n.breakPipes(chosen)
}

// ResetRandom breaks up to count connections drawn from r; it returns how many.
func (n *Network) ResetRandom(r *rand.Rand, count int) int {
	chosen := slices.Clone(n.pipes)
	r.Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
	return n.breakPipes(chosen[:min(count, len(chosen))])
}

func (n *Network) breakPipes(pipes []*pipe) int {
	broken := 0
	for _, p := range pipes {
		hit := false
		for _, c := range p.ends {
			if c.state == open {
				hit = true
				c.in.trim(func(*chunk) bool { return true })
				c.fail(env.ErrReset)
			}
		}
		if hit {
			broken++
		}
	}
	return broken
}
