package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"odradek/bench"
	benchreport "odradek/bench/report"
	"odradek/bench/session"
)

// benchFlags are of bench run and bench sweep.
type benchFlags struct {
	targetFlags
	rates       []float64
	duration    time.Duration
	warmup      time.Duration
	repetitions int
	variants    []string
	out         string
	asJSON      bool
}

func (f *benchFlags) add(c *cobra.Command) {
	f.targetFlags.add(c)
	fl := c.Flags()
	fl.DurationVar(&f.duration, "duration", 0, "how long each sample is measured, instead of the scenario's testDuration")
	fl.DurationVar(&f.warmup, "warmup", 0, "instead of the scenario's warmupDuration")
	fl.StringSliceVar(&f.variants, "variant", nil, "only these variants of the scenario")
	fl.StringVar(&f.out, "out", "", `directory for result.json, which must not be there yet (default "out/bench/SCENARIO-TIME")`)
	fl.BoolVar(&f.asJSON, "json", false, "print the result as one JSON object")
}

func benchRunCommand() *cobra.Command {
	var f benchFlags
	c := &cobra.Command{
		Use:   "run SCENARIO|FILE",
		Short: "Measure a scenario on one or several targets",
		Long: `Run a scenario, one that is shipped (odradek bench list) or a file. Of several targets
each has its turn within every repetition, so that what changes on the machine meanwhile
meets all of them alike.

The result is written to DIR/result.json after every sample; odradek bench report, plot
and compare read it. Latencies count from when a record was due. Whether a target kept up
says whether they are those of a system under this load, or of one that has only queued.
Late is how late the client itself was at p99: what it measured beyond that is the
system's.

Exit codes: 0 it was measured, 1 records were lost that had been acknowledged by all
replicas in sync, 2 wrong usage or a problem of the environment.`,
		Example: `  odradek bench run smoke
  odradek bench run 1KiB --rate 2000,20000 --mode disk --mode sim
  odradek bench run acks-0-1-all --kafka --mode disk --repetitions 5
  odradek bench run my.yaml --target 10.0.0.7:9092`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return benchRun(c, f, args[0]) },
	}
	f.add(c)
	c.Flags().Float64SliceVar(&f.rates, "rate", nil, "records a second over all producers, instead of the scenario's; 0 is as fast as possible")
	c.Flags().IntVar(&f.repetitions, "repetitions", 0, "instead of the scenario's")
	return c
}

func benchSweepCommand() *cobra.Command {
	var f benchFlags
	var first float64
	c := &cobra.Command{
		Use:   "sweep SCENARIO|FILE",
		Short: "Raise the load until a target no longer keeps up",
		Long: `Double the rate of a scenario until a target no longer keeps up, or its latency at p99 is
ten times that of light load and above 50 ms; then narrow down where that begins. All
samples are in the result, latency against load. With --rates it is these that are run.`,
		Example: `  odradek bench sweep 1KiB
  odradek bench sweep 1KiB --kafka --mode disk --duration 10s
  odradek bench sweep small-records --rates 1000,10000,100000`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(f.rates) > 0 {
				return benchRun(c, f, args[0])
			}
			return benchSweep(c, f, args[0], first)
		},
	}
	f.add(c)
	c.Flags().Float64SliceVar(&f.rates, "rates", nil, "these rates, in records a second, instead of a search")
	c.Flags().Float64Var(&first, "from", 1000, "rate at which the search begins")
	c.Flags().IntVar(&f.repetitions, "repetitions", 0, "of each of --rates, instead of the scenario's")
	return c
}

