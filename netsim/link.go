package netsim

import (
	"math/rand/v2"
	"strconv"
	"time"

	"odradek/sim"
)

// link is one direction between two hosts, or a host's loopback.
type link struct {
	n        *Network
	from, to *Host
	back     *link // the other direction; itself for a loopback
	random   *rand.Rand
	busy     sim.Time // serialisation is planned up to here
	cut      bool
	latency  int // factor
	divisor  int // of the bandwidth
	// brokenSince is when the pair last ceased to work in both directions; of the
	// two links of a pair both have it. Forever while the pair works.
	brokenSince sim.Time
}

// link returns the link between two hosts.
func (n *Network) link(from, to *Host) *link {
	if l := n.links[[2]int{from.index, to.index}]; l != nil {
		return l
	}
	l := n.newLink(from, to)
	l.back = l
	if from != to {
		l.back = n.newLink(to, from)
		l.back.back = l
	}
	l.review()
	return l
}

func (n *Network) newLink(from, to *Host) *link {
	l := &link{
		n: n, from: from, to: to, latency: 1, divisor: 1, brokenSince: sim.Forever,
		random: n.k.Stream("link/" + from.name + "-" + to.name),
	}
	n.links[[2]int{from.index, to.index}] = l
	return l
}

// delay draws the time from the last bit sent to the last bit received.
func (l *link) delay(draw uint64) time.Duration {
	if l.from == l.to {
		return l.n.cfg.Loopback
	}
	d := l.n.cfg.Latency
	if j := l.n.cfg.Jitter; j > 0 {
		d += time.Duration(draw % uint64(j+1))
	}
	return d * time.Duration(l.latency)
}

// serialise queues size bytes for the wire and returns when the last has left.
func (l *link) serialise(from sim.Time, size int) sim.Time {
	start := max(from, l.busy)
	if b := l.n.cfg.Bytes; b > 0 && l.from != l.to {
		start = start.Add(time.Duration(int64(size) * int64(time.Second) / b * int64(l.divisor)))
	}
	l.busy = start
	return start
}

// blocked reports whether nothing arrives now.
func (l *link) blocked() bool { return l.cut || l.to.down }

// broken reports whether no connection can live on this pair.
func (l *link) broken() bool { return l.blocked() || l.back.blocked() }

// review follows up on a change of the link, its opposite or one of the hosts.
func (l *link) review() {
	n, was := l.n, l.brokenSince != sim.Forever
	switch {
	case l.broken() && !was:
		l.brokenSince, l.back.brokenSince = n.k.Now(), n.k.Now()
		n.ends(func(c *conn) {
			if c.out.link == l || c.out.link == l.back {
				c.planDeadCheck()
			}
		})
	case !l.broken() && was:
		l.brokenSince, l.back.brokenSince = sim.Forever, sim.Forever
	}
}

// reopen lets what stalled on the link flow again, after a retransmission time-out.
func (l *link) reopen() {
	for _, p := range l.n.pipes {
		for _, c := range p.ends {
			if c.out.link == l && c.out.stalled {
				c.out.planResume()
			}
			if c.out.link == l.back && c.out.creditLost {
				c.out.planResume()
			}
		}
	}
}

func (n *Network) between(from, to string) *link {
	f, t := n.names[from], n.names[to]
	if f == nil || t == nil || f == t {
		panic("netsim: no link from " + strconv.Quote(from) + " to " + strconv.Quote(to))
	}
	return n.link(f, t)
}

// Cut makes the link from one host to another lose everything, in that direction
// only, until Heal. Cutting twice is allowed. Unknown hosts panic.
func (n *Network) Cut(from, to string) {
	l := n.between(from, to)
	l.cut = true
	l.review()
}

// Heal ends Cut.
func (n *Network) Heal(from, to string) {
	l := n.between(from, to)
	if !l.cut {
		return
	}
	l.cut = false
	l.review()
	if !l.blocked() {
		l.reopen()
	}
}

// Partition cuts all links between hosts of different groups, both ways. Links
// inside a group, and those of hosts in no group, stay as they are.
func (n *Network) Partition(groups ...[]string) {
	for i, a := range groups {
		for j, b := range groups {
			if i == j {
				continue
			}
			for _, from := range a {
				for _, to := range b {
					n.Cut(from, to)
				}
			}
		}
	}
}

// HealAll ends all cuts and slownesses.
func (n *Network) HealAll() {
	for _, from := range n.hosts {
		for _, to := range n.hosts {
			if l := n.links[[2]int{from.index, to.index}]; l != nil && from != to {
				l.latency, l.divisor = 1, 1
				n.Heal(from.name, to.name)
			}
		}
	}
}

// IsCut reports whether the link is cut.
func (n *Network) IsCut(from, to string) bool { return n.between(from, to).cut }

// Slow multiplies the latency and divides the bandwidth of a link, in that
// direction; 1, 1 is normal.
func (n *Network) Slow(from, to string, latencyFactor, bandwidthDivisor int) {
	l := n.between(from, to)
	l.latency, l.divisor = max(latencyFactor, 1), max(bandwidthDivisor, 1)
}
