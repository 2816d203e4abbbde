package reports

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"odradek/bench"
)

// How the two curves of a prediction look.
var (
	measuredStyle  = style{colour: palette[0], shape: 0}
	predictedStyle = style{colour: palette[1], dash: dashes[1], shape: 1}
)

// pair is a simulation and what it foretells.
type pair struct{ predicted, measured target }

// pairs are the simulations with what they foretell: this broker as processes; if it was
// not run so, this broker; and if it was not run at all, whatever was.
func (s *set) pairs(sc *bench.Scenario) []pair {
	var sims, measured []target
	closest := 0
	for _, t := range s.of(sc) {
		if t.Mode == "sim" {
			sims = append(sims, t)
			continue
		}
		close := 0
		if strings.HasPrefix(t.Name, "odradek") {
			close++
			if t.Mode == "disk" {
				close++
			}
		}
		if close > closest {
			measured, closest = nil, close
		}
		if close == closest {
			measured = append(measured, t)
		}
	}
	var pairs []pair
	for _, p := range sims {
		for _, m := range measured {
			pairs = append(pairs, pair{p, m})
		}
	}
	return pairs
}

func predictionFigures(s *set) ([]Figure, error) {
	return s.perVariant(func(sc *bench.Scenario) ([]Figure, error) {
		var figures []Figure
		pairs := s.pairs(sc)
		for _, p := range pairs {
			f, ok := s.predictionFigure(sc, p)
			if !ok {
				continue
			}
			name := []string{s.name, sc.Variant, "prediction"}
			if len(pairs) > 1 {
				name = append(name, p.predicted.label, p.measured.label)
			}
			f.Name = slug(name...)
			figures = append(figures, f)
		}
		if len(figures) == 0 {
			return nil, errors.New("it needs a simulated target and a measured one, at the same rates")
		}
		return figures, nil
	})
}

func (s *set) predictionFigure(sc *bench.Scenario, pr pair) (Figure, bool) {
	var predicted, measured []point
	for _, p := range ack.with(s.curve(pr.predicted, sc)) {
		if m, ok := s.at(pr.measured, sc, p.rate); ok && len(ack.with([]point{m})) > 0 {
			predicted, measured = append(predicted, p), append(measured, m)
		}
	}
	if len(predicted) == 0 {
		return Figure{}, false
	}
	f := Figure{
		Title:   "Predicted and measured",
		Caption: "Latencies that the simulation foretold, over those measured on the machine, and their ratio.",
		ran:     s.ran(sc),
		legend: []entry{
			target{label: "measured: " + pr.measured.label, style: measuredStyle}.key(),
			target{label: "predicted: " + pr.predicted.label, style: predictedStyle}.key(),
		},
		notes: []string{
			repeated(measured) + " Errors are of medians, over the rates at which both kept up; bars of ratios are the spread of what was measured. Shaded: within 25 %." + behind(slices.Concat(predicted, measured)),
			s.where(sc, []target{pr.measured, pr.predicted}),
		},
	}
	if len(predicted) == 1 {
		f.ran = s.ran(sc, asked(predicted[0].rate))
		f.legend = []entry{
			target{label: "measured: " + pr.measured.label, style: measuredStyle}.lineKey(),
			target{label: "predicted: " + pr.predicted.label, style: predictedStyle}.lineKey(),
		}
		f.notes[0] = spreadOf(measured) + " The error is of all repetitions together. Shaded: within 25 %." + behindAt(slices.Concat(predicted, measured))
		f.rows = predictionByShare(predicted[0], measured[0])
		return f, true
	}
	f.notes = slices.Insert(f.notes, 1, fmt.Sprintf("Largest rate kept up with: %s measured, %s predicted.", kneeOf(measured), kneeOf(predicted)))
	f.rows = predictionByRate(predicted, measured)
	return f, true
}

// kneeOf is the largest rate that was kept up with.
func kneeOf(points []point) string {
	for _, p := range slices.Backward(points) {
		if p.rate > 0 && p.keptUp() {
			return number(p.rate) + " records/s"
		}
	}
	return "none"
}