// plan reads the scenario and what the flags change of it.
func (f *benchFlags) plan(c *cobra.Command, nameOrFile string) (session.Plan, error) {
	set := c.Flags().Changed // 0 s of warm-up is something else than no word of it
	text, variants, err := loadScenario(nameOrFile)
	if err != nil {
		return session.Plan{}, err
	}
	if variants, err = f.chosen(variants); err != nil {
		return session.Plan{}, err
	}
	for i := range variants {
		s := &variants[i]
		if set("duration") {
			s.TestDuration = f.duration
		}
		if set("warmup") {
			s.WarmupDuration = f.warmup
		}
		if set("repetitions") {
			s.Repetitions = f.repetitions
		}
		if len(f.rates) > 0 {
			s.ProducerRates = f.rates
		}
		if err := s.Validate(); err != nil {
			return session.Plan{}, fmt.Errorf("%s: %w", s.Title(), err)
		}
	}
	targets, err := f.targets()
	if err != nil {
		return session.Plan{}, err
	}
	if f.out == "" {
		f.out = filepath.Join("out", "bench", variants[0].Name+"-"+time.Now().Format("20060102-150405.000"))
	}
	var words []string
	for _, w := range os.Args[1:] {
		words = append(words, shellQuote(w))
	}
	return session.Plan{
		Text: text, Variants: variants, Targets: targets, Rates: f.rates,
		Command: program() + " " + strings.Join(words, " "), Path: filepath.Join(f.out, "result.json"),
	}, nil
}

// chosen are the variants that --variant names.
func (f *benchFlags) chosen(all []bench.Scenario) ([]bench.Scenario, error) {
	if len(f.variants) == 0 {
		return all, nil
	}
	var list []bench.Scenario
	for _, name := range f.variants {
		found := false
		for _, s := range all {
			if s.Variant == name {
				list, found = append(list, s), true
			}
		}
		if !found {
			return nil, fmt.Errorf("--variant %s: %s has no such variant", name, all[0].Name)
		}
	}
	return list, nil
}

func benchRun(c *cobra.Command, f benchFlags, nameOrFile string) error {
	return benchSession(c, f, nameOrFile, func(ctx context.Context, plan session.Plan) (*bench.Result, []session.Knee, error) {
		result, err := session.Run(ctx, plan)
		return result, nil, err
	})
}

func benchSweep(c *cobra.Command, f benchFlags, nameOrFile string, first float64) error {
	if first < 1 {
		return fmt.Errorf("--from %v: want a rate of 1 or more", first)
	}
	return benchSession(c, f, nameOrFile, func(ctx context.Context, plan session.Plan) (*bench.Result, []session.Knee, error) {
		return session.Sweep(ctx, plan, first)
	})
}

// benchSession measures what the flags ask for, and tells what came of it.
func benchSession(c *cobra.Command, f benchFlags, nameOrFile string, measure func(context.Context, session.Plan) (*bench.Result, []session.Knee, error)) error {
	plan, err := f.plan(c, nameOrFile)
	if err != nil {
		return err
	}
	collectLess(400)
	ctx, stop := interruptible()
	defer stop()
	clear := benchProgress(&plan, c.ErrOrStderr())
	result, knees, err := measure(ctx, plan)
	clear()
	return benchDone(c, &f, &plan, result, knees, err)
}

// benchDone tells what there is, whatever the session failed of.
func benchDone(c *cobra.Command, f *benchFlags, plan *session.Plan, r *bench.Result, knees []session.Knee, failed error) error {
	if r == nil || len(r.Samples) == 0 {
		return failed
	}
	if failed == nil && lostDurable(r, plan.Variants) {
		failed = errFinding
	}
	out := c.OutOrStdout()
	if f.asJSON {
		return errors.Join(failed, writeJSON(out, r))
	}
	if err := printSamples(out, r, plan.Variants); err != nil {
		return errors.Join(failed, err)
	}
	for _, k := range knees {
		of := k.Target
		if k.Variant != "" {
			of += ", " + k.Variant
		}
		if k.Rate == 0 {
			fmt.Fprintf(out, "\n%s kept up with no rate that was tried\n", of)
		} else {
			fmt.Fprintf(out, "\n%s keeps up with %s records/s\n", of, benchreport.Number(k.Rate))
		}
	}
	fmt.Fprintf(out, "\nresult in %s\n", plan.Path)
	return failed
}

// lostDurable reports whether a record is gone that all replicas in sync had acknowledged.
func lostDurable(r *bench.Result, variants []bench.Scenario) bool {
	for i := range r.Samples {
		s := scenarioOf(variants, r.Samples[i].Variant)
		if acks := s.Producer("acks"); r.Samples[i].Lost > 0 && (acks == "all" || acks == "-1") {
			return true
		}
	}
	return false
}

func scenarioOf(variants []bench.Scenario, name string) *bench.Scenario {
	for i := range variants {
		if variants[i].Variant == name {
			return &variants[i]
		}
	}
	panic("a sample of variant " + name) // samples are made of the variants
}

