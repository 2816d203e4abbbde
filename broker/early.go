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
// what is answered from the image.
func onceCaughtUp(h handler) handler {
	return func(n *Node, r *request) {
		if !n.holdEarly(r, h) {
			h(n, r)
		}
	}
}

// holdEarly keeps a request that came too early for later, and reports whether it did. A
// client that does not want to wait hangs up: the broker has nothing better to tell it.
func (n *Node) holdEarly(r *request, h handler) bool {
	if n.ready || !n.cfg.IsBroker() {
		return false
	}
	e := &earlyRequest{n: n, r: r, h: h}
	r.waiter = e
	n.early = append(n.early, e)
	return true
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
