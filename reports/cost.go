package reports

import (
	"errors"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"odradek/bench"
)

// cell is what one target did in one variant.
type cell struct {
	target  target
	variant int
	spread
}

func costFigures(s *set) ([]Figure, error) {
	variants := s.measured()
	if len(variants) < 2 {
		return nil, errors.New("it needs two variants or more")
	}
	f := Figure{
		Name:    slug(s.name, "cost"),
		Title:   "What each variant costs",
		Caption: "Throughput, latency and processor time of the variants of a scenario.",
		ran:     s.ranAll(variants),
	}
	for _, t := range s.targets {
		f.legend = append(f.legend, t.key())
	}

	var most, busy, middle, tail []cell
	var all []point
	saturated, mixed := false, map[float64]bool{}
	for i, sc := range variants {
		targets := s.of(sc)
		rate, compared := s.common(targets, sc)
		for _, t := range targets {
			curve := s.curve(t, sc)
			all = append(all, curve...)
			// The most it ever did, in the median.
			best := slices.MaxFunc(curve, func(a, b point) int {
				return int(a.over(throughput).median) - int(b.over(throughput).median)
			})
			saturated = saturated || best.rate == 0 || !best.keptUp()
			most = append(most, cell{t, i, best.over(throughput)})
			if cpu, ok := best.measure(bench.MeasureCalled("CPU per record")); ok {
				busy = append(busy, cell{t, i, cpu})
			}
			p, ok := s.at(t, sc, rate)
			if !ok || !compared || len(ack.with([]point{p})) == 0 {
				continue
			}
			mixed[rate] = true
			middle = append(middle, cell{t, i, p.over(ack.quantile(0.5))})
			tail = append(tail, cell{t, i, p.over(ack.quantile(0.99))})
		}
	}
	var names []string
	for _, sc := range variants {
		names = append(names, sc.Variant)
	}
	if saturated {
		f.rows = append(f.rows, row{110, []*panel{bars("largest throughput reached", "records/s", names, s.targets, most)}})
	}
	if len(middle) > 0 {
		title := "acknowledgement latency"
		switch {
		case len(mixed) > 1:
			title += ", at the largest rate of each variant that all targets kept up with"
		case mixed[0]:
			title += " under full load"
		default:
			for rate := range mixed {
				title += " at " + number(rate) + " records/s"
			}
		}
		p := dots(title, names, s.targets, middle, tail)
		f.rows = append(f.rows, row{110, []*panel{p}})
		f.legend = append(f.legend,
			entry{"latency: p50", func(c draw.Canvas, from, to vg.Point) {
				style{colour: pale}.marker(c, vg.Point{X: (from.X + to.X) / 2, Y: from.Y}, markerSize, true)
			}},
			entry{"p99", func(c draw.Canvas, from, to vg.Point) {
				style{colour: pale}.marker(c, vg.Point{X: (from.X + to.X) / 2, Y: from.Y}, markerSize, false)
			}})
	}
	if len(busy) > 0 {
		f.rows = append(f.rows, row{110, []*panel{bars("processor time of the servers", "µs/record", names, s.targets, busy)}})
	}
	if len(f.rows) == 0 {
		return nil, errors.New("no latencies were recorded, and no target was run as fast as possible")
	}
	for _, r := range f.rows[:len(f.rows)-1] {
		r.panels[0].x = r.panels[0].x.shared()
	}
	f.notes = []string{strings.Replace(repeated(all), "Points", "Bars and markers", 1), s.where(variants[0], s.targets)}
	f.notes[0] = strings.Replace(f.notes[0], ", bars reach", ", whiskers reach", 1)
	return []Figure{f}, nil
}

// variantAxis has a group for each variant, around 0.5, 1.5 and so on.
func variantAxis(names []string) axis {
	a := axis{hi: float64(len(names)), plain: true}
	width := (pageWidth - 2*margin - 60) / vg.Length(len(names))
	var ticks listed
	for i, n := range names {
		n = strings.Join(wrap(tickStyle, width-6, strings.ReplaceAll(n, ",", ", ")), "\n")
		ticks = append(ticks, plot.Tick{Value: float64(i) + 0.5, Label: n})
	}
	a.ticks = ticks
	return a
}

