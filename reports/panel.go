package reports

import (
	"math"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// panel is one set of axes. What is added to it is drawn in that order.
type panel struct {
	*plot.Plot
	x, y  axis
	title string
	// remark stands below the title, for what the panel has to say in words.
	remark string
	// head is room between the axes and the title.
	head vg.Length
}

// paint is a plotter that is a function.
type paint func(c draw.Canvas, p *plot.Plot)

// Plot implements plot.Plotter.
func (f paint) Plot(c draw.Canvas, p *plot.Plot) { f(c, p) }

func newPanel(title string, x, y axis) *panel {
	p := &panel{Plot: plot.New(), x: x, y: y, title: title}
	p.BackgroundColor = nil
	// The library makes room for labels where a linear axis would have them, and moves
	// the data away from its axes for that: its own axes are left out.
	p.HideAxes()
	p.X.Padding, p.Y.Padding = 0, 0
	x.apply(&p.X)
	y.apply(&p.Y)
	p.Add(paint(p.grid))
	return p
}

func (a axis) apply(to *plot.Axis) {
	to.Min, to.Max = a.lo, a.hi
	if a.log {
		to.Scale = plot.LogScale{}
	}
}

func (p *panel) grid(c draw.Canvas, plt *plot.Plot) {
	toX, toY := plt.Transforms(&c)
	line := draw.LineStyle{Color: gridOf, Width: 0.6}
	for _, t := range p.x.ticks.Ticks(p.x.lo, p.x.hi) {
		if !t.IsMinor() && !p.x.plain {
			c.StrokeLine2(line, toX(t.Value), c.Min.Y, toX(t.Value), c.Max.Y)
		}
	}
	for _, t := range p.y.ticks.Ticks(p.y.lo, p.y.hi) {
		if !t.IsMinor() {
			c.StrokeLine2(line, c.Min.X, toY(t.Value), c.Max.X, toY(t.Value))
		}
	}
}

var (
	labelStyle  = words(9, ink)
	tickStyle   = words(8.5, ink)
	titleStyle  = bold(10, ink)
	remarkStyle = words(8, pale)
	axisLine    = draw.LineStyle{Color: ink, Width: 0.7}
)

const (
	tickLength = 3.5
	tickGap    = 3
	labelGap   = 4
)

// surround is the room that a panel needs outside its axes.
type surround struct{ left, right, above, below vg.Length }

func (p *panel) around() surround {
	s := surround{left: tickLength, right: 8, above: 3, below: tickLength}
	if !p.y.bare {
		var widest vg.Length
		for _, t := range p.y.ticks.Ticks(p.y.lo, p.y.hi) {
			widest = max(widest, tickStyle.Width(t.Label))
		}
		s.left += tickGap + widest
	}
	if p.y.label != "" {
		s.left += labelGap + labelStyle.Font.Size
	}
	if !p.x.bare {
		rows := 0
		for _, t := range p.x.ticks.Ticks(p.x.lo, p.x.hi) {
			rows = max(rows, strings.Count(t.Label, "\n")+1)
		}
		s.below += tickGap + vg.Length(rows)*lineHeight(tickStyle)
	}
	if p.x.label != "" {
		s.below += lineHeight(labelStyle)
	}
	s.above += p.head
	if p.remark != "" {
		s.above += lineHeight(remarkStyle)
	}
	if p.title != "" {
		s.above += lineHeight(titleStyle) + 3
	}
	return s
}

// place draws a panel so that its axes enclose a rectangle.
func (p *panel) place(page draw.Canvas, axes vg.Rectangle) {
	c := draw.Canvas{Canvas: page.Canvas, Rectangle: axes}
	p.Draw(c)
	p.axes(c)
	y := axes.Max.Y + p.head + 5
	if p.remark != "" {
		label(c, remarkStyle, draw.XLeft, vg.Point{X: axes.Min.X, Y: y}, p.remark)
		y += lineHeight(remarkStyle) + 1
	}
	if p.title != "" {
		label(c, titleStyle, draw.XLeft, vg.Point{X: axes.Min.X, Y: y}, p.title)
	}
}

func (p *panel) axes(c draw.Canvas) {
	toX, toY := p.Transforms(&c)
	c.StrokeLine2(axisLine, c.Min.X, c.Min.Y, c.Max.X, c.Min.Y)
	c.StrokeLine2(axisLine, c.Min.X, c.Min.Y, c.Min.X, c.Max.Y)
	length := func(t plot.Tick) vg.Length {
		if t.IsMinor() {
			return tickLength / 2
		}
		return tickLength
	}
	for _, t := range p.x.ticks.Ticks(p.x.lo, p.x.hi) {
		if !p.x.plain {
			c.StrokeLine2(axisLine, toX(t.Value), c.Min.Y, toX(t.Value), c.Min.Y-length(t))
		}
		if p.x.bare {
			continue
		}
		for i, words := range strings.Split(t.Label, "\n") {
			y := c.Min.Y - tickLength - tickGap - vg.Length(i)*lineHeight(tickStyle) - capital(tickStyle)
			label(c, tickStyle, draw.XCenter, vg.Point{X: toX(t.Value), Y: y}, words)
		}
	}
	for _, t := range p.y.ticks.Ticks(p.y.lo, p.y.hi) {
		c.StrokeLine2(axisLine, c.Min.X, toY(t.Value), c.Min.X-length(t), toY(t.Value))
		if !p.y.bare {
			label(c, tickStyle, draw.XRight, vg.Point{X: c.Min.X - tickLength - tickGap, Y: toY(t.Value) - capital(tickStyle)/2}, t.Label)
		}
	}
	room := p.around()
	if p.x.label != "" {
		label(c, labelStyle, draw.XCenter, vg.Point{X: (c.Min.X + c.Max.X) / 2, Y: c.Min.Y - room.below + labelStyle.Font.Size*0.25}, p.x.label)
	}
	if p.y.label != "" {
		c.Push()
		c.Translate(vg.Point{X: c.Min.X - room.left + capital(labelStyle), Y: (c.Min.Y + c.Max.Y) / 2})
		c.Rotate(math.Pi / 2)
		label(c, labelStyle, draw.XCenter, vg.Point{}, p.y.label)
		c.Pop()
	}
}

// capital is the height of a capital letter or a digit.
func capital(s text.Style) vg.Length { return s.Font.Size * 0.72 }

// lines joins points, with a gap where one is missing (NaN).
func (p *panel) lines(s draw.LineStyle, xys plotter.XYs) {
	flush := func(part plotter.XYs) {
		switch len(part) {
		case 0:
		case 1:
			// One point alone would leave no trace as a line.
			p.Add(paint(func(c draw.Canvas, p *plot.Plot) {
				toX, toY := p.Transforms(&c)
				c.DrawGlyph(draw.GlyphStyle{Color: s.Color, Radius: s.Width, Shape: draw.CircleGlyph{}}, vg.Point{X: toX(part[0].X), Y: toY(part[0].Y)})
			}))
		default:
			// Not the plotter itself, or the axes would follow the data.
			p.Add(paint((&plotter.Line{XYs: part, LineStyle: s}).Plot))
		}
	}
	from := 0
	for i, xy := range xys {
		if math.IsNaN(xy.Y) {
			flush(xys[from:i])
			from = i + 1
		}
	}
	flush(xys[from:])
}

// band fills what lies between two lines, given from left to right.
func (p *panel) band(s style, low, high plotter.XYs) {
	p.Add(paint(func(c draw.Canvas, p *plot.Plot) {
		toX, toY := p.Transforms(&c)
		var around []vg.Point
		for _, xy := range low {
			around = append(around, vg.Point{X: toX(xy.X), Y: toY(xy.Y)})
		}
		for i := len(high) - 1; i >= 0; i-- {
			around = append(around, vg.Point{X: toX(high[i].X), Y: toY(high[i].Y)})
		}
		c.FillPolygon(s.faint(45), c.ClipPolygonXY(around))
	}))
}

// mark is a measured point with its spread in both directions.
type mark struct {
	x, y   spread
	filled bool
}

const (
	markerSize = 3.2
	capWidth   = 5
)

// points draws markers over the error bars of all of them.
func (p *panel) points(s style, marks []mark) {
	p.Add(paint(func(c draw.Canvas, p *plot.Plot) {
		toX, toY := p.Transforms(&c)
		bar := draw.LineStyle{Color: s.colour, Width: 0.9}
		whisker := func(x0, y0, x1, y1 vg.Length) {
			c.StrokeLines(bar, c.ClipLinesXY([]vg.Point{{X: x0, Y: y0}, {X: x1, Y: y1}})...)
		}
		for _, m := range marks {
			x, y := toX(m.x.median), toY(m.y.median)
			if lo, hi := toY(m.y.min), toY(m.y.max); hi-lo > 0.5 {
				whisker(x, lo, x, hi)
				whisker(x-capWidth/2, lo, x+capWidth/2, lo)
				whisker(x-capWidth/2, hi, x+capWidth/2, hi)
			}
			if lo, hi := toX(m.x.min), toX(m.x.max); hi-lo > 0.5 {
				whisker(lo, y, hi, y)
				whisker(lo, y-capWidth/2, lo, y+capWidth/2)
				whisker(hi, y-capWidth/2, hi, y+capWidth/2)
			}
		}
		for _, m := range marks {
			s.marker(c, vg.Point{X: toX(m.x.median), Y: toY(m.y.median)}, markerSize, m.filled)
		}
	}))
}
