package session

import (
	"context"
	"errors"
	"fmt"

	"odradek/bench"
	"odradek/bench/load"
	"odradek/bench/reference"
	"odradek/bench/simulated"
	"odradek/bench/target"
)

// Target is something to measure.
type Target interface {
	// Start brings it up with the brokers and broker configs of a scenario.
	Start(s *bench.Scenario) (Running, error)
}

// Running is a target that is up.
type Running interface {
	Info() bench.Target
	// Measure takes a sample, of a scenario with the brokers that it was started for.
	// Repetitions count from 1.
	Measure(ctx context.Context, s *bench.Scenario, rate float64, repetition int, show func(load.Progress)) (bench.Sample, error)
	Close() error
}

// System is a target under the load of real clients.
type System func(s *bench.Scenario) (target.System, error)

// Start implements Target.
func (start System) Start(s *bench.Scenario) (Running, error) {
	sys, err := start(s)
	if err != nil {
		return nil, err
	}
	return runningSystem{sys}, nil
}

type runningSystem struct{ target.System }

func (r runningSystem) Measure(ctx context.Context, s *bench.Scenario, rate float64, _ int, show func(load.Progress)) (bench.Sample, error) {
	sample, err := load.Run(ctx, r.System, s, rate, load.Options{Progress: show})
	if err != nil && ctx.Err() == nil {
		if logs := target.Logs(r.System); logs != "" {
			err = fmt.Errorf("%w\n%s", err, logs)
		}
	}
	return sample, err
}

// Simulation predicts a scenario on the machines of a profile.
type Simulation simulated.Profile

// Start implements Target.
func (p Simulation) Start(*bench.Scenario) (Running, error) { return p, nil }

// Info implements Running.
func (p Simulation) Info() bench.Target {
	return bench.Target{Name: "odradek, simulated on " + p.Name, Mode: "sim", Profile: p.Name}
}

// Measure implements Running.
func (p Simulation) Measure(_ context.Context, s *bench.Scenario, rate float64, repetition int, _ func(load.Progress)) (bench.Sample, error) {
	return simulated.Run(s, rate, simulated.Profile(p), simulated.Options{Seed: uint64(repetition)})
}

// Close implements Running.
func (p Simulation) Close() error { return nil }

// Reference is the least that any log broker must do.
type Reference struct {
	Frame int // bytes
	// Program is the command line of a program that runs [reference.Main].
	Program []string
	// Dir is on the disk to be used, "" is the system's for temporary files.
	Dir string
}

// Start implements Target.
func (r Reference) Start(s *bench.Scenario) (Running, error) {
	return runningReference{r, r.config(s, 0).Info()}, nil
}

func (r Reference) config(s *bench.Scenario, rate float64) reference.Config {
	c := reference.FromScenario(s, rate, r.Frame)
	c.Program, c.Dir = r.Program, r.Dir
	return c
}

type runningReference struct {
	Reference
	info bench.Target
}

func (r runningReference) Info() bench.Target { return r.info }

func (r runningReference) Measure(ctx context.Context, s *bench.Scenario, rate float64, _ int, _ func(load.Progress)) (bench.Sample, error) {
	return reference.Measure(ctx, r.config(s, rate))
}

func (r runningReference) Close() error { return nil }

// Fake is kfake in a process of its own, which program runs as [reference.Main]: a broker
// in memory, and with it the ceiling of the client.
func Fake(program []string) System {
	return func(s *bench.Scenario) (target.System, error) {
		p, err := reference.Start(program, "kfake", "--keep")
		if err != nil {
			return nil, err
		}
		sys, err := target.External([]string{p.Addr}, []int{p.PID()})
		if err != nil {
			return nil, errors.Join(err, errors.New(p.Close()))
		}
		return fake{sys, p}, nil
	}
}

type fake struct {
	target.System
	process *reference.Process
}

func (f fake) Info() bench.Target { return bench.Target{Name: "kfake, 1 process", Mode: "memory"} }

func (f fake) Close() error {
	_ = f.process.Close() // its log
	return f.System.Close()
}
