package fault

import (
	"fmt"
	"time"

	"odradek/broker/env"
	"odradek/broker/failpoint"
	"odradek/broker/wire"
	"odradek/sim"
	"odradek/sim/cluster"
)

// Striker carries a plan's faults out on a cluster and counts those that happened: a
// crash of a node that is already down is none.
type Striker struct {
	c    *cluster.Cluster
	k    *sim.Kernel
	kind sim.Kind
	// Happened counts by kind.
	Happened map[Kind]int

	over bool
	cuts map[[2]string]int // how many faults hold a link cut
}

// NewStriker arms what is armed from the start.
func NewStriker(c *cluster.Cluster, armed []Failpoint) (*Striker, error) {
	s := &Striker{c: c, k: c.K, kind: c.K.Kind("fault"), Happened: make(map[Kind]int), cuts: make(map[[2]string]int)}
	for _, f := range armed {
		for _, n := range c.Nodes {
			if err := n.Fail.Arm(failpoint.Name(f.Name), f.Terms); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

// Schedule plans the events, from now on.
func (s *Striker) Schedule(events []Event) {
	for _, e := range events {
		s.k.After(time.Duration(e.At), sim.World, s.kind, func() {
			if !s.over {
				s.strike(e)
			}
		})
	}
}

// later runs the end of a fault, unless everything was healed before.
func (s *Striker) later(e Event, fn func()) {
	s.k.After(time.Duration(e.For), sim.World, s.kind, func() {
		if !s.over {
			fn()
		}
	})
}

func (s *Striker) happened(e Event) {
	s.Happened[e.Kind]++
	s.k.Note(sim.World, env.Info, s.k.Kind("fault-"+string(e.Kind)), env.S("what", e.String()))
}

func (s *Striker) strike(e Event) {
	switch e.Kind {
	case ProcessCrash, PowerLoss, Restart:
		s.strikeNode(e)
	case Pause:
		if n := s.node(e.Node); n.Running() && !n.Proc().Paused() {
			s.happened(e)
			n.Pause(time.Duration(e.For))
		}
	case Partition:
		s.happened(e)
		var links [][2]string
		for i, g := range s.groups(e.Groups) {
			for j, h := range s.groups(e.Groups) {
				if i == j {
					continue
				}
				for _, a := range g {
					for _, b := range h {
						links = append(links, [2]string{a, b})
					}
				}
			}
		}
		s.cut(e, links)
	case Cut:
		s.happened(e)
		s.cut(e, [][2]string{{name(e.From), name(e.To)}})
	case SlowLink:
		s.happened(e)
		s.slow(e, e.Factor)
		s.later(e, func() { s.slow(e, 1) })
	case SlowDisk:
		s.happened(e)
		n := s.node(e.Node)
		n.Disk.SetSlow(e.Factor)
		s.later(e, func() { n.Disk.SetSlow(1) })
	case Reset:
		if s.c.Net.Reset(name(e.From), name(e.To)) > 0 {
			s.happened(e)
		}
	case Arm:
		n := s.node(e.Node)
		if err := n.Fail.Arm(failpoint.Name(e.Point), e.Terms); err != nil {
			panic(fmt.Sprintf("fault: %v", err)) // Plan.Validate has tried it
		}
		s.happened(e)
		s.later(e, func() { n.Fail.Disarm(failpoint.Name(e.Point)) })
	}
}

func (s *Striker) strikeNode(e Event) {
	n := s.node(e.Node)
	if !n.Running() {
		return
	}
	s.happened(e)
	switch e.Kind {
	case ProcessCrash:
		n.Crash()
	case PowerLoss:
		n.CutPower()
	case Restart:
		// A broker that hangs in its shutdown is killed, as an init system does.
		life := n.Life()
		n.Stop(nil)
		s.k.After(stopWithin, sim.World, s.kind, func() {
			if n.Life() == life && n.Running() {
				n.Crash()
			}
			if s.over {
				n.Up()
			}
		})
		s.k.After(stopWithin+time.Duration(e.For), sim.World, s.kind, n.Up)
		return
	}
	s.later(e, n.Up)
}

// stopWithin is how long a restart waits for a shutdown in good order.
const stopWithin = 2 * time.Second

func (s *Striker) node(id int) *cluster.Node { return s.c.Node(wire.NodeID(id)) }

func name(id int) string { return cluster.NodeName(wire.NodeID(id)) }

// groups are the host names of a partition's groups, with the clients in the last.
func (s *Striker) groups(ids [][]int) [][]string {
	groups := make([][]string, len(ids))
	for i, g := range ids {
		for _, id := range g {
			groups[i] = append(groups[i], name(id))
		}
	}
	for _, h := range s.c.Clients {
		groups[len(groups)-1] = append(groups[len(groups)-1], h.Name())
	}
	return groups
}

// slow makes a link slow, or the links of all clients.
func (s *Striker) slow(e Event, factor int) {
	for _, from := range s.hosts(e.From) {
		for _, to := range s.hosts(e.To) {
			s.c.Net.Slow(from, to, factor, factor)
		}
	}
}

// hosts are the host names that an end of a link stands for.
func (s *Striker) hosts(id int) []string {
	if id != 0 {
		return []string{name(id)}
	}
	var clients []string
	for _, h := range s.c.Clients {
		clients = append(clients, h.Name())
	}
	return clients
}

// cut cuts links, which may be cut by another fault already: the last one to end heals.
func (s *Striker) cut(e Event, links [][2]string) {
	for _, l := range links {
		if s.cuts[l]++; s.cuts[l] == 1 {
			s.c.Net.Cut(l[0], l[1])
		}
	}
	s.later(e, func() {
		for _, l := range links {
			if s.cuts[l]--; s.cuts[l] == 0 {
				s.c.Net.Heal(l[0], l[1])
			}
		}
	})
}

// HealAll ends all faults at once and starts every node that is down.
func (s *Striker) HealAll() {
	s.over = true
	clear(s.cuts)
	s.c.Net.HealAll()
	for _, n := range s.c.Nodes {
		n.Disk.SetSlow(1)
		n.Resume()
		n.Up()
	}
}
