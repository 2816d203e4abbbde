package client

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/cluster"
)

// core is what a producer, a consumer or an admin client adds to a network.
type core interface {
	// poll moves time forward and makes calls.
	poll(now int64)
	// deliver gives out what came in (results, records); it may run user code.
	deliver(now int64)
	// deadline is when poll or deliver has something to do, in ns.
	deadline() int64
}

// lane names a link: there are at most two to a node.
type lane struct {
	node wire.NodeID
	// group: for requests to a group coordinator.
	group bool
}

func (a lane) compare(b lane) int {
	return cmp.Or(cmp.Compare(a.node, b.node), cmp.Compare(order(a.group), order(b.group)))
}

func order(second bool) int {
	if second {
		return 1
	}
	return 0
}

// network is the links of one client, its view of the cluster and its timer.
type network struct {
	env   *env.Env
	cfg   Config
	meta  *cluster.Metadata
	rng   *rand.Rand
	core  core
	links map[lane]*link
	// lanes are the keys of links, sorted: every turn goes over them.
	lanes []lane
	// serial numbers the calls.
	serial uint64
	timer  env.Timer
	// timerAt is when the timer fires, in ns; Never without one.
	timerAt int64
	// turning: a turn is running; again: it must run once more.
	turning, again bool
	closed         bool
	features       features
}

func newNetwork(e *env.Env, cfg Config, stream string) *network {
	rng := e.Rand.Stream(stream)
	return &network{
		env: e,
		cfg: cfg,
		meta: cluster.New(cluster.Config{
			Backoff: cfg.Retry, MaxAge: cfg.MetadataMaxAge, Bootstrap: cfg.Bootstrap,
		}, rng),
		rng:     rng,
		links:   make(map[lane]*link),
		timerAt: cluster.Never,
	}
}

func (n *network) now() int64 { return int64(n.env.Clock.Now()) }

// call sends a request. done is called once, on the loop, possibly within call.
func (n *network) call(req attempt.Request, timeout time.Duration, done func(kmsg.Response, error)) {
	n.serial++
	now := n.env.Clock.Now()
	if req.Node == wire.NoNode {
		req.Node, _ = n.anyNode(int64(now))
	}
	c := &call{req: req, serial: n.serial, made: now, deadline: int64(now.Add(timeout)), done: done}
	if n.cfg.Observer != nil {
		n.cfg.Observer.Request(n.requestInfo(c))
	}
	if req.Node == wire.NoNode {
		n.end(c, nil, fmt.Errorf("%w: no broker to ask", attempt.ErrNotSent))
		return
	}
	key := lane{node: req.Node, group: req.Group}
	l := n.links[key]
	if l == nil {
		l = &link{net: n, node: req.Node}
		n.links[key] = l
		at, _ := slices.BinarySearchFunc(n.lanes, key, lane.compare)
		n.lanes = slices.Insert(slices.Clone(n.lanes), at, key) // a turn may be going over it
	}
	l.submit(c)
}

func (n *network) requestInfo(c *call) RequestInfo {
	return RequestInfo{ClientID: n.cfg.ClientID, Serial: c.serial, At: c.made, Node: c.req.Node, Msg: c.req.Msg}
}

// end tells everybody how a call ended.
func (n *network) end(c *call, resp kmsg.Response, err error) {
	if n.cfg.Observer != nil {
		info := n.requestInfo(c)
		info.At = n.env.Clock.Now()
		n.cfg.Observer.Response(ResponseInfo{RequestInfo: info, Sent: c.made, Response: resp, Err: err})
	}
	c.done(resp, err)
	n.again = true
}

// kick makes a turn happen soon. User calls do this instead of running a turn, so that
// no callback runs inside the call that registered it.
func (n *network) kick() {
	if n.turning {
		n.again = true
		return
	}
	n.arm(n.now())
}

