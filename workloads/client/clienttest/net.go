package clienttest

import (
	"fmt"
	"io"
	"time"

	"odradek/broker/env"
)

// network carries bytes with one latency for all.
type network struct {
	world     *World
	latency   time.Duration
	listeners map[string]*listener
	conns     int
}

type endpoint struct {
	net  *network
	name string
}

type listener struct {
	net    *network
	addr   string
	accept func(env.Conn)
}

func (l *listener) Addr() string { return l.addr }
func (l *listener) Close() {
	if l.net.listeners[l.addr] == l {
		delete(l.net.listeners, l.addr)
	}
}

// Listen implements env.Net.
func (e *endpoint) Listen(addr string, accept func(env.Conn)) (env.Listener, error) {
	if e.net.listeners[addr] != nil {
		return nil, fmt.Errorf("%s is in use", addr)
	}
	l := &listener{net: e.net, addr: addr, accept: accept}
	e.net.listeners[addr] = l
	return l, nil
}

// Dial implements env.Net.
func (e *endpoint) Dial(addr string, _ time.Duration, done func(env.Conn, error)) {
	n := e.net
	n.world.After(2*n.latency, func() {
		l := n.listeners[addr]
		if l == nil {
			done(nil, fmt.Errorf("dial %s: %w", addr, env.ErrRefused))
			return
		}
		n.conns++
		local := fmt.Sprintf("%s:%d", e.name, 10000+n.conns)
		a := &conn{net: n, local: local, remote: addr}
		b := &conn{net: n, local: addr, remote: local, peer: a}
		a.peer = b
		l.accept(b)
		done(a, nil)
	})
}

// conn is one end of a stream.
type conn struct {
	net           *network
	peer          *conn
	local, remote string
	in            []byte
	end           error // after in
	closed        bool
	buf           []byte
	min           int
	done          func(int, error)
}

func (c *conn) LocalAddr() string  { return c.local }
func (c *conn) RemoteAddr() string { return c.remote }
func (c *conn) Buffered() int      { return 0 }

func (c *conn) OnDrain(_ int, fn func()) { c.net.world.After(0, fn) }

func (c *conn) Read(buf []byte, min int, done func(int, error)) {
	if c.done != nil {
		panic("clienttest: two reads outstanding")
	}
	c.buf, c.min, c.done = buf, min, done
	c.net.world.After(0, c.serve)
}

// serve completes the outstanding Read if it can.
func (c *conn) serve() {
	if c.done == nil || c.closed || len(c.in) < c.min && c.end == nil {
		return
	}
	n := copy(c.buf, c.in)
	c.in = c.in[n:]
	done := c.done
	c.done = nil
	if n < c.min {
		done(n, c.end)
		return
	}
	done(n, nil)
}

func (c *conn) Write(segs []env.Segment) {
	if c.closed {
		return
	}
	var b []byte
	for _, s := range segs {
		b = append(b, s.Bytes...)
	}
	peer := c.peer
	c.net.world.After(c.net.latency, func() {
		if peer.end == nil {
			peer.in = append(peer.in, b...)
			peer.serve()
		}
	})
}

func (c *conn) Close() {
	if c.closed {
		return
	}
	c.closed = true
	peer := c.peer
	c.net.world.After(c.net.latency, func() { peer.finish(io.EOF) })
}

func (c *conn) finish(err error) {
	if c.end == nil {
		c.end = err
		c.serve()
	}
}

// reset breaks the stream for both ends at once; bytes on their way are lost.
func (c *conn) reset() {
	for _, side := range [2]*conn{c, c.peer} {
		side.in = nil
		side.net.world.After(0, func() { side.finish(env.ErrReset) })
	}
}
