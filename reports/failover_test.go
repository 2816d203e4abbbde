package reports

import (
	"math"
	"testing"

	"odradek/bench"
)

// ticks is a timeline of half seconds with so many acknowledged in each.
func ticks(acked ...int64) []bench.Tick {
	var list []bench.Tick
	for i, n := range acked {
		list = append(list, bench.Tick{At: float64(i) / 2, Seconds: 0.5, Acked: n, Max: int64(i+1) * 1e6})
	}
	return list
}

func TestGapIsTheLongestTimeBelowHalfTheRateBefore(t *testing.T) {
	kill := bench.Mark{At: 1.2, What: "broker 1 killed"}
	for _, test := range []struct {
		name     string
		timeline []bench.Tick
		mark     bench.Mark
		want     gap
		ok       bool
	}{
		{"gap", ticks(10, 10, 3, 0, 0, 25, 10), kill, gap{killed: 1.2, from: 0, to: 1.3, found: true, slowest: 7}, true},
		{"it begins later", ticks(10, 10, 9, 0, 10, 10), kill, gap{killed: 1.2, from: 0.3, to: 0.8, found: true, slowest: 6}, true},
		{"a short dip comes first", ticks(10, 10, 10, 4, 10, 0, 0, 10), kill, gap{killed: 1.2, from: 1.3, to: 2.3, found: true, slowest: 8}, true},
		{"half is enough", ticks(10, 10, 5, 5, 10), kill, gap{killed: 1.2, slowest: 5}, true},
		{"it does not end", ticks(10, 10, 10, 0, 0), kill, gap{killed: 1.2, from: 0.3, to: 1.3, found: true, open: true, slowest: 5}, true},
		{"a stall before the kill", ticks(10, 10, 0, 10, 10, 10, 10), bench.Mark{At: 2.6, What: "kill-leader"}, gap{killed: 2.6, slowest: 7}, true},
		{"nobody was killed", ticks(10, 10, 0, 0, 10), bench.Mark{At: 1, What: "no leader to kill"}, gap{}, false},
		{"killed after the end", ticks(10, 10), kill, gap{}, false},
		{"killed at the beginning", ticks(10, 10), bench.Mark{What: "broker 1 killed"}, gap{}, false},
	} {
		got, ok := gapOf(&bench.Sample{Timeline: test.timeline, Marks: []bench.Mark{test.mark}})
		got.from, got.to = round(got.from), round(got.to)
		if got != test.want || ok != test.ok {
			t.Errorf("%s: %+v, %v, want %+v, %v", test.name, got, ok, test.want, test.ok)
		}
	}
}

func round(v float64) float64 { return math.Round(v*1e6) / 1e6 }

func TestGapsAreToldWithTheirRange(t *testing.T) {
	x := failed{gaps: []gap{{to: 1.5, found: true, slowest: 1600}, {to: 1, found: true, slowest: 900}, {to: 4, found: true, open: true, slowest: 4000}}}
	if got, want := x.said(), "gap 1.50 s (1.00 s to 4.00 s), not over at the end of 1 of 3 runs; slowest record 1.60 s (900 ms to 4.00 s)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	x.gaps = []gap{{slowest: 3}}
	if got, want := x.said(), "no gap: never less than half of the rate before; slowest record 3.00 ms"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
