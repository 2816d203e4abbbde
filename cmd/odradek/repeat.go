package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/spf13/cobra"

	"odradek/sim/fault"
	"odradek/sim/harness"
)

type repeatFlags struct {
	planFlags
	count, jobs int
	other       string
}

func repeatCommand() *cobra.Command {
	var f repeatFlags
	c := &cobra.Command{
		Use:   "repeat",
		Short: "Run one plan many times and compare the hashes",
		Long: `Run one plan again and again: every other time in this process, several at a time, and
every other time in a process of its own with another garbage collection setting
(GOGC) and another number of threads (GOMAXPROCS). All runs must have the same hash.

With --other the processes run another binary, such as one built with the race
detector.`,
		Example: `  odradek repeat --seed 7 --count 200
  go build -race -o /tmp/odradek-race ./cmd/odradek && odradek repeat --other /tmp/odradek-race`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return repeat(f, c.OutOrStdout()) },
	}
	f.planFlags.add(c)
	fl := c.Flags()
	fl.IntVar(&f.count, "count", 10, "how many runs")
	fl.IntVar(&f.jobs, "jobs", runtime.GOMAXPROCS(0), "runs at a time")
	fl.StringVar(&f.other, "other", "", "binary for the runs in other processes (default: this one)")
	return c
}

func repeat(f repeatFlags, stdout io.Writer) error {
	if f.count < 2 || f.jobs < 1 {
		return errors.New("want --count of at least 2 and --jobs of at least 1")
	}
	collectForRuns(f.jobs)
	p, err := f.load()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "odradek-repeat")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	// The file, so that the other binary need not draw the same plan from the seed.
	plan := filepath.Join(dir, "plan.json")
	if err := os.WriteFile(plan, p.Encode(), 0o666); err != nil {
		return err
	}
	if f.other == "" {
		if f.other, err = os.Executable(); err != nil {
			return err
		}
	}
	results := make([]repetition, f.count)
	var wg sync.WaitGroup
	free := make(chan struct{}, f.jobs)
	for i := range results {
		free <- struct{}{}
		wg.Go(func() {
			defer func() { <-free }()
			if i%2 == 0 {
				results[i] = here(p)
			} else {
				results[i] = elsewhere(f.other, plan, i/2)
			}
		})
	}
	wg.Wait()
	same := 0
	for i := range results {
		if err := results[i].err; err != nil {
			return err
		}
		if results[i].hash == results[0].hash {
			same++
		}
	}
	fmt.Fprintf(stdout, "seed %d: %d of %d runs have hash %s, half of them in other processes\n", p.Seed, same, f.count, results[0].hash)
	if same == f.count {
		return nil
	}
	for i, r := range results {
		if r.hash != results[0].hash {
			fmt.Fprintf(stdout, "run %d (%s) has hash %s\n", i+1, r.how, r.hash)
		}
	}
	fmt.Fprintf(stdout, "this must not happen; compare the traces of two runs: %s run %s --out a\n", program(), f.arguments())
	return errFinding
}

// repetition is one run of many.
type repetition struct {
	hash, how string
	err       error
}

func here(p *fault.Plan) repetition {
	// A plan of its own: runs in parallel must share nothing.
	own, err := fault.Decode(p.Encode())
	if err != nil {
		return repetition{err: err}
	}
	res, err := harness.Run(own, harness.Options{})
	if err != nil {
		return repetition{err: err}
	}
	return repetition{hash: res.Hash, how: "in this process"}
}

// elsewhere runs the plan in another process; n varies its settings.
func elsewhere(binary, plan string, n int) repetition {
	settings := []string{
		"GOGC=" + []string{"5", "100", "off", "400"}[n%4],
		"GOMAXPROCS=" + []string{"1", "2", "8"}[n%3],
		"GOMEMLIMIT=1GiB", // for GOGC=off
	}
	cmd := exec.Command(binary, "run", "--json", "--out=", "--plan", plan)
	cmd.Env = append(os.Environ(), settings...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var res harness.Result
	if jsonErr := json.Unmarshal(out, &res); jsonErr != nil || res.Hash == "" {
		return repetition{err: fmt.Errorf("%s run: %v: %s", binary, errors.Join(err, jsonErr), stderr.String())}
	}
	// The exit code 1 of a violation is as good as any: the hash counts.
	return repetition{hash: res.Hash, how: fmt.Sprint("in another process, ", settings)}
}
