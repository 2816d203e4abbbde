package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"odradek/bench"
)

// Markdown writes what ran, on what machine, and what came of it: medians over repetitions,
// with the lowest and the highest.
func Markdown(w io.Writer, r *bench.Result) error {
	d := document{w: w, r: r, groups: groupsOf(r), runs: r.Runs()}
	for _, part := range []func() error{d.header, d.targets, d.seen, d.took, d.ratios, d.counted, d.happened} {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

type document struct {
	w      io.Writer
	r      *bench.Result
	groups map[string]int
	runs   []bench.Run
}

func (d *document) header() error {
	r, m := d.r, d.r.Machine
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n", r.Scenario)
	if list := r.Scenarios(); len(list) > 0 && list[0].Description != "" {
		fmt.Fprintf(&b, "%s\n\n", strings.TrimSpace(list[0].Description))
	}
	if r.Started != "" {
		fmt.Fprintf(&b, "- started: %s\n", r.Started)
	}
	if r.Command != "" {
		fmt.Fprintf(&b, "- command: `%s`\n", r.Command)
	}
	if m != (bench.Machine{}) {
		fmt.Fprintf(&b, "- machine: %s, %d cores, %d MiB of memory, kernel %s, %s\n", m.Processor, m.Cores, m.MemoryMiB, m.Kernel, m.Go)
	}
	repetitions := 0
	for _, run := range d.runs {
		repetitions = max(repetitions, len(run.Samples))
	}
	fmt.Fprintf(&b, "- repetitions: %d", repetitions)
	if repetitions > 1 {
		b.WriteString("; medians of them, and (lowest-highest)")
	}
	_, err := fmt.Fprintf(d.w, "%s\n\n", b.String())
	return err
}

func (d *document) targets() error {
	t := table{head: []string{"target", "mode", "version", "profile"}, words: 4}
	for _, target := range d.r.Targets {
		t.add(target.Name, target.Mode, target.Version, target.Profile)
	}
	return d.section("Targets", &t)
}

// seen is what users of the system see.
func (d *document) seen() error {
	measures := bench.Measures[:slices.IndexFunc(bench.Measures, func(m bench.Measure) bool { return m.Name == "CPU" })]
	t := table{head: append(slices.Clone(runColumns), headings(measures)...), words: 2}
	t.head = append(t.head, "failed", "lost", "duplicated", "kept up")
	for _, run := range d.runs {
		cells := append(runCells(&run), medians(&run, measures)...)
		failed, lost, duplicated := sum(&run, func(s *bench.Sample) int64 { return s.Failed }),
			sum(&run, func(s *bench.Sample) int64 { return s.Lost }), sum(&run, func(s *bench.Sample) int64 { return s.Duplicated })
		t.add(append(cells, failed, lost, duplicated, d.keptUp(&run))...)
	}
	return d.section("What users see", &t)
}

// took is what it cost, and who was the limit.
func (d *document) took() error {
	measures := bench.Measures[slices.IndexFunc(bench.Measures, func(m bench.Measure) bool { return m.Name == "CPU" }):]
	t := table{head: append(slices.Clone(runColumns), headings(measures)...), words: 2}
	t.head = append(t.head, "server cores", "client cores", "client late p99 (ms)", "bottleneck")
	for _, run := range d.runs {
		cells := append(runCells(&run), medians(&run, measures)...)
		var server, client, late []float64
		limits := make(map[string]int)
		for _, s := range run.Samples {
			if c := cores(s.Server, s); c >= 0 {
				server = append(server, c)
			}
			if c := cores(s.Client, s); c >= 0 {
				client = append(client, c)
			}
			if s.Lateness.Count() > 0 {
				late = append(late, float64(s.Lateness.Quantile(0.99))/1e6)
			}
			limits[Bottleneck(s, sharedCores(d.r, run.Target), d.groups[run.Variant])]++
		}
		t.add(append(cells, spread(server), spread(client), spread(late), times(limits, len(run.Samples)))...)
	}
	return d.section("What it took", &t)
}

// times says in how many repetitions something was so, if it was not in all of them.
func times(what map[string]int, of int) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(what)) {
		if what[name] == of {
			return name
		}
		if name != limitNone {
			parts = append(parts, fmt.Sprintf("%s in %d of %d", name, what[name], of))
		}
	}
	return strings.Join(parts, ", ")
}

