package reports

import (
	"image/color"
	"math"

	xfont "golang.org/x/image/font"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

var sans = font.Font{Typeface: "Liberation", Variant: "Sans"}

// The library has its fonts in variables; whatever it draws by itself must match.
func init() {
	plot.DefaultFont = sans
	plotter.DefaultFont = sans
}

var (
	ink    = color.NRGBA{R: 0x22, G: 0x22, B: 0x22, A: 255}
	pale   = color.NRGBA{R: 0x5c, G: 0x5c, B: 0x5c, A: 255}
	gridOf = color.NRGBA{R: 0xe4, G: 0xe4, B: 0xe4, A: 255}
	white  = color.NRGBA{R: 255, G: 255, B: 255, A: 255}
)

// palette is that of Okabe and Ito, which people with any kind of colour blindness tell
// apart, without its yellow, which is too light for lines on white.
var palette = []color.NRGBA{
	{R: 0x00, G: 0x72, B: 0xb2, A: 255}, // blue
	{R: 0xd5, G: 0x5e, B: 0x00, A: 255}, // vermillion
	{R: 0x00, G: 0x9e, B: 0x73, A: 255}, // green
	{R: 0xcc, G: 0x79, B: 0xa7, A: 255}, // purple
	{R: 0xe6, G: 0x9f, B: 0x00, A: 255}, // orange
	{R: 0x56, G: 0xb4, B: 0xe9, A: 255}, // sky
	{R: 0x22, G: 0x22, B: 0x22, A: 255}, // black
}

var dashes = [][]vg.Length{nil, {6, 2.5}, {1.6, 2}, {7, 2, 1.6, 2}, {3.5, 2}, {10, 2.5}, {4, 1.5, 1.6, 1.5, 1.6, 1.5}}

// style tells a target from others by colour, dash and marker, each of which is enough.
type style struct {
	colour color.NRGBA
	dash   []vg.Length
	shape  int
}

func styleOf(i int) style {
	// Past the palette's end colours come again, with other dashes and markers.
	round := i / len(palette)
	return style{colour: palette[i%len(palette)], dash: dashes[(i+round)%len(dashes)], shape: (i + round) % shapes}
}

func (s style) line(width vg.Length) draw.LineStyle {
	return draw.LineStyle{Color: s.colour, Width: width, Dashes: s.dash}
}

// faint is the colour as a tint that lets what lies below be seen.
func (s style) faint(alpha uint8) color.NRGBA {
	c := s.colour
	c.A = alpha
	return c
}

// shapes is how many markers there are.
const shapes = 7

// marker draws a target's marker: filled, or hollow.
func (s style) marker(c draw.Canvas, at vg.Point, r vg.Length, filled bool) {
	path := outline(s.shape, at, r)
	c.SetColor(white)
	if filled {
		c.SetColor(s.colour)
	}
	c.Fill(path)
	c.SetLineStyle(draw.LineStyle{Color: s.colour, Width: 1})
	c.Stroke(path)
}

// outline is the path of a marker of roughly the area of a circle of radius r.
func outline(shape int, at vg.Point, r vg.Length) vg.Path {
	var p vg.Path
	polygon := func(points ...[2]float64) vg.Path {
		for i, q := range points {
			to := vg.Point{X: at.X + r*vg.Length(q[0]), Y: at.Y + r*vg.Length(q[1])}
			if i == 0 {
				p.Move(to)
			} else {
				p.Line(to)
			}
		}
		p.Close()
		return p
	}
	const arm, out = 0.36, 1.15
	switch shape {
	case 1:
		return polygon([2]float64{-.88, -.88}, [2]float64{.88, -.88}, [2]float64{.88, .88}, [2]float64{-.88, .88})
	case 2:
		return polygon([2]float64{0, 1.25}, [2]float64{-1.1, -.72}, [2]float64{1.1, -.72})
	case 3:
		return polygon([2]float64{0, 1.3}, [2]float64{-1.05, 0}, [2]float64{0, -1.3}, [2]float64{1.05, 0})
	case 4:
		return polygon([2]float64{0, -1.25}, [2]float64{-1.1, .72}, [2]float64{1.1, .72})
	case 5:
		return polygon([2]float64{-arm, out}, [2]float64{arm, out}, [2]float64{arm, arm}, [2]float64{out, arm}, [2]float64{out, -arm}, [2]float64{arm, -arm},
			[2]float64{arm, -out}, [2]float64{-arm, -out}, [2]float64{-arm, -arm}, [2]float64{-out, -arm}, [2]float64{-out, arm}, [2]float64{-arm, arm})
	case 6:
		var hexagon [][2]float64
		for i := range 6 {
			sin, cos := math.Sincos(float64(i) * math.Pi / 3)
			hexagon = append(hexagon, [2]float64{1.1 * cos, 1.1 * sin})
		}
		return polygon(hexagon...)
	}
	p.Move(vg.Point{X: at.X + r, Y: at.Y})
	p.Arc(at, r, 0, 2*math.Pi)
	p.Close()
	return p
}

// words is a style of text.
func words(size vg.Length, colour color.Color) text.Style {
	return text.Style{Color: colour, Font: font.From(sans, size), Handler: plot.DefaultTextHandler, YAlign: draw.YBottom}
}

func bold(size vg.Length, colour color.Color) text.Style {
	s := words(size, colour)
	s.Font.Weight = xfont.WeightBold
	return s
}

// label writes text with its baseline at a point; across says where the point is in it.
func label(c draw.Canvas, s text.Style, across draw.XAlignment, at vg.Point, words string) {
	if words == "" {
		return
	}
	c.SetColor(s.Color)
	face := s.Handler.Cache().Lookup(s.Font, s.Font.Size)
	at.X += vg.Length(across) * face.Width(words)
	c.FillString(face, at, words)
}
