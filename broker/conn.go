package broker

import (
	"errors"
	"io"
	"strings"
	"time"

	"odradek/broker/env"
	"odradek/broker/wire"
)

// What a connection may hold, in bytes unless stated. Together with max.connections
// and socket.request.max.bytes they bound what clients can make a node remember,
// whatever they send and however little they read:
//
//   - read but not dispatched: connChunk, and the frame being read, of which no more
//     than twice what has arrived, or firstPiece, is allocated;
//   - dispatched and not answered: maxQueued, or a single request;
//   - answered and not taken by the network: maxUnsent, and the answer that went over
//     it. Only a Fetch has answers of more than a few times its size (at most
//     fetch.max.bytes), which is why no request is dispatched behind one.
const (
	// connChunk is how much is read at once while requests are small. Requests
	// that are larger get a buffer of their own size and are read straight into it.
	connChunk = 32 << 10
	// firstPiece is how much of a large request is allocated before any of it came.
	firstPiece = 1 << 20
	// maxPipelined bounds the number of requests of one connection that wait for an
	// answer. Kafka serves one at a time; serving more lets an acks=all producer
	// overlap its round trips. Answers keep the order of the requests either way.
	maxPipelined = 64
	maxQueued    = 16 << 20
	maxUnsent    = 1 << 20
)

// conn is a client's (or another node's) connection to this node.
type conn struct {
	n    *Node
	c    env.Conn
	id   int64
	addr string

	buf        []byte // read but not yet dispatched: buf[start:end]
	chunk      []byte // of connChunk bytes: buf, or waiting to be that again
	start, end int
	reading    bool
	readDone   func(int, error) // onRead
	closed     bool
	pumping    bool // pump is on the stack, or will run on a later turn
	stalled    bool // a complete request waits in buf for the queue to get shorter

	queue  []*request // dispatched, answers outstanding or waiting for an earlier one
	queued int        // bytes of these requests
	held   int        // bytes of their answers that wait for an earlier one
	// alone is set while the last of the queue is one behind which nothing may be
	// dispatched.
	alone bool

	active env.Time // when bytes last came or an answer went
	idle   env.Timer

	// software is what the client called itself in ApiVersions (KIP-511).
	software string
}

func (n *Node) accept(c env.Conn) {
	host := hostOf(c.RemoteAddr())
	if n.stopped || len(n.conns) >= n.cfg.MaxConnections || n.connsOf[host] >= n.cfg.MaxConnectionsPerIP {
		n.env.Trace.Event(env.Debug, "connection-refused", env.S("client", c.RemoteAddr()))
		c.Close()
		return
	}
	n.lastConn++
	cn := &conn{n: n, c: c, id: n.lastConn, addr: c.RemoteAddr(), chunk: make([]byte, connChunk), active: n.env.Clock.Now()}
	cn.buf = cn.chunk
	cn.readDone = cn.onRead
	n.conns[cn.id] = cn
	n.connsOf[host]++
	cn.watchIdle(ms(n.cfg.ConnectionsMaxIdleMs))
	cn.pump()
}

func hostOf(addr string) string { return addr[:max(strings.LastIndexByte(addr, ':'), 0)] }

// watchIdle closes the connection once connections.max.idle.ms have passed without
// bytes in either direction. A request that waits here is our silence, not the
// client's.
func (c *conn) watchIdle(after time.Duration) {
	c.idle = c.n.env.Clock.After(after, func() {
		limit := ms(c.n.cfg.ConnectionsMaxIdleMs)
		left := limit - c.n.env.Clock.Now().Sub(c.active)
		switch {
		case len(c.queue) > 0:
			c.watchIdle(limit)
		case left > 0:
			c.watchIdle(left)
		default:
			c.n.env.Trace.Event(env.Debug, "connection-idle", env.S("client", c.addr))
			c.close()
		}
	})
}

// pump dispatches the complete requests that have been read, as far as the limits
// allow, and reads on. Whatever lifts a limit calls it.
func (c *conn) pump() {
	c.pumping, c.stalled = true, false
	for !c.closed && c.dispatchNext() {
	}
	c.pumping = false
	if !c.closed && !c.reading {
		c.read()
	}
}

// mayDispatch reports whether another request may begin, and sees to it that pump
// runs when that changes.
func (c *conn) mayDispatch() bool {
	if c.alone || len(c.queue) >= maxPipelined || c.queued >= maxQueued || c.held >= maxUnsent {
		c.stalled = true // flush goes on
		return false
	}
	if c.c.Buffered() > maxUnsent {
		c.c.OnDrain(maxUnsent/2, c.drained)
		return false
	}
	return true
}

func (c *conn) drained() {
	c.active = c.n.env.Clock.Now()
	c.pump()
}

