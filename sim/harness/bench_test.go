package harness_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"odradek/sim/fault"
	"odradek/sim/harness"
)

// BenchmarkRun is whole runs of default plans, with all checkers: the speed of run and
// hunt.
func BenchmarkRun(b *testing.B) {
	benchmarkRuns(b, func(n int) *fault.Plan { return harness.DefaultPlan(uint64(1 + n%8)) })
}

// BenchmarkQuiet is hours of three brokers with hardly anything to do: about one produce and
// one fetch a second, and no faults. `odradek run --plan` takes its plan as well.
func BenchmarkQuiet(b *testing.B) {
	text, err := os.ReadFile("plans/quiet-day.json")
	if err != nil {
		b.Fatal(err)
	}
	for _, hours := range []int{1, 24} {
		b.Run(fmt.Sprintf("hours=%d", hours), func(b *testing.B) {
			benchmarkRuns(b, func(int) *fault.Plan {
				p, err := fault.Decode(text)
				if err != nil {
					b.Fatal(err)
				}
				p.Faults = fault.Duration(time.Duration(hours) * time.Hour)
				return p
			})
		})
	}
}

func benchmarkRuns(b *testing.B, plan func(n int) *fault.Plan) {
	b.ReportAllocs()
	var events uint64
	var simulated time.Duration
	for n := 0; b.Loop(); n++ {
		res, err := harness.Run(plan(n), harness.Options{})
		if err != nil || res.Verdict != harness.OK {
			b.Fatalf("%v %+v", err, res)
		}
		events += res.Events
		simulated += time.Duration(res.SimNS)
	}
	seconds := b.Elapsed().Seconds()
	b.ReportMetric(float64(events)/seconds, "events/s")
	b.ReportMetric(simulated.Seconds()/seconds, "simulated-s/s")
}