// arm sets the timer unless it fires early enough.
func (n *network) arm(at int64) {
	if n.closed || at >= n.timerAt {
		return
	}
	if n.timer != nil {
		n.timer.Stop()
	}
	n.timerAt = at
	delay := time.Duration(0)
	if now := n.now(); at > now {
		delay = time.Duration(at - now)
	}
	n.timer = n.env.Clock.After(delay, func() {
		n.timer, n.timerAt = nil, cluster.Never
		n.turn()
	})
}

// turn runs everything that is due and sets the timer for the rest.
func (n *network) turn() {
	if n.turning {
		n.again = true
		return
	}
	n.turning = true
	for n.again = true; n.again && !n.closed; {
		n.again = false
		now := n.now()
		for _, key := range n.lanes {
			n.links[key].tick(now)
		}
		n.core.poll(now)
		// After the core: it may have asked for newer metadata.
		n.refresh(now)
		n.core.deliver(now)
	}
	n.turning = false
	if !n.closed {
		n.arm(max(n.nextDeadline(), n.now()+1))
	}
}

func (n *network) nextDeadline() int64 {
	d := min(n.core.deadline(), n.meta.Deadline())
	if n.meta.Deadline() <= n.now() {
		// A refresh is due but every node is backing off: the links know until when.
		d = n.core.deadline()
		for _, b := range slices.Concat(n.meta.Brokers(), n.meta.Bootstrap()) {
			if l := n.links[lane{node: b.Node}]; l != nil {
				d = min(d, l.notBefore)
			}
		}
	}
	for _, l := range n.links { //odradek:unordered a minimum
		d = min(d, l.deadline())
	}
	return d
}

// refresh asks for metadata if that is due.
func (n *network) refresh(now int64) {
	if n.meta.Deadline() > now {
		return
	}
	node, ok := n.anyNode(now)
	if !ok {
		return
	}
	msg, _ := n.meta.Poll(now)
	req := attempt.Request{Node: node, Msg: msg, MinVersion: 1, MaxVersion: 13}
	n.call(req, n.cfg.RequestTimeout, func(resp kmsg.Response, err error) {
		if err != nil {
			n.meta.OnFailure(n.now())
		} else {
			n.meta.OnResponse(n.now(), resp.(*kmsg.MetadataResponse))
			n.dropBootstrap()
		}
	})
}

// anyNode picks a node for a request that any can serve: the one with the fewest calls
// among those with a connection, else one that may be dialed, beginning at a random
// one; bootstrap addresses only if every broker backs off.
func (n *network) anyNode(now int64) (wire.NodeID, bool) {
	for _, candidates := range [][]cluster.Broker{n.meta.Brokers(), n.meta.Bootstrap()} {
		if len(candidates) == 0 {
			continue
		}
		start := n.rng.IntN(len(candidates))
		best, bestLoad := wire.NoNode, 1<<30
		for i := range candidates {
			node := candidates[(start+i)%len(candidates)].Node
			load := 1 << 20 // a new connection costs more than any queue
			if l := n.links[lane{node: node}]; l != nil {
				if l.backingOff(now) {
					continue
				}
				if l.state == up {
					load = 0
				}
				load += l.pending()
			}
			if load < bestLoad {
				best, bestLoad = node, load
			}
		}
		if best != wire.NoNode {
			return best, true
		}
	}
	return wire.NoNode, false
}

// dropBootstrap closes idle connections to bootstrap addresses: the same brokers are
// known by their ids now.
func (n *network) dropBootstrap() {
	for _, b := range n.meta.Bootstrap() {
		if l := n.links[lane{node: b.Node}]; l != nil && l.pending() == 0 {
			l.close()
			delete(n.links, lane{node: b.Node})
			n.lanes = slices.DeleteFunc(slices.Clone(n.lanes), func(key lane) bool { return key.node == b.Node })
		}
	}
}

// close ends all connections. Calls under way are not told: their owner ends them.
func (n *network) close() {
	if n.closed {
		return
	}
	n.closed = true
	if n.timer != nil {
		n.timer.Stop()
	}
	for _, key := range n.lanes {
		n.links[key].close()
	}
}
