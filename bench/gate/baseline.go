package gate

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"os"

	"odradek/bench"
	"odradek/bench/report"
	"odradek/bench/simulated"
)

//go:embed scenarios.yaml
var scenarios []byte

// Scenarios are what the gate runs.
func Scenarios() []bench.Scenario {
	list, err := bench.Parse(scenarios)
	if err != nil {
		panic(err) // it is embedded
	}
	return list
}

// Runner measures a scenario at a rate, exactly: the same arguments give the same sample.
type Runner func(s *bench.Scenario, rate float64) (bench.Sample, error)

//go:embed profile.yaml
var machines []byte

// Simulated runs in virtual time, on machines of the gate's own.
func Simulated() (Runner, error) {
	p, err := simulated.ParseProfile(machines)
	if err != nil {
		return nil, err
	}
	return func(s *bench.Scenario, rate float64) (bench.Sample, error) {
		return simulated.Run(s, rate, p, simulated.Options{Seed: 1})
	}, nil
}

// Numbers are what a scenario came to, by name.
type Numbers map[string]int64

// Baseline has the numbers of scenarios, by title and rate.
type Baseline map[string]Numbers

// Measure runs scenarios at all their rates.
func Measure(list []bench.Scenario, run Runner) (Baseline, error) {
	b := make(Baseline)
	for i := range list {
		s := &list[i]
		for _, rate := range s.Rates() {
			name := fmt.Sprintf("%s, %s", s.Title(), report.Rate(rate))
			if b[name] != nil {
				return nil, fmt.Errorf("there are two of %s", name)
			}
			sample, err := run(s, rate)
			if err != nil {
				return nil, err
			}
			b[name] = numbers(&sample)
		}
	}
	return b, nil
}

// numbers are everything about a sample that is a whole number. Times are in ns.
func numbers(s *bench.Sample) Numbers {
	n := Numbers{"acked": s.Acked, "received": s.Received, "failed": s.Failed}
	for name, v := range map[string]int64{"lost": s.Lost, "duplicated": s.Duplicated} {
		if v >= 0 {
			n[name] = v
		}
	}
	for name, h := range map[string]bench.Histogram{"ack": s.Ack, "end_to_end": s.EndToEnd} {
		if h.Count() > 0 {
			n[name+"_p50_ns"], n[name+"_p99_ns"], n[name+"_max_ns"] = h.Quantile(0.5), h.Quantile(0.99), h.Max()
		}
	}
	for name, u := range map[string]bench.Usage{"broker": s.Server, "client": s.Client} {
		if u.CPUSeconds >= 0 {
			n[name+"_cpu_ns"] = int64(math.Round(u.CPUSeconds * 1e9))
		}
	}
	for name, v := range s.Counters {
		n[name] = v
	}
	return n
}

// Read reads a baseline file.
func Read(path string) (Baseline, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var b Baseline
	if err := json.Unmarshal(text, &b); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return b, nil
}

// Write writes one, a number a line and sorted, so that a diff of it reads well.
func (b Baseline) Write(path string) error {
	text, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o666)
}
