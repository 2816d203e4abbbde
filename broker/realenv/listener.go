//go:build linux && !goroutines

package realenv

import (
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"odradek/broker/env"
)

// acceptBudget bounds how many connections one turn accepts.
const acceptBudget = 64

// listener is env.Listener: a socket from which the loop accepts. Everything is the
// loop's.
type listener struct {
	w      *World
	fd     int
	addr   string
	accept func(env.Conn)
	closed bool
	unread bool          // among the poller's
	pause  time.Duration // after the next failure
	paused env.Timer     // until then nothing is accepted
}

func newListener(w *World, tcp *net.TCPListener, accept func(env.Conn)) (env.Listener, error) {
	addr := tcp.Addr().String()
	fd, err := ownDescriptor(tcp)
	if err != nil {
		return nil, err
	}
	l := &listener{w: w, fd: fd, addr: addr, accept: accept, pause: shortestPause}
	if err = inherit(fd); err == nil {
		err = w.loop.poll.watch(fd, l, unix.EPOLLIN)
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	w.listeners[l] = struct{}{}
	return l, nil
}

// inherit sets what accepted connections have from their listener: no waiting for
// larger packets, and package net's way to find out about dead peers.
func inherit(fd int) error {
	for _, o := range []struct{ level, name, value int }{
		{unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 15},
		{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 15},
		{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 9},
	} {
		if err := unix.SetsockoptInt(fd, o.level, o.name, o.value); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	return nil
}

func (l *listener) Addr() string { return l.addr }

func (l *listener) Close() {
	if l.closed {
		return
	}
	l.closed = true
	delete(l.w.listeners, l)
	if l.paused != nil {
		l.paused.Stop()
	}
	l.w.loop.poll.forget(l.fd)
	_ = unix.Close(l.fd) // the port is free when this returns
}

// ready implements watcher.
func (l *listener) ready(uint32) {
	if l.paused == nil {
		l.work()
	}
}

// again implements watcher.
func (l *listener) again() {
	l.unread = false
	if l.paused == nil {
		l.work()
	}
}

// work accepts what has arrived.
func (l *listener) work() {
	for range acceptBudget {
		if l.closed || l.w.loop.stopping() {
			return
		}
		fd, from, err := unix.Accept4(l.fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		switch err {
		case nil:
			l.pause = shortestPause
			c, err := newConn(l.w, socket{fd, addrString(from)})
			if err != nil { // out of memory
				l.acceptFailed(err)
				continue
			}
			l.accept(c)
		case unix.EAGAIN:
			return
		case unix.EINTR, unix.ECONNABORTED:
		default:
			// Out of descriptors or memory.
			l.acceptFailed(os.NewSyscallError("accept", err))
			l.paused = l.w.env.Clock.After(l.pause, l.resume)
			l.pause = min(2*l.pause, longestPause)
			return
		}
	}
	if !l.unread {
		l.unread = true
		l.w.loop.poll.unread = append(l.w.loop.poll.unread, l)
	}
}

func (l *listener) resume() {
	l.paused = nil
	l.work()
}