// front is the size of the frame at the front of the buffer with its prefix, and how
// much of it is there; while the prefix is not, the size is the prefix's.
func (c *conn) front() (size, have int, ok bool) {
	have = c.end - c.start
	if have < wire.FramePrefix {
		return wire.FramePrefix, have, true
	}
	size, err := wire.ReadFrameSize(c.buf[c.start:c.end], c.n.cfg.MaxRequestBytes)
	if err != nil {
		c.n.env.Trace.Event(env.Warn, "bad-frame-size", env.S("client", c.addr), env.Err(err))
		c.close()
		return 0, 0, false
	}
	return wire.FramePrefix + size, have, true
}

// dispatchNext hands out the request at the front of the buffer; false if it is not
// there yet, or must wait.
func (c *conn) dispatchNext() bool {
	size, have, ok := c.front()
	if !ok || have < size || !c.mayDispatch() {
		return false
	}
	frame := c.buf[c.start+wire.FramePrefix : c.start+size : c.start+size]
	c.start += size
	if len(c.buf) == connChunk {
		// What a handler keeps of a request (records, strings) aliases the frame,
		// and this buffer is read into again. A copy of a small request also keeps
		// the log's cache from holding on to the whole chunk.
		frame = append(make([]byte, 0, len(frame)), frame...)
		c.n.env.CPU.Charge(env.OpCopy, len(frame))
		if c.start == c.end && !c.reading {
			// Not while a read is under way: it brings its bytes to where the end is.
			c.start, c.end = 0, 0
		}
	} else {
		c.resize(connChunk) // the frame owns the buffer now
	}
	c.n.dispatch(c, frame)
	return true
}

// read asks for more bytes, if there is room for any. It also does so while nothing
// may be dispatched, to learn of a client that goes away; what arrives then waits in
// the buffer, and the rest in the network.
func (c *conn) read() {
	size, have, ok := c.front()
	if !ok {
		return
	}
	need := max(size-have, 1)
	if size > len(c.buf)-c.start {
		// A large frame's buffer grows with what arrives, so that announcing one
		// costs the client as much as the node. It is never larger than the frame.
		room := connChunk
		if size > connChunk {
			room = min(size, max(firstPiece, 2*have))
		}
		c.resize(room)
	}
	if c.end == len(c.buf) {
		if c.start == 0 || len(c.buf) != connChunk {
			return // full of what may not be dispatched
		}
		c.resize(connChunk)
	}
	c.reading = true
	c.c.Read(c.buf[c.end:], min(need, len(c.buf)-c.end), c.readDone)
}

// resize puts the unread bytes at the start of a buffer of size bytes.
func (c *conn) resize(size int) {
	old := c.buf[c.start:c.end]
	switch {
	case size == connChunk:
		c.buf = c.chunk
	case len(c.buf) != size:
		c.buf = make([]byte, size)
	}
	c.start, c.end = 0, copy(c.buf, old)
	c.n.env.CPU.Charge(env.OpCopy, c.end)
}

func (c *conn) onRead(k int, err error) {
	c.reading = false
	c.end += k
	if err != nil {
		if !errors.Is(err, io.EOF) || c.end > c.start {
			c.n.env.Trace.Event(env.Debug, "connection-lost", env.S("client", c.addr), env.Err(err))
		}
		c.close()
		return
	}
	c.active = c.n.env.Clock.Now()
	c.pump()
}

// close ends the connection and lets go of the requests that wait on it.
func (c *conn) close() {
	if c.closed {
		return
	}
	c.closed = true
	c.idle.Stop()
	c.c.Close()
	delete(c.n.conns, c.id)
	host := hostOf(c.addr)
	if c.n.connsOf[host]--; c.n.connsOf[host] == 0 {
		delete(c.n.connsOf, host)
	}
	waiting := c.queue
	c.queue, c.buf, c.chunk = nil, nil, nil
	for _, r := range waiting {
		if !r.answered && r.waiter != nil {
			r.waiter.abandon()
		}
	}
}

// push adds a request whose answer is due after those before it.
func (c *conn) push(r *request) {
	c.queue = append(c.queue, r)
	c.queued += r.size
}

// flush sends the answers that are next in order.
func (c *conn) flush() {
	if c.closed {
		return
	}
	done := 0
	for done < len(c.queue) && c.queue[done].answered {
		r := c.queue[done]
		if r.out != nil {
			c.c.Write(r.out)
		}
		c.queued -= r.size
		c.held -= r.outSize
		done++
	}
	if done == 0 {
		return
	}
	c.active = c.n.env.Clock.Now()
	k := copy(c.queue, c.queue[done:])
	clear(c.queue[k:])
	c.queue = c.queue[:k]
	c.alone = c.alone && k > 0
	if c.stalled && !c.pumping {
		// On a later turn: answering must not dispatch the next request from inside a
		// handler.
		c.pumping = true
		c.n.env.Clock.After(0, func() {
			if !c.closed {
				c.pump()
			}
		})
	}
}
