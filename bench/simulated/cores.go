package simulated

import (
	"time"

	"odradek/sim"
)

// cores are the processors of one machine, shared by every process on it. Work is run in
// the order in which it comes, each piece to its end on one core: pieces are callbacks and
// system calls of microseconds, far below an operating system's slice of time.
type cores struct {
	free []sim.Time // when each is
	busy time.Duration
}

func newCores(n int) *cores { return &cores{free: make([]sim.Time, max(n, 1))} }

// reserve takes a core for d, at the time at or as soon after as there is one, and returns
// when the work is done. Calls must come in the order of their times, except that a
// callback may go on where its last piece ended.
func (c *cores) reserve(at sim.Time, d time.Duration) sim.Time {
	// Of the cores that are free the one that has been for the shortest time: the next
	// piece of a callback stays where the callback runs, and leaves no hole elsewhere.
	best := -1
	for i, free := range c.free {
		if free <= at && (best < 0 || free > c.free[best]) {
			best = i
		}
	}
	if best < 0 {
		best = 0
		for i, free := range c.free {
			if free < c.free[best] {
				best = i
			}
		}
	}
	c.free[best] = max(at, c.free[best]).Add(d)
	c.busy += d
	return c.free[best]
}
