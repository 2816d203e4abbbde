// Package simtest is the simulation as a part of ordinary Go tests, those of other
// modules too:
//
//	func TestLedgerSurvivesFaults(t *testing.T) {
//		simtest.Run(t, simtest.Config{
//			Workload: func(uint64) workloads.Workload { return newLedger() },
//			Plan:     func(p *fault.Plan) { p.Cluster.Config["min.insync.replicas"] = "2" },
//		})
//	}
//
// Every seed is one simulated cluster under faults, judged by all checkers. A seed that
// fails prints one line with the command that runs it again. examples/usertest is a
// module of its own that shows this with its own workload.
//
// # Flags
//
//	-odradek.seed N     this seed only
//	-odradek.first N    the first seed (1)
//	-odradek.count N    that many seeds
//	-odradek.for D      seeds until so much time has passed
//	-odradek.jobs N     runs at a time (GOMAXPROCS)
//	-odradek.repeat N   run every seed N times more: the hashes must be equal
//	-odradek.out DIR    failing runs leave plan, history and trace in DIR/seed-N
//
// # Imports
//
// testing, sim/harness and what that takes. Start at run.go.
//
// # Rejected
//
// Doing this in sim/harness: package testing and its flags would be in the binary, and
// threads and the clock of the machine in a package that the determinism rules bind.
// Runs as t.Parallel subtests: they would begin only after all have been listed, which
// a time budget cannot do.
package simtest
