package gate

import (
	"context"
	"fmt"
	"io"
	"slices"

	"odradek/bench"
	"odradek/bench/compare"
)

// Pairs runs scenarios on real disks with two builds, one after the other in every
// repetition, so that whatever disturbs the machine disturbs both. The result's targets
// are called [Before] and [After].
type Pairs func(ctx context.Context, list []bench.Scenario) (*bench.Result, error)

// Targets of a result of two builds.
const (
	Before = "before"
	After  = "after"
)

// Judgement is of two builds on real disks.
type Judgement struct {
	*compare.Comparison
	// Worse are changes beyond doubt and thresholds.
	Worse []compare.Change `json:"worse"`
}

// Against runs two builds and judges the second by the first, never by a number that was
// measured on another day or another machine. It is an error if no difference, however
// large, could be beyond doubt, for then the gate would always be open.
func Against(ctx context.Context, run Pairs, list []bench.Scenario, thresholds []compare.Threshold) (*Judgement, error) {
	r, err := run(ctx, list)
	if err != nil {
		return nil, err
	}
	// One false alarm in twenty runs of the gate, however much it compares.
	const alpha = 0.05
	c, err := compare.Compare(only(r, Before), only(r, After), compare.Options{Alpha: alpha, Family: true})
	if err != nil {
		return nil, err
	}
	if n, least := fewest(c), repetitions(alpha/float64(max(len(c.Changes), 1))); n < least {
		return nil, fmt.Errorf("%d repetitions of %d comparisons: nothing could be beyond doubt with fewer than %d", n, len(c.Changes), least)
	}
	return &Judgement{c, c.Beyond(thresholds)}, nil
}

// only is the result with one of its targets.
func only(r *bench.Result, target string) *bench.Result {
	one := *r
	one.Targets = slices.DeleteFunc(slices.Clone(r.Targets), func(t bench.Target) bool { return t.Name != target })
	one.Samples = slices.DeleteFunc(slices.Clone(r.Samples), func(s bench.Sample) bool { return s.Target != target })
	return &one
}

// Findings is how much there is: what became worse, in any way, and what did not run with
// both.
func (j *Judgement) Findings() int {
	return len(j.Worse) + len(j.Harm) + len(j.Missing) + len(j.New)
}

// Print writes the comparison, and then what of it is a finding.
func (j *Judgement) Print(w io.Writer) error {
	if err := j.Comparison.Print(w); err != nil {
		return err
	}
	return compare.PrintBeyond(w, j.Worse)
}

// fewest is the least number of repetitions that anything was compared by.
func fewest(c *compare.Comparison) int {
	n := 0
	for i, x := range c.Changes {
		if least := min(x.Before.N, x.After.N); i == 0 || least < n {
			n = least
		}
	}
	return n
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