// slot is where a target's bar is in its group, and how wide.
func slot(targets []target, c cell) (at, width float64) {
	width = 0.8 / float64(len(targets))
	i := slices.IndexFunc(targets, func(t target) bool { return t.id == c.target.id })
	return float64(c.variant) + 0.1 + (float64(i)+0.5)*width, width
}

// grouped is a panel with a group for each variant.
func grouped(title string, names []string, y axis) *panel {
	p := newPanel(title, variantAxis(names), y)
	p.Add(paint(func(c draw.Canvas, plt *plot.Plot) {
		toX, _ := plt.Transforms(&c)
		for i := 1; i < len(names); i++ {
			c.StrokeLine2(draw.LineStyle{Color: gridOf, Width: 0.6}, toX(float64(i)), c.Min.Y, toX(float64(i)), c.Max.Y)
		}
	}))
	return p
}

// bars are for what has a natural zero.
func bars(title, unit string, names []string, targets []target, cells []cell) *panel {
	var v []float64
	for _, c := range cells {
		v = append(v, c.max)
	}
	scale := 1.0
	if slices.Max(v) >= 10_000 {
		scale, unit = 1e-3, "thousand "+unit
	}
	for i := range v {
		v[i] *= scale * 1.12 // room for the numbers on top
	}
	p := grouped(title, names, linearAxis(unit, v, 5))
	p.Add(paint(func(c draw.Canvas, plt *plot.Plot) {
		toX, toY := plt.Transforms(&c)
		for _, x := range cells {
			at, width := slot(targets, x)
			from, to := toX(at-0.42*width), toX(at+0.42*width)
			from, to = max(from, toX(at)-22), min(to, toX(at)+22)
			s := x.target.style
			top := toY(x.median * scale)
			path := []vg.Point{{X: from, Y: c.Min.Y}, {X: to, Y: c.Min.Y}, {X: to, Y: top}, {X: from, Y: top}}
			c.FillPolygon(s.faint(80), path)
			c.StrokeLines(draw.LineStyle{Color: s.colour, Width: 0.9}, []vg.Point{path[0], path[3], path[2], path[1]})
		}
	}))
	for _, x := range cells {
		at, _ := slot(targets, x)
		p.points(x.target.style, []mark{{spread{at, at, at}, x.spread.times(scale), true}})
	}
	p.Add(paint(func(c draw.Canvas, plt *plot.Plot) {
		toX, toY := plt.Transforms(&c)
		number := words(7, ink)
		for _, x := range cells {
			_, width := slot(targets, x)
			if number.Width(written(x.median)) > toX(width)-toX(0) {
				return // they would run into each other
			}
		}
		for _, x := range cells {
			at, _ := slot(targets, x)
			label(c, number, draw.XCenter, vg.Point{X: toX(at), Y: max(toY(x.max*scale), toY(x.median*scale)+markerSize) + 3}, written(x.median))
		}
		for i := range names {
			for _, t := range targets {
				if !slices.ContainsFunc(cells, func(x cell) bool { return x.variant == i && x.target.id == t.id }) {
					at, _ := slot(targets, cell{target: t, variant: i})
					label(c, words(7, pale), draw.XCenter, vg.Point{X: toX(at), Y: c.Min.Y + 3}, "n/a")
				}
			}
		}
	}))
	return p
}

func written(v float64) string {
	if v < 1000 {
		return digits(v)
	}
	return count(v)
}

// dots are for what is on a logarithmic axis: p50 filled, p99 hollow.
func dots(title string, names []string, targets []target, middle, tail []cell) *panel {
	var v []float64
	for _, c := range slices.Concat(middle, tail) {
		v = append(v, c.min, c.max)
	}
	p := grouped(title, names, logAxis("latency (ms)", v, 10))
	for i := range middle {
		at, _ := slot(targets, middle[i])
		x := spread{at, at, at}
		p.lines(draw.LineStyle{Color: middle[i].target.faint(110), Width: 1}, plotter.XYs{{X: at, Y: middle[i].median}, {X: at, Y: tail[i].median}})
		p.points(middle[i].target.style, []mark{{x, middle[i].spread, true}, {x, tail[i].spread, false}})
	}
	return p
}
