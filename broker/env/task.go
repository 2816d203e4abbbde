package env

import (
	"fmt"
	"iter"
	"runtime/debug"
	"time"
)

// Tasks is the set of coroutines of one node.
type Tasks struct {
	live map[*Task]struct{}
	dead bool
}

// NewTasks returns an empty set.
func NewTasks() *Tasks { return &Tasks{live: make(map[*Task]struct{})} }

// Len is the number of unfinished coroutines.
func (ts *Tasks) Len() int { return len(ts.live) }

// Kill ends all coroutines where they stand (their deferred calls run, in no
// defined order, and must not touch the seam) and refuses new ones. The
// implementation of the seam calls it when the node crashes or has stopped.
func (ts *Tasks) Kill() {
	ts.dead = true
	for t := range ts.live { //odradek:unordered nothing observable runs
		t.stop()
	}
	clear(ts.live)
}

// Task is a coroutine on the node's loop: straight-line code that waits for
// callbacks with [Await] instead of nesting them. It runs only when the loop
// resumes it, so it needs no locks, but everything may have changed across an
// Await.
type Task struct {
	set     *Tasks
	next    func() (struct{}, bool)
	stop    func()
	yield   func(struct{}) bool
	waiting bool
}

// killed unwinds a coroutine whose node crashed.
type killed struct{}

// taskPanic carries a panic, with the stack of the coroutine it came from, out of it.
type taskPanic struct {
	value any
	stack []byte
}

func (p *taskPanic) Error() string { return fmt.Sprintf("%v\n\nin the task:\n%s", p.value, p.stack) }

// Go starts fn as a coroutine and runs it at once, up to its first Await.
func (ts *Tasks) Go(fn func(t *Task)) {
	if ts.dead {
		return
	}
	t := &Task{set: ts}
	t.next, t.stop = iter.Pull(func(yield func(struct{}) bool) {
		t.yield = yield
		defer func() {
			switch r := recover().(type) {
			case nil, killed:
			case *taskPanic:
				panic(r)
			default:
				// The panic goes on in whoever resumed the task, where this stack is gone.
				panic(&taskPanic{r, debug.Stack()})
			}
		}()
		fn(t)
	})
	ts.live[t] = struct{}{}
	t.resume()
}

func (t *Task) resume() {
	if _, more := t.next(); !more {
		delete(t.set.live, t)
	}
}

// Suspend parks the coroutine until the returned-to function calls wake, which
// must happen exactly once, on the loop, and not inside register.
func (t *Task) Suspend(register func(wake func())) {
	woken := false
	register(func() {
		if woken || !t.waiting {
			panic("env: task woken twice, or inside the registering call")
		}
		woken = true
		t.waiting = false
		t.resume()
	})
	t.waiting = true
	if !t.yield(struct{}{}) {
		panic(killed{})
	}
}

// Sleep parks the coroutine for d.
func (t *Task) Sleep(c Clock, d time.Duration) {
	t.Suspend(func(wake func()) { c.After(d, wake) })
}

// Await starts an operation and parks the coroutine until it calls done.
func Await[T any](t *Task, start func(done func(T))) T {
	var v T
	t.Suspend(func(wake func()) {
		start(func(got T) { v = got; wake() })
	})
	return v
}

// Await2 is [Await] for operations with two results, such as a value and an error.
func Await2[A, B any](t *Task, start func(done func(A, B))) (A, B) {
	var a A
	var b B
	t.Suspend(func(wake func()) {
		start(func(gotA A, gotB B) { a, b = gotA, gotB; wake() })
	})
	return a, b
}