// predictionByRate has a column for each percentile: both curves, and below their ratio.
func predictionByRate(predicted, measured []point) []row {
	var y, ratios []float64
	both := slices.Concat(predicted, measured)
	for _, p := range percentiles {
		for i := range predicted {
			a, b := predicted[i].over(ack.quantile(p.q)), measured[i].over(ack.quantile(p.q))
			y = append(y, a.min, a.max, b.min, b.max)
			ratios = append(ratios, a.median/b.median)
		}
	}
	x := rateAxis(both)
	upper, lower := row{height: 165}, row{height: 82}
	for i, p := range percentiles {
		top, bottom := logAxis("ack latency (ms)", y, 12), ratioAxis("predicted / measured", ratios)
		if i > 0 {
			top, bottom = top.shared(), bottom.shared()
		}
		panel := newPanel(p.name, x.axis.shared(), top)
		curves := []struct {
			style
			points []point
		}{{measuredStyle, measured}, {predictedStyle, predicted}}
		for _, c := range curves {
			var line plotter.XYs
			var marks []mark
			for _, pt := range c.points {
				v, at := pt.over(ack.quantile(p.q)), pt.rate*x.scale
				line = append(line, plotter.XY{X: at, Y: v.median})
				marks = append(marks, mark{spread{at, at, at}, v, pt.keptUp()})
			}
			panel.lines(c.line(1.5), line)
			panel.points(c.style, marks)
		}
		upper.panels = append(upper.panels, panel)

		ratio := newPanel("", x.axis, bottom)
		ratio.within()
		var line plotter.XYs
		var marks []mark
		var errs []float64
		for j := range predicted {
			m := measured[j].over(ack.quantile(p.q))
			v := predicted[j].over(ack.quantile(p.q)).median
			at := predicted[j].rate * x.scale
			kept := predicted[j].keptUp() && measured[j].keptUp()
			line = append(line, plotter.XY{X: at, Y: v / m.median})
			marks = append(marks, mark{spread{at, at, at}, spread{v / m.median, v / m.max, v / m.min}, kept})
			if kept {
				errs = append(errs, v/m.median)
			}
		}
		ratio.lines(predictedStyle.line(1.2), line)
		ratio.points(predictedStyle, marks)
		panel.remark = stated(errs)
		lower.panels = append(lower.panels, ratio)
	}
	return []row{upper, lower}
}

// stated says the error of ratios: the middle one, and the worst.
func stated(ratios []float64) string {
	if len(ratios) == 0 {
		return "error: at no rate did both keep up"
	}
	sorted := slices.Sorted(slices.Values(ratios))
	n := len(sorted)
	middle := (sorted[(n-1)/2] + sorted[n/2]) / 2
	worst := sorted[0]
	if -math.Log(sorted[0]) < math.Log(sorted[n-1]) {
		worst = sorted[n-1]
	}
	return fmt.Sprintf("error: median %s, worst %s", deviation(middle), deviation(worst))
}

// predictionByShare has both distributions, and beside them their ratio.
func predictionByShare(predicted, measured point) []row {
	left := distribution(ack, []traced{{target{style: measuredStyle}, []point{measured}}, {target{style: predictedStyle}, []point{predicted}}}, false)
	p, _ := ack.merged(predicted)
	m, _ := ack.merged(measured)
	var line plotter.XYs
	var ratios []float64
	// Of the fastest tenth nobody waits, and a few records decide.
	for n := nines(0.1); n <= min(fiveNines+1e-9, math.Log10(float64(min(p.Count(), m.Count())))); n += 0.02 {
		q := 1 - math.Pow(10, -n)
		ratio := float64(p.Quantile(q)) / float64(m.Quantile(q))
		line, ratios = append(line, plotter.XY{X: ratio, Y: n}), append(ratios, ratio)
	}
	right := newPanel("error", ratioAxis("predicted / measured", ratios), ninesAxis("").shared())
	right.Add(paint(func(c draw.Canvas, p *plot.Plot) {
		toX, _ := p.Transforms(&c)
		shade(c, toX(1/1.25), c.Min.Y, toX(1.25), c.Max.Y)
		c.StrokeLine2(even, toX(1), c.Min.Y, toX(1), c.Max.Y)
	}))
	right.lines(draw.LineStyle{Color: predictedStyle.colour, Width: 1.5}, line)
	var words []string
	for _, of := range percentiles {
		words = append(words, of.name+" "+deviation(float64(p.Quantile(of.q))/float64(m.Quantile(of.q))))
	}
	left.remark = fmt.Sprintf("%s records measured, %s predicted", number(float64(m.Count())), number(float64(p.Count())))
	right.remark = words[0] + ", " + words[1] + ", " + words[2]
	return []row{{height: 225, panels: []*panel{left, right}}}
}

var even = draw.LineStyle{Color: ink, Width: 0.8}

func shade(c draw.Canvas, x0, y0, x1, y1 vg.Length) {
	tint := predictedStyle.faint(28)
	c.FillPolygon(tint, []vg.Point{{X: x0, Y: y0}, {X: x1, Y: y0}, {X: x1, Y: y1}, {X: x0, Y: y1}})
}

// within shades the ratios that are near 1.
func (p *panel) within() {
	p.Add(paint(func(c draw.Canvas, p *plot.Plot) {
		_, toY := p.Transforms(&c)
		shade(c, c.Min.X, toY(1/1.25), c.Max.X, toY(1.25))
		c.StrokeLine2(even, c.Min.X, toY(1), c.Max.X, toY(1))
	}))
}

// ratioAxis has at least half and double.
func ratioAxis(label string, ratios []float64) axis {
	lo, hi := min(0.5, slices.Min(ratios)), max(2, slices.Max(ratios))
	room := math.Pow(hi/lo, 0.06)
	return axis{label: label, lo: lo / room, hi: hi * room, log: true, ticks: logTicks{5}}
}

// rateAxis is of rates asked for; points without one are where they got to.
func rateAxis(points []point) scaled {
	asked := slices.Clone(points)
	for i, p := range asked {
		asked[i].runs = []*bench.Sample{{Acked: int64(p.rate), Seconds: 1}}
	}
	a := throughputAxis(asked)
	a.label = "rate asked for" + a.label[len("throughput"):]
	return a
}
