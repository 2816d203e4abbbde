// Package bench says what is measured and what came of it: scenarios, which are files that
// people write, and results, which are files that plots, comparisons and the gate read.
//
//   - scenario.go: a scenario and its variants, as decode.go reads them. scenarios/
//     has those that are shipped.
//   - result.go: samples of all targets, rates and repetitions. histogram.go: latencies.
//   - measure.go: the numbers of a sample by which results are reported and compared.
//
// What runs a scenario lies below: load (an open loop of records due at fixed times),
// target (what is measured: processes, one process, any broker at an address), simulated
// (the same in virtual time, on machines that calibrate has measured or somebody has
// described), reference (the least any log broker must do). session has all of them take
// turns. report, compare and gate read results; package reports draws them.
//
// # Imports
//
// Only libraries, so that whoever reads a result needs nothing of what made it.
//
// # Rejected
//
// Latency from the time at which the client got round to sending: a system that stalls
// would be asked less while it does (coordinated omission). Averages of percentiles over
// repetitions: histograms are kept whole and merged.
package bench
