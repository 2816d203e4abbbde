// Package report writes a [bench.Result] for others: people and other programs.
//
//   - markdown.go: what ran and what came of it, in tables that a person reads.
//     bottleneck.go says who was the limit: the system, the client, or the machine.
//     ratio.go compares variants.
//   - csv.go: a line for every sample, for spreadsheets.
//   - gobench.go: the Go benchmark format, for benchstat.
//   - number.go: numbers with units for people; table.go: tables.
//
// # Imports
//
// bench, and golang.org/x/perf/benchfmt. Start at markdown.go.
//
// # Rejected
//
// One number for a run: throughput without the latency at which it was had says nothing.
// Means over repetitions: one that the machine disturbed would move them, so medians are
// shown, with the lowest and the highest beside them. A report of HTML: Markdown is read
// as it is, and rendered where it is stored; plots are the business of reports.
package report
