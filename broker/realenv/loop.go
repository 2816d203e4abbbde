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

// loop is the queue of a node's events and the timers.
type loop struct {
	mu     sync.Mutex
	queue  []event
	asleep bool // a poster must wake the loop
	// wake has room for one token. A token without need costs one turn.
	wake    chan struct{}
	stopped atomic.Bool
	serial  sync.Locker

	// Loop.
	batch  []event
	timers timerHeap
	alarm  *time.Timer
	base   time.Time
	seq    uint64
}

func newLoop(serial sync.Locker) *loop {
	l := &loop{wake: make(chan struct{}, 1), serial: serial, base: time.Now(), alarm: time.NewTimer(time.Hour)}
	l.alarm.Stop()
	return l
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
		l.wake <- struct{}{}
	}
}

func (l *loop) stop() {
	l.stopped.Store(true)
	l.mu.Lock()
	wake := l.asleep
	l.asleep = false
	l.mu.Unlock()
	if wake {
		l.wake <- struct{}{}
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
	for l.await() {
		l.exclusively(l.turn)
	}
}

// await waits for events or a due timer, and takes what is queued as the next
// batch. It reports false when the loop has stopped.
func (l *loop) await() bool {
	for {
		l.mu.Lock()
		if l.stopping() {
			l.mu.Unlock()
			return false
		}
		if len(l.queue) > 0 {
			l.batch, l.queue = l.queue, l.batch[:0]
			l.mu.Unlock()
			return true
		}
		wait := time.Duration(-1)
		if len(l.timers) > 0 {
			if wait = l.timers[0].due.Sub(l.now()); wait <= 0 {
				l.mu.Unlock()
				return true
			}
		}
		l.asleep = true
		l.mu.Unlock()
		if wait < 0 {
			<-l.wake
			continue
		}
		l.alarm.Reset(wait)
		select {
		case <-l.wake:
			l.alarm.Stop()
		case <-l.alarm.C:
			l.mu.Lock()
			woken := !l.asleep // a poster is about to leave a token
			l.asleep = false
			l.mu.Unlock()
			if woken {
				<-l.wake
			}
		}
	}
}

// turn runs one batch, then the timers that are due.
func (l *loop) turn() {
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

// discard lets go of what events own that will not fire. The loop has ended, and so
// has everybody who posts.
func (l *loop) discard() {
	for _, e := range append(l.batch, l.queue...) {
		if d, ok := e.(discarder); ok {
			d.discard()
		}
	}
	l.batch, l.queue = nil, nil
}

func (l *loop) now() env.Time { return env.Time(time.Since(l.base)) }
