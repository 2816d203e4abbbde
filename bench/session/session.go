package session

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"odradek/bench"
	"odradek/bench/load"
)

// Plan is what is measured on what.
type Plan struct {
	// Text is the scenario file, Variants what it says, changed as the user wants.
	Text     []byte
	Variants []bench.Scenario
	Targets  []Target
	// Rates are run at instead of the scenario's own, if there are any.
	Rates []float64
	// Command is what the user has typed, for the result.
	Command string
	// Path is the result's file, "" for none.
	Path string
	// Progress, if not nil, is told some times a second how far all is.
	Progress func(Progress)
}

// Progress is how far a session is.
type Progress struct {
	Target, Variant string
	Rate            float64
	Repetition      int
	// Done samples of Of; 0 if nobody knows how many there will be.
	Done, Of int
	Load     load.Progress
}

// session is a plan under way.
type session struct {
	plan   *Plan
	result *bench.Result
	of     int
	names  map[nameOf]string
	// madeDir is whether the directory of the result was not there before.
	madeDir bool
}

// nameOf is a target by its place in the plan and how it calls itself, which differs by the
// number of brokers.
type nameOf struct {
	target int
	name   string
}

func newSession(p *Plan) (*session, error) {
	if len(p.Targets) == 0 || len(p.Variants) == 0 {
		return nil, errors.New("there is nothing to measure")
	}
	s := &session{plan: p, names: make(map[nameOf]string), result: &bench.Result{
		Version: bench.ResultVersion, Scenario: p.Variants[0].Name, File: string(p.Text), Command: p.Command,
		Machine: Machine(), Started: bench.Now(), Targets: []bench.Target{}, Samples: []bench.Sample{},
	}}
	if err := p.check(); err != nil {
		return nil, err
	}
	return s, s.claim()
}

// check reports configs that no client can have, before anything is started.
func (p *Plan) check() error {
	real := slices.ContainsFunc(p.Targets, func(t Target) bool { _, ok := t.(System); return ok })
	if !real {
		return nil
	}
	for i := range p.Variants {
		v := &p.Variants[i]
		_, err := load.ProducerOptions(v)
		_, _, consumer := load.ConsumerOptions(v)
		if err := errors.Join(err, consumer); err != nil {
			return fmt.Errorf("%s: %w", v.Title(), err)
		}
	}
	return nil
}

// Run measures every variant at every rate on every target, as often as the scenario says.
// Whatever it fails of, the result has the samples taken before.
func Run(ctx context.Context, p Plan) (_ *bench.Result, err error) {
	s, err := newSession(&p)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.end()) }()
	for i := range p.Variants {
		v := &p.Variants[i]
		s.of += v.Repetitions * len(p.rates(v)) * len(p.Targets)
	}
	for _, alike := range byBrokers(p.Variants) {
		err := s.with(&alike[0], func(up []Running) error { return s.repeat(ctx, alike, up) })
		if err != nil {
			return s.result, err
		}
	}
	return s.result, nil
}

func (p *Plan) rates(s *bench.Scenario) []float64 {
	if len(p.Rates) > 0 {
		return p.Rates
	}
	return s.Rates()
}

// byBrokers puts variants together that the same brokers can run, in order.
func byBrokers(list []bench.Scenario) [][]bench.Scenario {
	var groups [][]bench.Scenario
	for _, s := range list {
		i := slices.IndexFunc(groups, func(g []bench.Scenario) bool {
			return g[0].Brokers == s.Brokers && maps.Equal(g[0].BrokerConfig, s.BrokerConfig)
		})
		if i < 0 {
			groups = append(groups, []bench.Scenario{s})
		} else {
			groups[i] = append(groups[i], s)
		}
	}
	return groups
}

