//go:build linux && !goroutines

package realenv

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// pollEvents bounds what one turn hears of: answers are sent at its end.
const pollEvents = 64

// watcher is a socket of the loop.
type watcher interface {
	// ready hears what the kernel tells, in epoll's flags: each change once.
	ready(flags uint32)
	// again goes on with what the last turn left.
	again()
}

// poller is what the loop sleeps in: epoll, with every change of a socket told once
// (EPOLLET), so that registering a socket is all there is to ask for.
//
// The epoll descriptor is itself watched by the runtime. A thread blocked in
// epoll_wait would keep its processor (GOMAXPROCS) from others until the runtime
// notices, which takes up to 10 ms.
type poller struct {
	fd   int
	file *os.File // of fd
	raw  syscall.RawConn

	// Loop.
	deadline  time.Time // of file, if inForce; the zero time is never
	inForce   bool
	listening func(uintptr) bool // listen

	events  [pollEvents]unix.EpollEvent
	heard   []unix.EpollEvent // of this turn
	watched []watched         // by descriptor
	unread  []watcher         // go on in the next turn, unless closed
	turning []watcher
	unsent  []*conn // have something to send at the end of the turn
	sending []*conn
	gather  gather
}

// watched is a descriptor's watcher. The number tells it from others that had the
// descriptor before: what is heard of them may come late.
type watched struct {
	w      watcher
	number int32
}

func (p *poller) open() error {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // or the runtime would not watch it
		_ = unix.Close(fd)
		return os.NewSyscallError("fcntl", err)
	}
	p.fd, p.file = fd, os.NewFile(uintptr(fd), "epoll")
	p.listening = p.listen
	if p.raw, err = p.file.SyscallConn(); err == nil {
		err = p.file.SetReadDeadline(time.Time{})
	}
	if err != nil {
		p.close()
		return fmt.Errorf("epoll: %w", err)
	}
	return nil
}

func (p *poller) close() { _ = p.file.Close() }

// prepare sets when the next wait ends at the latest; the zero time is never. Whoever
// wakes from here on ends it, too. A deadline before that may stay: most timers are
// stopped long before they are due, and one turn for nothing is cheaper than following
// all of them.
func (p *poller) prepare(until time.Time) {
	if p.inForce && (p.deadline.Equal(until) || !p.deadline.IsZero() && (until.IsZero() || p.deadline.Before(until))) {
		return
	}
	// It cannot fail: the descriptor is open, and has deadlines.
	_ = p.file.SetReadDeadline(until)
	p.deadline, p.inForce = until, true
}

// wake ends the wait, from any goroutine. It costs no system call.
func (p *poller) wake() { _ = p.file.SetReadDeadline(time.Unix(1, 0)) }

// watch begins to tell w of its descriptor.
func (p *poller) watch(fd int, w watcher, flags uint32) error {
	for len(p.watched) <= fd {
		p.watched = append(p.watched, watched{})
	}
	s := &p.watched[fd]
	s.w = w
	s.number++
	ev := unix.EpollEvent{Events: flags | unix.EPOLLET, Fd: int32(fd), Pad: s.number}
	if err := unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		s.w = nil
		return os.NewSyscallError("epoll_ctl", err)
	}
	return nil
}

// forget tells no more of a descriptor. The kernel forgets it when it is closed.
func (p *poller) forget(fd int) { p.watched[fd].w = nil }

// wait returns when a socket has changed, it is woken, or the time of prepare is over.
func (p *poller) wait() {
	p.heard = p.events[:0]
	err := p.raw.Read(p.listening)
	switch {
	case err == nil:
	case errors.Is(err, os.ErrDeadlineExceeded):
		p.inForce = false // it is over, or whoever wakes has set another
	default:
		panic("realenv: epoll: " + err.Error())
	}
}

// look is a wait that does not.
func (p *poller) look() { p.listen(0) }

// listen asks what has changed, and reports false if nothing has.
func (p *poller) listen(uintptr) bool {
	n, err := unix.EpollWait(p.fd, p.events[:], 0)
	if err != nil && err != unix.EINTR {
		panic("realenv: epoll_wait: " + err.Error())
	}
	p.heard = p.events[:max(n, 0)]
	return n > 0
}

// pending reports that something goes on without hearing of it.
func (p *poller) pending() bool { return len(p.unread) > 0 || len(p.unsent) > 0 }

// turn runs what the kernel has told of, and what the last turn left.
func (p *poller) turn(l *loop) {
	p.turning, p.unread = p.unread, p.turning[:0]
	for i, w := range p.turning {
		if l.stopping() {
			break
		}
		p.turning[i] = nil
		w.again()
	}
	for i := range p.heard {
		if l.stopping() {
			break
		}
		ev := &p.heard[i]
		if s := p.watched[ev.Fd]; s.w != nil && s.number == ev.Pad {
			s.w.ready(ev.Events)
		}
	}
	p.heard = p.heard[:0]
}

// flush sends what the turn has written: all answers to one connection at once.
func (p *poller) flush() {
	p.sending, p.unsent = p.unsent, p.sending[:0]
	for i, c := range p.sending {
		p.sending[i] = nil
		c.flush()
	}
}
