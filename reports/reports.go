package reports

import (
	"fmt"
	"slices"
	"strings"

	"odradek/bench"
)

// Kind is a kind of figure.
type Kind string

// Kinds of figures.
const (
	// Latency is throughput against percentiles of latency, over the rates of a sweep.
	Latency Kind = "latency"
	// Prediction is what a simulation foretold beside what was measured.
	Prediction Kind = "prediction"
	// CDF is the whole distribution of latencies, to five nines.
	CDF Kind = "cdf"
	// Cost is what the variants of a scenario cost: acks, flushes.
	Cost Kind = "cost"
	// Timeline is latency and throughput over the time of a run, with what happened.
	Timeline Kind = "timeline"
	// Failover is how long nothing was acknowledged after a leader was killed.
	Failover Kind = "failover"
)

// kinds has how each is made of a set: the figures that the data allow, or why not.
var kinds = []struct {
	kind Kind
	make func(*set) ([]Figure, error)
}{
	{Latency, latencyFigures}, {Prediction, predictionFigures}, {CDF, cdfFigures},
	{Cost, costFigures}, {Timeline, timelineFigures}, {Failover, failoverFigures},
}

// Kinds lists all kinds in the order in which figures are made.
func Kinds() []Kind {
	var list []Kind
	for _, k := range kinds {
		list = append(list, k.kind)
	}
	return list
}

// Missing is a kind of figure that the data of a scenario do not allow.
type Missing struct {
	Scenario string
	Kind     Kind
	Why      string
}

// Figures makes all figures of the kinds asked for (of all kinds if none is) that the
// results allow. Results of one scenario are put together: those of the same target count
// as more repetitions. It is an error if there is nothing to show at all.
func Figures(results []bench.Result, only ...Kind) ([]Figure, []Missing, error) {
	for _, k := range only {
		if !slices.Contains(Kinds(), k) {
			return nil, nil, fmt.Errorf("kind %q, want one of %v", k, Kinds())
		}
	}
	sets, err := merge(results)
	if err != nil {
		return nil, nil, err
	}
	var figures []Figure
	var missing []Missing
	for _, s := range sets {
		for _, k := range kinds {
			if len(only) > 0 && !slices.Contains(only, k.kind) {
				continue
			}
			made, err := k.make(s)
			if err != nil {
				missing = append(missing, Missing{s.name, k.kind, err.Error()})
			}
			for i := range made {
				made[i].Kind = k.kind
			}
			figures = append(figures, made...)
		}
	}
	if len(figures) == 0 {
		var why []string
		for _, m := range missing {
			why = append(why, fmt.Sprintf("%s of %s: %s", m.Kind, m.Scenario, m.Why))
		}
		return nil, missing, fmt.Errorf("there is nothing to plot: %s", strings.Join(why, "; "))
	}
	return figures, missing, nil
}

// perVariant makes one figure of each variant that allows it. The error is that of the
// first that does not, and nil if any does.
func (s *set) perVariant(make func(*bench.Scenario) ([]Figure, error)) ([]Figure, error) {
	var figures []Figure
	var first error
	for _, sc := range s.measured() {
		made, err := make(sc)
		if err != nil && first == nil {
			first = err
		}
		figures = append(figures, made...)
	}
	if len(figures) > 0 {
		return figures, nil
	}
	return nil, first
}
