package reports

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"os"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Figure is a page with panels, ready to be drawn.
type Figure struct {
	Kind Kind
	// Name is a file's without its extension.
	Name  string
	Title string
	// Caption says in a sentence what is seen, for the text beside it.
	Caption string

	ran    string
	legend []entry
	rows   []row
	notes  []string
}

// entry is of the legend: what a line or a marker means.
type entry struct {
	words  string
	sample func(c draw.Canvas, from, to vg.Point)
}

// row is panels side by side. height is of what the axes enclose.
type row struct {
	height vg.Length
	panels []*panel
}

const (
	pageWidth = 648 // 9 in
	margin    = 14
	columnGap = 12
	rowGap    = 9
	dpi       = 160
)

var (
	pageTitle = bold(14, ink)
	ranStyle  = words(9, pale)
	keyStyle  = words(9.5, ink)
	noteStyle = words(8, pale)
)

// lineHeight is from baseline to baseline.
func lineHeight(s text.Style) vg.Length { return s.Font.Size * 1.3 }

// wrap breaks text into lines of a width: between parts if it has several, else between
// words.
func wrap(s text.Style, width vg.Length, words string) []string {
	parts := strings.Split(words, between)
	for _, p := range parts {
		if s.Width(p) > width || len(parts) == 1 {
			return fill(s, width, strings.Fields(words), " ")
		}
	}
	return fill(s, width, parts, between)
}

func fill(s text.Style, width vg.Length, parts []string, between string) []string {
	var lines []string
	line := ""
	for i, p := range parts {
		switch longer := line + between + p; {
		case i == 0:
			line = p
		case s.Width(longer) <= width:
			line = longer
		default:
			lines, line = append(lines, line), p
		}
	}
	return append(lines, line)
}

// layout is where everything of a figure goes.
type layout struct {
	title, ran, notes []string
	keys              [][]entry
	// before and after are the room around what the axes of a row or a column enclose.
	above, below, left, right []vg.Length
	width                     vg.Length
	height                    vg.Length
}

const sampleWidth = 30

func keyWidth(e entry) vg.Length { return sampleWidth + 5 + keyStyle.Width(e.words) + 16 }

func (f *Figure) layout() layout {
	inner := vg.Length(pageWidth - 2*margin)
	l := layout{title: wrap(pageTitle, inner, f.Title), ran: wrap(ranStyle, inner, f.ran)}
	for _, n := range f.notes {
		l.notes = append(l.notes, wrap(noteStyle, inner, n)...)
	}
	var used vg.Length
	for i, e := range f.legend {
		if i == 0 || used+keyWidth(e) > inner {
			l.keys, used = append(l.keys, nil), 0
		}
		l.keys[len(l.keys)-1] = append(l.keys[len(l.keys)-1], e)
		used += keyWidth(e)
	}

	columns := 0
	for _, r := range f.rows {
		columns = max(columns, len(r.panels))
	}
	l.left, l.right = make([]vg.Length, columns), make([]vg.Length, columns)
	l.above, l.below = make([]vg.Length, len(f.rows)), make([]vg.Length, len(f.rows))
	for i, r := range f.rows {
		for j, p := range r.panels {
			a := p.around()
			l.left[j], l.right[j] = max(l.left[j], a.left), max(l.right[j], a.right)
			l.above[i], l.below[i] = max(l.above[i], a.above), max(l.below[i], a.below)
		}
	}
	l.width = inner - columnGap*vg.Length(columns-1)
	for j := range columns {
		l.width -= l.left[j] + l.right[j]
	}
	l.width /= vg.Length(columns)

	l.height = 2*margin + vg.Length(len(l.title))*lineHeight(pageTitle) + vg.Length(len(l.ran))*lineHeight(ranStyle) +
		4 + vg.Length(len(l.keys))*lineHeight(keyStyle) + 8 + vg.Length(len(l.notes))*lineHeight(noteStyle) + 8
	for i, r := range f.rows {
		l.height += l.above[i] + r.height + l.below[i]
	}
	l.height += rowGap * vg.Length(len(f.rows)-1)
	return l
}

