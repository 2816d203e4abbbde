package reports

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"odradek/bench"
)

// event is a time at which something happened, drawn over the height of a panel.
type event struct {
	at    float64
	what  string
	style draw.LineStyle
	// row is that of its flag above the panel; left says that the flag reaches left.
	row  int
	left bool
}

// watched is a target with one of its runs.
type watched struct {
	target
	run *bench.Sample
}

// eventsOf are the marks of all targets by time; those that several targets have at about
// the same time are one, and dark, the others have their target's colour.
func eventsOf(list []watched, near float64) []event {
	dark := draw.LineStyle{Color: pale, Width: 0.8, Dashes: []vg.Length{3, 2}}
	var events []event
	for _, w := range list {
		for _, m := range w.run.Marks {
			same := func(e event) bool { return e.what == m.What && math.Abs(e.at-m.At) <= near }
			if at := slices.IndexFunc(events, same); at >= 0 {
				events[at].style = dark
				continue
			}
			line := dark
			if len(list) > 1 {
				line.Color = w.colour
			}
			events = append(events, event{at: m.At, what: m.What, style: line})
		}
	}
	slices.SortStableFunc(events, func(a, b event) int { return cmp.Compare(a.at, b.at) })
	return events
}

const (
	flagHeight = 11
	flagRows   = 8
)

var flagStyle = words(8, pale)

// flagged gives each event within a panel's times a row for its flag, so that no words
// are written over others or over a line, and the panel the room for it.
func (p *panel) flagged(events []event) []event {
	events = slices.DeleteFunc(slices.Clone(events), func(e event) bool { return e.at < p.x.lo || e.at > p.x.hi })
	// Of panels over the whole width of the page, nearly.
	perSecond := (pageWidth - 2*margin - 50) / vg.Length(p.x.hi-p.x.lo)
	type taken struct{ from, to vg.Length }
	var used [flagRows][]taken
	// From right to left: words reach right, over the lines of later events unless they
	// are above their flags.
	for i := len(events) - 1; i >= 0; i-- {
		e := &events[i]
		at, width := vg.Length(e.at-p.x.lo)*perSecond, flagStyle.Width(e.what)+8
		span := taken{at, at + width}
		if span.to > vg.Length(p.x.hi-p.x.lo)*perSecond {
			e.left, span = true, taken{at - width, at}
		}
		clash := func(t taken) bool { return span.from < t.to && span.to > t.from }
		for e.row < flagRows && slices.ContainsFunc(used[e.row], clash) {
			e.row++
		}
		if e.row == flagRows {
			// There is no room for its words; its line still shows when.
			e.what, e.row = "", 0
			continue
		}
		// Its line passes through all rows below.
		for row := range e.row {
			used[row] = append(used[row], taken{at - 1, at + 1})
		}
		used[e.row] = append(used[e.row], span)
		p.head = max(p.head, vg.Length(e.row+1)*flagHeight+2)
	}
	return events
}

// events draws lines at the times of events, and flags with their words above the panel
// if they were [panel.flagged].
func (p *panel) events(list []event) {
	p.Add(paint(func(c draw.Canvas, plt *plot.Plot) {
		toX, _ := plt.Transforms(&c)
		for _, e := range list {
			x := toX(e.at)
			if p.head == 0 {
				c.StrokeLine2(e.style, x, c.Min.Y, x, c.Max.Y)
				continue
			}
			y := c.Max.Y + 3 + vg.Length(e.row)*flagHeight
			c.StrokeLine2(e.style, x, c.Min.Y, x, y+6)
			across, shift := draw.XLeft, vg.Length(2.5)
			if e.left {
				across, shift = draw.XRight, -2.5
			}
			s := flagStyle
			s.Color = e.style.Color
			label(c, s, across, vg.Point{X: x + shift, Y: y}, e.what)
		}
	}))
}