// counted is what simulations count, a column for each run.
func (d *document) counted() error {
	names := counters(d.r)
	if len(names) == 0 {
		return nil
	}
	t := table{head: []string{"counter"}, words: 1}
	var runs []bench.Run
	for _, run := range d.runs {
		if len(run.Samples[0].Counters) > 0 {
			runs = append(runs, run)
			t.head = append(t.head, RunName(run.Target, run.Variant, run.Rate), "a record")
		}
	}
	for _, name := range names {
		row := []string{name}
		for _, run := range runs {
			var totals, each []float64
			for _, s := range run.Samples {
				v, ok := s.Counters[name]
				if !ok {
					continue
				}
				totals = append(totals, float64(v))
				if s.Acked > 0 {
					each = append(each, float64(v)/float64(s.Acked))
				}
			}
			row = append(row, spread(totals), spread(each))
		}
		t.rows = append(t.rows, row)
	}
	return d.section("What the simulation counted", &t)
}

// happened lists the marks of all samples.
func (d *document) happened() error {
	t := table{head: append(slices.Clone(runColumns), "repetition", "at (s)", "what"), words: 6}
	for _, run := range d.runs {
		for _, s := range run.Samples {
			for _, m := range s.Marks {
				t.add(append(runCells(&run), fmt.Sprint(s.Repetition), Number(m.At), m.What)...)
			}
		}
	}
	return d.section("What happened", &t)
}

func (d *document) section(title string, t *table) error {
	if len(t.rows) == 0 {
		return nil
	}
	if _, err := fmt.Fprintf(d.w, "## %s\n\n", title); err != nil {
		return err
	}
	return t.write(d.w)
}

var runColumns = []string{"target", "variant", "rate (records/s)"}

func runCells(run *bench.Run) []string {
	rate := "max"
	if run.Rate > 0 {
		rate = Number(run.Rate)
	}
	return []string{run.Target, run.Variant, rate}
}

func headings(measures []bench.Measure) []string {
	var head []string
	for i := range measures {
		unit, _ := column(measures[i].Unit)
		head = append(head, fmt.Sprintf("%s (%s)", measures[i].Name, unit))
	}
	return head
}

func medians(run *bench.Run, measures []bench.Measure) []string {
	var cells []string
	for i := range measures {
		values := run.Values(&measures[i])
		_, scale := column(measures[i].Unit)
		for j := range values {
			values[j] *= scale
		}
		cells = append(cells, spread(values))
	}
	return cells
}

// spread is "" of nothing.
func spread(values []float64) string {
	if len(values) == 0 {
		return ""
	}
	return SpreadOf(values).String()
}

// sum is over the repetitions that counted, "" if none did.
func sum(run *bench.Run, of func(*bench.Sample) int64) string {
	total, counted := int64(0), false
	for _, s := range run.Samples {
		if n := of(s); n >= 0 {
			total, counted = total+n, true
		}
	}
	if !counted {
		return ""
	}
	return commas(whole(total))
}

// keptUp is "yes", "no", or of how many repetitions it is true. A run as fast as possible
// is not asked.
func (d *document) keptUp(run *bench.Run) string {
	if run.Rate == 0 {
		return ""
	}
	n := 0
	for _, s := range run.Samples {
		if s.KeptUp(d.groups[run.Variant]) {
			n++
		}
	}
	switch n {
	case len(run.Samples):
		return "yes"
	case 0:
		return "no"
	}
	return fmt.Sprintf("%d of %d", n, len(run.Samples))
}
