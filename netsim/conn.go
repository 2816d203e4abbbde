package netsim

import (
	"fmt"
	"io"
	"time"

	"odradek/broker/env"
	"odradek/sim"
)

// conn is one end of a connection and implements env.Conn.
//
// States: dialling -> open, by the peer's answer (an accepted end starts open);
// dialling, open -> closed, by Close or the death of the process; dialling, open ->
// failed, by a reset, a time-out or a loss of power. The last two are final.
type conn struct {
	n     *Network
	host  *Host
	p     *sim.Proc
	pipe  *pipe
	peer  *conn
	state connState
	err   error // of a failed connection
	out   stream
	in    *stream // the peer's out

	local, remote string

	rd struct {
		buf     []byte
		n, min  int
		done    func(int, error) // nil: no Read outstanding
		planned bool             // the callback is
	}
	drain struct {
		low     int
		fn      func()
		planned bool
	}
	flushing bool

	dial     *dial     // of the dialling end
	listener *listener // of the accepted end, until it was handed over
}

type connState uint8

const (
	dialling connState = iota
	open
	closed
	failed
)

// over reports whether the end is beyond any change.
func (c *conn) over() bool { return c.state == closed || c.state == failed }

// Phases: what an event with this conn as its action does.
const (
	phaseFlush  uint64 = iota
	phaseArrive        // of the stream that this end reads, as the next two
	phaseResume
	phaseCredit
	phaseRead // callbacks of the process
	phaseDrain
	phaseAccept
	phaseDialed
	phaseDead
	phaseProbe
)

// Run implements sim.Action.
func (c *conn) Run(phase uint64) {
	switch phase {
	case phaseFlush:
		c.flushing = false
		c.flush()
	case phaseArrive:
		c.in.arrive()
	case phaseResume:
		c.in.resume()
	case phaseCredit:
		c.in.credit()
	case phaseRead:
		c.finishRead()
	case phaseDrain:
		c.finishDrain()
	case phaseAccept:
		c.finishAccept()
	case phaseDialed:
		c.dial.succeed()
	case phaseDead:
		c.deadCheck()
	case phaseProbe:
		if !c.over() && !c.out.link.broken() {
			c.fail(env.ErrReset)
		}
	}
}

// LocalAddr implements env.Conn.
func (c *conn) LocalAddr() string { return c.local }

// RemoteAddr implements env.Conn.
func (c *conn) RemoteAddr() string { return c.remote }

// Read implements env.Conn.
func (c *conn) Read(buf []byte, minimum int, done func(int, error)) {
	if c.state == closed || !c.p.Alive() {
		return
	}
	if c.rd.done != nil {
		panic("netsim: two Reads outstanding on " + c.String())
	}
	if minimum > len(buf) {
		panic(fmt.Sprintf("netsim: Read of at least %d bytes into %d", minimum, len(buf)))
	}
	c.rd.buf, c.rd.n, c.rd.min, c.rd.done, c.rd.planned = buf, 0, minimum, done, false
	c.absorb()
	if c.readReady() {
		c.rd.planned = true
		c.p.Post(c.n.kinds.read, c, phaseRead)
	}
}

// absorb moves what has arrived into the buffer of the outstanding Read.
func (c *conn) absorb() {
	if c.rd.done == nil {
		return
	}
	if n := c.in.read(c.rd.buf[c.rd.n:]); n > 0 {
		c.rd.n += n
		at := c.n.k.Now()
		if c.n.k.Running() == c.p {
			at = c.p.Now()
		}
		c.in.consumed(at)
	}
}

func (c *conn) readReady() bool {
	return c.rd.done != nil && (c.rd.n >= c.rd.min || c.in.finished || c.err != nil)
}

// noticeRead lets the process have its bytes, as part of the event that brought
// them.
func (c *conn) noticeRead() {
	c.absorb()
	if !c.rd.planned && c.readReady() {
		c.rd.planned = true
		c.p.Deliver(c.n.kinds.read, c, phaseRead)
	}
}

func (c *conn) finishRead() {
	if c.rd.done == nil {
		return // closed meanwhile
	}
	n, done := c.rd.n, c.rd.done
	var err error
	if n < c.rd.min || c.rd.min == 0 && n == 0 {
		switch {
		case c.err != nil:
			err = c.err
		case c.in.finished:
			err = io.EOF
		}
	}
	c.rd.buf, c.rd.done = nil, nil
	done(n, err)
}

// Write implements env.Conn. What one callback writes leaves together when the
// callback has returned.
func (c *conn) Write(segs []env.Segment) {
	if c.state != open || !c.p.Alive() {
		return
	}
	c.out.write(segs, c.p.Now())
	if !c.flushing && c.out.queued > 0 {
		c.flushing = true
		c.n.k.AtStepEnd(c, phaseFlush)
	}
}

