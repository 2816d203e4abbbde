package reports

import (
	"slices"
	"strings"
	"testing"

	"odradek/bench"
)

func TestOnlyWhatTheDataAllow(t *testing.T) {
	for _, test := range []struct {
		name   string
		result bench.Result
		want   []string
	}{
		{"sweep", sweep(), []string{"1kib-latency-ack", "1kib-latency-end-to-end", "1kib-prediction", "1kib-cdf"}},
		{"one rate", single(), []string{"small-records-prediction", "small-records-cdf"}},
		{"nothing predicted", without(single(), systems[2].Name), []string{"small-records-cdf"}},
		{"a leader killed", leaderKilled(), []string{"failover-prediction", "failover-cdf", "failover-timeline", "failover-failover"}},
	} {
		f, missing, err := Figures([]bench.Result{test.result})
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		var names []string
		made := map[Kind]bool{}
		for _, x := range f {
			names = append(names, x.Name)
			made[x.Kind] = true
		}
		if !slices.Equal(names, test.want) {
			t.Errorf("%s: figures %v, want %v", test.name, names, test.want)
		}
		if len(made)+len(missing) != len(Kinds()) {
			t.Errorf("%s: %d kinds made and %d missing, want %d together", test.name, len(made), len(missing), len(Kinds()))
		}
		for _, m := range missing {
			if m.Why == "" || made[m.Kind] {
				t.Errorf("%s: %+v", test.name, m)
			}
		}
	}
}

func TestWhatCannotBePlottedIsAnError(t *testing.T) {
	change := func(f func(*bench.Result)) bench.Result {
		r := single()
		r.Samples = slices.Clone(r.Samples)
		f(&r)
		return r
	}
	good := single()
	for _, test := range []struct {
		name    string
		results []bench.Result
		kinds   []Kind
		want    string
	}{
		{"nothing", nil, nil, "there are no results"},
		{"no samples", []bench.Result{change(func(r *bench.Result) { r.Samples = nil })}, nil, "it has no samples"},
		{"another version", []bench.Result{change(func(r *bench.Result) { r.Version++ })}, nil, "version 2, want 1"},
		{"no scenario", []bench.Result{change(func(r *bench.Result) { r.File = "" })}, nil, "the file is empty"},
		{"unknown target", []bench.Result{change(func(r *bench.Result) { r.Samples[0].Target = "x" })}, nil, `target "x", which is not listed`},
		{"unknown variant", []bench.Result{change(func(r *bench.Result) { r.Samples[0].Variant = "x" })}, nil, `variant "x", which the scenario does not have`},
		{"no time", []bench.Result{change(func(r *bench.Result) { r.Samples[0].Seconds = 0 })}, nil, "sample 1 has measured 0 s"},
		{"no interval", []bench.Result{change(func(r *bench.Result) { r.Samples[0].Timeline = []bench.Tick{{}} })}, nil, "an interval of 0 s"},
		{"other files", []bench.Result{good, change(func(r *bench.Result) { r.File += "topics: 2\n" })}, nil, "their scenario files differ"},
		{"other machines", []bench.Result{good, change(func(r *bench.Result) { r.Machine.Cores = 2 })}, nil, "different machines"},
		{"not that kind", []bench.Result{good}, []Kind{Failover}, "no leader was killed in it"},
		{"no such kind", []bench.Result{good}, []Kind{"pie"}, `kind "pie", want one of`},
	} {
		_, _, err := Figures(test.results, test.kinds...)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", test.name, err, test.want)
		}
	}
}

func TestResultsOfOneScenarioArePutTogether(t *testing.T) {
	newer := single()
	newer.Targets = slices.Clone(newer.Targets)
	newer.Targets[0].Version = "fffffff"
	sets, err := merge([]bench.Result{single(), newer})
	if err != nil {
		t.Fatal(err)
	}
	if len(sets) != 1 {
		t.Fatalf("%d sets, want 1", len(sets))
	}
	var have []string
	for _, x := range sets[0].targets {
		p, _ := sets[0].at(x, &sets[0].scenarios[0], 50_000)
		have = append(have, x.label+": "+plural(len(p.runs), "run"))
	}
	want := []string{
		"odradek, 3 processes (1a2b3c4): 3 runs", "Kafka, 3 brokers: 6 runs", "odradek, simulated: 6 runs",
		"reference, 64 KiB frames: 6 runs", "odradek, 3 processes (fffffff): 3 runs",
	}
	if !slices.Equal(have, want) {
		t.Errorf("targets %q, want %q", have, want)
	}
}

// ran is a set of two targets with some throughputs at some rates.
func rates(reached map[float64][2]float64) *set {
	file := "name: rates\nsubscriptionsPerTopic: 0\n"
	r := bench.Result{Version: bench.ResultVersion, Scenario: "rates", File: file, Targets: []bench.Target{{Name: "a"}, {Name: "b"}}}
	for rate, got := range reached {
		for i, t := range r.Targets {
			if got[i] > 0 {
				r.Samples = append(r.Samples, bench.Sample{Target: t.Name, Rate: rate, Seconds: 1, Acked: int64(got[i])})
			}
		}
	}
	sets, err := merge([]bench.Result{r})
	if err != nil {
		panic(err)
	}
	return sets[0]
}

func TestTargetsAreComparedAtTheLargestRateThatAllKeepUpWith(t *testing.T) {
	for _, test := range []struct {
		name    string
		reached map[float64][2]float64
		want    float64
		found   bool
	}{
		{"all keep up", map[float64][2]float64{100: {100, 100}, 200: {200, 200}}, 200, true},
		{"one does not", map[float64][2]float64{100: {100, 100}, 200: {200, 200}, 300: {300, 240}}, 200, true},
		{"one never does", map[float64][2]float64{100: {100, 50}, 200: {200, 50}}, 100, true},
		{"as fast as possible is no rate", map[float64][2]float64{100: {100, 100}, 0: {900, 800}}, 100, true},
		{"as fast as possible alone", map[float64][2]float64{0: {900, 800}}, 0, true},
		{"one was not run", map[float64][2]float64{100: {100, 100}, 200: {200, 0}}, 100, true},
		{"none in common", map[float64][2]float64{100: {100, 0}, 200: {0, 200}}, 0, false},
	} {
		s := rates(test.reached)
		got, found := s.common(s.targets, &s.scenarios[0])
		if got != test.want || found != test.found {
			t.Errorf("%s: %v, %v, want %v, %v", test.name, got, found, test.want, test.found)
		}
	}
}

func TestSpreadIsMedianSmallestAndLargest(t *testing.T) {
	p := point{runs: []*bench.Sample{{Acked: 30, Seconds: 1}, {Acked: 10, Seconds: 1}, {Acked: 100, Seconds: 2}, {Acked: 20, Seconds: 1}}}
	if got, want := p.over(throughput), (spread{25, 10, 50}); got != want {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestSimulationForetellsThisBrokerAlone(t *testing.T) {
	names := func(targets ...bench.Target) string {
		r := bench.Result{Version: bench.ResultVersion, Scenario: "p", File: "name: p\n", Targets: targets}
		for _, x := range targets {
			r.Samples = append(r.Samples, bench.Sample{Target: x.Name, Seconds: 1, Acked: 1})
		}
		sets, err := merge([]bench.Result{r})
		if err != nil {
			t.Fatal(err)
		}
		var list []string
		for _, p := range sets[0].pairs(&sets[0].scenarios[0]) {
			list = append(list, p.predicted.label+" -> "+p.measured.label)
		}
		return strings.Join(list, "; ")
	}
	sim := bench.Target{Name: "odradek, simulated", Mode: "sim"}
	disk, inside := bench.Target{Name: "odradek, 3 processes", Mode: "disk"}, bench.Target{Name: "odradek, in process", Mode: "in-process"}
	kafka := bench.Target{Name: "Kafka", Mode: "disk"}
	for _, test := range []struct{ got, want string }{
		{names(kafka, sim, inside, disk), "odradek, simulated -> odradek, 3 processes"},
		{names(kafka, sim, inside), "odradek, simulated -> odradek, in process"},
		{names(kafka, sim), "odradek, simulated -> Kafka"},
		{names(kafka, disk), ""},
	} {
		if test.got != test.want {
			t.Errorf("%q, want %q", test.got, test.want)
		}
	}
}

func TestErrorOfAPredictionIsStated(t *testing.T) {
	for _, test := range []struct {
		ratios []float64
		want   string
	}{
		{[]float64{1.1, 0.95, 1.3}, "error: median +10 %, worst +30 %"},
		{[]float64{0.5, 1, 1.6}, "error: median 0 %, worst 2× too low"}, // half is further than 1.6 times
		{nil, "error: at no rate did both keep up"},
	} {
		if got := stated(test.ratios); got != test.want {
			t.Errorf("%v: %q, want %q", test.ratios, got, test.want)
		}
	}
}
