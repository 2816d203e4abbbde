//go:build !linux || goroutines

package realenv

import (
	"io"
	"net"
	"time"

	"odradek/broker/env"
)

// conn is env.Conn: a socket, a goroutine that reads and one that writes.
//
// Only the writer closes the socket, when it is told to: Close waits for system
// calls under way, and the loop must not.
type conn struct {
	w             *World
	tcp           *net.TCPConn
	local, remote string
	closed        bool // loop

	// Reading. The fields are the loop's until it sends on want, then the
	// reader's until it posts readDone.
	want    chan struct{} // one token is one Read; closed by Close
	buf     []byte
	min     int
	n       int
	err     error
	reading bool                   // loop
	onRead  func(n int, err error) // loop

	out     writer
	onDrain func() // loop
	low     int    // loop: the threshold of onDrain
}

func newConn(w *World, s socket) (*conn, error) {
	tcp := s.tcp
	c := &conn{
		w:      w,
		tcp:    tcp,
		local:  tcp.LocalAddr().String(),
		remote: tcp.RemoteAddr().String(),
		want:   make(chan struct{}, 1),
	}
	c.out.init(c)
	w.conns[c] = struct{}{}
	w.threads.Go(c.read)
	w.threads.Go(c.out.work)
	return c, nil
}

func (c *conn) LocalAddr() string  { return c.local }
func (c *conn) RemoteAddr() string { return c.remote }

func (c *conn) Read(buf []byte, min int, done func(n int, err error)) {
	if c.closed {
		return // no callback fires after Close
	}
	mayRead(c.reading, buf, min)
	c.reading = true
	c.buf, c.min, c.onRead = buf, min, done
	c.want <- struct{}{}
}

// read is the reader.
func (c *conn) read() {
	var end error // how the stream ended, for this and all later reads
	for range c.want {
		c.n, c.err = 0, nil
		for c.n < c.min && end == nil {
			var n int
			n, end = c.tcp.Read(c.buf[c.n:])
			c.n += n
		}
		if c.n < c.min {
			c.err = c.ending(end)
		}
		c.buf = nil
		c.w.loop.post((*readDone)(c))
	}
}

// ending is what the node hears of the end of the stream.
func (c *conn) ending(end error) error {
	if failed := c.out.failure(); failed != nil {
		return failed // the cause; what the reader sees may be its consequence
	}
	if end == io.EOF {
		return io.EOF
	}
	return netError(end)
}

// readDone is a conn as the event that ends a Read.
type readDone conn

func (e *readDone) fire() {
	c := (*conn)(e)
	if c.closed {
		return
	}
	done := c.onRead
	c.reading, c.onRead = false, nil
	done(c.n, c.err)
}

func (c *conn) Write(segs []env.Segment) {
	if !c.closed {
		c.out.put(segs)
	}
}

func (c *conn) Buffered() int { return c.out.unsent() }

func (c *conn) OnDrain(low int, fn func()) {
	if c.closed {
		return
	}
	c.onDrain, c.low = fn, low
	c.out.watch(low)
}

// drained is a conn as the event that the writer got down to its mark. The mark may
// be an earlier one than the present.
type drained conn

func (e *drained) fire() {
	c := (*conn)(e)
	fn := c.onDrain
	if c.closed || fn == nil || c.out.unsent() > c.low {
		return
	}
	c.onDrain = nil
	fn()
}

func (c *conn) Close() {
	if c.closed {
		return
	}
	c.closed = true
	c.onRead, c.onDrain = nil, nil
	delete(c.w.conns, c)
	close(c.want)
	_ = c.tcp.SetDeadline(time.Unix(1, 0)) // wakes reader and writer, does not wait
	c.out.end()
}
