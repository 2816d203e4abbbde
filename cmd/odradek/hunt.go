package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"odradek/sim/fault"
	"odradek/sim/harness"
	"odradek/sim/rundir"
	"odradek/workloads"
)

type huntFlags struct {
	seeds      string
	count      uint64
	budget     time.Duration
	jobs       int
	out        string
	arm        []string
	workloads  []string
	cpuProfile string
	json, all  bool
}

func huntCommand() *cobra.Command {
	var f huntFlags
	c := &cobra.Command{
		Use:   "hunt",
		Short: "Run many seeds and report what is found",
		Long: `Run the plans of many seeds, several at a time, and print one line for every new kind
of finding, with the command that reproduces it. Findings are of one kind if they have
the same name and concern the same sort of thing. The plan of the first seed of each
kind is left in the --out directory.

Without --count, --seeds or --for, 100 seeds run. Interrupt to stop early: what was
found so far is reported.

Exit codes: 0 nothing found, 1 findings, 2 wrong usage or a problem of the environment.`,
		Example: `  odradek hunt --count 1000
  odradek hunt --seeds 5000..5999 --jobs 2
  odradek hunt --for 10m --json
  odradek hunt --workload all --count 6000
  odradek hunt --count 200 --arm zoo/14-last-replica-standing`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return hunt(f, c.OutOrStdout(), c.ErrOrStderr()) },
	}
	fl := c.Flags()
	fl.StringVar(&f.seeds, "seeds", "", "seeds A..B, both included, or a first seed A")
	fl.Uint64Var(&f.count, "count", 0, "how many seeds")
	fl.DurationVar(&f.budget, "for", 0, "begin no seed after this time")
	fl.IntVar(&f.jobs, "jobs", runtime.GOMAXPROCS(0), "runs at a time")
	fl.StringVar(&f.out, "out", "out", "directory for the plans of findings, in seed-N; empty for none")
	fl.BoolVar(&f.json, "json", false, "print one JSON object at the end instead of text")
	fl.BoolVar(&f.all, "all", false, "a line for every seed with a finding, not only for new kinds")
	fl.StringSliceVar(&f.workloads, "workload", []string{harness.DefaultWorkload}, "what the users do, taking turns from seed to seed: "+strings.Join(workloads.Names(), ", ")+"; or all")
	fl.StringVar(&f.cpuProfile, "cpuprofile", "", "write a CPU profile of all runs to this file (go tool pprof)")
	_ = fl.MarkHidden("cpuprofile") // for who works on the simulation
	addArm(c, &f.arm)
	return c
}

// seedRange is which seeds to run: first and the count after it, 0 for no bound.
func (f *huntFlags) seedRange() (first, count uint64, err error) {
	bad := fmt.Errorf("--seeds %s: want A..B with A <= B, or A", f.seeds)
	first, count = 1, f.count
	if f.seeds != "" {
		from, to, both := strings.Cut(f.seeds, "..")
		if first, err = strconv.ParseUint(from, 10, 63); err != nil {
			return 0, 0, bad
		}
		if both {
			last, err := strconv.ParseUint(to, 10, 63)
			if err != nil || last < first {
				return 0, 0, bad
			}
			if count != 0 {
				return 0, 0, errors.New("--seeds A..B says how many; leave out --count")
			}
			count = last - first + 1
		}
	}
	if count == 0 && f.budget <= 0 {
		count = 100
	}
	return first, count, nil
}

// Finding is one kind of anomaly, as first seen.
type Finding struct {
	Name string `json:"name"`
	// Kind is what sort of thing it concerns: "cluster", a node, a topic's partition;
	// numbers are left out.
	Kind     string `json:"kind"`
	Where    string `json:"where"`
	Sentence string `json:"sentence"`
	// Seed is the first one that showed it to us, Seeds are all of them.
	Seed      uint64   `json:"seed"`
	Seeds     []uint64 `json:"seeds"`
	Reproduce string   `json:"reproduce"`
	// Plan is the file of the plan, if it was kept.
	Plan string `json:"plan,omitempty"`
}

// HuntResult is what a hunt came to, and the output of `hunt --json`.
type HuntResult struct {
	SeedsRun int        `json:"seeds_run"`
	First    uint64     `json:"first_seed"`
	Findings []*Finding `json:"findings"`
	// Bad is how many seeds had a finding.
	Bad         int  `json:"seeds_with_findings"`
	Interrupted bool `json:"interrupted"`

	Events uint64 `json:"events"`
	SimNS  int64  `json:"sim_ns"`
	WallNS int64  `json:"wall_ns"`
	// BusyNS is the wall time of all runs together.
	BusyNS int64 `json:"busy_ns"`
	Jobs   int   `json:"jobs"`

	Ops     int                `json:"ops"`
	Faults  map[fault.Kind]int `json:"faults"`
	Reached map[string]uint64  `json:"reached"`
	Checked map[string]int     `json:"checked"`
	Allowed map[string]int     `json:"allowed"`
}

