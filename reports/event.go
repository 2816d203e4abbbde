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
	const width = pageWidth - 2*margin - 50
	perSecond := width / vg.Length(p.x.hi-p.x.lo)
	type taken struct{ from, to vg.Length }
	var used [flagRows][]taken
	put := func(e *event) {
		at := vg.Length(e.at-p.x.lo) * perSecond
		words, pole := taken{at + 1.5, at + flagStyle.Width(e.what) + 8}, taken{at - 1, at + 1}
		if e.left {
			words = taken{at - flagStyle.Width(e.what) - 8, at - 1.5}
		}
		free := func(row int, what taken) bool {
			return !slices.ContainsFunc(used[row], func(t taken) bool { return what.from < t.to && what.to > t.from })
		}
		for row := 0; row < flagRows && free(row, pole); row++ {
			if !free(row, words) {
				continue
			}
			for below := range row + 1 {
				used[below] = append(used[below], pole)
			}
			used[row] = append(used[row], words)
			e.row = row
			p.head = max(p.head, vg.Length(row+1)*flagHeight+2)
			return
		}
		// There is no room for its words; its line still shows when.
		e.what = ""
	}
	// Those at the right edge reach left, over the lines of earlier ones, unless these have
	// lower flags; those elsewhere reach right, over the lines of later ones.
	for i := range events {
		e := &events[i]
		e.left = vg.Length(e.at-p.x.lo)*perSecond+flagStyle.Width(e.what)+8 > width
		if e.left {
			put(e)
		}
	}
	for i := len(events) - 1; i >= 0; i-- {
		if !events[i].left {
			put(&events[i])
		}
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
			if p.head == 0 || e.what == "" {
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
