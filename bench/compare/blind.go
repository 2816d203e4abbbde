package compare

import "fmt"

// Blind is an error if nothing that was compared could be beyond doubt, however large a
// difference: who fails on what became worse would never fail.
func (c *Comparison) Blind() error {
	most := 0
	for i := range c.Changes {
		x := &c.Changes[i]
		if x.P == 0 {
			return nil // exact
		}
		most = max(most, min(x.Before.N, x.After.N))
	}
	if least := repetitions(c.alpha); most < least {
		return fmt.Errorf("%d repetitions of %d comparisons: nothing could be beyond doubt with fewer than %d", most, len(c.Changes), least)
	}
	return nil
}

// repetitions are the fewest with which the U test can have a p of at most alpha: two of
// all orders of both sides put every measurement of one before all of the other.
func repetitions(alpha float64) int {
	n, orders := 1, 2.0
	for 2/orders > alpha {
		n++
		orders *= float64(2*n) * float64(2*n-1) / float64(n*n)
	}
	return n
}
