package compare

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"odradek/bench"
)

const file = "name: acks\nproducerRate: 1000\nvariants: [{variant: all}, {variant: one}]\n"

// result has n repetitions of both variants, with noise that differs by seed. Every
// sample is changed by change, nil for none.
func result(seed uint64, n int, change func(*bench.Sample)) *bench.Result {
	r := &bench.Result{Version: bench.ResultVersion, Scenario: "acks", File: file, Targets: []bench.Target{{Name: "odradek", Mode: "disk"}}}
	noise := rand.New(rand.NewPCG(seed, 1))
	for rep := range n {
		for _, variant := range []string{"all", "one"} {
			s := bench.Sample{
				Target: "odradek", Variant: variant, Rate: 1000, Repetition: rep, Seconds: 10,
				Acked: 10_000 + noise.Int64N(100), Bytes: 10_240_000,
				Server: bench.Usage{CPUSeconds: 1 + noise.Float64()/10, RSSBytes: 50<<20 + noise.Int64N(1<<20), BytesWritten: -1},
			}
			for range 1000 {
				s.Ack.Record(1e6 + noise.Int64N(1e5))
			}
			if change != nil {
				change(&s)
			}
			r.Samples = append(r.Samples, s)
		}
	}
	return r
}

func slower(s *bench.Sample) {
	if s.Variant == "all" {
		for range 15 {
			s.Ack.Record(3e6)
		}
	}
}

func compare(t *testing.T, before, after *bench.Result, o Options) *Comparison {
	t.Helper()
	c, err := Compare(before, after, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// verdicts are the measures with a verdict, by variant.
func verdicts(c *Comparison, verdict string) []string {
	var found []string
	for _, x := range c.Changes {
		if x.Verdict == verdict {
			found = append(found, x.Variant+" "+x.Key)
		}
	}
	return found
}

func TestPlantedRegressionsAreFound(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*bench.Sample)
		want   []string
	}{
		{"latency of one variant", slower, []string{"all ack_p99", "all ack_p999"}},
		{"CPU", func(s *bench.Sample) { s.Server.CPUSeconds *= 1.2 }, []string{"all cpu", "all cpu_per_record", "one cpu", "one cpu_per_record"}},
		{"memory", func(s *bench.Sample) { s.Server.RSSBytes *= 2 }, []string{"all rss", "one rss"}},
		{"throughput", func(s *bench.Sample) { s.Acked = s.Acked * 9 / 10 }, []string{"all throughput", "all cpu_per_record", "one throughput", "one cpu_per_record"}},
	} {
		got := compare(t, result(1, 10, nil), result(2, 10, c.change), Options{Family: true})
		if worse := verdicts(got, Worse); !slices.Equal(worse, c.want) {
			t.Errorf("%s: worse are %v, want %v", c.name, worse, c.want)
		}
		if better := verdicts(got, Better); len(better) > 0 {
			t.Errorf("%s: better are %v", c.name, better)
		}
		back := compare(t, result(2, 10, c.change), result(1, 10, nil), Options{Family: true})
		if better := verdicts(back, Better); !slices.Equal(better, c.want) {
			t.Errorf("%s, taken back: better are %v, want %v", c.name, better, c.want)
		}
	}
}

func TestNoiseIsNotFound(t *testing.T) {
	for seed := range uint64(20) {
		c := compare(t, result(2*seed, 8, nil), result(2*seed+1, 8, nil), Options{Family: true})
		if found := slices.Concat(verdicts(c, Worse), verdicts(c, Better)); len(found) > 0 || len(c.Changes) == 0 {
			t.Errorf("seeds %d and %d: %v of %d", 2*seed, 2*seed+1, found, len(c.Changes))
		}
	}
}

// With three repetitions the least p is 0.1.
func TestTooFewRepetitionsSayNothing(t *testing.T) {
	c := compare(t, result(1, 3, nil), result(2, 3, slower), Options{})
	if worse := verdicts(c, Worse); len(worse) > 0 {
		t.Errorf("worse are %v", worse)
	}
	var text bytes.Buffer
	if err := c.Print(&text); err != nil || !strings.Contains(text.String(), "~ because: need >= 4 samples") {
		t.Errorf("%v\n%s", err, &text)
	}
}

func TestSimulationsAreExact(t *testing.T) {
	sim := func(syncs int64) *bench.Result {
		return &bench.Result{Scenario: "acks", File: file, Targets: []bench.Target{{Name: "sim", Mode: "sim"}}, Samples: []bench.Sample{{
			Target: "sim", Variant: "all", Rate: 1000, Seconds: 10, Acked: 10_000, Bytes: 1, Server: bench.Unknown,
			Counters: map[string]int64{"disk_syncs": syncs, "round_trips": 5},
		}}}
	}
	c := compare(t, sim(100), sim(101), Options{})
	if worse := verdicts(c, Worse); !slices.Equal(worse, []string{"all disk_syncs"}) {
		t.Errorf("worse are %v", worse)
	}
	if same := verdicts(c, Same); !slices.Contains(same, "all round_trips") || !slices.Contains(same, "all throughput") {
		t.Errorf("the same are %v", same)
	}
	// What is exact of one build is not of a disk.
	disk := sim(101)
	disk.Targets[0].Mode = "disk"
	if worse := verdicts(compare(t, sim(100), disk, Options{}), Worse); len(worse) > 0 {
		t.Errorf("one sample of a disk is beyond doubt: %v", worse)
	}
}

