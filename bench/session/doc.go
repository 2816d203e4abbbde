// Package session measures scenarios on several targets, and keeps what came of it in one
// result file.
//
// Targets, variants and rates take turns within each repetition, in an order that is turned
// round from one to the next: what changes on the machine meanwhile meets all of them
// alike. The file is written after every sample, and so has what there is when somebody
// loses patience.
//
//   - session.go: Run, a Plan's turns.
//   - sweep.go: Sweep, rates from light to where a target no longer keeps up. search.go
//     decides the next rate.
//   - target.go: what can be measured: systems, the simulation, the reference.
//   - machine.go: the machine, for results.
//
// # Imports
//
// bench and what is below it, golang.org/x/sys.
//
// # Rejected
//
// A fresh start of a target for each sample: it would measure cold caches and, of a system
// that compiles itself as it runs, the compiler. They stay up as long as the next variant
// has the same brokers.
package session
