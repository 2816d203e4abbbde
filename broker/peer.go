package broker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/wire"
)

// lane separates the traffic to one node: answers on a connection keep the order
// of the requests, so a fetch that waits for records would hold up a vote.
type lane uint8

const (
	laneControl      lane = iota // votes, heartbeats, AlterPartition
	laneQuorumFetch              // fetches of the metadata log
	laneReplicaFetch             // fetches of partitions
	laneTxnVerify                // questions to transaction coordinators
	laneTxnMarkers               // markers of transactions, which wait for replicas
	laneForward                  // clients' requests to the controller, which wait for a commit
	lanes
)

type peerKey struct {
	node wire.NodeID
	lane lane
}

// peer is this node's connection to another node, dialled when first needed and
// again after it broke.
type peer struct {
	n    *Node
	key  peerKey
	addr string

	conn    env.Conn
	dialing bool
	closed  bool
	// failures counts unsuccessful dials in a row; retryAt is when to dial again.
	failures int
	retryAt  env.Time

	unsent   []*call
	inflight []*call // in the order of sending
	corr     int32

	head [4]byte
	body []byte
}

// call is one request to a peer.
type call struct {
	req   kmsg.Request
	corr  int32
	done  func(kmsg.Response, error)
	timer env.Timer
}

var (
	errPeerLost    = errors.New("connection to the node was lost")
	errPeerTimeout = errors.New("the node did not answer in time")
	errPeerBackoff = errors.New("the node could not be reached a moment ago")
	errStopped     = errors.New("this node has stopped")
	errNoAddress   = errors.New("the node's address is not known")
)

// send sends a request to another node. done is called exactly once, on a later
// turn of the loop, with the answer or an error; after an error nobody knows
// whether the request took effect. req's version must be set.
func (n *Node) send(to wire.NodeID, l lane, req kmsg.Request, timeout time.Duration, done func(kmsg.Response, error)) {
	fail := func(err error) {
		n.env.Clock.After(0, func() { done(nil, fmt.Errorf("node %d: %w", to, err)) })
	}
	addr, ok := n.address(to)
	if !ok {
		fail(errNoAddress)
		return
	}
	key := peerKey{to, l}
	p := n.peers[key]
	if p != nil && p.addr != addr {
		p.drop(errPeerLost)
		p = nil
	}
	if p == nil {
		p = &peer{n: n, key: key, addr: addr}
		n.peers[key] = p
	}
	if p.conn == nil && !p.dialing && n.env.Clock.Now() < p.retryAt {
		fail(errPeerBackoff)
		return
	}
	p.corr++
	c := &call{req: req, corr: p.corr, done: done}
	c.timer = n.env.Clock.After(timeout, func() {
		// Answers come in order, so one that is overdue holds up all behind it.
		p.drop(errPeerTimeout)
	})
	p.unsent = append(p.unsent, c)
	if p.conn != nil {
		p.flush()
	} else if !p.dialing {
		p.dial()
	}
}

func (p *peer) dial() {
	p.dialing = true
	p.n.env.Net.Dial(p.addr, p.n.requestTimeout(), func(c env.Conn, err error) {
		p.dialing = false
		if p.closed {
			if c != nil {
				c.Close()
			}
			return
		}
		if err != nil {
			p.drop(err)
			return
		}
		p.conn, p.failures, p.retryAt = c, 0, 0
		p.flush()
		p.readHead()
	})
}

func (p *peer) flush() {
	for _, c := range p.unsent {
		p.conn.Write([]env.Segment{{Bytes: wire.AppendRequest(nil, c.corr, p.n.clientID, c.req)}})
	}
	p.inflight = append(p.inflight, p.unsent...)
	clear(p.unsent)
	p.unsent = p.unsent[:0]
}

func (p *peer) readHead() {
	p.conn.Read(p.head[:], 4, func(_ int, err error) {
		if err != nil {
			p.drop(err)
			return
		}
		size := int(int32(binary.BigEndian.Uint32(p.head[:])))
		if size < 4 || size > maxPeerResponse {
			p.drop(fmt.Errorf("answer of %d bytes", size))
			return
		}
		p.body = make([]byte, size)
		p.conn.Read(p.body, size, p.onBody)
	})
}

// reconnectBackoff is the pause after the first failed dial; it doubles up to the
// maximum (reconnect.backoff.ms and reconnect.backoff.max.ms of Kafka's clients).
const (
	reconnectBackoff    = 50 * time.Millisecond
	reconnectBackoffMax = time.Second
)

// maxPeerResponse bounds what another node may make this one allocate.
const maxPeerResponse = 256 << 20

func (p *peer) onBody(_ int, err error) {
	if err != nil {
		p.drop(err)
		return
	}
	if len(p.inflight) == 0 {
		p.drop(errors.New("answer without a request"))
		return
	}
	c := p.inflight[0]
	resp := c.req.ResponseKind()
	resp.SetVersion(c.req.GetVersion())
	if err := wire.DecodeResponse(p.body, c.corr, resp); err != nil {
		p.drop(err)
		return
	}
	k := copy(p.inflight, p.inflight[1:])
	p.inflight[k] = nil
	p.inflight = p.inflight[:k]
	c.timer.Stop()
	p.readHead()
	c.done(resp, nil)
}

// drop ends the connection; every call that waits on it fails. The next send
// starts afresh, after a back-off if the node could not be reached.
func (p *peer) drop(err error) {
	if p.closed {
		return
	}
	p.closed = true
	if p.conn != nil {
		p.conn.Close()
	}
	fresh := &peer{n: p.n, key: p.key, addr: p.addr}
	if p.conn == nil || len(p.inflight) > 0 {
		// Otherwise nothing went wrong: the other side closed a connection that was idle.
		fresh.failures = p.failures + 1
		fresh.retryAt = p.n.env.Clock.Now().Add(min(reconnectBackoff<<min(p.failures, 5), reconnectBackoffMax))
	}
	if p.n.peers[p.key] == p {
		p.n.peers[p.key] = fresh
	}
	calls := append(p.inflight, p.unsent...)
	p.inflight, p.unsent = nil, nil
	for _, c := range calls {
		c.timer.Stop()
		p.n.env.Clock.After(0, func() { c.done(nil, fmt.Errorf("node %d: %w", p.key.node, err)) })
	}
}
