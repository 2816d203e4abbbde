package netsim

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"odradek/broker/env"
	"odradek/sim"
)

// firstPort is the first of the ports that the operating system gives out.
const (
	firstPort = 32768
	lastPort  = 65535
)

var (
	errAddrInUse   = errors.New("address already in use")
	errNotOurs     = errors.New("cannot assign requested address")
	errNoSuchHost  = errors.New("no such host")
	errBadAddress  = errors.New(`want "host:port"`)
	errNoFreePorts = errors.New("no free port")
)

// port implements env.Net for one life of a process.
type port struct {
	h *Host
	p *sim.Proc
}

func splitAddr(addr string) (host string, port int, err error) {
	i := strings.LastIndexByte(addr, ':')
	if i < 0 {
		return "", 0, fmt.Errorf("address %q: %w", addr, errBadAddress)
	}
	port, err = strconv.Atoi(addr[i+1:])
	if err != nil || port < 0 || port > lastPort {
		return "", 0, fmt.Errorf("address %q: %w", addr, errBadAddress)
	}
	return addr[:i], port, nil
}

func isLocal(host string) bool { return host == "localhost" || host == "127.0.0.1" || host == "[::1]" }

func (h *Host) freePort() (int, error) {
	for range lastPort - firstPort + 1 {
		n := h.nextPort
		if h.nextPort++; h.nextPort > lastPort {
			h.nextPort = firstPort
		}
		if h.listeners[n] == nil {
			return n, nil
		}
	}
	return 0, errNoFreePorts
}

// listener implements env.Listener.
type listener struct {
	h      *Host
	p      *sim.Proc
	port   int
	addr   string
	accept func(env.Conn)
	closed bool
}

// Listen implements env.Net. A host can bind its own name, localhost, and the
// addresses that mean any.
func (pt *port) Listen(addr string, accept func(env.Conn)) (env.Listener, error) {
	host, n, err := splitAddr(addr)
	if err != nil {
		return nil, err
	}
	name := host
	switch {
	case host == "" || host == "0.0.0.0" || host == "[::]":
		name = pt.h.name
	case host != pt.h.name && !isLocal(host):
		return nil, fmt.Errorf("listen %s: %w", addr, errNotOurs)
	}
	if n == 0 {
		if n, err = pt.h.freePort(); err != nil {
			return nil, fmt.Errorf("listen %s: %w", addr, err)
		}
	}
	if pt.h.listeners[n] != nil {
		return nil, fmt.Errorf("listen %s: %w", addr, errAddrInUse)
	}
	l := &listener{h: pt.h, p: pt.p, port: n, addr: name + ":" + strconv.Itoa(n), accept: accept}
	if pt.p.Alive() {
		pt.h.listeners[n] = l
	}
	return l, nil
}

// Addr implements env.Listener.
func (l *listener) Addr() string { return l.addr }

// Close implements env.Listener.
func (l *listener) Close() {
	if !l.closed && l.h.listeners[l.port] == l {
		delete(l.h.listeners, l.port)
	}
	l.closed = true
}

// dial is a connection being made.
//
// A SYN that is lost is sent again after 1, 2, 4 ... seconds, until the time-out.
type dial struct {
	c       *conn
	to      *Host
	port    int
	addr    string
	done    func(env.Conn, error)
	timer   sim.Handle
	backoff time.Duration
	err     error
	over    bool
}

