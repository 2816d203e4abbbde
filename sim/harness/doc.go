// Package harness runs plans: it builds the simulated cluster, lets a workload and the
// faults loose on it, heals, reads everything back and judges. Package simtest makes
// that a part of go test, package rundir leaves files of a run behind.
//
// A run goes through phases, each bounded in simulated time:
//
//	boot      every node starts; all brokers must be unfenced
//	setup     the workload creates its topics
//	faults    users work while the plan's faults strike
//	heal      everything is repaired; users finish; the cluster must become whole
//	final     a fresh consumer reads every partition
//	verdict   the checkers judge the history, and what they saw on the way
//
// A phase that does not end in time is a liveness violation.
//
// All the while every node has a probe (probe.go), through which the white-box checkers
// of package invariant are told of each change as it happens (invariants.go); the logs'
// content after a restart is read from the simulated disk (logs.go). Transactions are followed
// through __transaction_state and all logs (transactions.go), and what the cleaner rewrites is
// compared with what was there (compaction.go). The groups of the
// coordinators are looked at every few milliseconds (coordinators.go). What the faults
// explain is excused on both sides (excuse.go). The zoo (zoo.go) and the plans in
// testdata show that all this finds bugs.
//
// # Imports
//
// Everything below sim, workloads and checker. Start at run.go.
//
// # Rejected
//
// Stopping at the first violation of an invariant: what follows often tells more, and
// the trace has the moment.
package harness
