//go:build linux && !goroutines

package realenv

import (
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"odradek/broker/env"
)

// readBudget bounds what one connection reads in one turn, give or take what the
// kernel has at once.
const readBudget = 1 << 20

// socket is a connection that nobody has yet.
type socket struct {
	fd int
	// remote was told with the connection: the peer may be gone when it is asked for.
	remote string
}

// newSocket takes a connection from the runtime, whose poller would wake up for it.
func newSocket(tcp *net.TCPConn) (socket, error) {
	remote := tcp.RemoteAddr().String()
	fd, err := ownDescriptor(tcp)
	return socket{fd, remote}, err
}

// ownDescriptor is a copy of the descriptor of a connection or listener, which is
// closed. Copies share everything, so it does not block.
func ownDescriptor(from interface {
	File() (*os.File, error)
	Close() error
}) (int, error) {
	f, err := from.File()
	if err != nil {
		_ = from.Close()
		return -1, err
	}
	defer f.Close()
	_ = from.Close() // f has it open
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("fcntl", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // Fd has made it blocking
		_ = unix.Close(fd)
		return -1, os.NewSyscallError("fcntl", err)
	}
	return fd, nil
}

func (s socket) discard() { _ = unix.Close(s.fd) }

// conn is env.Conn: a socket that the loop reads and writes. Everything is the loop's.
type conn struct {
	w             *World
	fd            int
	local, remote string
	closed        bool

	buf      []byte
	min      int
	n        int
	reading  bool
	onRead   func(n int, err error)
	readable bool  // the kernel may have bytes, or the end of the stream
	over     bool  // the kernel has told of the end: it does not tell again
	end      error // how the stream ended, for this and all later reads
	unread   bool  // among the poller's

	out     outbox
	onDrain func()
	low     int  // the threshold of onDrain
	telling bool // fire is posted
}

func newConn(w *World, s socket) (*conn, error) {
	c := &conn{w: w, fd: s.fd, remote: s.remote}
	local, err := unix.Getsockname(c.fd)
	if err == nil {
		c.local = addrString(local)
		err = w.loop.poll.watch(c.fd, c, unix.EPOLLIN|unix.EPOLLOUT|unix.EPOLLRDHUP)
	}
	if err != nil {
		s.discard()
		return nil, netError(err)
	}
	c.out.writable = true
	w.conns[c] = struct{}{}
	return c, nil
}

func addrString(sa unix.Sockaddr) string {
	switch a := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port)).String()
	case *unix.SockaddrInet6:
		ip := netip.AddrFrom16(a.Addr).Unmap()
		if a.ZoneId != 0 {
			ip = ip.WithZone(strconv.Itoa(int(a.ZoneId)))
		}
		return netip.AddrPortFrom(ip, uint16(a.Port)).String()
	}
	return "?"
}

func (c *conn) LocalAddr() string  { return c.local }
func (c *conn) RemoteAddr() string { return c.remote }

func (c *conn) Read(buf []byte, min int, done func(n int, err error)) {
	if c.closed {
		return // no callback fires after Close
	}
	mayRead(c.reading, buf, min)
	c.reading = true
	c.buf, c.min, c.n, c.onRead = buf, min, 0, done
	if min == 0 || c.readable || c.end != nil {
		c.soon()
	}
}

// soon goes on with the reading in the next turn.
func (c *conn) soon() {
	if !c.unread {
		c.unread = true
		c.w.loop.poll.unread = append(c.w.loop.poll.unread, c)
	}
}

// ready implements watcher.
func (c *conn) ready(flags uint32) {
	const broken = unix.EPOLLHUP | unix.EPOLLERR
	if flags&(unix.EPOLLRDHUP|broken) != 0 {
		c.over = true
	}
	if flags&(unix.EPOLLOUT|broken) != 0 && !c.out.writable {
		c.out.writable = true
		c.dirty()
	}
	if flags&(unix.EPOLLIN|unix.EPOLLRDHUP|broken) != 0 {
		c.readable = true
		c.receive()
	}
}

