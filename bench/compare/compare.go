package compare

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"odradek/bench"
	"odradek/bench/report"
)

// ErrScenarios is of results that measured different things, ErrNothing of those in which
// nothing ran on both sides.
var (
	ErrScenarios = errors.New("results of different scenarios")
	ErrNothing   = errors.New("nothing is in both results")
)

// Options say how sure one wants to be.
type Options struct {
	// Force compares results of different scenarios.
	Force bool
	// Alpha is how probable a difference found in noise may be, 0 is 0.05.
	Alpha float64
	// Family has Alpha hold for all changes together rather than for each: of twenty
	// comparisons of noise with itself one is "beyond doubt" at 0.05.
	Family bool
}

// Comparison is what changed between two results.
type Comparison struct {
	Scenario string   `json:"scenario"`
	Notes    []string `json:"notes"`
	Changes  []Change `json:"changes"`
	// Missing ran before and not after, New the other way round.
	Missing []string `json:"missing"`
	New     []string `json:"new"`
	// Harm is what no speed makes up for: more records lost, duplicated or failed.
	Harm []string `json:"harm"`

	alpha float64 // of each change
}

// Compare compares all runs that both results have. Of results with one target each, the
// two are compared whatever their names.
func Compare(before, after *bench.Result, o Options) (*Comparison, error) {
	if o.Alpha == 0 {
		o.Alpha = 0.05
	}
	c := &Comparison{Scenario: after.Scenario, Notes: []string{}, Changes: []Change{}, Missing: []string{}, New: []string{}, Harm: []string{}}
	if why := differ(before, after); why != "" {
		if !o.Force {
			return nil, fmt.Errorf("%w: %s", ErrScenarios, why)
		}
		c.note("different scenarios: %s", why)
	}
	if before.Machine != after.Machine {
		c.note("different machines: %s and %s", machine(&before.Machine), machine(&after.Machine))
	}
	rename := soleTargets(before, after)
	if rename != nil {
		c.note("%s is compared with %s", rename.before, rename.after)
	}
	runs := after.Runs()
	var pairs []pair
	for _, b := range before.Runs() {
		same := func(a bench.Run) bool {
			return a.Variant == b.Variant && a.Rate == b.Rate && (a.Target == b.Target || rename != nil)
		}
		i := slices.IndexFunc(runs, same)
		if i < 0 {
			c.Missing = append(c.Missing, report.RunName(b.Target, b.Variant, b.Rate))
			continue
		}
		pairs = append(pairs, pairsOf(&b, &runs[i], exact(before, b.Target) && exact(after, runs[i].Target))...)
		c.harm(&b, &runs[i])
		runs = slices.Delete(runs, i, i+1)
	}
	for _, a := range runs {
		c.New = append(c.New, report.RunName(a.Target, a.Variant, a.Rate))
	}
	if len(pairs) == 0 {
		return nil, fmt.Errorf("%w: before %s; after %s", ErrNothing, those(c.Missing), those(c.New))
	}
	if o.Family {
		o.Alpha /= float64(len(pairs))
	}
	c.alpha = o.Alpha
	for i := range pairs {
		c.Changes = append(c.Changes, pairs[i].change(o.Alpha))
	}
	return c, nil
}

func (c *Comparison) note(format string, args ...any) {
	c.Notes = append(c.Notes, fmt.Sprintf(format, args...))
}

// differ says in what two results did not measure the same, "" if they did. Descriptions,
// comments and how often it was repeated make no difference.
func differ(before, after *bench.Result) string {
	if before.Scenario != after.Scenario {
		return fmt.Sprintf("%s and %s", before.Scenario, after.Scenario)
	}
	b, a := before.Scenarios(), after.Scenarios()
	if b == nil || a == nil {
		if before.File != after.File {
			return "their files differ"
		}
		return ""
	}
	for i := range a {
		j := slices.IndexFunc(b, func(s bench.Scenario) bool { return s.Variant == a[i].Variant })
		// A variant, or a rate, that only one has is missing or new.
		if j < 0 {
			continue
		}
		x, y := b[j], a[i]
		x.Description, x.Repetitions, x.ProducerRate, x.ProducerRates = y.Description, y.Repetitions, y.ProducerRate, y.ProducerRates
		if fields := fieldsThatDiffer(x, y); len(fields) > 0 {
			return fmt.Sprintf("%s has another %s", y.Title(), strings.Join(fields, ", "))
		}
	}
	return ""
}

func fieldsThatDiffer(x, y bench.Scenario) []string {
	var names []string
	vx, vy := reflect.ValueOf(x), reflect.ValueOf(y)
	for i := range vx.NumField() {
		fx, fy := vx.Field(i), vy.Field(i)
		if k := fx.Kind(); (k == reflect.Map || k == reflect.Slice) && fx.Len() == 0 && fy.Len() == 0 {
			continue // {} in a file is as good as nothing
		}
		if !reflect.DeepEqual(fx.Interface(), fy.Interface()) {
			name, _, _ := strings.Cut(vx.Type().Field(i).Tag.Get("yaml"), ",")
			names = append(names, name)
		}
	}
	return names
}

// renamed are two targets that are compared in spite of their names.
type renamed struct{ before, after string }

func soleTargets(before, after *bench.Result) *renamed {
	if len(before.Targets) != 1 || len(after.Targets) != 1 || before.Targets[0].Name == after.Targets[0].Name {
		return nil
	}
	return &renamed{before.Targets[0].Name, after.Targets[0].Name}
}

// exact reports whether a target is a simulation.
func exact(r *bench.Result, target string) bool {
	return slices.ContainsFunc(r.Targets, func(t bench.Target) bool { return t.Name == target && t.Mode == "sim" })
}

func machine(m *bench.Machine) string {
	return fmt.Sprintf("%s, %d cores, %d MiB, kernel %s, %s", m.Processor, m.Cores, m.MemoryMiB, m.Kernel, m.Go)
}

// those names at most three runs, of sweeps that have dozens.
func those(runs []string) string {
	const most = 3
	switch n := len(runs); {
	case n == 0:
		return "there are no samples"
	case n > most:
		return fmt.Sprintf("%s and %d more", strings.Join(runs[:most], "; "), n-most)
	}
	return strings.Join(runs, "; ")
}

// harm looks for more records lost, duplicated or failed.
func (c *Comparison) harm(before, after *bench.Run) {
	for _, h := range []struct {
		what string
		of   func(*bench.Sample) int64
	}{
		{"lost", func(s *bench.Sample) int64 { return s.Lost }},
		{"duplicated", func(s *bench.Sample) int64 { return s.Duplicated }},
		{"failed", func(s *bench.Sample) int64 { return s.Failed }},
	} {
		if b, a := total(before, h.of), total(after, h.of); a > b {
			c.Harm = append(c.Harm, fmt.Sprintf("%s: %s records %s, %s before",
				report.RunName(after.Target, after.Variant, after.Rate), report.Number(float64(a)), h.what, report.Number(float64(b))))
		}
	}
}

func total(run *bench.Run, of func(*bench.Sample) int64) int64 {
	n := int64(0)
	for _, s := range run.Samples {
		n += max(0, of(s))
	}
	return n
}
