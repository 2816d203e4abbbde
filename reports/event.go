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
	flagRunes  = 48
)

var flagStyle = words(8, pale)

// flagged gives the events within a panel's times rows for their flags, so that no words
// are written over others or over a line, and the panel the room for them. If there are
// too many, some lose their words; their lines still show when.
func (p *panel) flagged(events []event) []event {
	events = slices.DeleteFunc(slices.Clone(events), func(e event) bool { return e.at < p.x.lo || e.at > p.x.hi })
	for i, e := range events {
		// An error's whole text may be among them.
		if r := []rune(e.what); len(r) > flagRunes {
			events[i].what = string(r[:flagRunes-1]) + "…"
		}
	}
	best, most, fewest := events, -1, 0
	// The flags of the first so many reach right, the others left: all of them right, if
	// that does as well.
	for right := len(events); right >= 0; right-- {
		list, told, rows := p.flags(events, right)
		if told > most || told == most && rows < fewest {
			best, most, fewest = list, told, rows
		}
	}
	if fewest > 0 {
		p.head = vg.Length(fewest)*flagHeight + 2
	}
	return best
}

// stretch is from one place to another.
type stretch struct{ from, to vg.Length }

func (s stretch) free(of []stretch) bool {
	return !slices.ContainsFunc(of, func(t stretch) bool { return s.from < t.to && s.to > t.from })
}

// flags lays out flags, and says how many got words, in how many rows.
func (p *panel) flags(events []event, right int) (list []event, told, rows int) {
	list = slices.Clone(events)
	// Of panels over the whole width of the page, nearly.
	const width = pageWidth - 2*margin - 50
	perSecond := width / vg.Length(p.x.hi-p.x.lo)
	var written, poles [flagRows][]stretch
	put := func(e *event) {
		at, reach := vg.Length(e.at-p.x.lo)*perSecond, flagStyle.Width(e.what)+8
		words, pole := stretch{at + 1.5, at + reach}, stretch{at - 1, at + 1}
		if e.left {
			words = stretch{at - reach, at - 1.5}
		}
		inside := words.from >= 0 && words.to <= width
		for row := 0; inside && row < flagRows && pole.free(written[row]); row++ {
			if !words.free(written[row]) || !words.free(poles[row]) {
				continue
			}
			for below := range row + 1 {
				poles[below] = append(poles[below], pole)
			}
			written[row] = append(written[row], words)
			e.row = row
			told, rows = told+1, max(rows, row+1)
			return
		}
		e.what = ""
	}
	// Words that reach left lie over the lines of earlier events, unless these have lower
	// flags; those that reach right over the lines of later ones.
	for i := right; i < len(list); i++ {
		list[i].left = true
		put(&list[i])
	}
	for i := right - 1; i >= 0; i-- {
		put(&list[i])
	}
	return list, told, rows
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