// again implements watcher.
func (c *conn) again() {
	c.unread = false
	if !c.closed {
		c.receive()
	}
}

// receive goes on with the Read, if there is one.
func (c *conn) receive() {
	if !c.reading {
		return
	}
	for got := 0; c.n < c.min && c.end == nil && c.readable; {
		if got >= readBudget {
			c.soon()
			return
		}
		got += c.receiveOnce()
	}
	switch {
	case c.n >= c.min:
		c.finish(nil)
	case c.end != nil:
		c.finish(c.ending())
	}
}

func (c *conn) receiveOnce() int {
	room := c.buf[c.n:]
	n, err := unix.Read(c.fd, room)
	switch {
	case err == unix.EINTR:
	case err == unix.EAGAIN:
		c.readable, c.over = false, false
		c.end = c.out.failed
	case err != nil:
		c.end = os.NewSyscallError("read", err)
	case n == 0 && c.wasReset():
		c.end = os.NewSyscallError("read", unix.ECONNRESET)
	case n == 0:
		c.end = io.EOF
	default:
		c.n += n
		// The kernel tells of what comes after it had no more. (What ends short
		// before urgent data is told of, too, once more arrives.)
		c.readable = n == len(room) || c.over || c.out.failed != nil
		return n
	}
	return 0
}

func (c *conn) finish(err error) {
	done, n := c.onRead, c.n
	c.reading, c.onRead, c.buf = false, nil, nil
	done(n, err)
}

// ending is what the node hears of the end of the stream.
func (c *conn) ending() error {
	switch {
	case c.out.failed != nil:
		return c.out.failed // the cause; what the reader sees may be its consequence
	case c.end == io.EOF:
		return io.EOF
	}
	return netError(c.end)
}

// wasReset tells a connection that is dead from one whose peer has ended its half.
// The kernel reports a reset once, to whoever asks first: when that was a write, a
// read sees the end of the stream.
func (c *conn) wasReset() bool {
	const stateClose = 7 // TCP_CLOSE of the kernel: neither half lives
	info, err := unix.GetsockoptTCPInfo(c.fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	return err == nil && info.State == stateClose
}

// fire implements event: the connection has drained to its mark, which may be an
// earlier one than the present.
func (c *conn) fire() {
	fn := c.onDrain
	c.telling = false
	if c.closed || fn == nil || c.out.unsent > c.low {
		return
	}
	c.onDrain = nil
	fn()
}

func (c *conn) OnDrain(low int, fn func()) {
	if c.closed {
		return
	}
	c.onDrain, c.low = fn, low
	c.drained()
}

// drained tells the node, on a later turn, if that is what it waits for.
func (c *conn) drained() {
	if c.onDrain != nil && c.out.unsent <= c.low && !c.telling {
		c.telling = true
		c.w.loop.post(c)
	}
}

func (c *conn) Buffered() int { return c.out.unsent }

func (c *conn) Write(segs []env.Segment) {
	if c.closed || c.out.failed != nil {
		return
	}
	if c.out.put(segs) {
		c.dirty()
	}
}

// dirty has the connection flushed at the end of the turn.
func (c *conn) dirty() {
	if !c.out.dirty && !c.out.away && c.out.writable && len(c.out.queue) > 0 {
		c.out.dirty = true
		c.w.loop.poll.unsent = append(c.w.loop.poll.unsent, c)
	}
}

func (c *conn) Close() {
	if c.closed {
		return
	}
	c.closed = true
	c.onRead, c.onDrain, c.buf = nil, nil, nil
	delete(c.w.conns, c)
	c.out.drop()
	if !c.out.away { // or whoever sends for it closes
		c.hangUp()
	}
}

// hangUp closes the descriptor. The kernel goes on sending what it has taken; bytes
// that nobody has read reset the connection.
func (c *conn) hangUp() {
	if c.fd < 0 {
		return
	}
	c.w.loop.poll.forget(c.fd)
	_ = unix.Close(c.fd)
	c.fd = -1
}
