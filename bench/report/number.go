package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Number writes three significant digits, and all of what is before the decimal point,
// with commas.
func Number(v float64) string {
	abs := math.Abs(v)
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "?"
	case abs == math.Trunc(abs) || abs >= 999.5:
		return commas(strconv.FormatFloat(math.Round(v), 'f', 0, 64))
	case abs >= 99.95:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case abs >= 9.995:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case abs >= 0.9995:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

func commas(digits string) string {
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// Quantity writes a number with its unit, in a size of the unit that people read: "1.25
// ms", "41.5 MiB".
func Quantity(v float64, unit string) string {
	size := func(steps []string, by float64) string {
		i := 0
		for i+1 < len(steps) && math.Abs(v) >= by {
			v /= by
			i++
		}
		return Number(v) + " " + steps[i]
	}
	switch unit {
	case "ns":
		return size([]string{"ns", "us", "ms", "s"}, 1000)
	case "B":
		return size([]string{"B", "KiB", "MiB", "GiB"}, 1024)
	case "":
		return Number(v)
	}
	return Number(v) + " " + unit
}

// column is the unit in which a table or file has a measure, and what makes it of the
// measure's own.
func column(unit string) (string, float64) {
	switch unit {
	case "ns":
		return "ms", 1e-6
	case "B":
		return "MiB", 1.0 / (1 << 20)
	}
	return unit, 1
}

// Spread is what repetitions came to.
type Spread struct{ Lowest, Median, Highest float64 }

// SpreadOf is that of one or more values.
func SpreadOf(values []float64) Spread {
	s := slices.Sorted(slices.Values(values))
	n := len(s)
	return Spread{s[0], (s[(n-1)/2] + s[n/2]) / 2, s[n-1]}
}

// String is the median, and the lowest and the highest unless they are the same.
func (s Spread) String() string {
	if Number(s.Lowest) == Number(s.Highest) {
		return Number(s.Median)
	}
	return fmt.Sprintf("%s (%s-%s)", Number(s.Median), Number(s.Lowest), Number(s.Highest))
}

// RunName names a run in a line: "odradek, acks-1, 1,000/s".
func RunName(target, variant string, rate float64) string {
	parts := []string{target}
	if variant != "" {
		parts = append(parts, variant)
	}
	return strings.Join(append(parts, Rate(rate)), ", ")
}

// Rate is a rate that was asked for, in words.
func Rate(rate float64) string {
	if rate == 0 {
		return "as fast as possible"
	}
	return Number(rate) + "/s"
}
