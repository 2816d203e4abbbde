package harness

import (
	"slices"
	"time"

	"odradek/broker/wire"
	"odradek/sim/cluster"
)

// machines are the brokers' machines in the hands of a workload's operator.
type machines struct{ run *run }

// leaveWithin is how long a broker may take for a shutdown in good order.
const leaveWithin = 5 * time.Second

// Brokers implements workloads.Machines.
func (m machines) Brokers() (there, away []wire.NodeID) {
	for _, n := range m.run.cluster.Nodes {
		switch {
		case !n.IsBroker():
		case n.Away():
			away = append(away, n.ID)
		default:
			there = append(there, n.ID)
		}
	}
	return there, away
}

// Controllers implements workloads.Machines.
func (m machines) Controllers() []wire.NodeID {
	var ids []wire.NodeID
	for _, n := range m.run.cluster.Nodes {
		if n.IsController() {
			ids = append(ids, n.ID)
		}
	}
	return ids
}

// Join implements workloads.Machines. It happens as an event of its own, for the caller is
// in the middle of a user's.
func (m machines) Join(id wire.NodeID) { m.later(id, (*cluster.Node).Join) }

// Leave implements workloads.Machines.
func (m machines) Leave(id wire.NodeID) {
	m.later(id, func(n *cluster.Node) { n.Leave(leaveWithin) })
}

// Running implements workloads.Machines.
func (m machines) Running(id wire.NodeID) bool { return m.run.cluster.Node(id).Running() }

func (m machines) later(id wire.NodeID, fn func(*cluster.Node)) {
	i := slices.IndexFunc(m.run.cluster.Nodes, func(n *cluster.Node) bool { return n.ID == id })
	n := m.run.cluster.Nodes[i]
	m.run.k.After(0, n.Node(), m.run.k.Kind("host-operator"), func() { fn(n) })
}
