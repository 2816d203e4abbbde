// Command kill9 kills a broker with kill -9, again and again, while a client produces with
// acks=all, and then looks for every record that was acknowledged. It exits with 1 if one
// is missing.
//
//	go run ./internal/kill9 --kills 50 [--flush]
//
// It imports internal/realtest, whose Torture does the work.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"time"

	"odradek/internal/realtest"
)

func main() {
	kills := flag.Int("kills", 50, "how often to kill")
	flush := flag.Bool("flush", false, "sync every batch before it is acknowledged (flush.messages=1)")
	rate := flag.Int("rate", 5000, "records a second")
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "decides when to kill")
	keep := flag.Bool("keep", false, "keep the data directory")
	flag.Parse()
	lost, err := run(*kills, *rate, *seed, *flush, *keep)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "kill9:", err)
		os.Exit(2)
	case lost:
		os.Exit(1)
	}
}

func run(kills, rate int, seed uint64, flush, keep bool) (lost bool, err error) {
	dir, err := os.MkdirTemp("", "odradek-kill9-")
	if err != nil {
		return false, err
	}
	if keep {
		fmt.Println("data in", dir)
	} else {
		defer os.RemoveAll(dir)
	}
	binary, err := realtest.Build(dir)
	if err != nil {
		return false, err
	}
	fmt.Printf("%d kills, %d records/s, flush.messages=1: %t, seed %d\n", kills, rate, flush, seed)
	r, err := realtest.Torture(realtest.TortureOptions{
		Binary: binary, DataDir: dir + "/data", Kills: kills, Flush: flush, Rate: rate, Seed: seed,
		MinLife: 20 * time.Millisecond, MaxLife: time.Second,
		Progress: func(kill int) { fmt.Printf("\r%d", kill) },
	})
	fmt.Print("\r")
	if err != nil {
		return false, err
	}
	fmt.Printf("kills                  %d\n", r.Kills)
	fmt.Printf("acknowledged records   %d\n", r.Acknowledged)
	fmt.Printf("lost                   %d\n", len(r.Lost))
	fmt.Printf("misplaced              %d\n", len(r.Misplaced))
	fmt.Printf("duplicates             %d\n", r.Duplicates)
	fmt.Printf("outcome unknown        %d\n", r.Refused)
	if r.Why != nil {
		fmt.Printf("  the first             %v\n", r.Why)
	}
	fmt.Printf("launch to ready        median %v, longest %v\n", round(realtest.Median(r.Ready)), round(longest(r.Ready)))
	fmt.Printf("launch to next ack     median %v, longest %v\n", round(realtest.Median(r.Acked)), round(longest(r.Acked)))
	if err := r.Err(); err != nil {
		fmt.Println(err)
		return true, nil
	}
	return false, nil
}

func longest(ds []time.Duration) time.Duration {
	if len(ds) == 0 {
		return 0
	}
	return slices.Max(ds)
}

func round(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }
