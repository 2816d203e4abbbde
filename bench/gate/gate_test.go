package gate

import (
	"bytes"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"odradek/bench"
)

// fake answers every scenario with the same sample, changed.
func fake(change func(*bench.Scenario, *bench.Sample)) Runner {
	return func(s *bench.Scenario, rate float64) (bench.Sample, error) {
		sample := bench.Sample{
			Variant: s.Variant, Rate: rate, Seconds: 1, Acked: 1000, Received: 1000, Lost: -1,
			Server: bench.Usage{CPUSeconds: 0.25}, Client: bench.Unknown,
			Counters: map[string]int64{"round_trips": 1000, "disk_syncs": 10, "bytes_copied": 1_024_000},
		}
		for range 100 {
			sample.Ack.Record(1e6)
		}
		change(s, &sample)
		return sample, nil
	}
}

func unchanged(*bench.Scenario, *bench.Sample) {}

func measure(t *testing.T, run Runner) Baseline {
	t.Helper()
	b, err := Measure(Scenarios(), run)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const acksAll = "gate/acks-all, 2,000/s"

func TestOneMoreOfAnythingIsFound(t *testing.T) {
	before := measure(t, fake(unchanged))
	for _, c := range []struct {
		what   string
		change func(*bench.Sample)
		want   Difference
		text   string
	}{
		{"nothing", func(*bench.Sample) {}, Difference{}, ""},
		{"one more flush", func(s *bench.Sample) { s.Counters["disk_syncs"]++ }, Difference{acksAll, "disk_syncs", 10, 11, "worse"}, "disk_syncs  10  -> 11  +1 (+10.00%)  worse"},
		{"one more copied byte", func(s *bench.Sample) { s.Counters["bytes_copied"]++ }, Difference{acksAll, "bytes_copied", 1_024_000, 1_024_001, "worse"}, "1,024,000  -> 1,024,001  +1 (+0.00%)"},
		{"one round trip less", func(s *bench.Sample) { s.Counters["round_trips"]-- }, Difference{acksAll, "round_trips", 1000, 999, "better"}, "-1 (-0.10%)  better"},
		{"one record less", func(s *bench.Sample) { s.Acked-- }, Difference{acksAll, "acked", 1000, 999, "worse"}, "worse"},
		{"a request that was never sent", func(s *bench.Sample) { s.Counters["requests.Metadata"] = 2 }, Difference{acksAll, "requests.Metadata", 0, 2, "worse"}, "0  -> 2  +2  worse"},
		{"a request that is sent no more", func(s *bench.Sample) { delete(s.Counters, "disk_syncs") }, Difference{acksAll, "disk_syncs", 10, 0, "better"}, "10  -> 0  -10 (-100.00%)  better"},
		{"CPU time", func(s *bench.Sample) { s.Server.CPUSeconds += 1e-9 }, Difference{acksAll, "broker_cpu_ns", 250_000_000, 250_000_001, "worse"}, "250 ms  -> 250 ms  +1 ns"},
		{"a lost record", func(s *bench.Sample) { s.Lost = 1 }, Difference{acksAll, "lost", 0, 1, "worse"}, "lost  0  -> 1"},
	} {
		found := Differences(before, measure(t, fake(func(s *bench.Scenario, sample *bench.Sample) {
			if s.Variant == "acks-all" {
				c.change(sample)
			}
		})))
		var want []Difference
		if c.want != (Difference{}) {
			want = []Difference{c.want}
		}
		if diff := cmp.Diff(want, found); diff != "" {
			t.Errorf("%s: %s", c.what, diff)
		}
		var text bytes.Buffer
		if err := Print(&text, found); err != nil || !strings.Contains(text.String(), c.text) {
			t.Errorf("%s: %v, want %q in:\n%s", c.what, err, c.text, &text)
		}
	}
}

func TestVirtualLatencyIsExact(t *testing.T) {
	before := measure(t, fake(unchanged))
	found := Differences(before, measure(t, fake(func(s *bench.Scenario, sample *bench.Sample) {
		if s.Variant == "idle" {
			sample.Ack.Record(5e6)
		}
	})))
	// One of 101 is beyond the 99th percentile.
	if len(found) != 1 || found[0].What != "ack_max_ns" || found[0].Is != "worse" {
		t.Errorf("%+v", found)
	}
}

func TestScenariosThatAreMissingOrNewAreFindings(t *testing.T) {
	all := measure(t, fake(unchanged))
	few := maps.Clone(all)
	delete(few, acksAll)
	for _, c := range []struct {
		before, after Baseline
		want, text    string
	}{
		{all, few, "missing", acksAll + ": is in the baseline and did not run\n"},
		{few, all, "new", acksAll + ": ran and is not in the baseline\n"},
	} {
		found := Differences(c.before, c.after)
		if diff := cmp.Diff([]Difference{{Scenario: acksAll, Is: c.want}}, found); diff != "" {
			t.Error(diff)
		}
		var text bytes.Buffer
		if err := Print(&text, found); err != nil || text.String() != c.text {
			t.Errorf("%v: %q, want %q", err, text.String(), c.text)
		}
	}
}

func TestBaselineComesBackFromItsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "baseline.json")
	want := measure(t, fake(unchanged))
	if err := want.Write(path); err != nil {
		t.Fatal(err)
	}
	got, err := Read(path)
	if err != nil || len(Differences(want, got)) > 0 || len(got) == 0 {
		t.Errorf("%v %+v", err, Differences(want, got))
	}
}

func TestScenarioOfTheSameNameIsAnError(t *testing.T) {
	list := Scenarios()
	if _, err := Measure(append(list, list[0]), fake(unchanged)); err == nil || !strings.Contains(err.Error(), acksAll) {
		t.Error(err)
	}
}

func TestFailureOfARunIsAnError(t *testing.T) {
	failing := func(*bench.Scenario, float64) (bench.Sample, error) { return bench.Sample{}, fmt.Errorf("no leader") }
	if _, err := Measure(Scenarios(), failing); err == nil {
		t.Error("a run that failed was measured")
	}
}

// Of what the simulation says of a scenario the second run differs in nothing.
func TestSimulationIsExact(t *testing.T) {
	run, err := Simulated()
	if err != nil {
		t.Fatal(err)
	}
	list := Scenarios()[:1]
	first, err := Measure(list, run)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Measure(list, run)
	if err != nil {
		t.Fatal(err)
	}
	if found := Differences(first, second); len(found) > 0 {
		t.Errorf("%+v", found)
	}
	n := first[acksAll]
	if n["acked"] != 1000 || n["received"] != 1000 || n["requests.Produce"] < 1 || n["bytes_on_wire"] < 3*1000*1024 || n["ack_p50_ns"] < 1 {
		t.Errorf("%v", n)
	}
}

func TestBaselineHasTheScenariosThatRun(t *testing.T) {
	baseline, err := Read("baseline.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(measure(t, fake(unchanged)))), slices.Sorted(maps.Keys(baseline))); diff != "" {
		t.Errorf("odradek bench gate --update brings baseline.json up to date: %s", diff)
	}
}