// flush sends what the window allows.
func (c *conn) flush() {
	if c.state != open {
		return
	}
	c.out.transmit()
	if err := c.out.err; err != nil {
		c.out.control(chunkReset, c.out.queue.front().sent)
		c.fail(err)
		return
	}
	c.noticeDrain()
}

// Buffered implements env.Conn.
func (c *conn) Buffered() int { return c.out.buffered() }

// OnDrain implements env.Conn.
func (c *conn) OnDrain(low int, fn func()) {
	if c.state != open || !c.p.Alive() {
		return
	}
	c.drain.low, c.drain.fn = low, fn
	c.noticeDrain()
}

func (c *conn) noticeDrain() {
	if c.drain.fn != nil && !c.drain.planned && c.Buffered() <= c.drain.low {
		c.drain.planned = true
		c.p.Post(c.n.kinds.drain, c, phaseDrain)
	}
}

func (c *conn) finishDrain() {
	c.drain.planned = false
	fn := c.drain.fn
	if fn == nil || c.Buffered() > c.drain.low {
		return // closed, or replaced by a call for less, meanwhile
	}
	c.drain.fn = nil
	fn()
}

// Close implements env.Conn.
func (c *conn) Close() {
	if !c.over() && c.p.Alive() {
		c.shut(c.p.Now())
	}
}

// shut ends this end in the way an operating system does at an instant: what was
// taken is sent, then the end of the stream follows. Bytes left unread are answered
// by a reset, because the peer must learn that nobody has seen them.
func (c *conn) shut(at sim.Time) {
	if c.state == open {
		c.out.transmit()
		kind := chunkFin
		if c.in.received > 0 || c.out.err != nil {
			kind = chunkReset
		}
		c.out.control(kind, at)
	}
	c.end(closed, nil)
}

// fail ends this end with an error for the reader, who still gets what arrived.
func (c *conn) fail(err error) {
	if c.over() {
		return
	}
	dialled := c.state == dialling
	c.end(failed, fmt.Errorf("%s: %w", c, err))
	if dialled {
		c.dial.fail(err)
		return
	}
	switch err {
	case env.ErrReset:
		c.n.stats.ConnsReset++
		c.n.k.Reach(c.n.kinds.wasReset, 1)
	case env.ErrTimeout:
		c.n.stats.ConnsTimeout++
		c.n.k.Reach(c.n.kinds.timedOut, 1)
	}
	c.noticeRead()
}

// end moves to a final state.
func (c *conn) end(state connState, err error) {
	c.state, c.err = state, err
	c.drain.fn = nil
	c.out.abandon()
	if state == closed {
		c.rd.buf, c.rd.done = nil, nil
	}
	c.n.settle(c.pipe)
}

// arrived handles a chunk that has reached this end.
func (c *conn) arrived(ch chunk) {
	switch {
	case c.over():
		if ch.kind == chunkData || ch.kind == chunkSynAck {
			// Nobody is there: the peer learns that by a reset.
			c.out.control(chunkReset, c.n.k.Now())
		}
		c.in.discard()
	case ch.kind == chunkReset:
		c.fail(env.ErrReset)
	case ch.kind == chunkSynAck:
		c.state = open
		c.p.Deliver(c.n.kinds.dialed, c, phaseDialed)
	case ch.kind == chunkFin:
		c.in.finished = true
		c.noticeRead()
	default:
		c.noticeRead()
	}
}

// discard drops what has arrived unread.
func (s *stream) discard() {
	for s.received > 0 {
		b := s.data.front()
		n := min(len(*b), s.received)
		s.received -= n
		if *b = (*b)[n:]; len(*b) == 0 {
			s.data.pop()
		}
	}
}

// planDeadCheck plans the end of a connection whose peer cannot be reached any more.
func (c *conn) planDeadCheck() {
	wait := c.n.cfg.DeadAfter
	wait += time.Duration(c.out.link.random.Uint64N(uint64(wait)/8 + 1))
	c.n.k.Schedule(sim.Event{At: c.n.k.Now().Add(wait), Node: c.host.node, Kind: c.n.kinds.dead, Do: c, Arg: phaseDead})
}

func (c *conn) deadCheck() {
	since := c.out.link.brokenSince
	if c.state == open && since != sim.Forever && c.n.k.Now().Sub(since) >= c.n.cfg.DeadAfter {
		c.fail(env.ErrTimeout)
	}
}

// String is "local -> remote".
func (c *conn) String() string { return c.local + " -> " + c.remote }
