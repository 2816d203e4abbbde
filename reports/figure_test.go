package reports

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"image/png"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"odradek/bench"
)

// shown are results that have all kinds of figures.
func shown() []bench.Result { return []bench.Result{sweep(), single(), costs(), leaderKilled()} }

func TestEveryKindIsDrawn(t *testing.T) {
	seen := map[Kind]bool{}
	for _, f := range figures(t, shown()) {
		for _, format := range Formats {
			if format == "png" && seen[f.Kind] {
				continue // they take time
			}
			var b bytes.Buffer
			if err := f.Write(&b, format); err != nil {
				t.Fatalf("%s as %s: %v", f.Name, format, err)
			}
			width, height := pageWidth, float64(f.layout().height)
			if format == "svg" {
				texts := readSVG(t, b.Bytes(), fmt.Sprintf("%dpt", width), fmt.Sprintf("%.5gpt", height))
				for _, want := range []string{f.Title, f.ran, "AMD EPYC 7B13, 8 cores, 32 GiB, Linux 6.8, go1.26", "2026-03-14", "3 repetitions of 1", "odradek, 3 processes", "1a2b3c4"} {
					if !strings.Contains(texts, want) {
						t.Errorf("%s does not say %q", f.Name, want)
					}
				}
				continue
			}
			img, err := png.DecodeConfig(&b)
			if err != nil {
				t.Fatalf("%s: %v", f.Name, err)
			}
			if img.Width != width*dpi/72 || math.Abs(float64(img.Height)-height*dpi/72) > 1 {
				t.Errorf("%s is of %d x %d pixels, want %d x %.0f", f.Name, img.Width, img.Height, width*dpi/72, height*dpi/72)
			}
		}
		seen[f.Kind] = true
	}
	for _, k := range Kinds() {
		if !seen[k] {
			t.Errorf("there is no figure of kind %s", k)
		}
	}
}

// readSVG checks that it is well-formed and of a size, and returns its texts, each on a
// line.
func readSVG(t *testing.T, svg []byte, width, height string) string {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(svg))
	var texts strings.Builder
	root := true
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return texts.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		switch x := token.(type) {
		case xml.StartElement:
			if !root {
				continue
			}
			root = false
			have := map[string]string{}
			for _, a := range x.Attr {
				have[a.Name.Local] = a.Value
			}
			if x.Name.Local != "svg" || have["width"] != width || have["height"] != height {
				t.Errorf("<%s width=%s height=%s>, want an svg of %s x %s", x.Name.Local, have["width"], have["height"], width, height)
			}
		case xml.CharData:
			texts.Write(x)
			texts.WriteByte('\n')
		}
	}
}

func TestFiguresOfTheSameResultsAreTheSame(t *testing.T) {
	first, second := figures(t, shown()), figures(t, shown())
	for i := range first {
		for _, format := range Formats {
			if format == "png" && first[i].Kind != Timeline {
				continue // they take time, and follow from the same drawing
			}
			var a, b bytes.Buffer
			if err := errors.Join(first[i].Write(&a, format), second[i].Write(&b, format)); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(a.Bytes(), b.Bytes()) {
				t.Errorf("%s.%s differs", first[i].Name, format)
			}
		}
	}
}

// probe is a canvas that remembers where words are.
type probe struct {
	vg.Canvas
	// The place and direction of what is drawn next, and those that Pop returns to.
	x, y, turn float64
	stack      [][3]float64
	words      []word
}

type word struct {
	text           string
	x0, y0, x1, y1 float64
}

func (p *probe) Push() {
	p.stack = append(p.stack, [3]float64{p.x, p.y, p.turn})
	p.Canvas.Push()
}

func (p *probe) Pop() {
	last := p.stack[len(p.stack)-1]
	p.stack = p.stack[:len(p.stack)-1]
	p.x, p.y, p.turn = last[0], last[1], last[2]
	p.Canvas.Pop()
}

func (p *probe) place(x, y float64) (float64, float64) {
	sin, cos := math.Sincos(p.turn)
	return p.x + x*cos - y*sin, p.y + x*sin + y*cos
}

func (p *probe) Translate(by vg.Point) {
	p.x, p.y = p.place(float64(by.X), float64(by.Y))
	p.Canvas.Translate(by)
}

func (p *probe) Rotate(by float64) {
	p.turn += by
	p.Canvas.Rotate(by)
}

func (p *probe) FillString(f font.Face, at vg.Point, text string) {
	size := float64(f.Font.Size)
	xa, ya := p.place(float64(at.X), float64(at.Y)-0.2*size)
	xb, yb := p.place(float64(at.X+f.Width(text)), float64(at.Y)+0.72*size)
	p.words = append(p.words, word{text, min(xa, xb), min(ya, yb), max(xa, xb), max(ya, yb)})
	p.Canvas.FillString(f, at, text)
}

func TestWordsAreOnThePageAndApart(t *testing.T) {
	crowded := leaderKilled()
	crowded.Samples = slices.Clone(crowded.Samples)
	for i := range crowded.Samples {
		s := &crowded.Samples[i]
		for n := range 6 {
			s.Marks = append(slices.Clone(s.Marks), bench.Mark{At: 10.5 + 0.28*float64(n), What: "consumer added to all groups"})
		}
	}
	many := shown()
	many = append(many, without(crowded, systems[1].Name))
	many[len(many)-1].Scenario, many[len(many)-1].File = "crowded", strings.Replace(crowded.File, "failover", "crowded", 1)
	for _, f := range figures(t, many) {
		l := f.layout()
		p := &probe{Canvas: vgimg.New(pageWidth, l.height)}
		f.draw(draw.NewCanvas(p, pageWidth, l.height), l)
		if len(p.words) < 15 {
			t.Errorf("%s has only %d words", f.Name, len(p.words))
		}
		for i, a := range p.words {
			if a.x0 < 2 || a.y0 < 2 || a.x1 > pageWidth-2 || a.y1 > float64(l.height)-2 {
				t.Errorf("%s: %q is not on the page", f.Name, a.text)
			}
			for _, b := range p.words[:i] {
				if a.x0 < b.x1 && a.x1 > b.x0 && a.y0 < b.y1 && a.y1 > b.y0 {
					t.Errorf("%s: %q lies over %q", f.Name, a.text, b.text)
				}
			}
		}
	}
}

func TestTargetsDifferInMoreThanColour(t *testing.T) {
	for i := range len(palette) {
		for j := range i {
			a, b := styleOf(i), styleOf(j)
			if a.colour == b.colour || a.shape == b.shape || slices.Equal(a.dash, b.dash) {
				t.Errorf("targets %d and %d look alike", i, j)
			}
		}
	}
	if a, b := styleOf(1), styleOf(1+len(palette)); a.shape == b.shape || slices.Equal(a.dash, b.dash) {
		t.Error("a target beyond the colours looks like one before")
	}
}

func TestSaveWritesEachFormat(t *testing.T) {
	dir := t.TempDir() + "/new"
	f := figures(t, []bench.Result{sweep()}, CDF)[0]
	files, err := f.Save(dir, "svg", "png")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{dir + "/1kib-cdf.svg", dir + "/1kib-cdf.png"}; !slices.Equal(files, want) {
		t.Errorf("made %v, want %v", files, want)
	}
	for _, file := range files {
		if i, err := os.Stat(file); err != nil || i.Size() == 0 {
			t.Errorf("%s: %v, %v", file, i, err)
		}
	}
	if _, err := f.Save(dir, "gif"); err == nil {
		t.Error("gif was no error")
	}
}
