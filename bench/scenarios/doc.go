// Package scenarios has the scenarios that are shipped, one file each, embedded in the
// program. Start at scenarios.go; the format of the files is bench.Scenario's.
//
// Their durations are short, so that all of them run in minutes on a small machine; who
// wants quieter numbers gives --duration and --repetitions. Rates are such that a laptop
// keeps up: latency is worth something only where the system does. Those that ask how much
// goes at most have the rate 0.
//
// # Imports
//
// The standard library.
//
// # Rejected
//
// Scenarios written in Go: users could neither copy nor change one.
package scenarios
