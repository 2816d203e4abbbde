package session

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"odradek/bench"
	"odradek/bench/load"
	"odradek/bench/target"
)

// planned is a target that keeps up until a rate, and writes down what it is asked.
type planned struct {
	name string
	// limit is by variant; 0 is none.
	limit map[string]float64
	// stumbles is how often it fails at a rate that it could keep.
	stumbles map[float64]int
	log      *[]string
	fails    bool
}

func (p *planned) Start(s *bench.Scenario) (Running, error) {
	*p.log = append(*p.log, fmt.Sprintf("%s starts %d", p.name, s.Brokers))
	return p, nil
}

func (p *planned) Info() bench.Target { return bench.Target{Name: p.name, Mode: "external"} }

func (p *planned) Close() error {
	*p.log = append(*p.log, p.name+" stops")
	return nil
}

func (p *planned) Measure(_ context.Context, s *bench.Scenario, rate float64, repetition int, _ func(load.Progress)) (bench.Sample, error) {
	*p.log = append(*p.log, fmt.Sprintf("%s %s %v #%d", p.name, s.Variant, rate, repetition))
	if p.fails && len(*p.log) > 4 {
		return bench.Sample{}, errors.New("the cable is out")
	}
	acked := int64(rate)
	if limit := p.limit[s.Variant]; limit > 0 && rate > limit {
		acked = int64(limit)
	}
	if p.stumbles[rate] > 0 {
		p.stumbles[rate]--
		acked /= 2
	}
	return bench.Sample{Rate: rate, Seconds: 1, Acked: acked, Received: acked}, nil
}

