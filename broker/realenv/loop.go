package realenv

import (
	"sync"
	"sync/atomic"
	"time"

	"odradek/broker/env"
)

// event is something that the loop runs.
type event interface{ fire() }

// discarder is an event that owns something, in case it never fires.
type discarder interface{ discard() }

// call makes a function an event, without allocation.
type call func()

func (c call) fire() { c() }

// unpolledTurns is how many turns in a row may pass without asking the kernel while
// events wait: most requests take some turns, and asking costs more than they do.
const unpolledTurns = 4

// loop is the queue of a node's events, the timers, and what the loop sleeps in.
type loop struct {
	mu     sync.Mutex
	queue  []event
	asleep bool // a poster must wake the loop

	stopped atomic.Bool
	serial  sync.Locker
	poll    poller

	// Loop.
	batch    []event
	timers   timerHeap
	unpolled int // turns since the kernel was asked
	base     time.Time
	seq      uint64
}

func newLoop(serial sync.Locker) (*loop, error) {
	l := &loop{serial: serial, base: time.Now()}
	if err := l.poll.open(); err != nil {
		return nil, err
	}
	return l, nil
}

// post queues an event, from any goroutine. What it owns is discarded if the world
// stopped.
func (l *loop) post(e event) {
	l.mu.Lock()
	l.queue = append(l.queue, e)
	wake := l.asleep
	l.asleep = false
	l.mu.Unlock()
	if wake {
		l.poll.wake()
	}
}

func (l *loop) stop() {
	l.stopped.Store(true)
	l.mu.Lock()
	wake := l.asleep
	l.asleep = false
	l.mu.Unlock()
	if wake {
		l.poll.wake()
	}
}

func (l *loop) stopping() bool { return l.stopped.Load() }

// exclusively runs fn as a callback.
func (l *loop) exclusively(fn func()) {
	if l.serial != nil {
		l.serial.Lock()
		defer l.serial.Unlock()
	}
	fn()
}

// run turns until stop.
func (l *loop) run() {
	turn := l.turn
	for l.await() {
		l.exclusively(turn)
	}
}

// await waits for events, sockets or a due timer, and takes what is queued as the next
// batch. It reports false when the loop has stopped.
func (l *loop) await() bool {
	busy := l.poll.pending()
	if !busy {
		var until time.Time
		if len(l.timers) > 0 {
			due := l.timers[0].due
			busy = due <= l.now()
			until = l.base.Add(time.Duration(due))
		}
		if !busy {
			l.poll.prepare(until)
		}
	}
	l.mu.Lock()
	l.take()
	waiting := len(l.batch) > 0
	l.asleep = !busy && !waiting && !l.stopping() // whoever stops wakes those asleep
	asleep := l.asleep
	l.mu.Unlock()
	switch {
	case asleep:
		l.poll.wait()
		l.mu.Lock()
		l.asleep = false
		l.take()
		l.mu.Unlock()
		l.unpolled = 0
	case l.stopping():
	case waiting && l.unpolled < unpolledTurns:
		l.unpolled++
	default:
		l.poll.look()
		l.unpolled = 0
	}
	return !l.stopping()
}

// take makes the queue the next batch. The lock is held.
func (l *loop) take() {
	if len(l.batch) == 0 {
		l.batch, l.queue = l.queue, l.batch
	}
}

// turn runs what the kernel has told of and one batch, then the timers that are due,
// and sends what they have written.
func (l *loop) turn() {
	defer l.poll.flush()
	l.poll.turn(l)
	for i, e := range l.batch {
		if l.stopping() {
			l.batch = l.batch[i:]
			return
		}
		l.batch[i] = nil
		e.fire()
	}
	l.batch = l.batch[:0]
	if len(l.timers) == 0 {
		return
	}
	// What callbacks set from here on is due later, or in a next turn.
	for now := l.now(); len(l.timers) > 0 && l.timers[0].due <= now && !l.stopping(); {
		l.timers.pop().fire()
	}
}

// close lets go of what events own that will not fire, and of the poller. The loop
// has ended, and so has everybody who posts.
func (l *loop) close() {
	for _, e := range append(l.batch, l.queue...) {
		if d, ok := e.(discarder); ok {
			d.discard()
		}
	}
	l.batch, l.queue = nil, nil
	l.poll.close()
}

func (l *loop) now() env.Time { return env.Time(time.Since(l.base)) }
