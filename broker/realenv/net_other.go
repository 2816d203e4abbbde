//go:build !linux || goroutines

package realenv

import (
	"errors"
	"net"
	"time"

	"odradek/broker/env"
)

// socket is a connection that nobody has yet.
type socket struct{ tcp *net.TCPConn }

func newSocket(tcp *net.TCPConn) (socket, error) { return socket{tcp}, nil }

func (s socket) discard() { _ = s.tcp.Close() }

// listener is env.Listener: a goroutine that accepts.
type listener struct {
	w      *World
	tcp    *net.TCPListener
	addr   string
	accept func(env.Conn)
	closed bool // loop
}

func newListener(w *World, tcp *net.TCPListener, accept func(env.Conn)) (env.Listener, error) {
	l := &listener{w: w, tcp: tcp, accept: accept, addr: tcp.Addr().String()}
	w.listeners[l] = struct{}{}
	w.threads.Go(l.work)
	return l, nil
}

func (l *listener) Addr() string { return l.addr }

func (l *listener) Close() {
	if l.closed {
		return
	}
	l.closed = true
	delete(l.w.listeners, l)
	_ = l.tcp.Close() // the port is free when this returns
}

// work accepts until the listener is closed.
func (l *listener) work() {
	pause := shortestPause
	for {
		c, err := l.tcp.AcceptTCP()
		switch {
		case err == nil:
			pause = shortestPause
			l.w.loop.post(&accepted{l, socket{c}})
		case errors.Is(err, net.ErrClosed):
			return
		default:
			l.w.loop.post(call(func() { l.acceptFailed(err) }))
			select {
			case <-time.After(pause):
			case <-l.w.dials.Done():
				return
			}
			pause = min(2*pause, longestPause)
		}
	}
}

// accepted is a connection on its way to the loop.
type accepted struct {
	l    *listener
	sock socket
}

func (a *accepted) fire() {
	if a.l.closed {
		a.discard()
		return
	}
	if c, err := newConn(a.l.w, a.sock); err == nil {
		a.l.accept(c)
	}
}

func (a *accepted) discard() { a.sock.discard() }
