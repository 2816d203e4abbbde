package reports

import (
	"errors"
	"math"
	"slices"

	"gonum.org/v1/plot/plotter"

	"odradek/bench"
)

func cdfFigures(s *set) ([]Figure, error) {
	return s.perVariant(func(sc *bench.Scenario) ([]Figure, error) {
		targets := s.of(sc)
		rate, ok := s.common(targets, sc)
		if !ok {
			return nil, errors.New("there is no rate at which all targets were run")
		}
		f := Figure{
			Name:    slug(s.name, sc.Variant, "cdf"),
			Title:   "Distribution of latencies",
			Caption: "Share of records that were faster than a time, to five nines.",
			ran:     s.ran(sc, asked(rate)),
		}
		var r row
		r.height = 225
		var all []point
		shown := map[int]bool{}
		for _, l := range []latency{ack, endToEnd} {
			var curves []traced
			for _, t := range targets {
				p, _ := s.at(t, sc, rate)
				if with := l.with([]point{p}); len(with) > 0 {
					curves = append(curves, traced{t, with})
					all = append(all, with...)
					shown[t.id] = true
				}
			}
			if len(curves) > 0 {
				r.panels = append(r.panels, distribution(l, curves, len(r.panels) > 0))
			}
		}
		if len(r.panels) == 0 {
			return nil, errors.New("no latencies were recorded")
		}
		for _, t := range targets {
			if shown[t.id] {
				f.legend = append(f.legend, t.lineKey())
			}
		}
		f.rows = []row{r}
		f.notes = []string{spreadOf(all) + " Latency counts from when a record was due. Curves end at the slowest record." + behindAt(all), s.where(sc, targets)}
		return []Figure{f}, nil
	})
}

// spreadOf explains bands.
func spreadOf(points []point) string {
	if slices.ContainsFunc(points, func(p point) bool { return len(p.runs) > 1 }) {
		return "Lines are of all repetitions together, bands between the smallest and the largest of them."
	}
	return "One repetition: there is no spread to show."
}

func behindAt(points []point) string {
	if slices.ContainsFunc(points, func(p point) bool { return !p.keptUp() }) {
		return " Not all targets kept up with this rate."
	}
	return ""
}

// distribution draws the latencies of one point of each target.
func distribution(l latency, curves []traced, bare bool) *panel {
	var x []float64
	type drawn struct {
		line, low, high plotter.XYs
	}
	var lines []drawn
	for _, c := range curves {
		var d drawn
		whole, parts := l.merged(c.points[0])
		fewest := whole.Count()
		for _, h := range parts {
			fewest = min(fewest, h.Count())
		}
		for n := 0.0; n <= fiveNines+1e-9; n += 0.02 {
			q := 1 - math.Pow(10, -n)
			// A share of less than one record is nobody's latency.
			if n > math.Log10(float64(whole.Count())) {
				break
			}
			d.line = append(d.line, plotter.XY{X: float64(whole.Quantile(q)) / 1e6, Y: n})
			if n > math.Log10(float64(fewest)) {
				continue
			}
			lo, hi := math.Inf(1), 0.0
			for _, h := range parts {
				v := float64(h.Quantile(q)) / 1e6
				lo, hi = min(lo, v), max(hi, v)
			}
			d.low, d.high = append(d.low, plotter.XY{X: lo, Y: n}), append(d.high, plotter.XY{X: hi, Y: n})
		}
		lines = append(lines, d)
		for _, xy := range slices.Concat(d.line, d.low, d.high) {
			x = append(x, xy.X)
		}
	}
	y := ninesAxis("share of records")
	if bare {
		y = y.shared()
	}
	p := newPanel(l.words, logAxis("latency (ms)", x, 11), y)
	for i, c := range curves {
		if len(c.points[0].runs) > 1 {
			p.band(c.style, lines[i].low, lines[i].high)
		}
	}
	for i, c := range curves {
		p.lines(c.line(1.5), lines[i].line)
	}
	return p
}

// merged are the latencies of all repetitions together, and of each.
func (l latency) merged(p point) (whole bench.Histogram, parts []bench.Histogram) {
	for _, r := range p.runs {
		whole.Merge(l.of(r))
		parts = append(parts, l.of(r))
	}
	return whole, parts
}
