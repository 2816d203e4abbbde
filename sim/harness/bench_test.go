package harness_test

import (
	"testing"
	"time"

	"odradek/sim/harness"
)

// BenchmarkRun is whole runs of default plans, with all checkers: the speed of run and
// hunt.
func BenchmarkRun(b *testing.B) {
	b.ReportAllocs()
	var events uint64
	var simulated time.Duration
	for n := 0; b.Loop(); n++ {
		res, err := harness.Run(harness.DefaultPlan(uint64(1+n%8)), harness.Options{})
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