// draw lays the figure out on a canvas of its size.
func (f *Figure) draw(c draw.Canvas, l layout) {
	c.SetColor(white)
	c.Fill(c.Rectangle.Path())
	x, y := vg.Length(margin), c.Max.Y-margin
	put := func(s text.Style, lines []string) {
		for _, line := range lines {
			y -= lineHeight(s)
			label(c, s, draw.XLeft, vg.Point{X: x, Y: y + s.Font.Size*0.25}, line)
		}
	}
	put(pageTitle, l.title)
	put(ranStyle, l.ran)
	y -= 4
	for _, line := range l.keys {
		y -= lineHeight(keyStyle)
		at := x
		for _, e := range line {
			middle := y + keyStyle.Font.Size*0.55
			e.sample(c, vg.Point{X: at, Y: middle}, vg.Point{X: at + sampleWidth, Y: middle})
			label(c, keyStyle, draw.XLeft, vg.Point{X: at + sampleWidth + 5, Y: y + keyStyle.Font.Size*0.22}, e.words)
			at += keyWidth(e)
		}
	}
	y -= 8
	for i, r := range f.rows {
		y -= l.above[i]
		at := x
		for j, p := range r.panels {
			at += l.left[j]
			p.place(c, vg.Rectangle{Min: vg.Point{X: at, Y: y - r.height}, Max: vg.Point{X: at + l.width, Y: y}})
			at += l.width + l.right[j] + columnGap
		}
		y -= r.height + l.below[i] + rowGap
	}
	y += rowGap - 8
	put(noteStyle, l.notes)
}

// Formats that figures can be written in.
var Formats = []string{"png", "svg"}

// Write draws the figure: format is one of [Formats].
func (f *Figure) Write(w io.Writer, format string) error {
	l := f.layout()
	switch format {
	case "png":
		c := vgimg.NewWith(vgimg.UseWH(pageWidth, l.height), vgimg.UseDPI(dpi), vgimg.UseBackgroundColor(white))
		f.draw(draw.New(c), l)
		_, err := vgimg.PngCanvas{Canvas: c}.WriteTo(w)
		return err
	case "svg":
		c := vgsvg.New(pageWidth, l.height)
		f.draw(draw.New(c), l)
		var b bytes.Buffer
		if _, err := c.WriteTo(&b); err != nil {
			return err
		}
		_, err := w.Write(f.finishSVG(b.Bytes()))
		return err
	}
	return fmt.Errorf("format %q, want one of %v", format, Formats)
}

// Save writes a figure into a directory, which is made if it is not there, once in each
// format, and returns the files.
func (f *Figure) Save(dir string, formats ...string) ([]string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	var files []string
	for _, format := range formats {
		var b bytes.Buffer
		if err := f.Write(&b, format); err != nil {
			return files, fmt.Errorf("%s: %w", f.Name, err)
		}
		path := filepath.Join(dir, f.Name+"."+format)
		if err := os.WriteFile(path, b.Bytes(), 0o666); err != nil {
			return files, err
		}
		files = append(files, path)
	}
	return files, nil
}

// finishSVG adds what the library does not write: fonts of the same widths for readers
// without this one, and the title and the caption for those who cannot see the figure.
func (f *Figure) finishSVG(svg []byte) []byte {
	svg = bytes.ReplaceAll(svg, []byte("font-family:Liberation Sans;"), []byte("font-family:'Liberation Sans',Arimo,Arial,Helvetica,sans-serif;"))
	head, rest, _ := bytes.Cut(svg, []byte(`xlink">`+"\n"))
	about := fmt.Sprintf("<title>%s</title>\n<desc>%s</desc>\n", html.EscapeString(f.Title), html.EscapeString(f.Caption+" "+f.ran))
	return bytes.Join([][]byte{head, []byte(`xlink">` + "\n" + about), rest}, nil)
}

// stroke is a legend's sample of a line, with a marker in its middle if it has one.
func stroke(s draw.LineStyle, marker func(c draw.Canvas, at vg.Point)) func(draw.Canvas, vg.Point, vg.Point) {
	return func(c draw.Canvas, from, to vg.Point) {
		c.StrokeLine2(s, from.X, from.Y, to.X, to.Y)
		if marker != nil {
			marker(c, vg.Point{X: (from.X + to.X) / 2, Y: from.Y})
		}
	}
}

// key is the legend's entry of a target whose points have markers.
func (t target) key() entry {
	return entry{t.label, stroke(t.line(1.6), func(c draw.Canvas, at vg.Point) { t.marker(c, at, markerSize, true) })}
}

// lineKey is that of a target that has lines alone.
func (t target) lineKey() entry { return entry{t.label, stroke(t.line(1.6), nil)} }
