package report

import (
	"encoding/csv"
	"strings"
	"testing"

	"odradek/bench"
)

// result is of two targets, one of which cannot be looked into, and a simulation.
func result() *bench.Result {
	r := &bench.Result{
		Version: bench.ResultVersion, Scenario: "acks", Command: "odradek bench run acks", Started: "2026-03-01T12:00:00Z",
		File:    "name: acks\ndescription: how much acks cost\nproducerRate: 1000\n",
		Machine: bench.Machine{Processor: "Pentium", Cores: 4, MemoryMiB: 512, Kernel: "6.1", Go: "go1.26"},
		Targets: []bench.Target{{Name: "odradek", Mode: "disk", Version: "abc"}, {Name: "other, 3 brokers", Mode: "external"}, {Name: "sim", Mode: "sim", Profile: "nvme"}},
	}
	for rep := range 3 {
		s := sample("odradek", rep, int64(2+rep))
		s.Server = bench.Usage{CPUSeconds: 1 + float64(rep)/10, RSSBytes: 64 << 20, BytesWritten: 20_000_000}
		s.Client = bench.Usage{CPUSeconds: 0.5, RSSBytes: 10 << 20, BytesWritten: 0}
		r.Samples = append(r.Samples, s)
		slow := sample("other, 3 brokers", rep, 8)
		slow.Acked, slow.Received, slow.Lost, slow.Duplicated = 5000, 5000, -1, -1
		slow.Server, slow.Client = bench.Unknown, bench.Unknown
		r.Samples = append(r.Samples, slow)
	}
	s := sample("sim", 0, 1)
	s.Server, s.Client, s.Counters = bench.Unknown, bench.Unknown, map[string]int64{"syncs": 2500, "requests": 10_000}
	s.Marks = []bench.Mark{{At: 5, What: "kill-leader | broker 2"}}
	r.Samples = append(r.Samples, s)
	return r
}

// sample keeps up with 1000 records/s for 10 s, at a latency in ms.
func sample(target string, repetition int, latency int64) bench.Sample {
	s := bench.Sample{Target: target, Rate: 1000, Repetition: repetition, Seconds: 10, Sent: 10_000, Acked: 10_000, Received: 10_000, Bytes: 10_240_000}
	for range 1000 {
		s.Ack.Record(latency * 1e6)
		s.EndToEnd.Record(latency * 2e6)
		s.Lateness.Record(5000)
	}
	return s
}

func TestMarkdownTellsVariantsAsRatiosToTheFirst(t *testing.T) {
	r := result()
	r.Samples = nil
	for rep, latency := range []int64{2, 4, 8} { // a machine that slows down
		for _, v := range []struct {
			name   string
			factor int64
		}{{"plain", 1}, {"safe", 3}} {
			s := sample("odradek", rep, latency*v.factor)
			s.Variant, s.Acked, s.Server = v.name, 10_000/v.factor, bench.Unknown
			r.Samples = append(r.Samples, s)
		}
	}
	var b strings.Builder
	if err := Markdown(&b, r); err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(b.String(), "## Ratios to plain, of the same repetition\n\n")
	if want := "| odradek | safe    |            1,000 |      0.333 |"; !found || !strings.Contains(text, want) {
		t.Errorf("want %q in\n%s", want, b.String())
	}
	if strings.Count(text, " 3.00 |") != 4 {
		t.Errorf("latency of safe is not thrice that of plain in every repetition:\n%s", text)
	}
	if strings.Contains(text, "CPU") {
		t.Errorf("ratios of what nobody knows:\n%s", text)
	}
}

func TestBottleneckOfSomeRepetitionsIsTold(t *testing.T) {
	for _, c := range []struct {
		what map[string]int
		want string
	}{{map[string]int{limitNone: 3}, "-"}, {map[string]int{limitClient: 3}, "client"}, {map[string]int{limitNone: 2, limitClient: 1}, "client in 1 of 3"}} {
		if got := times(c.what, 3); got != c.want {
			t.Errorf("%v: %q, want %q", c.what, got, c.want)
		}
	}
}

