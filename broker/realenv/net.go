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
	return newListener(n.w, tl.(*net.TCPListener), accept)
}

func (n network) Dial(addr string, timeout time.Duration, done func(env.Conn, error)) {
	w := n.w
	if timeout <= 0 {
		panic("realenv: Dial without a time-out")
	}
	w.threads.Go(func() {
		d := net.Dialer{Timeout: timeout}
		e := &dialled{w: w, done: done}
		c, err := d.DialContext(w.dials, "tcp", addr)
		if err == nil {
			e.sock, err = newSocket(c.(*net.TCPConn))
		}
		e.err = netError(err)
		w.loop.post(e)
	})
}

// dialled is the end of a Dial.
type dialled struct {
	w    *World
	done func(env.Conn, error)
	sock socket
	err  error
}

func (e *dialled) fire() {
	if e.err == nil {
		c, err := newConn(e.w, e.sock)
		if err == nil {
			e.done(c, nil)
			return
		}
		e.err = err
	}
	e.done(nil, e.err)
}

func (e *dialled) discard() {
	if e.err == nil {
		e.sock.discard()
	}
}

// The pause after an accept that failed for lack of descriptors or memory. It passes.
const (
	shortestPause = 5 * time.Millisecond
	longestPause  = time.Second
)

// acceptFailed is worth a line in the log.
func (l *listener) acceptFailed(err error) {
	l.w.env.Trace.Event(env.Warn, "accept-failed", env.S("listener", l.addr), env.Err(err))
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

// mayRead panics if a conn's Read is against its contract.
func mayRead(reading bool, buf []byte, min int) {
	if reading {
		panic("realenv: second Read while one is outstanding")
	}
	if min < 0 || min > len(buf) {
		panic(fmt.Sprintf("realenv: Read of at least %d bytes into %d", min, len(buf)))
	}
}
