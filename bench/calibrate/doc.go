// Package calibrate measures the machine that it runs on and makes a profile of it, with
// which bench/simulated predicts it.
//
//   - machine.go: what needs no broker: copies, checksums and codecs, the loopback, the
//     disk.
//   - fit.go: costs of brokers and clients, from the CPU time that both take under a few
//     loads that bench/load drives.
//   - check.go: what is predicted beside what is measured.
//
// # How costs are found
//
// The simulation has the same requests and bytes as the load, and its CPU time is linear
// in its costs: so many requests, wake-ups and system calls, so many bytes, so many records.
// A load of small records has the first, one of large records the second, one of small
// records in large batches the third. The costs of a reference profile are scaled, each of
// the three by a factor, until CPU times are those measured. What latency then lacks is
// time that nobody computes: hand-overs between threads.
//
// CPU time is nearly the same on a busy machine; latencies and bandwidths are not, and are
// taken where they are least. Calibrate while nothing else runs.
//
// # Imports
//
// bench and below it load, simulated, target.
//
// # Rejected
//
// Instrumenting the broker: what a system call or a wake-up costs is not seen from inside.
// A cost for each API measured by itself: they differ less than machines do, and the sum is
// what is predicted.
package calibrate
