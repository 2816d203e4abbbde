package broker

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/wire"
)

const (
	// connChunk is how much is read at once while requests are small. Requests
	// that are larger get a buffer of their own size and are read straight into it.
	connChunk = 32 << 10
	// maxPipelined bounds the requests of one connection that wait for an answer.
	// Kafka serves one at a time; serving more lets an acks=all producer overlap
	// its round trips. Answers keep the order of the requests either way.
	maxPipelined = 64
	// maxUnsent bounds the answers a client has not read: beyond it the node stops
	// reading that connection's requests.
	maxUnsent = 1 << 20
)

// conn is a client's (or another node's) connection to this node.
type conn struct {
	n    *Node
	c    env.Conn
	id   int64
	addr string

	buf        []byte // read but not yet dispatched: buf[start:end]
	start, end int
	reading    bool
	closed     bool

	queue []*request // dispatched, answers outstanding or waiting for an earlier one

	// software is what the client called itself in ApiVersions (KIP-511).
	software string
}

// request is one request on its way through the node.
type request struct {
	conn   *conn
	header wire.RequestHeader
	msg    kmsg.Request
	// size is the frame's length in bytes.
	size int

	answered bool
	silent   bool // no answer is sent (Produce with acks=0)
	out      []env.Segment
	// via is set on a request that another broker forwarded in an Envelope: its
	// answer goes there instead of to conn.
	via func(body []byte)
}

func (n *Node) accept(c env.Conn) {
	if n.stopped || len(n.conns) >= n.cfg.MaxConnections {
		c.Close()
		return
	}
	n.lastConn++
	cn := &conn{n: n, c: c, id: n.lastConn, addr: c.RemoteAddr(), buf: make([]byte, connChunk)}
	n.conns[cn.id] = cn
	cn.read()
}

// read asks for more bytes unless a limit says to wait.
func (c *conn) read() {
	if c.reading || c.closed {
		return
	}
	if len(c.queue) >= maxPipelined {
		return // answering the oldest calls read again
	}
	if c.c.Buffered() > maxUnsent {
		c.c.OnDrain(maxUnsent/2, c.read)
		return
	}
	need := 4
	if have := c.end - c.start; have >= 4 {
		size := 4 + int(binary.BigEndian.Uint32(c.buf[c.start:]))
		need = size - have
		if size > len(c.buf)-c.start {
			// The frame does not fit behind what is there: give it room of its own.
			c.move(max(size, connChunk))
		}
	} else {
		need -= have
		if len(c.buf)-c.start < 4 || c.start == c.end {
			c.move(connChunk)
		}
	}
	c.reading = true
	c.c.Read(c.buf[c.end:], need, c.onRead)
}

// move puts the unread bytes at the start of a buffer of at least size bytes.
// Frames that were cut from the old buffer have been copied or own it whole.
func (c *conn) move(size int) {
	if len(c.buf) == size && size == connChunk {
		copy(c.buf, c.buf[c.start:c.end])
	} else {
		b := make([]byte, size)
		copy(b, c.buf[c.start:c.end])
		c.buf = b
	}
	c.end -= c.start
	c.start = 0
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
	c.frames()
	c.read()
}

// frames dispatches every complete request in the buffer.
func (c *conn) frames() {
	for !c.closed && c.end-c.start >= 4 && len(c.queue) < maxPipelined {
		size := int(int32(binary.BigEndian.Uint32(c.buf[c.start:])))
		if size < 8 || size > c.n.cfg.MaxRequestBytes {
			c.n.env.Trace.Event(env.Warn, "bad-frame-size", env.S("client", c.addr), env.I("size", int64(size)))
			c.close()
			return
		}
		if c.end-c.start < 4+size {
			return
		}
		frame := c.buf[c.start+4 : c.start+4+size]
		if len(c.buf) == connChunk {
			// What a handler keeps of a request (records, strings) aliases the frame,
			// and this buffer is read into again.
			frame = append(make([]byte, 0, size), frame...)
			c.n.env.CPU.Charge(env.OpCopy, size)
		}
		c.start += 4 + size
		if c.start == c.end && len(c.buf) != connChunk {
			c.buf, c.start, c.end = make([]byte, connChunk), 0, 0
		}
		c.n.dispatch(c, frame)
	}
}

func (c *conn) close() {
	if c.closed {
		return
	}
	c.closed = true
	c.c.Close()
	delete(c.n.conns, c.id)
}

// reply answers the request with a message.
func (r *request) reply(resp kmsg.Response) {
	if r.conn != nil && r.conn.closed {
		r.answered = true
		return
	}
	resp.SetVersion(r.header.Version)
	if r.via != nil {
		r.answered = true
		r.via(wire.AppendResponse(nil, r.header.CorrelationID, resp))
		return
	}
	r.send([]env.Segment{{Bytes: wire.AppendResponse(nil, r.header.CorrelationID, resp)}})
}

// send answers the request with a complete frame.
func (r *request) send(segs []env.Segment) {
	if r.answered {
		panic("broker: request answered twice")
	}
	r.answered = true
	r.out = segs
	r.conn.flush()
}

// noReply ends a request that gets no answer.
func (r *request) noReply() {
	r.silent = true
	r.send(nil)
}

// hangUp ends a request by closing its connection, which is how Kafka reports
// what it cannot answer.
func (r *request) hangUp(why string) {
	r.answered = true
	if r.conn != nil {
		r.conn.n.env.Trace.Event(env.Warn, "hang-up", env.S("client", r.conn.addr), env.S("why", why))
		r.conn.close()
	}
}

// flush sends the answers that are next in order.
func (c *conn) flush() {
	if c.closed {
		return
	}
	done := 0
	for done < len(c.queue) && c.queue[done].answered {
		if segs := c.queue[done].out; segs != nil {
			c.c.Write(segs)
		}
		done++
	}
	if done == 0 {
		return
	}
	full := len(c.queue) >= maxPipelined
	k := copy(c.queue, c.queue[done:])
	clear(c.queue[k:])
	c.queue = c.queue[:k]
	if full {
		// On a later turn: answering must not dispatch the next request from inside
		// a handler.
		c.n.env.Clock.After(0, func() { c.frames(); c.read() })
	}
}
