package reports

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"odradek/bench"
)

// gap is how long a run did less than half of what it did before a leader was killed.
type gap struct {
	// killed is when, in seconds of the run. from and to count from there.
	killed   float64
	from, to float64
	// found is false if it never did less than half.
	found bool
	// open is a gap that the run's end cut off.
	open bool
	// slowest is the longest a record had to wait after the kill, in ms.
	slowest float64
}

// length is of the gap in seconds, 0 if there was none.
func (g gap) length() float64 { return g.to - g.from }

func killed(m bench.Mark) bool {
	return strings.HasPrefix(m.What, "kill") || strings.HasSuffix(m.What, "killed")
}

// gapOf finds the gap after the first kill of a run.
func gapOf(s *bench.Sample) (gap, bool) {
	at := slices.IndexFunc(s.Marks, killed)
	if at < 0 || len(s.Timeline) == 0 {
		return gap{}, false
	}
	g := gap{killed: s.Marks[at].At}
	var before []float64
	for _, t := range s.Timeline {
		if t.At+t.Seconds <= g.killed {
			before = append(before, rateOf(t))
		}
		if t.At+t.Seconds > g.killed {
			g.slowest = max(g.slowest, float64(t.Max)/1e6)
		}
	}
	if len(before) == 0 || len(before) == len(s.Timeline) {
		return gap{}, false
	}
	slices.Sort(before)
	half := before[len(before)/2] / 2
	// The longest stretch: a single slow tick elsewhere is no failover.
	var from float64
	low := false
	for i, t := range s.Timeline {
		if t.At+t.Seconds <= g.killed {
			continue
		}
		below := rateOf(t) < half
		if below && !low {
			from, low = max(t.At-g.killed, 0), true
		}
		last := i == len(s.Timeline)-1
		if low && (!below || last) {
			to := t.At - g.killed
			if below {
				to += t.Seconds
			}
			if !g.found || to-from > g.length() {
				g.from, g.to, g.found, g.open = from, to, true, below
			}
			low = false
		}
	}
	return g, true
}

// failed is a target with its runs in which a leader was killed.
type failed struct {
	target
	runs []*bench.Sample
	gaps []gap
}

func failoverFigures(s *set) ([]Figure, error) {
	return s.perVariant(func(sc *bench.Scenario) ([]Figure, error) {
		targets := s.of(sc)
		rate, ok := s.common(targets, sc)
		if !ok {
			return nil, errors.New("there is no rate at which all targets were run")
		}
		var list []failed
		for _, t := range targets {
			p, _ := s.at(t, sc, rate)
			x := failed{target: t}
			for _, r := range p.runs {
				if g, ok := gapOf(r); ok {
					x.runs, x.gaps = append(x.runs, r), append(x.gaps, g)
				}
			}
			if len(x.runs) > 0 {
				list = append(list, x)
			}
		}
		if len(list) == 0 {
			return nil, errors.New("no leader was killed in it")
		}
		return []Figure{s.failoverFigure(sc, rate, list)}, nil
	})
}

func (s *set) failoverFigure(sc *bench.Scenario, rate float64, list []failed) Figure {
	f := Figure{
		Name:    slug(s.name, sc.Variant, "failover"),
		Title:   "The gap after a leader is killed",
		Caption: "Records acknowledged around the kill of a leader; shaded is the time with less than half of what was done before.",
		ran:     s.ran(sc, asked(rate)),
	}
	var runs []*bench.Sample
	for _, x := range list {
		runs = append(runs, x.runs...)
	}
	times, rates := window(list), ratesAxis(runs)
	var targets []target
	most := 0
	for i, x := range list {
		targets, most = append(targets, x.target), max(most, len(x.runs))
		span := times
		if i < len(list)-1 {
			span = times.shared()
		}
		f.rows = append(f.rows, row{88, []*panel{x.panel(span, rates)}})
	}
	which := "One repetition."
	if most > 1 {
		which = fmt.Sprintf("Bold: of %d repetitions, the one with the median gap; thin: the others.", most)
	}
	f.notes = []string{
		which + " Shaded: less than half of the rate before the kill, known to one interval of the timeline. The slowest record was due when the gap began." + cut,
		s.where(sc, targets),
	}
	return f
}

