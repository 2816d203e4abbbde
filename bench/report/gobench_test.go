package report

import (
	"strings"
	"testing"

	"golang.org/x/perf/benchfmt"
)

func TestGoBenchmarkFormatIsReadBack(t *testing.T) {
	var b strings.Builder
	if err := GoBenchmark(&b, result()); err != nil {
		t.Fatal(err)
	}
	in := benchfmt.NewReader(strings.NewReader(b.String()), "result")
	names := make(map[string]int)
	for in.Scan() {
		switch rec := in.Result().(type) {
		case *benchfmt.SyntaxError:
			t.Error(rec)
		case *benchfmt.Result:
			names[rec.Name.String()]++
			// benchstat's base units: seconds.
			if v, ok := rec.Value("ack-p99-sec"); !ok || v < 0.0009 || v > 0.0081 {
				t.Errorf("%s: ack p99 %v s, %v", rec.Name, v, ok)
			}
			if _, ok := rec.Value("rss-B"); ok != strings.Contains(rec.Name.String(), "target=odradek/") {
				t.Errorf("%s: RSS is known: %v", rec.Name, ok)
			}
		}
	}
	if err := in.Err(); err != nil {
		t.Fatal(err)
	}
	if names["acks/target=odradek/rate=1000"] != 3 || names["acks/target=other_3_brokers/rate=1000"] != 3 || names["acks/target=sim/rate=1000"] != 1 {
		t.Errorf("repetitions by name: %v\n%s", names, b.String())
	}
	units := in.Units()
	if units.GetBetter("records/s") != 1 || units.GetBetter("ack-p99-ns") != -1 || units.GetAssumption("syncs/run").SummaryLabel() != "exact" {
		t.Errorf("units:\n%s", b.String())
	}
}
