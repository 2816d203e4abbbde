package reports

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"odradek/bench"
)

// set is all that was measured of one scenario, from one result or several.
type set struct {
	name    string
	file    string
	machine bench.Machine
	// scenarios are the variants, in the order of the scenario's file.
	scenarios []bench.Scenario
	targets   []target
	runs      []run
	days      []string
}

// run is a sample with whose it is: names may be those of several versions.
type run struct {
	*bench.Sample
	target int
}

// target is one of the systems compared, with how it looks.
type target struct {
	bench.Target
	id    int
	label string
	style
}

// merge puts results of the same scenario together, in the order of their coming.
func merge(results []bench.Result) ([]*set, error) {
	if len(results) == 0 {
		return nil, errors.New("there are no results")
	}
	var sets []*set
	for i := range results {
		r := &results[i]
		if err := check(r); err != nil {
			return nil, fmt.Errorf("result of %s: %w", r.Scenario, err)
		}
		at := slices.IndexFunc(sets, func(s *set) bool { return s.name == r.Scenario })
		if at < 0 {
			scenarios, err := bench.Parse([]byte(r.File))
			if err != nil {
				return nil, fmt.Errorf("result of %s: %w", r.Scenario, err)
			}
			at = len(sets)
			sets = append(sets, &set{name: r.Scenario, file: r.File, machine: r.Machine, scenarios: scenarios})
		}
		if err := sets[at].add(r); err != nil {
			return nil, fmt.Errorf("results of %s do not belong together: %w", r.Scenario, err)
		}
	}
	for _, s := range sets {
		if err := s.finish(); err != nil {
			return nil, fmt.Errorf("results of %s: %w", s.name, err)
		}
	}
	return sets, nil
}

// check reports what no plot can be made of.
func check(r *bench.Result) error {
	if r.Version != bench.ResultVersion {
		return fmt.Errorf("version %d, want %d", r.Version, bench.ResultVersion)
	}
	if len(r.Samples) == 0 {
		return errors.New("it has no samples")
	}
	for i := range r.Samples {
		s := &r.Samples[i]
		known := slices.ContainsFunc(r.Targets, func(t bench.Target) bool { return t.Name == s.Target })
		if !known {
			return fmt.Errorf("sample %d is of target %q, which is not listed", i+1, s.Target)
		}
		if !(s.Seconds > 0) || math.IsInf(s.Seconds, 0) {
			return fmt.Errorf("sample %d has measured %v s", i+1, s.Seconds)
		}
		for _, t := range s.Timeline {
			if !(t.Seconds > 0) {
				return fmt.Errorf("sample %d has an interval of %v s in its timeline", i+1, t.Seconds)
			}
		}
	}
	return nil
}

// add takes a result of the same scenario on the same machine.
func (s *set) add(r *bench.Result) error {
	if r.File != s.file {
		return errors.New("their scenario files differ")
	}
	if r.Machine != s.machine {
		return fmt.Errorf("they are of different machines: %s; %s", describe(s.machine), describe(r.Machine))
	}
	ids := map[string]int{}
	for _, t := range r.Targets {
		at := slices.IndexFunc(s.targets, func(have target) bool { return have.Target == t })
		if at < 0 {
			at = len(s.targets)
			s.targets = append(s.targets, target{Target: t, id: at, label: t.Name, style: styleOf(at)})
		}
		ids[t.Name] = at
	}
	for i := range r.Samples {
		x := &r.Samples[i]
		if !slices.ContainsFunc(s.scenarios, func(sc bench.Scenario) bool { return sc.Variant == x.Variant }) {
			return fmt.Errorf("sample %d is of variant %q, which the scenario does not have", i+1, x.Variant)
		}
		s.runs = append(s.runs, run{x, ids[x.Target]})
	}
	if day, _, _ := strings.Cut(r.Started, "T"); day != "" && !slices.Contains(s.days, day) {
		s.days = append(s.days, day)
	}
	return nil
}

// finish names targets apart and drops those without samples.
func (s *set) finish() error {
	for i := range s.targets {
		t := &s.targets[i]
		for j, o := range s.targets {
			if i != j && o.Name == t.Name {
				t.label = fmt.Sprintf("%s (%s)", t.Name, cmp.Or(strings.TrimSpace(t.Version+" "+t.Profile), t.Mode))
			}
		}
	}
	labels := map[string]bool{}
	for _, t := range s.targets {
		if labels[t.label] {
			return fmt.Errorf("two targets are called %q", t.label)
		}
		labels[t.label] = true
	}
	s.targets = slices.DeleteFunc(s.targets, func(t target) bool {
		return !slices.ContainsFunc(s.runs, func(r run) bool { return r.target == t.id })
	})
	return nil
}

