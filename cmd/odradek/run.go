package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"odradek/sim/fault"
	"odradek/sim/harness"
	"odradek/sim/rundir"
	"odradek/workloads"
)

type runFlags struct {
	planFlags
	out  string
	json bool
}

func runCommand() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:   "run",
		Short: "Simulate a cluster under faults and judge it",
		Long: `Run one plan in the simulation: a cluster of brokers, users who write and read, and
faults. When all is over everything is healed, every log is read back, and the
checkers judge what the users experienced.

A seed stands for a plan, and the run is a pure function of the plan: the same seed
gives the same hash. What a seed stands for may change from version to version; the
plan file that each run leaves behind keeps its meaning. It may be edited.

Exit codes: 0 every guarantee held, 1 a violation, 2 wrong usage or a problem of the
environment.`,
		Example: `  odradek run --seed 7
  odradek run --plan out/seed-7/plan.json --json
  odradek run --seed 7 --arm zoo/14-last-replica-standing`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			out := defaultOut(c.Flags().Changed("out"), f.out)
			return run(f, out, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	f.planFlags.add(c)
	fl := c.Flags()
	fl.StringVar(&f.out, "out", "", `directory for plan, history, trace and result (default "out/seed-N"; empty for none)`)
	fl.BoolVar(&f.json, "json", false, "print the result as one JSON object")
	return c
}

// planFlags say which plan.
type planFlags struct {
	seed     uint64
	plan     string
	workload string
	arm      []string
}

func (f *planFlags) add(c *cobra.Command) {
	c.Flags().Uint64Var(&f.seed, "seed", 1, "seed of the plan")
	c.Flags().StringVar(&f.plan, "plan", "", "run this plan file instead of a seed's plan")
	c.Flags().StringVar(&f.workload, "workload", harness.DefaultWorkload, "what the users do: "+strings.Join(workloads.Names(), ", "))
	addArm(c, &f.arm)
	c.MarkFlagsMutuallyExclusive("seed", "plan")
	c.MarkFlagsMutuallyExclusive("workload", "plan")
}

func addArm(c *cobra.Command, arm *[]string) {
	c.Flags().StringArrayVar(arm, "arm", nil, "failpoint armed on every node from the start, as name or name=terms (may be repeated)")
}

// load reads or draws the plan.
func (f *planFlags) load() (*fault.Plan, error) {
	armed, err := parseArm(f.arm)
	if err != nil {
		return nil, err
	}
	p, err := harness.PlanOf(f.workload, f.seed)
	if err != nil {
		return nil, fmt.Errorf("--workload: %w", err)
	}
	if f.plan != "" {
		text, err := os.ReadFile(f.plan)
		if err != nil {
			return nil, err
		}
		if p, err = fault.Decode(text); err != nil {
			return nil, fmt.Errorf("%s: %w", f.plan, err)
		}
	}
	p.Armed = append(p.Armed, armed...)
	return p, p.Validate()
}

// arguments are the flags that say the same plan again.
func (f *planFlags) arguments() string {
	s := fmt.Sprintf("--seed %d", f.seed) + workloadArgument(f.workload)
	if f.plan != "" {
		s = "--plan " + shellQuote(f.plan)
	}
	return s + armArguments(f.arm)
}

// workloadArgument says a workload again that is not the default.
func workloadArgument(workload string) string {
	if workload == harness.DefaultWorkload {
		return ""
	}
	return " --workload " + workload
}

func armArguments(arm []string) string {
	s := ""
	for _, a := range arm {
		s += " --arm " + shellQuote(a)
	}
	return s
}

func parseArm(arm []string) ([]fault.Failpoint, error) {
	var list []fault.Failpoint
	for _, a := range arm {
		name, terms, ok := strings.Cut(a, "=")
		if !ok {
			terms = "return(true)"
		}
		if name == "" || terms == "" {
			return nil, fmt.Errorf("--arm %s: want name or name=terms", a)
		}
		list = append(list, fault.Failpoint{Name: name, Terms: terms})
	}
	return list, nil
}

// defaultOut is the pattern of the directory for a run's files.
func defaultOut(given bool, out string) string {
	if given {
		return out
	}
	return filepath.Join("out", "seed-%d")
}

func run(f runFlags, out string, stdout, stderr io.Writer) error {
	p, err := f.load()
	if err != nil {
		return err
	}
	collectForRuns(4) // one whose plan is of days keeps half a gigabyte
	dir := strings.Replace(out, "%d", fmt.Sprint(p.Seed), 1)
	text := report{stdout}
	if !f.json {
		text.plan(p)
	}
	o := harness.Options{Wall: func() int64 { return time.Now().UnixNano() }}
	clear := func() {}
	if isTerminal(stderr) {
		o.Progress, clear = progress(stderr)
	}
	var res *harness.Result
	if dir == "" {
		res, err = harness.Run(p, o)
	} else {
		res, err = rundir.Run(dir, p, o)
	}
	clear()
	if err != nil {
		return err
	}
	if f.json {
		if err := writeJSON(stdout, res); err != nil {
			return err
		}
	} else {
		text.result(res, dir, program()+" run "+f.arguments())
	}
	if res.Verdict != harness.OK {
		return errFinding
	}
	return nil
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// clearLine takes the cursor back and wipes what is on the line.
const clearLine = "\r\x1b[K"

// progress shows how far a run is, on one line of a terminal.
func progress(w io.Writer) (show func(harness.Progress), clear func()) {
	last := time.Now()
	show = func(p harness.Progress) {
		if now := time.Now(); now.Sub(last) > 100*time.Millisecond {
			last = now
			fmt.Fprintf(w, "%s%s: %v simulated, %s events, %s operations", clearLine, p.Phase,
				time.Duration(p.Now).Round(100*time.Millisecond), group(p.Events), group(p.Ops))
		}
	}
	return show, func() { fmt.Fprint(w, clearLine) }
}

// shellQuote quotes an argument where a shell needs it.
func shellQuote(s string) string {
	safe := func(r rune) bool {
		return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune("@%+=:,./-_", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !safe(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
