package main

import (
	"os"
	"runtime/debug"
)

// collectLess has the garbage collector run less often than by default, unless the
// environment says how often. Requests and simulated messages are soon garbage, and what
// stays alive is small: with Go's default of 100 the collector runs every few requests,
// and took a fifth of the CPU.
func collectLess(percent int) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}

// collectForRuns is collectLess for simulations, which live within tens of megabytes
// each: jobs of them at a time stay below some 250 MB each.
func collectForRuns(jobs int) {
	collectLess(1600)
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(250*jobs) << 20)
	}
}