// measured are the variants that have samples.
func (s *set) measured() []*bench.Scenario {
	var list []*bench.Scenario
	for i := range s.scenarios {
		if slices.ContainsFunc(s.runs, func(r run) bool { return r.Variant == s.scenarios[i].Variant }) {
			list = append(list, &s.scenarios[i])
		}
	}
	return list
}

// point is all repetitions at one rate.
type point struct {
	rate   float64
	groups int
	runs   []*bench.Sample
}

// curve is a target's points by rate; as fast as possible (0) is the last.
func (s *set) curve(t target, sc *bench.Scenario) []point {
	var points []point
	for _, x := range s.runs {
		if x.target != t.id || x.Variant != sc.Variant {
			continue
		}
		at := slices.IndexFunc(points, func(p point) bool { return p.rate == x.Rate })
		if at < 0 {
			at = len(points)
			points = append(points, point{rate: x.Rate, groups: sc.Groups()})
		}
		points[at].runs = append(points[at].runs, x.Sample)
	}
	key := func(p point) float64 {
		if p.rate == 0 {
			return math.Inf(1)
		}
		return p.rate
	}
	slices.SortStableFunc(points, func(a, b point) int { return cmp.Compare(key(a), key(b)) })
	return points
}

// at is a target's point at a rate.
func (s *set) at(t target, sc *bench.Scenario, rate float64) (point, bool) {
	for _, p := range s.curve(t, sc) {
		if p.rate == rate {
			return p, true
		}
	}
	return point{}, false
}

// keptUp reports whether it did in most repetitions.
func (p point) keptUp() bool {
	kept := 0
	for _, r := range p.runs {
		if r.KeptUp(p.groups) {
			kept++
		}
	}
	return 2*kept > len(p.runs)
}

// spread is a median with the smallest and the largest.
type spread struct{ median, min, max float64 }

// over is the spread of something over the repetitions.
func (p point) over(of func(*bench.Sample) float64) spread {
	var all []float64
	for _, r := range p.runs {
		all = append(all, of(r))
	}
	slices.Sort(all)
	n := len(all)
	return spread{(all[(n-1)/2] + all[n/2]) / 2, all[0], all[n-1]}
}

// measure is the spread of a measure, and false if a repetition does not know it.
func (p point) measure(m *bench.Measure) (spread, bool) {
	for _, r := range p.runs {
		if _, ok := m.Of(r); !ok {
			return spread{}, false
		}
	}
	return p.over(func(s *bench.Sample) float64 { v, _ := m.Of(s); return v }), true
}

// latency is one of the two that a sample has.
type latency struct {
	name, words string
	of          func(*bench.Sample) bench.Histogram
}

var (
	ack      = latency{"ack", "acknowledgement latency", func(s *bench.Sample) bench.Histogram { return s.Ack }}
	endToEnd = latency{"end-to-end", "end-to-end latency", func(s *bench.Sample) bench.Histogram { return s.EndToEnd }}
)

// quantile is in milliseconds.
func (l latency) quantile(q float64) func(*bench.Sample) float64 {
	return func(s *bench.Sample) float64 { return float64(l.of(s).Quantile(q)) / 1e6 }
}

// with are the points all of whose repetitions have such latencies.
func (l latency) with(points []point) []point {
	return slices.DeleteFunc(slices.Clone(points), func(p point) bool {
		return slices.ContainsFunc(p.runs, func(s *bench.Sample) bool { return l.of(s).Count() == 0 })
	})
}

func throughput(s *bench.Sample) float64 { return s.Throughput() }

// common is the rate at which targets are compared: the largest at which all keep up, or
// else the smallest that all were asked for.
func (s *set) common(targets []target, sc *bench.Scenario) (float64, bool) {
	best, found := 0.0, false
	for _, first := range s.curve(targets[0], sc) {
		all, kept := true, true
		for _, t := range targets {
			p, ok := s.at(t, sc, first.rate)
			all, kept = all && ok, kept && ok && p.keptUp()
		}
		// Curves are by rate, so that a later one is larger.
		if all && (!found || kept && first.rate > 0) {
			best, found = first.rate, true
		}
	}
	return best, found
}

// of are the targets that have samples of a variant.
func (s *set) of(sc *bench.Scenario) []target {
	return slices.DeleteFunc(slices.Clone(s.targets), func(t target) bool { return len(s.curve(t, sc)) == 0 })
}
