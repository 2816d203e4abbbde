package session

import (
	"context"
	"errors"

	"odradek/bench"
)

// Knee is the highest rate that a target kept up with.
type Knee struct {
	Target  string
	Variant string
	Rate    float64 // 0 is none
}

// Sweep searches the knee of every variant on every target, from a rate on. The searches of
// all targets take turns, one rate each. A rate that seems too much is tried once more: a
// moment of the machine is not the system's limit.
func Sweep(ctx context.Context, p Plan, first float64) (_ *bench.Result, _ []Knee, err error) {
	s, err := newSession(&p)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, s.end()) }()
	var knees []Knee
	for _, alike := range byBrokers(p.Variants) {
		err := s.with(&alike[0], func(up []Running) error {
			for i := range alike {
				found, err := s.sweep(ctx, &alike[i], up, first)
				knees = append(knees, found...)
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return s.result, knees, err
		}
	}
	return s.result, knees, nil
}

// sweep is one variant's.
func (s *session) sweep(ctx context.Context, v *bench.Scenario, up []Running, first float64) ([]Knee, error) {
	searches := make([]search, len(up))
	calm := make([]int64, len(up)) // p99 at the first rate that was kept
	for i := range searches {
		searches[i].first = first
	}
	for busy := true; busy; {
		busy = false
		for i, target := range up {
			rate, more := searches[i].next()
			if !more {
				continue
			}
			busy = true
			kept := false
			for try := 1; try <= 2 && !kept; try++ {
				sample, err := s.take(ctx, turn{v, rate, i}, target, try)
				if err != nil {
					return nil, err
				}
				kept = keeps(sample, v.Groups(), calm[i])
				if kept && calm[i] == 0 {
					calm[i] = sample.Ack.Quantile(0.99)
				}
			}
			searches[i].saw(rate, kept)
		}
	}
	var knees []Knee
	for i, target := range up {
		knees = append(knees, Knee{s.name(i, target.Info()), v.Variant, searches[i].kept})
	}
	return knees, nil
}

// A latency that users would not call the same system's: ten times that of light load, and
// more than anybody would call fast.
const (
	exploded = 10
	notFast  = 50e6 // ns
)

// keeps reports whether a target is before its knee. calm is its p99 under light load, 0 if
// that is not known yet.
func keeps(s *bench.Sample, groups int, calm int64) bool {
	if !s.KeptUp(groups) || s.Failed > 0 {
		return false
	}
	p99 := s.Ack.Quantile(0.99)
	return calm == 0 || p99 < notFast || p99 < exploded*calm
}
