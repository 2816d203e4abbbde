package reports

import (
	"errors"
	"slices"

	"gonum.org/v1/plot/plotter"

	"odradek/bench"
)

// percentiles of latency that figures show.
var percentiles = []struct {
	q    float64
	name string
}{{0.5, "p50"}, {0.99, "p99"}, {0.999, "p99.9"}}

func latencyFigures(s *set) ([]Figure, error) {
	return s.perVariant(func(sc *bench.Scenario) ([]Figure, error) {
		var figures []Figure
		for _, l := range []latency{ack, endToEnd} {
			if f, ok := s.latencyFigure(sc, l); ok {
				figures = append(figures, f)
			}
		}
		if len(figures) == 0 {
			return nil, errors.New("no target was run at more than one rate")
		}
		return figures, nil
	})
}

// traced is a target with its points.
type traced struct {
	target
	points []point
}

func (s *set) latencyFigure(sc *bench.Scenario, l latency) (Figure, bool) {
	var curves []traced
	var all []point
	sweep := false
	for _, t := range s.of(sc) {
		if points := l.with(s.curve(t, sc)); len(points) > 0 {
			curves = append(curves, traced{t, points})
			all = append(all, points...)
			sweep = sweep || len(points) > 1
		}
	}
	if !sweep {
		return Figure{}, false
	}
	f := Figure{
		Name:    slug(s.name, sc.Variant, "latency", l.name),
		Title:   "Throughput and " + l.words,
		Caption: "Percentiles of " + l.words + " over the throughput reached, for each rate asked for.",
		ran:     s.ran(sc),
		notes:   []string{repeated(all) + " Latency counts from when a record was due." + behind(all), ""},
	}
	targets := []target{}
	for _, c := range curves {
		f.legend = append(f.legend, c.key())
		targets = append(targets, c.target)
	}
	f.notes[1] = s.where(sc, targets)

	var y []float64
	for _, p := range percentiles {
		for _, pt := range all {
			v := pt.over(l.quantile(p.q))
			y = append(y, v.min, v.max)
		}
	}
	x := throughputAxis(all)
	r := row{height: 205}
	for i, p := range percentiles {
		latencies := logAxis("latency (ms)", y, 14)
		if i > 0 {
			latencies = latencies.shared()
		}
		panel := newPanel(p.name, x.axis, latencies)
		for _, c := range curves {
			panel.curve(c.style, c.points, x.scale, l.quantile(p.q))
		}
		r.panels = append(r.panels, panel)
	}
	f.rows = []row{r}
	return f, true
}

// behind explains hollow markers if there are any.
func behind(points []point) string {
	if slices.ContainsFunc(points, func(p point) bool { return !p.keptUp() }) {
		return " Hollow: less than 99 % of what was asked for was done in time."
	}
	return ""
}

// curve draws a target's points and what joins them.
func (p *panel) curve(st style, points []point, scale float64, of func(*bench.Sample) float64) {
	var line plotter.XYs
	var marks []mark
	for _, pt := range points {
		x, y := pt.over(throughput).times(scale), pt.over(of)
		line = append(line, plotter.XY{X: x.median, Y: y.median})
		marks = append(marks, mark{x, y, pt.keptUp()})
	}
	p.lines(st.line(1.5), line)
	p.points(st, marks)
}

func (s spread) times(f float64) spread { return spread{s.median * f, s.min * f, s.max * f} }

type scaled struct {
	axis
	// scale turns records into what the axis has.
	scale float64
}

// throughputAxis is logarithmic if rates are far apart.
func throughputAxis(points []point) scaled {
	var v []float64
	for _, p := range points {
		t := p.over(throughput)
		v = append(v, t.min, t.max)
	}
	a := scaled{scale: 1}
	label := "throughput (records/s)"
	if slices.Max(v) >= 10_000 {
		a.scale, label = 1e-3, "throughput (thousand records/s)"
	}
	for i := range v {
		v[i] *= a.scale
	}
	if lo, hi := slices.Min(v), slices.Max(v); lo > 0 && hi/lo > 25 {
		a.axis = logAxis(label, []float64{lo, hi}, 8)
	} else {
		a.axis = linearAxis(label, v, 5)
	}
	return a
}
