package group

import (
	"fmt"

	"odradek/workloads/client/cluster"
)

// trying is what is attempted until it is done or its time is up. Times are in ns.
type trying struct {
	deadline int64
	inFlight bool
	// failures in a row, and when the next attempt may be made.
	failures  int
	notBefore int64
	last      error
}

// due reports whether the next attempt is to be made now; an error ends the trying.
func (t *trying) due(now int64, over error) (bool, error) {
	switch {
	case now >= t.deadline && t.last != nil:
		return false, fmt.Errorf("%w: %w", ErrTimeout, t.last)
	case now >= t.deadline:
		return false, ErrTimeout
	case t.inFlight || now < t.notBefore:
		return false, nil
	}
	return over == nil, over
}

// next is when due has news.
func (t *trying) next(coordinated bool) int64 {
	if t.inFlight || !coordinated {
		return t.deadline
	}
	return min(t.deadline, t.notBefore)
}

// later has the next attempt wait.
func (c *Core) later(now int64, t *trying, err error) {
	t.last = err
	t.failures++
	t.notBefore = now + int64(c.cfg.Backoff.After(t.failures, c.rng))
}

// tryingDeadline is when the first of the commits and fetches has something to do.
func (c *Core) tryingDeadline() int64 {
	d := cluster.Never
	_, coordinated := c.finder.Node()
	for _, k := range c.commits {
		d = min(d, k.next(coordinated))
	}
	for _, f := range c.fetches {
		d = min(d, f.next(coordinated))
	}
	return d
}
