package group

import (
	"container/heap"

	"odradek/broker/coordinator"
)

// timer is something that a group does later, unless it is stopped before. The zero
// value has no fire and must not be started.
type timer struct {
	fire func(t *turn)
	at   int64  // ns
	seq  uint64 // of starts: what is due at one time happens in the order it was asked for
	pos  int    // in the heap plus one, 0 if stopped
}

// timers is every timer of a machine that is running, the next one first.
type timers struct {
	heap []*timer
	seq  uint64
}

// start runs the timer at a time, instead of the time it was started for before.
func (ts *timers) start(tm *timer, at int64) {
	ts.seq++
	tm.at, tm.seq = at, ts.seq
	if tm.pos > 0 {
		heap.Fix(ts, tm.pos-1)
		return
	}
	heap.Push(ts, tm)
}

// stop is for timers that run and for those that do not.
func (ts *timers) stop(tm *timer) {
	if tm.pos > 0 {
		heap.Remove(ts, tm.pos-1)
	}
}

// next is when the first one is due.
func (ts *timers) next() int64 {
	if len(ts.heap) == 0 {
		return coordinator.Never
	}
	return ts.heap[0].at
}

// due stops and returns the first timer that is due, or nil.
func (ts *timers) due(now int64) *timer {
	if len(ts.heap) == 0 || ts.heap[0].at > now {
		return nil
	}
	return heap.Pop(ts).(*timer)
}

// Len, Less, Swap, Push and Pop implement heap.Interface.

func (ts *timers) Len() int { return len(ts.heap) }

func (ts *timers) Less(i, j int) bool {
	a, b := ts.heap[i], ts.heap[j]
	if a.at != b.at {
		return a.at < b.at
	}
	return a.seq < b.seq
}

func (ts *timers) Swap(i, j int) {
	ts.heap[i], ts.heap[j] = ts.heap[j], ts.heap[i]
	ts.heap[i].pos, ts.heap[j].pos = i+1, j+1
}

func (ts *timers) Push(x any) {
	tm := x.(*timer)
	ts.heap = append(ts.heap, tm)
	tm.pos = len(ts.heap)
}

func (ts *timers) Pop() any {
	last := len(ts.heap) - 1
	tm := ts.heap[last]
	ts.heap[last] = nil
	ts.heap = ts.heap[:last]
	tm.pos = 0
	return tm
}