func TestWhatOnlyOneResultHas(t *testing.T) {
	before, after := result(1, 5, nil), result(2, 5, func(s *bench.Sample) {
		if s.Variant == "one" {
			s.Rate = 2000
		}
	})
	c := compare(t, before, after, Options{})
	if !slices.Equal(c.Missing, []string{"odradek, one, 1,000/s"}) || !slices.Equal(c.New, []string{"odradek, one, 2,000/s"}) {
		t.Errorf("missing %v, new %v", c.Missing, c.New)
	}
}

func TestResultsWithNothingInCommonAreAnError(t *testing.T) {
	otherRate := func(s *bench.Sample) { s.Rate = 2000 }
	for want, pair := range map[string][2]*bench.Result{
		"before odradek, all, 1,000/s; odradek, one, 1,000/s; after odradek, all, 2,000/s": {result(1, 5, nil), result(2, 5, otherRate)},
		"before there are no samples": {result(1, 0, nil), result(2, 5, nil)},
	} {
		if _, err := Compare(pair[0], pair[1], Options{}); !errors.Is(err, ErrNothing) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestLostRecordsAreHarm(t *testing.T) {
	c := compare(t, result(1, 5, nil), result(2, 5, func(s *bench.Sample) { s.Lost = 2 }), Options{})
	if want := "odradek, all, 1,000/s: 10 records lost, 0 before"; len(c.Harm) != 2 || c.Harm[0] != want {
		t.Errorf("%q, want %q and the other variant's", c.Harm, want)
	}
	var text bytes.Buffer
	if err := c.Print(&text); err != nil || !strings.Contains(text.String(), "\nworse: odradek, all, 1,000/s: 10 records lost") {
		t.Errorf("%v\n%s", err, &text)
	}
}

func TestDifferentScenariosAreRefused(t *testing.T) {
	for _, c := range []struct{ name, file, want string }{
		{"acks", strings.Replace(file, "name: acks", "name: acks\ndescription: other words # and a comment\nrepetitions: 9\nbrokerConfig: {}", 1), ""},
		{"acks", strings.Replace(file, "1000", "2000", 1), ""},
		{"acks", strings.Replace(file, "name: acks", "name: acks\nmessageSize: 100", 1), "acks/all has another messageSize"},
		{"other", file, "acks and other"},
	} {
		after := result(2, 5, nil)
		after.Scenario, after.File = c.name, c.file
		_, err := Compare(result(1, 5, nil), after, Options{})
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", c.file, err)
			}
			continue
		}
		if !errors.Is(err, ErrScenarios) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.file, err, c.want)
		}
		if forced := compare(t, result(1, 5, nil), after, Options{Force: true}); len(forced.Changes) == 0 || !strings.Contains(forced.Notes[0], c.want) {
			t.Errorf("%s, forced: %d changes, notes %q", c.file, len(forced.Changes), forced.Notes)
		}
	}
}

func TestTwoTargetsAreComparedWhateverTheirNames(t *testing.T) {
	after := result(2, 5, func(s *bench.Sample) { s.Target = "Kafka" })
	after.Targets[0].Name = "Kafka"
	c := compare(t, result(1, 5, nil), after, Options{})
	if len(c.Missing)+len(c.New) > 0 || len(c.Changes) == 0 || !slices.Contains(c.Notes, "odradek is compared with Kafka") {
		t.Errorf("missing %v, new %v, notes %q", c.Missing, c.New, c.Notes)
	}
}

func TestThresholdsBindWhatTheyName(t *testing.T) {
	c := compare(t, result(1, 10, nil), result(2, 10, func(s *bench.Sample) { s.Server.CPUSeconds *= 1.2 }), Options{})
	for text, want := range map[string]int{"5%": 4, "5": 4, "30%": 0, "rss=0": 0, "cpu=10%": 2, "50%,cpu=10%": 2, "cpu=10%,50%": 2, "0,cpu=50%": 2} {
		var thresholds []Threshold
		for part := range strings.SplitSeq(text, ",") {
			one, err := ParseThreshold(part)
			if err != nil {
				t.Fatal(err)
			}
			thresholds = append(thresholds, one)
		}
		if found := c.Beyond(thresholds); len(found) != want {
			t.Errorf("%s: %+v, want %d", text, found, want)
		}
	}
	if found := c.Beyond(nil); len(found) > 0 {
		t.Errorf("without a threshold: %+v", found)
	}
	if got := c.Unknown([]Threshold{{Key: "cpu"}, {}, {Key: "p99"}}); !slices.Equal(got, []string{"p99"}) {
		t.Errorf("unknown are %v", got)
	}
	for _, text := range []string{"", "x", "-1", "=5%", "NaN", "cpu="} {
		if got, err := ParseThreshold(text); err == nil {
			t.Errorf("%q was taken for %+v", text, got)
		}
	}
}

func TestTableForPeople(t *testing.T) {
	var text bytes.Buffer
	if err := compare(t, result(1, 10, nil), result(2, 10, slower), Options{Family: true}).Print(&text); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(text.String(), "\n")
	find := func(prefix string) string {
		i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, prefix) })
		if i < 0 {
			t.Fatalf("no line %q in\n%s", prefix, &text)
		}
		return lines[i]
	}
	find("odradek, all, 1,000/s")
	if l := find("  ack p99 "); !strings.Contains(l, "% worse") || !strings.Contains(l, "3.00 ms") || !strings.Contains(l, "p=0.000 n=10") {
		t.Errorf("%s", l)
	}
	if l := find("  RSS "); !strings.Contains(l, " ~ ") || !strings.Contains(l, "MiB ±") {
		t.Errorf("%s", l)
	}
}
