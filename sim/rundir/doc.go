// Package rundir runs a plan and leaves behind what people and tools want to look at
// afterwards, as files of a directory:
//
//	plan.json       the plan: `odradek run --plan` runs it again
//	history.jsonl   what the users experienced, an event a line (checker/history)
//	trace.jsonl     everything that happened, an event a line (sim.JSONRecorder)
//	result.json     the verdict (harness.Result)
//
// # Imports
//
// sim/fault, sim/harness, and files of the machine. Start at rundir.go.
//
// # Rejected
//
// Files in sim/harness: the determinism rules keep that away from the machine.
package rundir
