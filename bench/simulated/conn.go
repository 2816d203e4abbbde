package simulated

import (
	"time"

	"odradek/broker/env"
)

// network is env.Net, priced.
type network struct {
	p     *process
	inner env.Net // of the threads
}

// Listen implements env.Net.
func (n *network) Listen(addr string, accept func(env.Conn)) (env.Listener, error) {
	return n.inner.Listen(addr, func(c env.Conn) {
		w := n.wrap(c, true)
		n.p.at(n.p.k.Now(), n.p.loop, n.p.kinds.accept, func() { accept(w) })
	})
}

// Dial implements env.Net.
func (n *network) Dial(addr string, timeout time.Duration, done func(env.Conn, error)) {
	n.inner.Dial(addr, timeout, func(c env.Conn, err error) {
		var w env.Conn
		if err == nil {
			w = n.wrap(c, false)
		}
		n.p.at(n.p.k.Now(), n.p.loop, n.p.kinds.dial, func() { done(w, err) })
	})
}

func (n *network) wrap(c env.Conn, accepted bool) *conn {
	return &conn{Conn: c, p: n.p, accepted: accepted}
}

// conn is a connection with a thread that reads and one that writes, as broker/realenv and
// clients have them. What is queued while the writer works leaves with its next call.
type conn struct {
	env.Conn
	p        *process
	accepted bool
	closed   bool
	in, out  frames

	queue   []env.Segment
	queued  int
	writing bool
	// at the writer: bytes that it has taken and not handed over yet.
	held int
	// drain is what the loop waits for, at most low bytes.
	drain func()
	low   int
}

// Read implements env.Conn: a thread copies from the kernel, then the loop hears of it.
func (c *conn) Read(buf []byte, minimum int, done func(int, error)) {
	c.Conn.Read(buf, minimum, func(n int, err error) {
		var loop time.Duration
		begun := 0
		c.in.follow(buf[:n], func(api int16) {
			begun++
			loop += c.arrival(api)
		})
		d := c.p.costs.Read.bytes(n)
		var later time.Duration
		// The rest of a frame that is there already costs no wake-up.
		if begun > 0 || c.accepted {
			d += c.p.costs.Read.Each
			later = c.p.network.Handover
		}
		if c.p.serves {
			c.p.count.reads++
		}
		c.p.at(c.p.thread(d).Add(later), c.p.loop, c.p.kinds.read, func() {
			if c.closed {
				return
			}
			c.p.charge(loop)
			done(n, err)
		})
	})
}

// arrival counts a frame and is its price on the loop.
func (c *conn) arrival(api int16) time.Duration {
	if !c.accepted {
		c.p.count.answers++
		return c.p.costs.Answer
	}
	c.p.count.requests[api]++
	return c.p.costs.request(api)
}

// Write implements env.Conn.
func (c *conn) Write(segs []env.Segment) {
	if c.closed {
		return
	}
	for _, s := range segs {
		c.queued += s.Size()
		if !c.accepted && s.File == nil {
			c.out.follow(s.Bytes, func(api int16) { c.p.charge(c.p.costs.request(api)) })
		}
		if f, ok := s.File.(*file); ok {
			s.File = f.File // the world knows its own files only
		}
		c.queue = append(c.queue, s)
	}
	if !c.writing && len(c.queue) > 0 {
		c.writing = true
		c.p.at(c.p.loop.Now(), c.p.threads, c.p.kinds.write, c.work)
	}
}

// work is one turn of the writer.
func (c *conn) work() {
	if c.closed {
		return
	}
	segs := c.queue
	c.queue, c.held, c.queued = nil, c.queued, 0
	d := c.p.costs.Write.Each
	for _, s := range segs {
		if s.File != nil {
			d += c.p.costs.Sendfile.of(s.Size())
		} else {
			d += c.p.costs.Write.bytes(s.Size())
		}
	}
	if c.p.serves {
		c.p.count.writes++
	}
	c.p.at(c.p.thread(d), c.p.threads, c.p.kinds.write, func() {
		if c.closed {
			return
		}
		c.held = 0
		c.Conn.Write(segs)
		if len(c.queue) > 0 {
			c.work()
		} else {
			c.writing = false
		}
		c.watch()
	})
}

// Buffered implements env.Conn.
func (c *conn) Buffered() int { return c.queued + c.held + c.Conn.Buffered() }

// OnDrain implements env.Conn.
func (c *conn) OnDrain(low int, fn func()) {
	if !c.closed {
		c.drain, c.low = fn, low
		c.watch()
	}
}

// watch waits for the kernel to have taken enough, once it has been given everything.
func (c *conn) watch() {
	if c.drain == nil || c.queued+c.held > c.low {
		return // the writer's next turn looks again
	}
	c.Conn.OnDrain(c.low-c.queued-c.held, func() {
		c.p.at(c.p.k.Now(), c.p.loop, c.p.kinds.write, func() {
			fn := c.drain
			if fn == nil || c.closed || c.Buffered() > c.low {
				return // there is more by now, and the writer's next turn looks again
			}
			c.drain = nil
			fn()
		})
	})
}

// Close implements env.Conn. What the writer has not written is lost, as in the seam's
// contract.
func (c *conn) Close() {
	if !c.closed {
		c.closed, c.drain = true, nil
		c.queue = nil
		c.Conn.Close()
	}
}
