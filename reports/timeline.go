package reports

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/plot/plotter"

	"odradek/bench"
)

// middle is the repetition whose p99 is the median one.
func (p point) middle() *bench.Sample {
	runs := slices.Clone(p.runs)
	slices.SortStableFunc(runs, func(a, b *bench.Sample) int { return cmp.Compare(a.Ack.Quantile(0.99), b.Ack.Quantile(0.99)) })
	return runs[(len(runs)-1)/2]
}

func timelineFigures(s *set) ([]Figure, error) {
	return s.perVariant(func(sc *bench.Scenario) ([]Figure, error) {
		targets := s.of(sc)
		rate, ok := s.common(targets, sc)
		if !ok {
			return nil, errors.New("there is no rate at which all targets were run")
		}
		var list []watched
		most := 0
		for _, t := range targets {
			p, _ := s.at(t, sc, rate)
			if run := p.middle(); len(run.Timeline) > 1 {
				list = append(list, watched{t, run})
				most = max(most, len(p.runs))
			}
		}
		if len(list) == 0 {
			return nil, errors.New("the samples have no timelines")
		}
		return []Figure{s.timelineFigure(sc, rate, most, list)}, nil
	})
}

func (s *set) timelineFigure(sc *bench.Scenario, rate float64, most int, list []watched) Figure {
	f := Figure{
		Name:    slug(s.name, sc.Variant, "timeline"),
		Title:   "Latency over time",
		Caption: "Latency of acknowledgement and throughput over one run, with what happened in it.",
		ran:     s.ran(sc, asked(rate)),
	}
	var targets []target
	end := 0.0
	for _, w := range list {
		targets = append(targets, w.target)
		f.legend = append(f.legend, w.lineKey())
		last := w.run.Timeline[len(w.run.Timeline)-1]
		end = max(end, last.At+last.Seconds)
	}
	which := "The one repetition."
	if most > 1 {
		which = fmt.Sprintf("Of %d repetitions, the one whose p99 is the median.", most)
	}
	f.notes = []string{which + " Latency counts from when a record was due, in the interval in which it was acknowledged; a line breaks where nothing was." + cut, s.where(sc, targets)}

	times := axis{label: "time (s)", hi: end, ticks: linearTicks{10}}
	marks := eventsOf(list, end/100)

	var latencies []float64
	series := []struct {
		name string
		of   func(bench.Tick) int64
	}{
		{"p50", func(t bench.Tick) int64 { return t.P50 }},
		{"p99", func(t bench.Tick) int64 { return t.P99 }},
		{"largest", func(t bench.Tick) int64 { return t.Max }},
	}
	for _, w := range list {
		for _, t := range w.run.Timeline {
			for _, o := range series {
				if v := o.of(t); v > 0 {
					latencies = append(latencies, float64(v)/1e6)
				}
			}
		}
	}
	if len(latencies) > 0 {
		for i, o := range series {
			p := newPanel("acknowledgement latency, "+o.name, times.shared(), logAxis("ms", latencies, 6))
			if i == 0 {
				marks = p.flagged(marks)
			}
			p.events(marks)
			for _, w := range list {
				var line plotter.XYs
				for _, t := range w.run.Timeline {
					y := math.NaN()
					if v := o.of(t); v > 0 {
						y = float64(v) / 1e6
					}
					line = append(line, plotter.XY{X: t.At + t.Seconds/2, Y: y})
				}
				p.lines(w.line(1.2), line)
			}
			f.rows = append(f.rows, row{82, []*panel{p}})
		}
	}
	p := acknowledged(list, times)
	if len(f.rows) == 0 {
		marks = p.flagged(marks)
	}
	p.events(marks)
	f.rows = append(f.rows, row{82, []*panel{p}})
	return f
}

// acknowledged is a panel with each target's throughput over time.
func acknowledged(list []watched, times axis) *panel {
	var runs []*bench.Sample
	for _, w := range list {
		runs = append(runs, w.run)
	}
	y := ratesAxis(runs)
	p := newPanel("records acknowledged", times, y.axis)
	for _, w := range list {
		p.lines(w.line(1.2), steps(w.run.Timeline, 0, y.scale))
	}
	return p
}

const cut = " What waited is acknowledged at once when a stall ends: such peaks are cut."

// ratesAxis is of records acknowledged a second in the ticks of some runs. It ends at twice
// the usual rate: after a stall all that waited is acknowledged at once, and with that peak
// in sight nothing else would be.
func ratesAxis(runs []*bench.Sample) scaled {
	var all []float64
	for _, r := range runs {
		for _, t := range r.Timeline {
			all = append(all, rateOf(t))
		}
	}
	slices.Sort(all)
	a := scaled{scale: 1}
	top, label := all[len(all)-1], "records/s"
	// More than the median: stalls may take most of a run.
	if usual := all[len(all)*4/5]; usual > 0 {
		top = min(top, 2*usual)
	}
	if top >= 10_000 {
		a.scale, label = 1e-3, "thousand/s"
	}
	a.axis = linearAxis(label, []float64{top * a.scale}, 4)
	return a
}

func rateOf(t bench.Tick) float64 { return float64(t.Acked) / t.Seconds }

// steps is a rate that is constant within each tick, with times after a certain one.
func steps(ticks []bench.Tick, after, scale float64) plotter.XYs {
	var line plotter.XYs
	for _, t := range ticks {
		y := rateOf(t) * scale
		line = append(line, plotter.XY{X: t.At - after, Y: y}, plotter.XY{X: t.At + t.Seconds - after, Y: y})
	}
	return line
}
