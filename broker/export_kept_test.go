package broker

// Kept is what a node remembers of its own doings.
type Kept struct {
	QuorumRequests, QuorumSteps, ControllerRequests, Proposals int
	Peers, Calls, Fetchers                                     int
	Partitions, Recovered, BusyPartitions, Creating            int

	// Of coordinators: requests and markers that wait for a shard, transactions that are being
	// completed, and what waits to be sent for transactions.
	Coordinated, Marking, Completing, Outbox int
	// Of partitions: batches that wait for a transaction coordinator, markers that wait for
	// replicas, and the requests that asked for markers.
	Verifications, ParkedMarkers, LocalMarkers, MarkerParts int
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
	for _, c := range n.coordinators.list {
		k.Coordinated += len(c.waiting)
		k.Marking += len(c.marking)
	}
	k.Completing = len(n.txnMarkers.pending)
	k.Outbox = n.txnMarkers.outbox.len() + n.txnVerifier.outbox.len()
	for _, p := range n.replicas.list {
		k.Verifications += len(p.verifications)
		k.ParkedMarkers += len(p.markers)
	}
	k.LocalMarkers = len(n.localMarkers)
	for _, parts := range n.localMarkers {
		k.MarkerParts += len(parts)
	}
	for _, p := range n.peers {
		k.Calls += len(p.inflight) + len(p.unsent)
	}
	return k
}

// len is how many items wait to be sent.
func (o *outbox[T]) len() (n int) {
	for _, q := range o.brokers {
		n += len(q.waiting)
	}
	return n
}
