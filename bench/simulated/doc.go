// Package simulated runs a scenario in virtual time: the brokers of this module and
// scripted clients, on machines and networks that a profile describes. It predicts what
// bench/load measures, and counts by the same rules; what no real run can tell, such as
// requests by API and bytes copied, it counts exactly.
//
//   - run.go: Run, its machines and users. phases.go: what happens when; the counters.
//   - producing.go, consuming.go: users. tally.go: what became of every record. faults.go.
//   - profile.go: a machine as a file; profiles/ are those that are shipped, with the
//     sources of their numbers. this-machine is written by bench/calibrate.
//   - process.go, conn.go, files.go: what stands between a process and its simulated
//     machine, and prices what goes through. cores.go: who computes when. frames.go: which
//     requests are in a stream of bytes.
//
// # The cost model
//
// A process is a loop and threads around it, as broker/realenv has them: one reads and one
// writes each connection, others work on files. Whatever computes takes a core of its
// machine, first come, first served, to the end of the piece (a callback, a system call);
// there are no slices of time and no priorities. With Profile.OneMachine brokers and clients
// share the cores, and so slow each other down. Bytes pay on every path that they take:
// sockets in, sockets out, sendfile, files, copies, checksums, codecs. Every producer and
// consumer is a process whose loop is one thread, where franz-go has several.
//
// Not in the model: collections of garbage other than as part of the other costs, writing
// back of dirty pages and memory pressure, caches that get cold, packets lost, and other
// programs on the machine. Predictions are of a machine that has nothing else to do.
//
// # Imports
//
// bench, broker/env and wire, sim, netsim, workloads/client. Everything is a pure function
// of scenario, rate, profile and seed.
//
// # Rejected
//
// Prices inside the broker: it would have to know machines. Prices by env.CPU alone: it
// sees neither system calls nor wake-ups, which are most of the time. Time-sharing in
// slices: callbacks are microseconds, slices are milliseconds.
package simulated