func hunt(f huntFlags, stdout, stderr io.Writer) error {
	first, count, err := f.seedRange()
	if err != nil {
		return err
	}
	collectForRuns(f.jobs)
	if slices.Equal(f.workloads, []string{"all"}) {
		f.workloads = workloads.Names()
	}
	for _, w := range f.workloads {
		if _, err := harness.ProfileOf(w); err != nil {
			return fmt.Errorf("--workload: %w", err)
		}
	}
	if len(f.workloads) == 0 {
		return errors.New("--workload: want at least one")
	}
	armed, err := parseArm(f.arm)
	if err != nil {
		return err
	}
	if f.jobs < 1 {
		return fmt.Errorf("--jobs %d: want at least 1", f.jobs)
	}
	profiled, err := profileCPU(f.cpuProfile)
	if err != nil {
		return err
	}
	defer profiled()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second interrupt ends the program
	if f.budget > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, f.budget, errBudget)
		defer cancel()
	}
	h := &hunter{
		flags: f, armed: armed, first: first, count: count, began: time.Now(), stdout: stdout, stderr: stderr,
		terminal: isTerminal(stderr),
		result: HuntResult{
			First: first, Jobs: f.jobs, Findings: []*Finding{}, Faults: make(map[fault.Kind]int),
			Reached: make(map[string]uint64), Checked: make(map[string]int), Allowed: make(map[string]int),
		},
	}
	var wg sync.WaitGroup
	for range f.jobs {
		wg.Go(func() { h.work(ctx) })
	}
	wg.Wait()
	h.clear()
	if h.failed != nil {
		return h.failed
	}
	h.result.Interrupted = ctx.Err() != nil && !errors.Is(context.Cause(ctx), errBudget)
	h.result.WallNS = int64(time.Since(h.began))
	if f.json {
		if err := writeJSON(stdout, &h.result); err != nil {
			return err
		}
	} else {
		h.summary()
	}
	if len(h.result.Findings) > 0 {
		return errFinding
	}
	return nil
}

var errBudget = errors.New("the time is up")

// hunter is one hunt under way.
type hunter struct {
	flags          huntFlags
	armed          []fault.Failpoint
	first, count   uint64
	began          time.Time
	stdout, stderr io.Writer
	terminal       bool

	mu     sync.Mutex // guards what follows
	taken  uint64
	result HuntResult
	failed error
	shown  time.Time
}

// next hands out a seed.
func (h *hunter) next(ctx context.Context) (uint64, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ctx.Err() != nil || h.failed != nil || h.count > 0 && h.taken == h.count {
		return 0, false
	}
	h.taken++
	return h.first + h.taken - 1, true
}

// workload is whose turn it is with a seed.
func (h *hunter) workload(seed uint64) string {
	return h.flags.workloads[seed%uint64(len(h.flags.workloads))]
}

func (h *hunter) work(ctx context.Context) {
	for {
		seed, ok := h.next(ctx)
		if !ok {
			return
		}
		p, err := harness.PlanOf(h.workload(seed), seed)
		if err != nil {
			panic(err) // checked at the start
		}
		p.Armed = append(p.Armed, h.armed...)
		res, err := harness.Run(p, harness.Options{Wall: func() int64 { return time.Now().UnixNano() }})
		h.mu.Lock()
		if err != nil {
			h.failed = errors.Join(h.failed, err)
		} else {
			h.add(res)
		}
		h.mu.Unlock()
	}
}

// add takes a result in, with the lock held.
func (h *hunter) add(res *harness.Result) {
	r := &h.result
	r.SeedsRun++
	r.Events += res.Events
	r.SimNS += res.SimNS
	r.BusyNS += res.WallNS
	r.Ops += res.Ops.Total
	addTo(r.Faults, res.Faults)
	addTo(r.Reached, res.Reached)
	addTo(r.Checked, res.Checked)
	addTo(r.Allowed, res.Allowed)
	if res.Verdict != harness.OK {
		r.Bad++
	}
	for i := range res.Anomalies {
		h.found(res, &res.Anomalies[i])
	}
	h.progress()
}