// sampleColumns are measures of the table: by name, with how wide people want them.
var sampleColumns = []struct{ heading, measure string }{
	{"records/s", "throughput"}, {"MB/s", "bandwidth"},
	{"ack p50", "ack p50"}, {"p99", "ack p99"}, {"p99.9", "ack p99.9"},
	{"e2e p50", "end-to-end p50"}, {"p99", "end-to-end p99"}, {"p99.9", "end-to-end p99.9"},
	{"CPU s/GB", "CPU"}, {"us/record", "CPU per record"}, {"RSS", "RSS"},
}

// printSamples prints a line for what was repeated, medians, and what went wrong.
func printSamples(w io.Writer, r *bench.Result, variants []bench.Scenario) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "target\tvariant\trate\t")
	for _, c := range sampleColumns {
		fmt.Fprint(t, c.heading, "\t")
	}
	fmt.Fprintln(t, "late\tkept up\t")
	var wrong []string
	for _, run := range r.Runs() {
		s := scenarioOf(variants, run.Variant)
		rate := "max"
		if run.Rate > 0 {
			rate = benchreport.Number(run.Rate)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t", run.Target, orDash(run.Variant), rate)
		for _, c := range sampleColumns {
			fmt.Fprint(t, medianOf(&run, bench.MeasureCalled(c.measure)), "\t")
		}
		var late bench.Histogram
		kept, lost, duplicated, failed := 0, int64(0), int64(0), int64(0)
		for _, sample := range run.Samples {
			late.Merge(sample.Lateness)
			if sample.KeptUp(s.Groups()) {
				kept++
			}
			lost, duplicated, failed = lost+max(0, sample.Lost), duplicated+max(0, sample.Duplicated), failed+sample.Failed
		}
		lateness := "-"
		if late.Count() > 0 {
			lateness = benchreport.Quantity(float64(late.Quantile(0.99)), "ns")
		}
		fmt.Fprintf(t, "%s\t%s\t\n", lateness, keptUp(run.Rate, kept, len(run.Samples)))
		name := benchreport.RunName(run.Target, run.Variant, run.Rate)
		if lost+duplicated+failed > 0 {
			wrong = append(wrong, fmt.Sprintf("%s: %s lost, %s duplicated, %s failed", name, group(lost), group(duplicated), group(failed)))
		}
		for _, sample := range run.Samples {
			for _, m := range sample.Marks {
				wrong = append(wrong, fmt.Sprintf("%s, repetition %d, at %.3f s: %s", name, sample.Repetition, m.At, m.What))
			}
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if len(wrong) > 0 {
		fmt.Fprintf(w, "\n%s\n", strings.Join(wrong, "\n"))
	}
	return nil
}

func medianOf(run *bench.Run, m *bench.Measure) string {
	values := run.Values(m)
	if len(values) == 0 {
		return "-"
	}
	median := benchreport.SpreadOf(values).Median
	if m.Unit == "ns" || m.Unit == "B" {
		return benchreport.Quantity(median, m.Unit)
	}
	return benchreport.Number(median)
}

func keptUp(rate float64, kept, of int) string {
	switch {
	case rate == 0:
		return "-"
	case kept == of:
		return "yes"
	case kept == 0:
		return "no"
	}
	return fmt.Sprintf("%d of %d", kept, of)
}

// benchProgress shows on one line of a terminal how far a session is.
func benchProgress(plan *session.Plan, w io.Writer) (clear func()) {
	if !isTerminal(w) {
		return func() {}
	}
	plan.Progress = func(p session.Progress) {
		line := p.Load.Phase
		if p.Target != "" {
			line = benchreport.RunName(p.Target, p.Variant, p.Rate)
			if p.Of > 0 {
				line = fmt.Sprintf("%d/%d ", p.Done+1, p.Of) + line
			}
			if l := p.Load; l.Phase != "" {
				line += fmt.Sprintf(": %s %v, %s acknowledged, %s received", l.Phase, l.At.Round(time.Second), group(l.Acked), group(l.Received))
			}
		}
		fmt.Fprint(w, clearLine, line)
	}
	return func() { fmt.Fprint(w, clearLine) }
}
