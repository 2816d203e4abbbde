// Package gate finds what a change has made slower.
//
// In the simulation everything is exact: how many requests, round trips, system calls,
// flushes, copied bytes and bytes on the wire a small scenario takes, and how long in
// virtual time. baseline.json has those numbers, and is reviewed as code is: one more of
// anything is a difference that somebody explains, and writes down with --update.
//
//   - scenarios.yaml: what is run, a variant for every path through the broker;
//     profile.yaml: on what machines.
//   - baseline.go: the numbers of all scenarios, and their file.
//   - difference.go: what is not as it was, for people.
//   - against.go: the same question for real disks, where nothing is exact: two builds by
//     turns, and the second judged by the first.
//
// # Imports
//
// bench, bench/compare, bench/report, bench/simulated. Start at baseline.go.
//
// # Rejected
//
// A tolerance for exact numbers: it would let everything through, a little at a time.
// Letting what became better pass: the next change could lose it again unseen. Letting
// go test run it: a baseline that another has to write anew is no failure of the code, so
// it is a command, and a job of its own.
package gate
