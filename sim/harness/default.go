package harness

import (
	"math/rand/v2"

	"odradek/sim/fault"
	"odradek/workloads"
)

// DefaultProfile bounds the plans of [DefaultPlan]: 30 s of all kinds of faults, with a
// workload of at least 2,000 operations.
func DefaultProfile() fault.Profile {
	p := fault.Default()
	p.DrawWorkload = func(r *rand.Rand, w *fault.Workload) { w.Params = workloads.Draw(w.Name, r) }
	return p
}

// DefaultPlan is the plan that a seed stands for where nothing else is said: in
// `odradek run --seed N` and `hunt`, and in tests. A seed may mean another plan in
// another version of this program; a plan's file means the same in all.
func DefaultPlan(seed uint64) *fault.Plan { return fault.Draw(seed, DefaultProfile()) }
