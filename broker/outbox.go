package broker

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
)

// outbox brings items of one kind to brokers, this one too. Each is asked one request at a
// time, with everything that came up meanwhile.
type outbox[T any] struct {
	n        *Node
	lane     lane
	patience func() time.Duration
	brokers  map[wire.NodeID]*outboxQueue[T]

	// pack makes a request of what waits for a broker, nil if nothing of it is worth sending
	// any more, and returns what is in the request and what is left for the next one.
	pack func(waiting []T) (req kmsg.Request, sent, left []T)
	// serve has a request decided here. done may be called at once.
	serve func(req kmsg.Request, done func(kmsg.Response))
	// answered follows on a later turn, with the answer or why there is none.
	answered func(sent []T, resp kmsg.Response, err error)
}

type outboxQueue[T any] struct {
	waiting []T
	busy    bool // a request is on its way
	queued  bool // send runs on a later turn
}

// put has an item sent, with what else this turn of the loop decides.
func (o *outbox[T]) put(to wire.NodeID, item T) {
	q := o.brokers[to]
	if q == nil {
		q = &outboxQueue[T]{}
		if o.brokers == nil {
			o.brokers = make(map[wire.NodeID]*outboxQueue[T])
		}
		o.brokers[to] = q
	}
	q.waiting = append(q.waiting, item)
	o.schedule(to, q)
}

func (o *outbox[T]) schedule(to wire.NodeID, q *outboxQueue[T]) {
	if q.busy || q.queued || len(q.waiting) == 0 {
		return
	}
	q.queued = true
	o.n.env.Clock.After(0, func() { o.send(to, q) })
}

func (o *outbox[T]) send(to wire.NodeID, q *outboxQueue[T]) {
	q.queued = false
	if o.n.stopped {
		return
	}
	req, sent, left := o.pack(q.waiting)
	q.waiting = left
	if req == nil {
		return
	}
	q.busy = true
	answered := func(resp kmsg.Response, err error) {
		q.busy = false
		o.answered(sent, resp, err)
		o.schedule(to, q)
	}
	if to == o.n.cfg.NodeID {
		// On a later turn, as if it came from elsewhere: nobody expects the answer at once.
		o.serve(req, func(resp kmsg.Response) { o.n.env.Clock.After(0, func() { answered(resp, nil) }) })
		return
	}
	o.n.send(to, o.lane, req, o.patience(), answered)
}
