package reports

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
)

// axis is one of a panel: what it shows, from where to where, and where it has ticks.
type axis struct {
	label  string
	lo, hi float64
	log    bool
	ticks  plot.Ticker
	// bare leaves the labels of its ticks to a panel that shares the axis.
	bare bool
	// plain has names for ticks, and neither lines nor a grid.
	plain bool
}

// shared is an axis whose labels another panel has.
func (a axis) shared() axis {
	a.label, a.bare = "", true
	return a
}

// logAxis holds all values with some room, and has at most so many labels. Values must be
// greater than 0.
func logAxis(label string, values []float64, most int) axis {
	lo, hi := slices.Min(values), slices.Max(values)
	// Room for two or three labels.
	if short := 4 / (hi / lo); short > 1 {
		lo, hi = lo/math.Sqrt(short), hi*math.Sqrt(short)
	}
	room := math.Pow(hi/lo, 0.06)
	return axis{label: label, lo: lo / room, hi: hi * room, log: true, ticks: logTicks{most}}
}

// linearAxis begins at 0 and ends above all values.
func linearAxis(label string, values []float64, most int) axis {
	hi := slices.Max(values)
	if hi <= 0 {
		hi = 1
	}
	return axis{label: label, hi: hi * 1.05, ticks: linearTicks{most}}
}

// step125 is the smallest of 1, 2, 5 times a power of ten that is not below a value.
func step125(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, s := range []float64{1, 2, 5} {
		if s*power >= v*(1-1e-9) {
			return s * power
		}
	}
	return 10 * power
}

// logTicks labels 1, 2 and 5 times the powers of ten; only the powers, or some of them, if
// that would be more than so many. The other whole multiples have ticks without labels.
type logTicks struct{ most int }

// Ticks implements plot.Ticker.
func (l logTicks) Ticks(lo, hi float64) []plot.Tick {
	decades := math.Log10(hi / lo)
	all := 3*decades <= float64(l.most)
	every := 1 + int(decades/float64(l.most))
	var ticks []plot.Tick
	for e := int(math.Floor(math.Log10(lo))); e <= int(math.Ceil(math.Log10(hi))); e++ {
		power := math.Pow(10, float64(e))
		for m := 1; m <= 9; m++ {
			v := float64(m) * power
			if v < lo || v > hi {
				continue
			}
			t := plot.Tick{Value: v}
			if m == 1 && e%every == 0 || all && (m == 2 || m == 5) {
				t.Label = number(v)
			}
			if t.Label != "" || every == 1 {
				ticks = append(ticks, t)
			}
		}
	}
	return ticks
}

// linearTicks labels multiples of 1, 2 or 5 times a power of ten, at most so many.
type linearTicks struct{ most int }

// Ticks implements plot.Ticker.
func (l linearTicks) Ticks(lo, hi float64) []plot.Tick {
	step := step125((hi - lo) / float64(l.most))
	var ticks []plot.Tick
	for i := math.Ceil(lo/step - 1e-9); i*step <= hi+step*1e-9; i++ {
		ticks = append(ticks, plot.Tick{Value: i * step, Label: number(i * step)})
	}
	return ticks
}

// listed are ticks where somebody says.
type listed []plot.Tick

// Ticks implements plot.Ticker.
func (l listed) Ticks(float64, float64) []plot.Tick { return l }

// nines is how many nines a quantile has: 0.999 has 3.
func nines(q float64) float64 { return -math.Log10(1 - q) }

const fiveNines = 5

func ninesAxis(label string) axis {
	return axis{label: label, hi: fiveNines, ticks: listed{
		{Value: 0, Label: "0 %"}, {Value: nines(0.5), Label: "50 %"}, {Value: 1, Label: "90 %"}, {Value: 2, Label: "99 %"},
		{Value: 3, Label: "99.9 %"}, {Value: 4, Label: "99.99 %"}, {Value: 5, Label: "99.999 %"},
	}}
}

// number writes what a tick has, with a narrow space between thousands.
func number(v float64) string {
	s := strconv.FormatFloat(v, 'f', -1, 64)
	if math.Abs(v) >= 1e-9 {
		// A multiple of a step such as 0.1 is not exact.
		s = strconv.FormatFloat(v, 'g', 9, 64)
		if strings.Contains(s, "e") {
			f, _ := strconv.ParseFloat(s, 64)
			s = strconv.FormatFloat(f, 'f', -1, 64)
		}
	} else {
		s = "0"
	}
	whole, part, _ := strings.Cut(s, ".")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "\u2212", whole[1:]
	}
	for i := len(whole) - 3; i > 0 && len(whole) > 4; i -= 3 {
		whole = whole[:i] + "\u2009" + whole[i:]
	}
	if part != "" {
		part = "." + part
	}
	return sign + whole + part
}

// digits is a value with three digits.
func digits(v float64) string {
	if v == 0 {
		return "0"
	}
	// Rounded first: 0.9997 has two places, as 1.00.
	v, _ = strconv.ParseFloat(strconv.FormatFloat(v, 'g', 3, 64), 64)
	places := 2 - int(math.Floor(math.Log10(math.Abs(v))))
	return strconv.FormatFloat(v, 'f', min(max(places, 0), 6), 64)
}

// brief is a value with at most three digits.
func brief(v float64) string {
	f, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 3, 64), 64)
	return number(f)
}

// count is a number of records for people: 412 k.
func count(v float64) string {
	switch {
	case v >= 999_500:
		return digits(v/1e6) + " M"
	case v >= 9_995:
		return digits(v/1e3) + " k"
	}
	return number(math.Round(v))
}

// millis is a time given in milliseconds for people.
func millis(ms float64) string {
	if ms >= 1000 {
		return digits(ms/1000) + " s"
	}
	return digits(ms) + " ms"
}

// deviation is how far a ratio is from 1.
func deviation(ratio float64) string {
	switch d := math.Round((ratio - 1) * 100); {
	case ratio >= 2:
		return brief(ratio) + "× too high"
	case ratio <= 0.5:
		return brief(1/ratio) + "× too low"
	case d < 0:
		return "\u2212" + number(-d) + " %"
	case d > 0:
		return "+" + number(d) + " %"
	}
	return "0 %"
}
