// Package fault holds plans: everything about a simulated run that a seed decides
// and a person may want to read, edit, shrink or keep.
//
// A seed expands into a [Plan] ([Draw]); the run is a pure function of the plan. A
// plan says what the cluster looks like, which configs it has, what the workload
// does and which faults strike when. It is a JSON file with one line per fault; times
// are written as durations ("2.31s"), unknown fields are refused.
//
// Faults come in the phase [0, Plan.Faults) after the cluster is up. Then everything
// is healed, the workload finishes, and the verdict is reached.
//
// # Imports
//
// The standard library, sim, sim/cluster and broker/failpoint. Start at plan.go; draw.go
// turns seeds into plans, strike.go carries faults out.
package fault
