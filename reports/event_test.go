package reports

import (
	"strings"
	"testing"

	"gonum.org/v1/plot/vg"

	"odradek/bench"
)

func TestFlagsNeitherCoverFlagsNorLines(t *testing.T) {
	times := axis{hi: 12, ticks: linearTicks{10}}
	for _, test := range []struct {
		name string
		at   []float64
		// told is how many have words; rows is how many rows these take.
		told, rows int
	}{
		{"far apart", []float64{1, 5, 9}, 3, 1},
		{"near", []float64{3, 3.5, 4}, 3, 3},
		{"near the right edge", []float64{11, 11.3, 11.6}, 3, 3},
		{"to both sides", []float64{9, 10.4, 10.8, 11.2}, 4, 4},
		{"at the same time", []float64{3, 3}, 2, 1},
		{"too many", []float64{3, 3.1, 3.2, 3.3, 3.4, 3.5, 3.6, 3.7, 3.8, 3.9}, flagRows, flagRows},
		{"outside", []float64{-1, 13}, 0, 0},
	} {
		var list []event
		for _, at := range test.at {
			list = append(list, event{at: at, what: "broker 2 was killed"})
		}
		p := newPanel("", times, axis{hi: 1, ticks: linearTicks{2}})
		list = p.flagged(list)
		told, rows := 0, 0
		for i, e := range list {
			if e.what == "" {
				continue
			}
			told, rows = told+1, max(rows, e.row+1)
			from, to := span(e)
			for j, o := range list {
				if i == j || o.what == "" {
					continue
				}
				if a, b := span(o); e.row == o.row && from < b && to > a {
					t.Errorf("%s: the words at %v and %v lie over each other", test.name, e.at, o.at)
				}
				if pole := vg.Length(o.at) * 47; o.row >= e.row && pole > from && pole < to {
					t.Errorf("%s: the line at %v goes through the words at %v", test.name, o.at, e.at)
				}
			}
		}
		if told != test.told || rows != test.rows {
			t.Errorf("%s: %d with words in %d rows, want %d in %d", test.name, told, rows, test.told, test.rows)
		}
		if want := vg.Length(rows)*flagHeight + 2; rows > 0 && p.head != want {
			t.Errorf("%s: room of %v, want %v", test.name, p.head, want)
		}
	}
}

// span is where an event's words are, in a panel of 12 s that is as wide as the page allows.
func span(e event) (from, to vg.Length) {
	at, width := vg.Length(e.at)*47, flagStyle.Width(e.what)
	if e.left {
		return at - width, at
	}
	return at, at + width
}

func TestLongWordsOfAnEventAreCut(t *testing.T) {
	p := newPanel("", axis{hi: 12, ticks: linearTicks{10}}, axis{hi: 1, ticks: linearTicks{2}})
	list := p.flagged([]event{{at: 6, what: strings.Repeat("é", 500)}})
	if got, want := list[0].what, strings.Repeat("é", flagRunes-1)+"…"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestWhatHappenedToAllTargetsIsOneEvent(t *testing.T) {
	run := func(marks ...bench.Mark) watched {
		return watched{target{style: styleOf(1)}, &bench.Sample{Marks: marks}}
	}
	events := eventsOf([]watched{
		run(bench.Mark{At: 3, What: "killed"}, bench.Mark{At: 7.5, What: "started"}),
		run(bench.Mark{At: 3.05, What: "killed"}, bench.Mark{At: 7, What: "started"}),
	}, 0.1)
	var have []string
	for _, e := range events {
		colour := "its target's"
		if e.style.Color == pale {
			colour = "dark"
		}
		have = append(have, number(e.at)+" "+e.what+" "+colour)
	}
	if got, want := strings.Join(have, ", "), "3 killed dark, 7 started its target's, 7.5 started its target's"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
