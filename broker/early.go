package broker

import "slices"

// earlyRequest is a client's request that came before the broker knew its own
// registration. Until then the image may be empty, and what clients would be told of it,
// that there are no brokers and that their topics are gone, is final for some of
// them. So is hanging up: franz-go takes that for a missing login. The request waits.
//
// Kafka opens a broker's listener only once the metadata is replayed; ours is also the
// quorum's.
type earlyRequest struct {
	n    *Node
	r    *request
	h    handler
	gone bool // the client is
}

// abandon implements waiter.
func (e *earlyRequest) abandon() {
	e.gone = true
	e.n.early = slices.DeleteFunc(e.n.early, func(o *earlyRequest) bool { return o == e })
}

// onceCaughtUp has a broker serve requests only when it knows its registration. It is for
// what is answered from the image. A Fetch is answered before, as followers and the
// quorum send it too, and every client tries again.
func onceCaughtUp(h handler) handler {
	return func(n *Node, r *request) {
		if n.ready || !n.cfg.IsBroker() {
			h(n, r)
			return
		}
		e := &earlyRequest{n: n, r: r, h: h}
		r.waiter = e
		n.early = append(n.early, e)
	}
}

// serveEarly serves the requests that came early, in their order.
func (n *Node) serveEarly() {
	early := n.early
	n.early = nil
	for _, e := range early {
		if !e.gone {
			e.r.waiter = nil
			e.h(n, e.r)
		}
	}
}
