package simtest

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"odradek/checker/history"
	"odradek/sim/fault"
	"odradek/sim/harness"
	"odradek/sim/rundir"
	"odradek/workloads"
)

// Config says what to run. The zero value runs the default plans.
type Config struct {
	// Workload makes the workload of one run, which no other run shares; nil takes the
	// plan's. Anything random in it must come from the site's env.
	Workload func(seed uint64) workloads.Workload
	// Profile bounds the plans that seeds are expanded into; nil is
	// harness.DefaultProfile. Set its Gap to 0 for runs without faults.
	Profile *fault.Profile
	// Plan changes each plan before it runs: the cluster's shape and configs, topic
	// configs, faults at given times, failpoints armed from the start.
	Plan func(p *fault.Plan)
	// Guarantees adjusts what the runs are judged by.
	Guarantees func(g *history.Guarantees)
	// Check judges a run further. An error fails the seed. Runs are checked several at
	// a time.
	Check func(r *harness.Result) error
	// Seeds is how many seeds run when no flag says otherwise; 0 is 5.
	Seeds int
}

// Run runs seeds, each as a subtest named after it and several at a time, and fails the
// test for every seed whose run breaks a guarantee. It returns when all have ended.
func Run(t *testing.T, cfg Config) {
	t.Helper()
	o := readFlags(cfg.Seeds)
	command := reproducer(t.Name(), testedPackage())
	var next atomic.Uint64
	var wg sync.WaitGroup
	for range o.jobs {
		wg.Go(func() {
			for {
				i := next.Add(1) - 1
				if o.count > 0 && i >= o.count || !o.until.IsZero() && time.Now().After(o.until) {
					return
				}
				seed := o.first + i
				t.Run(fmt.Sprintf("seed-%d", seed), func(t *testing.T) {
					runSeed(t, &cfg, o, seed, fmt.Sprintf("%s -odradek.seed=%d", command, seed))
				})
			}
		})
	}
	wg.Wait()
}

// plan is what a seed stands for under a config.
func (cfg *Config) plan(seed uint64) *fault.Plan {
	profile := harness.DefaultProfile()
	if cfg.Profile != nil {
		profile = *cfg.Profile
	}
	p := fault.Draw(seed, profile)
	if cfg.Plan != nil {
		cfg.Plan(p)
	}
	return p
}

func (cfg *Config) options(seed uint64) harness.Options {
	o := harness.Options{Guarantees: cfg.Guarantees, Wall: func() int64 { return time.Now().UnixNano() }}
	if cfg.Workload != nil {
		o.Workload = cfg.Workload(seed)
	}
	return o
}

func runSeed(t *testing.T, cfg *Config, o options, seed uint64, command string) {
	res, err := harness.Run(cfg.plan(seed), cfg.options(seed))
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	t.Logf("%s, %d operations, %d events, %v simulated in %v, hash %s", res.Verdict, res.Ops.Total, res.Events,
		time.Duration(res.SimNS).Round(time.Millisecond), time.Duration(res.WallNS).Round(time.Millisecond), res.Hash)
	why := ""
	switch n := len(res.Anomalies); {
	case n == 1:
		why = oneLine(res.Anomalies[0].String())
	case n > 1:
		why = fmt.Sprintf("%s, and %d more", oneLine(res.Anomalies[0].String()), n-1)
	case cfg.Check != nil:
		if err := cfg.Check(res); err != nil {
			why = oneLine(err.Error())
		}
	}
	if why != "" {
		if o.details {
			for _, a := range res.Anomalies {
				t.Log(a.String())
			}
		}
		if o.out != "" {
			dir := filepath.Join(o.out, fmt.Sprintf("seed-%d", seed))
			if _, err := rundir.Run(dir, cfg.plan(seed), cfg.options(seed)); err != nil {
				t.Error(err)
			}
		}
		t.Errorf("seed %d: %s; reproduce: %s", seed, why, command)
	}
	for i := range o.repeat {
		again, err := harness.Run(cfg.plan(seed), cfg.options(seed))
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if again.Hash != res.Hash {
			t.Fatalf("seed %d is not deterministic: hash %s, and %s in repeat %d; reproduce: %s -odradek.repeat=%d",
				seed, res.Hash, again.Hash, i+1, command, o.repeat)
		}
	}
}

// oneLine joins lines, so that the line that tells how to reproduce stays one.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
