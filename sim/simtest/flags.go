package simtest

import (
	"flag"
	"runtime"
	"time"
)

var (
	flagSeed   = flag.Int64("odradek.seed", -1, "run this seed only")
	flagFirst  = flag.Uint64("odradek.first", 1, "first seed")
	flagCount  = flag.Int("odradek.count", 0, "how many seeds; 0 is what the test says")
	flagFor    = flag.Duration("odradek.for", 0, "run seeds until so much time has passed")
	flagJobs   = flag.Int("odradek.jobs", runtime.GOMAXPROCS(0), "runs at a time")
	flagRepeat = flag.Int("odradek.repeat", 0, "run every seed so many times more, and compare the hashes")
	flagOut    = flag.String("odradek.out", "", "failing runs leave plan, history and trace in this directory's seed-N")
)

// options is what the flags and the test's Config say together.
type options struct {
	first   uint64
	count   uint64    // 0 means no bound
	until   time.Time // zero means no bound
	jobs    int
	repeat  int
	out     string
	details bool // tell all of a failing run, not one line
}

func readFlags(seeds int) options {
	o := options{first: *flagFirst, count: uint64(max(seeds, 0)), jobs: max(*flagJobs, 1), repeat: *flagRepeat, out: *flagOut}
	if seeds == 0 {
		o.count = 5
	}
	if *flagFor > 0 {
		o.count, o.until = 0, time.Now().Add(*flagFor)
	}
	if *flagCount > 0 {
		o.count = uint64(*flagCount)
	}
	if *flagSeed >= 0 {
		o.first, o.count, o.until, o.details = uint64(*flagSeed), 1, time.Time{}, true
	}
	return o
}
