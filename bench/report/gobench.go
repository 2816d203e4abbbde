package report

import (
	"fmt"
	"io"
	"strings"

	"golang.org/x/perf/benchfmt"

	"odradek/bench"
)

// GoBenchmark writes the Go benchmark format: a line for every sample, by names such as
// Benchmark<scenario>/variant=acks-1/target=odradek/rate=1000, which benchstat groups into
// repetitions. Counters of simulations have units of their own, and are exact.
//
// What differs between two runs that one wants to compare (versions, times, commands) is
// left out: benchstat would put them in different tables.
func GoBenchmark(w io.Writer, r *bench.Result) error {
	out := benchfmt.NewWriter(w)
	units := make(map[string]bool)
	describe := func(unit, key, value string) error {
		if units[unit+key] {
			return nil
		}
		units[unit+key] = true
		return out.Write(&benchfmt.UnitMetadata{UnitMetadataKey: benchfmt.UnitMetadataKey{Unit: unit, Key: key}, OrigUnit: unit, Value: value})
	}
	names := counters(r)
	for i := range bench.Measures {
		m := &bench.Measures[i]
		better := "lower"
		if m.Higher {
			better = "higher"
		}
		if err := describe(goUnit(m), "better", better); err != nil {
			return err
		}
	}
	for _, name := range names {
		if err := describe(counterUnit(name), "assume", "exact"); err != nil {
			return err
		}
	}
	for i := range r.Samples {
		s := &r.Samples[i]
		res := benchfmt.Result{
			Config: []benchfmt.Config{{Key: "cpu", Value: []byte(r.Machine.Processor), File: true}},
			Name:   benchfmt.Name(goName(r.Scenario, s)),
			Iters:  int(max(s.Acked, 1)),
		}
		for i := range bench.Measures {
			m := &bench.Measures[i]
			if v, ok := m.Of(s); ok {
				res.Values = append(res.Values, benchfmt.Value{Value: v, Unit: goUnit(m)})
			}
		}
		for _, name := range names {
			if v, ok := s.Counters[name]; ok {
				res.Values = append(res.Values, benchfmt.Value{Value: float64(v), Unit: counterUnit(name)})
			}
		}
		if len(res.Values) == 0 {
			continue
		}
		if err := out.Write(&res); err != nil {
			return err
		}
	}
	return nil
}

func goName(scenario string, s *bench.Sample) string {
	parts := []string{word(scenario)}
	if s.Variant != "" {
		parts = append(parts, "variant="+word(s.Variant))
	}
	rate := "max"
	if s.Rate > 0 {
		rate = plain(s.Rate)
	}
	// The rate is last, lest a number at the end of a name be taken for GOMAXPROCS.
	return strings.Join(append(parts, "target="+word(s.Target), "rate="+rate), "/")
}

// word is a name without what ends one in the format.
func word(s string) string {
	return strings.NewReplacer(" ", "_", "/", "_", "\t", "_", ",", "").Replace(s)
}

// goUnit is a unit that says what it is of, as B/op does. One that ends in a unit that
// benchstat knows (ns, B) is shown in sizes that people read.
func goUnit(m *bench.Measure) string {
	key := strings.ReplaceAll(m.Key(), "_", "-")
	switch m.Unit {
	case "records/s", "MB/s":
		return m.Unit
	}
	return fmt.Sprintf("%s-%s", key, m.Unit)
}

func counterUnit(name string) string { return word(name) + "/run" }
