package gate

import (
	"context"
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
	if err := c.Blind(); err != nil {
		return nil, err
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
