// Package compare says what changed between two results of the same scenario: for every
// target, variant and rate, by how much each measure did, and whether that is beyond doubt.
//
//   - compare.go: which runs belong together, and what differs about the two results.
//   - change.go: one measure of one run, judged as benchstat does: medians, and the
//     Mann-Whitney U test, which assumes nothing about how measurements are distributed.
//   - print.go: a table for people. threshold.go: when a command fails. blind.go: when none
//     could, for want of repetitions.
//
// # Imports
//
// bench, bench/report, golang.org/x/perf/benchmath. Start at compare.go.
//
// # Rejected
//
// The difference of two means with a margin such as 5 %: on a busy machine two runs of the
// same program differ by more. Comparing results of different scenarios, unless somebody
// insists: a number that is lower because less was asked is no improvement. A test that
// pairs repetitions: it would find smaller changes, but only of runs that were interleaved,
// and a result does not say that it was.
package compare