// window is the times that show all gaps with what is around them.
func window(list []failed) axis {
	widest, before, after := 0.0, math.Inf(1), math.Inf(1)
	for _, x := range list {
		for i, r := range x.runs {
			g, last := x.gaps[i], r.Timeline[len(r.Timeline)-1]
			widest = max(widest, g.to)
			before, after = min(before, g.killed-r.Timeline[0].At), min(after, last.At+last.Seconds-g.killed)
		}
	}
	to := min(max(2*widest, 2), after)
	return axis{label: "time since the kill (s)", lo: -min(max(to/3, 0.5), before), hi: to, ticks: linearTicks{10}}
}

// middle is the run whose gap is the median.
func (x failed) middle() int {
	order := make([]int, len(x.gaps))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(x.gaps[a].length(), x.gaps[b].length()) })
	return order[(len(order)-1)/2]
}

// panel has the runs of one target, and its gap with its length.
func (x failed) panel(times axis, rates scaled) *panel {
	p := newPanel(x.label, times, rates.axis)
	p.remark = x.said()
	middle := x.middle()
	g := x.gaps[middle]
	p.shade(x.style, g)
	for i, r := range x.runs {
		if i != middle {
			p.lines(draw.LineStyle{Color: x.faint(130), Width: 0.7}, steps(r.Timeline, x.gaps[i].killed, rates.scale))
		}
	}
	p.lines(draw.LineStyle{Color: x.colour, Width: 1.5}, steps(x.runs[middle].Timeline, g.killed, rates.scale))
	p.span(g)
	events := eventsOf([]watched{{x.target, x.runs[middle]}}, 0)
	for i := range events {
		events[i].at -= g.killed
	}
	p.events(p.flagged(events))
	return p
}

// said are the gaps of all repetitions in words.
func (x failed) said() string {
	var lengths, slowest []float64
	found, open := 0, 0
	for _, g := range x.gaps {
		slowest = append(slowest, g.slowest)
		lengths = append(lengths, g.length()*1000)
		if g.found {
			found++
		}
		if g.open {
			open++
		}
	}
	words := "gap " + ranged(lengths)
	switch {
	case found == 0:
		words = "no gap: never less than half of the rate before"
	case open > 0:
		words += fmt.Sprintf(", not over at the end of %d of %s", open, plural(len(x.gaps), "run"))
	}
	return words + "; slowest record " + ranged(slowest)
}

// ranged is a median with its range, of milliseconds. Of an even number it is the lower
// one, as that of the run that is drawn.
func ranged(ms []float64) string {
	s := slices.Sorted(slices.Values(ms))
	words := millis(s[(len(s)-1)/2])
	if s[0] != s[len(s)-1] {
		words += " (" + millis(s[0]) + " to " + millis(s[len(s)-1]) + ")"
	}
	return words
}

// shade fills a gap.
func (p *panel) shade(s style, g gap) {
	if !g.found {
		return
	}
	p.Add(paint(func(c draw.Canvas, p *plot.Plot) {
		toX, _ := p.Transforms(&c)
		from, to := toX(g.from), min(toX(g.to), c.Max.X)
		c.FillPolygon(s.faint(38), []vg.Point{{X: from, Y: c.Min.Y}, {X: to, Y: c.Min.Y}, {X: to, Y: c.Max.Y}, {X: from, Y: c.Max.Y}})
	}))
}

// span draws an arrow over a gap, with its length above if that fits, else beside it.
func (p *panel) span(g gap) {
	if !g.found {
		return
	}
	p.Add(paint(func(c draw.Canvas, p *plot.Plot) {
		toX, _ := p.Transforms(&c)
		from, to := toX(g.from), min(toX(g.to), c.Max.X)
		y := c.Min.Y + 0.62*(c.Max.Y-c.Min.Y)
		thin := draw.LineStyle{Color: ink, Width: 0.9}
		c.StrokeLine2(thin, from, y, to, y)
		if to-from > 10 {
			for _, end := range []struct{ x, into vg.Length }{{from, 4}, {to, -4}} {
				c.FillPolygon(ink, []vg.Point{{X: end.x, Y: y}, {X: end.x + end.into, Y: y + 2}, {X: end.x + end.into, Y: y - 2}})
			}
		}
		s, words := bold(9, ink), millis(g.length()*1000)
		if s.Width(words)+6 <= to-from {
			label(c, s, draw.XCenter, vg.Point{X: (from + to) / 2, Y: y + 4}, words)
			return
		}
		c.FillPolygon(white, []vg.Point{{X: to + 2, Y: y - 5}, {X: to + 8 + s.Width(words), Y: y - 5}, {X: to + 8 + s.Width(words), Y: y + 6}, {X: to + 2, Y: y + 6}})
		label(c, s, draw.XLeft, vg.Point{X: to + 5, Y: y - 3}, words)
	}))
}
