package compare

import (
	"maps"
	"slices"

	"golang.org/x/perf/benchmath"

	"odradek/bench"
)

// Change is what became of one measure of one run.
type Change struct {
	Target  string  `json:"target"`
	Variant string  `json:"variant,omitempty"`
	Rate    float64 `json:"rate"`
	Measure string  `json:"measure"`
	Key     string  `json:"key"`
	Unit    string  `json:"unit"`

	Before Side `json:"before"`
	After  Side `json:"after"`
	// Ratio of the medians, after to before; 0 if before is 0.
	Ratio float64 `json:"ratio"`
	// P is how probable at least such a difference is in noise; 0 of exact numbers.
	P float64 `json:"p"`
	// Verdict is better, worse, "=" of exact numbers that are the same, and "~" where
	// nothing can be said.
	Verdict string `json:"verdict"`
	// Note says why nothing can be said, if more repetitions would help.
	Note string `json:"note,omitempty"`
}

// Verdicts.
const (
	Better  = "better"
	Worse   = "worse"
	Same    = "="
	Unclear = "~"
)

// Side is one of two results.
type Side struct {
	Median  float64 `json:"median"`
	Lowest  float64 `json:"lowest"`
	Highest float64 `json:"highest"`
	N       int     `json:"n"`
}

// pair is one measure of two runs, before it is judged.
type pair struct {
	of            Change // without what is to be found out
	higher, exact bool
	before, after []float64
}

// pairsOf are all measures, and of simulations all counters, that both runs know.
func pairsOf(before, after *bench.Run, exact bool) []pair {
	var pairs []pair
	add := func(name, key, unit string, higher bool, b, a []float64) {
		if len(b) == 0 || len(a) == 0 {
			return
		}
		of := Change{Target: after.Target, Variant: after.Variant, Rate: after.Rate, Measure: name, Key: key, Unit: unit}
		pairs = append(pairs, pair{of, higher, exact && steady(b) && steady(a), b, a})
	}
	for i := range bench.Measures {
		m := &bench.Measures[i]
		add(m.Name, m.Key(), m.Unit, m.Higher, before.Values(m), after.Values(m))
	}
	for _, name := range counters(before, after) {
		add(name, name, "", false, counts(before, name), counts(after, name))
	}
	return pairs
}

// counters are the names of all that either run counted, sorted.
func counters(runs ...*bench.Run) []string {
	all := make(map[string]bool)
	for _, run := range runs {
		for _, s := range run.Samples {
			for name := range s.Counters {
				all[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// counts are a counter in all repetitions that counted. What never happened is 0.
func counts(run *bench.Run, name string) []float64 {
	var values []float64
	for _, s := range run.Samples {
		if len(s.Counters) > 0 {
			values = append(values, float64(s.Counters[name]))
		}
	}
	return values
}

// steady reports whether all repetitions agree.
func steady(values []float64) bool { return slices.Min(values) == slices.Max(values) }

// change judges. A difference counts if noise has it with a probability of at most alpha.
func (p *pair) change(alpha float64) Change {
	thresholds := benchmath.Thresholds{CompareAlpha: alpha}
	before, after := benchmath.NewSample(p.before, &thresholds), benchmath.NewSample(p.after, &thresholds)
	var assume benchmath.Assumption = benchmath.AssumeNothing
	if p.exact {
		assume = benchmath.AssumeExact
	}
	const confidence = 0.95
	c, test := p.of, assume.Compare(before, after)
	c.Before, c.After = side(before, assume.Summary(before, confidence).Center), side(after, assume.Summary(after, confidence).Center)
	c.P = test.P
	if c.Before.Median != 0 {
		c.Ratio = c.After.Median / c.Before.Median
	}
	switch {
	case p.exact && c.Before.Median == c.After.Median:
		c.Verdict = Same
	case !p.exact && (test.P > alpha || c.Before.Median == c.After.Median):
		c.Verdict = Unclear
		// If all are equal, more of them would not help.
		if len(test.Warnings) > 0 && !(steady(p.before) && steady(p.after)) {
			c.Note = test.Warnings[0].Error()
		}
	case (c.After.Median > c.Before.Median) == p.higher:
		c.Verdict = Better
	default:
		c.Verdict = Worse
	}
	return c
}

func side(s *benchmath.Sample, median float64) Side {
	return Side{Median: median, Lowest: s.Values[0], Highest: s.Values[len(s.Values)-1], N: len(s.Values)}
}