func (h *hunter) found(res *harness.Result, a *harness.Anomaly) {
	kind := kindOf(a.Where)
	i := slices.IndexFunc(h.result.Findings, func(f *Finding) bool { return f.Name == a.Name && f.Kind == kind })
	if i >= 0 {
		f := h.result.Findings[i]
		if f.Seeds[len(f.Seeds)-1] != res.Seed {
			f.Seeds = append(f.Seeds, res.Seed)
			if h.flags.all {
				h.tell(res.Seed, a, h.command(res.Seed))
			}
		}
		return
	}
	f := &Finding{
		Name: a.Name, Kind: kind, Where: a.Where, Sentence: a.String(), Seed: res.Seed, Seeds: []uint64{res.Seed},
		Reproduce: h.command(res.Seed),
	}
	if h.flags.out != "" {
		dir := filepath.Join(h.flags.out, fmt.Sprintf("seed-%d", res.Seed))
		if err := rundir.WritePlan(dir, res.Plan); err != nil {
			h.failed = errors.Join(h.failed, err)
		}
		f.Plan = filepath.Join(dir, rundir.Plan)
	}
	h.result.Findings = append(h.result.Findings, f)
	h.tell(res.Seed, a, f.Reproduce)
}

func (h *hunter) command(seed uint64) string {
	return fmt.Sprintf("%s run --seed %d%s%s", program(), seed, workloadArgument(h.workload(seed)), armArguments(h.flags.arm))
}

// tell prints the line of a finding.
func (h *hunter) tell(seed uint64, a *harness.Anomaly, command string) {
	if h.flags.json {
		return
	}
	h.clear()
	fmt.Fprintf(h.stdout, "seed %d: %s; reproduce: %s\n", seed, strings.Join(strings.Fields(a.String()), " "), command)
}

// kindOf leaves the numbers out of a place's name.
func kindOf(where string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, where)
}

func (h *hunter) clear() {
	if h.terminal {
		fmt.Fprint(h.stderr, clearLine)
	}
}

// progress shows how far the hunt is, on one line of a terminal.
func (h *hunter) progress() {
	now := time.Now()
	if !h.terminal || now.Sub(h.shown) < 200*time.Millisecond {
		return
	}
	h.shown = now
	elapsed := now.Sub(h.began)
	r := &h.result
	line := fmt.Sprintf("%s, %d with findings, %.1f a second, %s events a second", plural(r.SeedsRun, "seed", "seeds"), r.Bad,
		float64(r.SeedsRun)/elapsed.Seconds(), group(perSecond(r.Events, int64(elapsed))))
	var left time.Duration
	if h.count > 0 {
		left = time.Duration(float64(elapsed) * float64(h.count-uint64(r.SeedsRun)) / float64(r.SeedsRun))
	}
	if b := h.flags.budget; b > 0 && (h.count == 0 || b-elapsed < left) {
		left = b - elapsed
	}
	fmt.Fprintf(h.stderr, "%s%s, %v left", clearLine, line, max(left, 0).Round(time.Second))
}

func (h *hunter) summary() {
	r := &h.result
	text := report{h.stdout}
	if r.Interrupted {
		text.line("stopped", "by an interrupt")
	}
	text.line("ran", "%s (from %d), %s operations, %s of faults and users in %v", plural(r.SeedsRun, "seed", "seeds"), r.First,
		group(r.Ops), time.Duration(r.SimNS).Round(time.Second), time.Duration(r.WallNS).Round(time.Millisecond))
	text.line("speed", "%s events, %s a second in each of %s", group(r.Events), group(perSecond(r.Events, r.BusyNS)),
		plural(r.Jobs, "job", "jobs"))
	text.line("struck", "%s", orNone(counts(r.Faults)))
	text.wrapped("reached", list(counts(reachedOf(r.Reached))))
	text.wrapped("checked", list(counts(r.Checked)))
	if len(r.Findings) == 0 {
		text.line("found", "nothing")
		return
	}
	text.line("found", "%s in %s", plural(len(r.Findings), "kind", "kinds"), plural(r.Bad, "seed", "seeds"))
	for _, f := range r.Findings {
		const most = 10
		slices.Sort(f.Seeds)
		seeds := strings.Trim(fmt.Sprint(f.Seeds[:min(most, len(f.Seeds))]), "[]")
		if len(f.Seeds) > most {
			seeds += " ..."
		}
		fmt.Fprintf(h.stdout, "  %s on %s: %s: %s\n", f.Name, f.Kind, plural(len(f.Seeds), "seed", "seeds"), seeds)
	}
}

func addTo[K comparable, N int | uint64](sum, more map[K]N) {
	for k, n := range more {
		sum[k] += n
	}
}
