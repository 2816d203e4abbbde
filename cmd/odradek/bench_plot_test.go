package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"odradek/bench"
)

func TestPlotsAreMadeOfResultFiles(t *testing.T) {
	dir := t.TempDir()
	r := bench.Result{
		Version: bench.ResultVersion, Scenario: "two-rates", File: "name: two-rates\nproducerRates: [100, 200]\n",
		Targets: []bench.Target{{Name: "odradek", Mode: "disk"}},
	}
	for _, rate := range []float64{100, 200} {
		s := bench.Sample{Target: "odradek", Rate: rate, Repetition: 1, Seconds: 1, Acked: int64(rate), Received: int64(rate), Server: bench.Unknown}
		for i := range int64(rate) {
			s.Ack.Record(1e6 + i*1e4)
		}
		r.Samples = append(r.Samples, s)
	}
	result := filepath.Join(dir, "result.json")
	if err := r.Write(result); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(dir, "other.json")
	if err := os.WriteFile(other, []byte(`{"version": 1}`), 0o666); err != nil {
		t.Fatal(err)
	}
	plots := filepath.Join(dir, "plots")
	for _, test := range []struct {
		name     string
		args     []string
		out      []string
		told     string
		mistaken string
	}{
		{"all", []string{result, "--out", plots}, []string{"two-rates-latency-ack.png", "two-rates-latency-ack.svg", "two-rates-cdf.png", "two-rates-cdf.svg"}, "", ""},
		{"some", []string{result, "--out", plots, "--format", "svg", "--kind", "cdf,failover"}, []string{"two-rates-cdf.svg"}, "no failover of two-rates: no leader was killed in it\n", ""},
		{"not that kind", []string{result, "--kind", "failover"}, nil, "", "there is nothing to plot: failover of two-rates: no leader was killed in it"},
		{"no such kind", []string{result, "--kind", "pie"}, nil, "", `kind "pie", want one of`},
		{"no such format", []string{result, "--format", "gif"}, nil, "", "--format gif: want one of png, svg"},
		{"an empty result", []string{other}, nil, "", "it has no samples"},
		{"no such file", []string{filepath.Join(dir, "none.json")}, nil, "", "none.json"},
	} {
		c := benchPlotCommand()
		c.SilenceErrors, c.SilenceUsage = true, true
		var out, diagnostics bytes.Buffer
		c.SetOut(&out)
		c.SetErr(&diagnostics)
		c.SetArgs(test.args)
		err := c.Execute()
		if (err == nil) != (test.mistaken == "") || err != nil && !strings.Contains(err.Error(), test.mistaken) {
			t.Errorf("%s: error %v, want %q", test.name, err, test.mistaken)
		}
		want := ""
		for _, name := range test.out {
			file := filepath.Join(plots, name)
			want += file + "\n"
			if i, err := os.Stat(file); err != nil || i.Size() < 5000 {
				t.Errorf("%s: %s: %v, %v", test.name, name, i, err)
			}
		}
		if out.String() != want || diagnostics.String() != test.told {
			t.Errorf("%s: printed\n%s%swant\n%s%s", test.name, &out, &diagnostics, want, test.told)
		}
	}
}
