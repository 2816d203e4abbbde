package report

import (
	"slices"

	"odradek/bench"
)

// ratios compares every variant with the first, repetition by repetition: what changes on
// the machine from one to the next meets both, and falls out.
func (d *document) ratios() error {
	if len(d.runs) == 0 {
		return nil
	}
	first := d.runs[0].Variant
	var measures []bench.Measure
	for _, name := range []string{"throughput", "ack p50", "ack p99", "end-to-end p50", "end-to-end p99", "CPU per record"} {
		measures = append(measures, *bench.MeasureCalled(name))
	}
	t := table{head: slices.Clone(runColumns), words: 2}
	for i := range measures {
		t.head = append(t.head, measures[i].Name)
	}
	for _, run := range d.runs {
		base := slices.IndexFunc(d.runs, func(b bench.Run) bool {
			return b.Variant == first && b.Target == run.Target && b.Rate == run.Rate
		})
		if run.Variant == first || base < 0 {
			continue
		}
		row := runCells(&run)
		for i := range measures {
			row = append(row, spread(ratiosOf(&run, &d.runs[base], &measures[i])))
		}
		t.add(row...)
	}
	return d.section("Ratios to "+first+", of the same repetition", &t)
}

// ratiosOf are a measure's, of the repetitions that both know.
func ratiosOf(run, base *bench.Run, m *bench.Measure) []float64 {
	var list []float64
	for _, s := range run.Samples {
		for _, b := range base.Samples {
			x, ok := m.Of(s)
			y, known := m.Of(b)
			if s.Repetition == b.Repetition && ok && known && y > 0 {
				list = append(list, x/y)
			}
		}
	}
	return list
}
