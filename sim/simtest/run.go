package simtest

import (
	"testing"

	"odradek/checker/history"
	"odradek/sim/fault"
	"odradek/sim/harness"
	"odradek/workloads"
)

// Config says what to run. The zero value runs the default plans.
type Config struct {
	// Workload makes the workload of one run, which no other run shares; nil takes the
	// plan's. Anything random in it must come from the site's env.
	Workload func(seed uint64) workloads.Workload
	// Profile bounds the plans that seeds are expanded into; nil is
	// harness.DefaultProfile. Set its Gap to 0 for runs without faults.
	Profile *fault.Profile
	// Plan changes each plan before it runs: the cluster's shape and configs, topic
	// configs, faults at given times, failpoints armed from the start.
	Plan func(p *fault.Plan)
	// Guarantees adjusts what the runs are judged by.
	Guarantees func(g *history.Guarantees)
	// Check judges a run further. An error fails the seed.
	Check func(r *harness.Result) error
	// Seeds is how many seeds run when no flag says otherwise; 0 is 5.
	Seeds int
}

// Run runs seeds, each as a subtest named after it and several at a time, and fails the
// test for every seed whose run breaks a guarantee.
func Run(t *testing.T, cfg Config) {
	t.Helper()
}
