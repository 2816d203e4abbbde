package realenv

import (
	"math"
	"time"

	"odradek/broker/env"
)

// clock is env.Clock.
type clock struct{ l *loop }

func (c clock) Now() env.Time { return c.l.now() }

func (c clock) Wall() int64 { return time.Now().UnixNano() }

func (c clock) After(d time.Duration, fn func()) env.Timer {
	t := &timer{l: c.l, fn: fn, index: notWaiting}
	if d <= 0 {
		c.l.post(t)
		return t
	}
	now := c.l.now()
	t.due = now.Add(min(d, time.Duration(math.MaxInt64-now)))
	c.l.seq++
	t.seq = c.l.seq
	c.l.timers.push(t)
	return t
}

// timer is one pending After. It is not recycled: whoever holds it may still Stop it.
type timer struct {
	l     *loop
	fn    func() // nil once fired or stopped
	due   env.Time
	seq   uint64 // of equal deadlines, the first set fires first
	index int    // in the heap
}

const notWaiting = -1

func (t *timer) fire() {
	if fn := t.fn; fn != nil {
		t.fn = nil
		fn()
	}
}

func (t *timer) Stop() bool {
	if t.fn == nil {
		return false
	}
	t.fn = nil
	if t.index != notWaiting {
		t.l.timers.remove(t.index)
	}
	return true
}

// timerHeap is a binary heap by deadline, in which every timer knows its place.
type timerHeap []*timer

func (h timerHeap) less(i, j int) bool {
	return h[i].due < h[j].due || h[i].due == h[j].due && h[i].seq < h[j].seq
}

func (h timerHeap) swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *timerHeap) push(t *timer) {
	t.index = len(*h)
	*h = append(*h, t)
	h.up(t.index)
}

func (h *timerHeap) pop() *timer { return h.remove(0) }

func (h *timerHeap) remove(i int) *timer {
	last := len(*h) - 1
	h.swap(i, last)
	t := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	t.index = notWaiting
	if i < last {
		h.up(i)
		h.down(i)
	}
	return t
}

func (h timerHeap) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !h.less(i, parent) {
			return
		}
		h.swap(i, parent)
		i = parent
	}
}

func (h timerHeap) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(h) {
			return
		}
		if child+1 < len(h) && h.less(child+1, child) {
			child++
		}
		if !h.less(child, i) {
			return
		}
		h.swap(i, child)
		i = child
	}
}