// Dial implements env.Net.
func (pt *port) Dial(addr string, timeout time.Duration, done func(env.Conn, error)) {
	if !pt.p.Alive() {
		return
	}
	n, k := pt.h.n, pt.h.n.k
	d := &dial{addr: addr, done: done, backoff: time.Second}
	host, number, err := splitAddr(addr)
	if d.to = n.names[host]; isLocal(host) {
		d.to = pt.h
	}
	if err == nil && d.to == nil {
		err = fmt.Errorf("dial %s: %w", addr, errNoSuchHost)
	}
	var local int
	if err == nil {
		local, err = pt.h.freePort()
	}
	if err != nil {
		d.err, d.over = err, true
		pt.p.Post(n.kinds.dialed, d, dialFailed)
		return
	}
	d.port = number
	out := n.link(pt.h, d.to)
	c := &conn{n: n, host: pt.h, p: pt.p, dial: d, local: pt.h.name + ":" + strconv.Itoa(local), remote: d.to.name + ":" + strconv.Itoa(number)}
	peer := &conn{n: n, host: d.to, peer: c, local: c.remote, remote: c.local, state: failed} // until a SYN arrives
	c.peer, d.c = peer, c
	c.out.link, c.out.to, c.in = out, peer, &peer.out
	peer.out.link, peer.out.to, peer.in = out.back, c, &c.out
	c.pipe = &pipe{ends: [2]*conn{c, peer}}
	peer.pipe = c.pipe
	n.addPipe(c.pipe)
	d.timer = k.Schedule(sim.Event{At: pt.p.Now().Add(timeout), Proc: pt.p, Kind: n.kinds.timeout, Do: d, Arg: dialTimeout})
	d.sendSyn(pt.p.Now())
}

const (
	dialSyn uint64 = iota
	dialRefused
	dialTimeout
	dialFailed
)

// Run implements sim.Action.
func (d *dial) Run(phase uint64) {
	switch {
	case phase == dialFailed:
		d.done(nil, d.err)
	case d.c.state != dialling:
	case phase == dialSyn:
		d.syn()
	case phase == dialRefused && !d.c.peer.out.link.blocked():
		d.c.fail(env.ErrRefused)
	case phase == dialTimeout:
		// Late answers find nobody and are answered by a reset.
		d.c.fail(env.ErrTimeout)
	}
}

func (d *dial) sendSyn(at sim.Time) {
	l := d.c.out.link
	at = at.Add(l.delay(l.random.Uint64() & (1<<40 - 1)))
	l.n.k.Schedule(sim.Event{At: at, Node: d.to.node, Kind: l.n.kinds.syn, Do: d, Arg: dialSyn})
}

// syn is the arrival at the other host.
func (d *dial) syn() {
	c, n := d.c, d.c.n
	if c.out.link.broken() {
		d.sendSyn(n.k.Now().Add(d.backoff))
		d.backoff *= 2
		return
	}
	l := d.to.listeners[d.port]
	if l == nil {
		back := c.peer.out.link
		at := n.k.Now().Add(back.delay(back.random.Uint64() & (1<<40 - 1)))
		n.k.Schedule(sim.Event{At: at, Node: c.host.node, Kind: n.kinds.refuse, Do: d, Arg: dialRefused})
		return
	}
	n.stats.Conns++
	peer := c.peer
	peer.state, peer.p, peer.listener = open, l.p, l
	peer.out.control(chunkSynAck, n.k.Now())
	l.p.Deliver(n.kinds.accept, peer, phaseAccept)
}

// finishAccept hands an accepted connection to the program.
func (c *conn) finishAccept() {
	l := c.listener
	c.listener = nil
	switch {
	case c.state == closed:
	case l.closed:
		c.shut(c.p.Now())
	default:
		l.accept(c)
	}
}

// succeed hands a dialled connection to the program.
func (d *dial) succeed() {
	if d.over {
		return
	}
	d.over = true
	d.timer.Stop()
	d.done(d.c, nil)
}

// fail tells the program that there is no connection.
func (d *dial) fail(err error) {
	if d.over {
		return
	}
	d.over = true
	d.timer.Stop()
	k, n := d.c.n.k, d.c.n
	switch err {
	case env.ErrReset: // the listener went away before it accepted
		err = env.ErrRefused
		fallthrough
	case env.ErrRefused:
		n.stats.DialsRefused++
		k.Reach(n.kinds.dialRefused, 1)
	case env.ErrTimeout:
		n.stats.DialsTimeout++
		k.Reach(n.kinds.dialTimeout, 1)
	}
	d.err = fmt.Errorf("dial %s: %w", d.addr, err)
	d.c.p.Deliver(n.kinds.dialed, d, dialFailed)
}