// with has all targets up while use is called.
func (s *session) with(v *bench.Scenario, use func([]Running) error) (err error) {
	var up []Running
	defer func() {
		for _, t := range up {
			err = errors.Join(err, t.Close())
		}
	}()
	for i, t := range s.plan.Targets {
		s.show(Progress{Load: load.Progress{Phase: fmt.Sprintf("starting target %d of %d", i+1, len(s.plan.Targets))}})
		running, err := t.Start(v)
		if err != nil {
			return fmt.Errorf("starting a target: %w", err)
		}
		up = append(up, running)
		s.name(i, running.Info())
	}
	return use(up)
}

// turn is a sample to take.
type turn struct {
	scenario *bench.Scenario
	rate     float64
	target   int
}

// repeat measures variants that have the same brokers.
func (s *session) repeat(ctx context.Context, variants []bench.Scenario, up []Running) error {
	most := 0
	for i := range variants {
		most = max(most, variants[i].Repetitions)
	}
	for repetition := 1; repetition <= most; repetition++ {
		var turns []turn
		for i := range variants {
			v := &variants[i]
			if repetition > v.Repetitions {
				continue
			}
			for _, rate := range s.plan.rates(v) {
				for t := range up {
					turns = append(turns, turn{v, rate, t})
				}
			}
		}
		// Who comes after whom would otherwise always be the same.
		if repetition%2 == 0 {
			slices.Reverse(turns)
		}
		for _, t := range turns {
			if _, err := s.take(ctx, t, up[t.target], repetition); err != nil {
				return err
			}
		}
	}
	return nil
}

// take takes a sample and saves all there are.
func (s *session) take(ctx context.Context, t turn, from Running, repetition int) (*bench.Sample, error) {
	name := s.name(t.target, from.Info())
	at := Progress{Target: name, Variant: t.scenario.Variant, Rate: t.rate, Repetition: repetition}
	s.show(at)
	sample, err := from.Measure(ctx, t.scenario, t.rate, repetition, func(p load.Progress) {
		at.Load = p
		s.show(at)
	})
	if err == nil {
		err = context.Cause(ctx) // which those that cannot be interrupted have not noticed
	}
	if err != nil {
		return nil, fmt.Errorf("%s, %s: %w", t.scenario.Title(), name, err)
	}
	sample.Target, sample.Variant, sample.Rate, sample.Repetition = name, t.scenario.Variant, t.rate, repetition
	s.result.Samples = append(s.result.Samples, sample)
	return &s.result.Samples[len(s.result.Samples)-1], s.save()
}

func (s *session) show(p Progress) {
	if s.plan.Progress != nil {
		p.Done, p.Of = len(s.result.Samples), s.of
		s.plan.Progress(p)
	}
}

// name is a target's in the result, where no two have the same.
func (s *session) name(index int, info bench.Target) string {
	key := nameOf{index, info.Name}
	if name, ok := s.names[key]; ok {
		return name
	}
	name := info.Name
	taken := func(t bench.Target) bool { return t.Name == info.Name }
	for n := 2; slices.ContainsFunc(s.result.Targets, taken); n++ {
		info.Name = fmt.Sprintf("%s (%d)", name, n)
	}
	s.names[key] = info.Name
	s.result.Targets = append(s.result.Targets, info)
	return info.Name
}

// claim makes the result's file, which must not be there: it would be somebody else's
// measurement, finished or under way.
func (s *session) claim() error {
	path := s.plan.Path
	if path == "" {
		return nil
	}
	_, err := os.Stat(filepath.Dir(path))
	s.madeDir = err != nil
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s is there already, and is not overwritten", path)
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), s.save())
}

// end leaves no file of nothing behind.
func (s *session) end() error {
	path := s.plan.Path
	if path == "" || len(s.result.Samples) > 0 {
		return nil
	}
	err := os.Remove(path)
	if s.madeDir {
		err = errors.Join(err, os.Remove(filepath.Dir(path)))
	}
	return err
}

// save writes the result so that readers find the old one or the new one, and no half.
func (s *session) save() error {
	path := s.plan.Path
	if path == "" {
		return nil
	}
	if err := s.result.Write(path + ".part"); err != nil {
		return err
	}
	return os.Rename(path+".part", path)
}
