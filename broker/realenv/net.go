package realenv

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"odradek/broker/env"
)

// network is env.Net on TCP.
type network struct{ w *World }

func (n network) Listen(addr string, accept func(env.Conn)) (env.Listener, error) {
	if n.w.loop.stopping() {
		return nil, net.ErrClosed
	}
	var lc net.ListenConfig
	lc.SetMultipathTCP(false) // sendfile and writev are for plain TCP
	tl, err := lc.Listen(context.Background(), "tcp", addr)
	if err != nil {
		return nil, err
	}
	l := &listener{w: n.w, tcp: tl.(*net.TCPListener), accept: accept, addr: tl.Addr().String()}
	n.w.listeners[l] = struct{}{}
	n.w.threads.Go(l.work)
	return l, nil
}

func (n network) Dial(addr string, timeout time.Duration, done func(env.Conn, error)) {
	w := n.w
	if timeout <= 0 {
		panic("realenv: Dial without a time-out")
	}
	w.threads.Go(func() {
		d := net.Dialer{Timeout: timeout}
		c, err := d.DialContext(w.dials, "tcp", addr)
		e := &dialled{w: w, done: done, err: netError(err)}
		if err == nil {
			e.tcp = c.(*net.TCPConn)
		}
		w.loop.post(e)
	})
}

// dialled is the end of a Dial.
type dialled struct {
	w    *World
	done func(env.Conn, error)
	tcp  *net.TCPConn
	err  error
}

func (e *dialled) fire() {
	if e.err != nil {
		e.done(nil, e.err)
		return
	}
	e.done(newConn(e.w, e.tcp), nil)
}

func (e *dialled) discard() {
	if e.tcp != nil {
		_ = e.tcp.Close()
	}
}

// listener is env.Listener.
type listener struct {
	w      *World
	tcp    *net.TCPListener
	addr   string
	accept func(env.Conn)
	closed bool // loop
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
	const longestPause = time.Second
	pause := 5 * time.Millisecond
	for {
		c, err := l.tcp.AcceptTCP()
		switch {
		case err == nil:
			pause = 5 * time.Millisecond
			l.w.loop.post(&accepted{l, c})
		case errors.Is(err, net.ErrClosed):
			return
		default:
			// Out of descriptors or memory, or the peer is gone already. It passes.
			l.w.loop.post(&acceptFailed{l, err})
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
	l   *listener
	tcp *net.TCPConn
}

func (a *accepted) fire() {
	if a.l.closed {
		a.discard()
		return
	}
	a.l.accept(newConn(a.l.w, a.tcp))
}

func (a *accepted) discard() { _ = a.tcp.Close() }

// acceptFailed is worth a line in the log.
type acceptFailed struct {
	l   *listener
	err error
}

func (a *acceptFailed) fire() {
	a.l.w.env.Trace.Event(env.Warn, "accept-failed", env.S("listener", a.l.addr), env.Err(a.err))
}

// netError wraps the seam's errors around those of the system.
func netError(err error) error {
	var as error
	var timeout net.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ECONNREFUSED):
		as = env.ErrRefused
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNABORTED):
		as = env.ErrReset
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT), errors.As(err, &timeout) && timeout.Timeout():
		as = env.ErrTimeout
	default:
		return err
	}
	return fmt.Errorf("%w: %w", as, err)
}
