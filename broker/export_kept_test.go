package broker

// Kept is what a node remembers of its own doings.
type Kept struct {
	QuorumRequests, QuorumSteps, ControllerRequests, Proposals int
	Peers, Calls, Fetchers                                     int
	Partitions, Recovered, BusyPartitions, Creating            int
}

// Kept is for tests of what is let go.
func (n *Node) Kept() Kept {
	k := Kept{
		QuorumRequests: len(n.quorum.pending), QuorumSteps: len(n.quorum.steps), Proposals: len(n.alterISR.waiting),
		Peers: len(n.peers), Fetchers: len(n.fetchers.byNode), Partitions: len(n.replicas.byTP),
		Recovered: len(n.replicas.recovered), BusyPartitions: len(n.replicas.busy), Creating: len(n.creating),
	}
	if n.control != nil {
		k.ControllerRequests = len(n.control.waiting)
	}
	for _, p := range n.peers {
		k.Calls += len(p.inflight) + len(p.unsent)
	}
	return k
}