func TestMarkdownTellsMediansWithTheirSpread(t *testing.T) {
	var b strings.Builder
	if err := Markdown(&b, result()); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, want := range []string{
		"# acks\n", "how much acks cost", "`odradek bench run acks`", "Pentium, 4 cores", "repetitions: 3; medians",
		"| sim              | sim      |         | nvme    |",
		"| 3.00 (2.00-4.00) |", // ack, p50 of repetitions with 2, 3 and 4 ms
		"|             8.00 |", // no spread where there is none
		"kill-leader \\| broker 2",
		"| syncs    |        2,500 |     0.25 |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("want %q in:\n%s", want, text)
		}
	}
	// One line for each run, in the first table with numbers.
	_, seen, _ := strings.Cut(text, "## What users see\n\n")
	seen, _, _ = strings.Cut(seen, "\n\n")
	lines := strings.Split(seen, "\n")
	if len(lines) != 5 {
		t.Fatalf("%d lines, want heading, rule and 3 runs:\n%s", len(lines), seen)
	}
	for i, want := range []string{"yes |", "no |", "yes |"} {
		if !strings.HasSuffix(lines[i+2], want) {
			t.Errorf("kept up: want %s in %s", want, lines[i+2])
		}
	}
	if strings.Contains(seen, "variant") {
		t.Errorf("a column of nothing:\n%s", seen)
	}
}

func TestUnknownIsEmptyNotZero(t *testing.T) {
	var b strings.Builder
	if err := CSV(&b, result()); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(b.String())).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 8 {
		t.Fatalf("%d lines, want a heading and 7 samples", len(rows))
	}
	cell := func(line int, name string) string {
		for i, head := range rows[0] {
			if head == name {
				return rows[line][i]
			}
		}
		t.Fatalf("no column %q in %q", name, rows[0])
		return ""
	}
	for _, c := range []struct {
		line       int
		name, want string
	}{
		{1, "target", "odradek"}, {1, "throughput (records/s)", "1000"}, {1, "ack_p99 (ms)", "2"}, {1, "rss (MiB)", "64"}, {1, "cpu_per_record (us/record)", "100"},
		{1, "lost", "0"}, {1, "syncs", ""}, {1, "kept_up", "true"}, {1, "bottleneck", "-"},
		{2, "target", "other, 3 brokers"}, {2, "lost", ""}, {2, "rss (MiB)", ""}, {2, "cpu (s/GB)", ""}, {2, "server_cpu (s)", ""}, {2, "kept_up", "false"}, {2, "bottleneck", "server"},
		{7, "profile", "nvme"}, {7, "syncs", "2500"}, {7, "requests", "10000"},
	} {
		// Latencies are within three digits.
		if got := cell(c.line, c.name); got != c.want && !strings.HasPrefix(got, c.want+".00") {
			t.Errorf("line %d, %s: %q, want %q", c.line, c.name, got, c.want)
		}
	}
}

func TestBottleneckIsWhoeverWasTheLimit(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*bench.Sample)
		want   string
	}{
		{"it kept up", func(*bench.Sample) {}, "-"},
		{"acknowledgements are missing", func(s *bench.Sample) { s.Acked = 9000 }, "server"},
		{"a group did not keep up", func(s *bench.Sample) { s.Received = 9000 }, "server"},
		{"as fast as possible", func(s *bench.Sample) { s.Rate = 0 }, "server"},
		{"the client sent late", func(s *bench.Sample) {
			for range 1000 {
				s.Lateness.Record(20e6)
			}
		}, "client"},
		{"nobody looked at the client", func(s *bench.Sample) { s.Acked, s.Lateness = 9000, bench.Histogram{} }, "?"},
		{"there was no CPU left", func(s *bench.Sample) { s.Server.CPUSeconds, s.Client.CPUSeconds = 20, 17 }, "machine"},
		{"CPU is not known", func(s *bench.Sample) { s.Server, s.Client = bench.Unknown, bench.Unknown }, "-"},
	} {
		s := sample("odradek", 0, 50)
		c.change(&s)
		if got := Bottleneck(&s, 4, 1); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestNumbersForPeople(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 7: "7", 1234567: "1,234,567", -1234: "-1,234", 999.7: "1,000", 123.4: "123", 99.97: "100", 12.34: "12.3", 1.234: "1.23", 0.1234: "0.123", 0.9999: "1.00",
	} {
		if got := Number(v); got != want {
			t.Errorf("%v: %s, want %s", v, got, want)
		}
	}
	for _, c := range []struct {
		v    float64
		unit string
		want string
	}{{1_250_000, "ns", "1.25 ms"}, {5e9, "ns", "5 s"}, {3 << 19, "B", "1.50 MiB"}, {12, "syncs", "12 syncs"}, {3, "", "3"}} {
		if got := Quantity(c.v, c.unit); got != c.want {
			t.Errorf("%v %s: %s, want %s", c.v, c.unit, got, c.want)
		}
	}
}
