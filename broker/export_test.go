package broker

// Held is what clients make a node remember.
type Held struct {
	Conns    int
	Requests int // dispatched and not answered
	Buffers  int // bytes for what is read and not dispatched
	Queued   int // bytes of requests
	Unsent   int // bytes of answers
	Fetches  int // parked
	Acks     int // produces that wait for the high watermark
	Deletes  int // DeleteRecords that wait for replicas, by partition
	// Unverified are produces that wait for a transaction coordinator.
	Unverified int
	Sessions   int
	Early      int // requests before the metadata was replayed
	// Coordinated are requests that the shards of groups and transactions hold.
	Coordinated int
}

// Held is for tests of what is let go.
func (n *Node) Held() Held {
	h := Held{Conns: len(n.conns), Sessions: n.sessions.Len(), Early: len(n.early)}
	for _, c := range n.conns {
		h.Requests += len(c.queue)
		h.Buffers += len(c.chunk)
		if len(c.buf) != len(c.chunk) {
			h.Buffers += len(c.buf)
		}
		h.Queued += c.queued
		h.Unsent += c.held + c.c.Buffered()
	}
	for _, p := range n.replicas.list {
		h.Fetches += len(p.fetches)
		h.Acks += len(p.acks)
		h.Deletes += len(p.deletions)
		for _, v := range p.verifications {
			h.Unverified += len(v.waiting)
		}
	}
	for _, c := range n.coordinators.list {
		h.Coordinated += len(c.waiting) + len(c.marking)
	}
	return h
}

// The bounds of one connection, in bytes.
const (
	ConnChunk  = connChunk
	FirstPiece = firstPiece
	MaxQueued  = maxQueued
	MaxUnsent  = maxUnsent
)