func variants(t *testing.T, text string) []bench.Scenario {
	t.Helper()
	list, err := bench.Parse([]byte("name: test\n" + text))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestTargetsTakeTurnsWithinEachRepetition(t *testing.T) {
	var log []string
	text := "repetitions: 2\nvariants: [{variant: x}, {variant: y}, {variant: z, brokers: 3}]\n"
	r, err := Run(t.Context(), Plan{
		Variants: variants(t, text), Rates: []float64{5}, Targets: []Target{&planned{name: "A", log: &log}, &planned{name: "B", log: &log}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"A starts 1", "B starts 1",
		"A x 5 #1", "B x 5 #1", "A y 5 #1", "B y 5 #1",
		"B y 5 #2", "A y 5 #2", "B x 5 #2", "A x 5 #2",
		"A stops", "B stops",
		"A starts 3", "B starts 3", "A z 5 #1", "B z 5 #1", "B z 5 #2", "A z 5 #2", "A stops", "B stops",
	}
	if diff := cmp.Diff(want, log); diff != "" {
		t.Error(diff)
	}
	if len(r.Samples) != 12 || len(r.Targets) != 2 || r.Samples[5].Target != "A" || r.Samples[5].Variant != "y" || r.Samples[5].Repetition != 2 {
		t.Errorf("%d samples of %d targets, the sixth %+v", len(r.Samples), len(r.Targets), r.Samples[5])
	}
}

func TestTargetsOfOneNameAreToldApart(t *testing.T) {
	var log []string
	r, err := Run(t.Context(), Plan{Variants: variants(t, ""), Targets: []Target{&planned{name: "A", log: &log}, &planned{name: "A", log: &log}}})
	if err != nil {
		t.Fatal(err)
	}
	if r.Targets[0].Name != "A" || r.Targets[1].Name != "A (2)" || r.Samples[1].Target != "A (2)" {
		t.Errorf("%+v", r.Targets)
	}
}

func TestResultHasWhatWasMeasuredBeforeAFailure(t *testing.T) {
	var log []string
	path := filepath.Join(t.TempDir(), "deep", "result.json")
	_, err := Run(t.Context(), Plan{Variants: variants(t, ""), Rates: []float64{1, 2, 3, 4, 5}, Targets: []Target{&planned{name: "A", log: &log, fails: true}}, Path: path})
	if err == nil {
		t.Fatal("the failure was not reported")
	}
	if log[len(log)-1] != "A stops" {
		t.Error("the target was left running")
	}
	r, err := bench.ReadResult(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Samples) != 3 {
		t.Errorf("%d samples in the file, want 3", len(r.Samples))
	}
	if left, err := filepath.Glob(path + ".*"); err != nil || len(left) > 0 {
		t.Errorf("files left behind: %v %v", left, err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func TestRunWithoutASampleLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	broken := System(func(*bench.Scenario) (target.System, error) { return nil, errors.New("no power") })
	p := Plan{Variants: variants(t, ""), Targets: []Target{broken}, Path: filepath.Join(dir, "deep", "result.json")}
	if _, err := Run(t.Context(), p); err == nil {
		t.Fatal("the failure was not reported")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v %v", left, err)
	}
}

func TestResultOfAnotherRunIsNotOverwritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "result.json")
	if err := os.WriteFile(path, []byte("a week of work"), 0o600); err != nil {
		t.Fatal(err)
	}
	var log []string
	p := Plan{Variants: variants(t, ""), Targets: []Target{&planned{name: "A", log: &log}}, Path: path}
	_, ran := Run(t.Context(), p)
	_, _, swept := Sweep(t.Context(), p, 1000)
	text, err := os.ReadFile(path)
	if ran == nil || swept == nil || err != nil || string(text) != "a week of work" || len(log) > 0 {
		t.Errorf("run: %v, sweep: %v, file %q, asked %v", ran, swept, text, log)
	}
}

func TestConfigThatNoClientCanHaveIsFoundBeforeTheStart(t *testing.T) {
	started := System(func(*bench.Scenario) (target.System, error) { t.Error("it was started"); return nil, nil })
	p := Plan{Variants: variants(t, "producerConfig: {acks: 7}\nconsumerConfig: {fetch.min.bytes: few}\n"), Targets: []Target{started}}
	if _, err := Run(t.Context(), p); err == nil || !strings.Contains(err.Error(), "acks=7") || !strings.Contains(err.Error(), "fetch.min.bytes=few") {
		t.Error(err)
	}
}

func TestSweepFindsTheKneeOfEachTargetInTurns(t *testing.T) {
	var log []string
	limit := func(rate float64) map[string]float64 { return map[string]float64{"": rate} }
	// The second has a bad moment below its limit.
	a := &planned{name: "A", log: &log, limit: limit(7300)}
	b := &planned{name: "B", log: &log, limit: limit(300), stumbles: map[float64]int{250: 1}}
	_, knees, err := Sweep(t.Context(), Plan{Variants: variants(t, ""), Targets: []Target{a, b}}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{7300, 300} {
		if got := knees[i].Rate; got > want*1.01 || got < want/closeEnough {
			t.Errorf("%s: knee at %v, want about %v", knees[i].Target, got, want)
		}
	}
	if i := slices.Index(log, "B  250 #2"); i < 0 {
		t.Errorf("what failed once was not tried again: %v", log)
	}
	if log[2] != "A  1000 #1" || log[3] != "B  1000 #1" {
		t.Errorf("the searches do not take turns: %v", log)
	}
}

func TestTargetThatKeepsNothingUpHasNoKnee(t *testing.T) {
	var log []string
	a := &planned{name: "A", log: &log, limit: map[string]float64{"": 0.1}}
	_, knees, err := Sweep(t.Context(), Plan{Variants: variants(t, ""), Targets: []Target{a}}, 1000)
	if err != nil || len(knees) != 1 || knees[0].Rate != 0 {
		t.Errorf("%v %v", knees, err)
	}
}

func TestLatencyThatExplodesIsTheKneeToo(t *testing.T) {
	sample := func(p99 int64, failed int64) *bench.Sample {
		s := &bench.Sample{Rate: 100, Seconds: 1, Acked: 100, Failed: failed}
		s.Ack.Record(p99)
		return s
	}
	for _, c := range []struct {
		calm, p99, failed int64
		want              bool
	}{
		{0, 80e6, 0, true},   // whatever the first is
		{1e6, 40e6, 0, true}, // fast still
		{10e6, 80e6, 0, true},
		{1e6, 80e6, 0, false},
		{1e6, 1e6, 1, false},
	} {
		if got := keeps(sample(c.p99, c.failed), 0, c.calm); got != c.want {
			t.Errorf("%+v: %t", c, got)
		}
	}
}

func TestMachineSaysWhatItIs(t *testing.T) {
	if m := Machine(); m.Cores < 1 || m.Go == "" || m.Kernel == "" {
		t.Errorf("%+v", m)
	}
}
