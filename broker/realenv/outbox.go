//go:build linux && !goroutines

package realenv

import (
	"errors"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"odradek/broker/env"
)

const (
	// sendBudget bounds what one connection sends in one turn.
	sendBudget = 1 << 20
	// sendVectors bounds the buffers of one system call.
	sendVectors = 256
	// sendFileMost bounds one system call for a file's region.
	sendFileMost = 256 << 10
)

// outbox is the sending half of a conn. Everything is the loop's.
//
// States: sending -> failed, by an error; any -> dropped, by the node's Close.
type outbox struct {
	queue    []env.Segment
	skip     int // bytes of queue[0] that are sent
	unsent   int // bytes of queue that are not
	writable bool
	dirty    bool // among the poller's
	away     bool // a thread sends; nobody else may
	failed   error
}

// put queues segments, and reports whether there is anything to send.
func (o *outbox) put(segs []env.Segment) bool {
	for _, s := range segs {
		if n := s.Size(); n > 0 {
			retain(s)
			o.unsent += n
			o.queue = append(o.queue, s)
		}
	}
	return len(o.queue) > 0
}

// drop forgets what is queued.
func (o *outbox) drop() {
	release(o.queue)
	clear(o.queue)
	o.queue, o.skip = nil, 0
}

// took notes that the kernel has n bytes more of the queue.
func (o *outbox) took(n int) {
	o.unsent -= n
	n += o.skip
	done := 0
	for done < len(o.queue) && n >= o.queue[done].Size() {
		n -= o.queue[done].Size()
		done++
	}
	o.skip = n
	release(o.queue[:done])
	k := copy(o.queue, o.queue[done:])
	clear(o.queue[k:])
	o.queue = o.queue[:k]
}

// gather is the arguments of a system call that sends several buffers.
type gather struct {
	vec [sendVectors]unix.Iovec
	msg unix.Msghdr
}

// flush sends as much as the kernel takes and fairness allows.
func (c *conn) flush() {
	o := &c.out
	o.dirty = false
	if c.closed || o.away {
		return
	}
	before := o.unsent
	for len(o.queue) > 0 && o.writable && !o.away && before-o.unsent < sendBudget {
		var n int
		var err error
		if s := &o.queue[0]; s.File != nil {
			n, err = c.sendRegion(s.File.(*file), s.Off+int64(o.skip), s.Len-o.skip)
		} else {
			n, err = c.sendBytes()
		}
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			o.writable = false
		case err != nil:
			c.fail(err)
			return
		default:
			o.took(n)
		}
	}
	c.dirty()
	if o.unsent < before {
		c.drained()
	}
}

// sendBytes sends the run of bytes at the front of the queue.
func (c *conn) sendBytes() (int, error) {
	o, g := &c.out, &c.w.loop.poll.gather
	n, size := 0, 0
	flags := uintptr(unix.MSG_DONTWAIT | unix.MSG_NOSIGNAL)
	for i := range o.queue {
		b := o.queue[i].Bytes
		if i == 0 {
			b = b[o.skip:]
		}
		if o.queue[i].File != nil || n == sendVectors || size >= sendBudget {
			flags |= unix.MSG_MORE // the rest follows at once: no packet of its own
			break
		}
		b = b[:min(len(b), sendBudget)]
		g.vec[n].Base = &b[0]
		g.vec[n].SetLen(len(b))
		size += len(b)
		n++
		if len(b) == sendBudget {
			break
		}
	}
	g.msg.Iov = &g.vec[0]
	g.msg.SetIovlen(n)
	sent, _, errno := unix.Syscall(unix.SYS_SENDMSG, uintptr(c.fd), uintptr(unsafe.Pointer(&g.msg)), flags)
	clear(g.vec[:n])
	if errno != 0 {
		if errno == unix.EAGAIN || errno == unix.EINTR {
			return 0, errno
		}
		return 0, os.NewSyscallError("write", errno)
	}
	return int(sent), nil
}

// sendRegion sends the begin of a file's region, without copying it here: on the loop
// if the page cache has it, on a thread otherwise.
func (c *conn) sendRegion(f *file, off int64, n int) (int, error) {
	n = min(n, sendFileMost)
	if !f.cached(off, n) {
		// Not writable until the thread has found out, or the kernel tells meanwhile: a
		// thread that finds no room must not be followed by the next at once.
		c.out.away, c.out.writable = true, false
		f.retain()
		c.w.reads.submit(&regionSend{c: c, f: f, off: off, n: n})
		return 0, nil
	}
	return sendFile(c.fd, f, off, n)
}

func sendFile(fd int, f *file, off int64, n int) (int, error) {
	at := off
	sent, err := unix.Sendfile(fd, f.fd, &at, n)
	switch {
	case err == unix.EIO: // the disk's; a socket has none
		return 0, &regionError{f.path, off, diskError(err)}
	case err == unix.EAGAIN, err == unix.EINTR:
		return 0, err
	case err != nil:
		return 0, os.NewSyscallError("sendfile", err)
	case sent == 0:
		return 0, &regionError{f.path, off, errShortFile}
	}
	return sent, nil
}

// regionSend is a thread's sending of what has to come from the disk first, and then
// the event of its end.
type regionSend struct {
	c   *conn
	f   *file
	off int64
	n   int
	err error
}

func (r *regionSend) do() {
	for {
		if r.n, r.err = sendFile(r.c.fd, r.f, r.off, r.n); r.err != unix.EINTR {
			break
		}
	}
	r.c.w.loop.post(r)
}

func (r *regionSend) fire() {
	c := r.c
	c.out.away = false
	r.f.release()
	switch {
	case c.closed:
		c.hangUp()
		return
	case r.err == unix.EAGAIN:
	case r.err != nil:
		c.fail(r.err)
		return
	default:
		c.out.writable = true
		c.out.took(r.n)
		c.drained()
	}
	c.dirty()
}

func (r *regionSend) discard() {
	r.f.release()
	r.c.hangUp()
}

// fail drops what is queued, and what will be. The reader is told once it has read
// what the peer had sent before.
func (c *conn) fail(err error) {
	o := &c.out
	o.failed = netError(err)
	o.drop()
	o.unsent = 0
	var bad *regionError
	if errors.As(err, &bad) {
		// The peer must not take a message cut short for a clean end: reset.
		_ = unix.SetsockoptLinger(c.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
		c.hangUp()
		c.end = o.failed
	}
	c.readable = true
	c.soon()
}
