package reports

import (
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/plot"
)

func labels(t plot.Ticker, lo, hi float64) string {
	var list []string
	for _, x := range t.Ticks(lo, hi) {
		if x.Value < lo || x.Value > hi {
			list = append(list, "outside")
		}
		if !x.IsMinor() {
			list = append(list, x.Label)
		}
	}
	return strings.Join(list, " ")
}

func TestTicks(t *testing.T) {
	for _, test := range []struct {
		name   string
		ticks  plot.Ticker
		lo, hi float64
		want   string
	}{
		{"1-2-5", logTicks{10}, 0.04, 3, "0.05 0.1 0.2 0.5 1 2"},
		{"powers of ten if there are many", logTicks{8}, 0.5, 2000, "1 10 100 1000"},
		{"some powers if there are very many", logTicks{4}, 0.001, 1e6, "0.001 1 1000 1\u2009000\u2009000"},
		{"less than a decade", logTicks{10}, 2.4, 11, "5 10"},
		{"linear", linearTicks{5}, 0, 310, "0 100 200 300"},
		{"linear of fractions", linearTicks{5}, 0, 1.3, "0 0.5 1"},
		{"linear from below zero", linearTicks{6}, -1.2, 3, "\u22121 0 1 2 3"},
		{"linear in tenths", linearTicks{10}, 0, 0.8, "0 0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8"},
	} {
		if got := labels(test.ticks, test.lo, test.hi); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

func TestLogAxisHoldsItsValuesAndHasLabels(t *testing.T) {
	for _, values := range [][]float64{{3}, {3, 3.1}, {0.001, 600_000}, {9.99, 10.01}, {1, 1000}} {
		a := logAxis("", values, 10)
		if a.lo >= slices.Min(values) || a.hi <= slices.Max(values) {
			t.Errorf("%v: from %v to %v", values, a.lo, a.hi)
		}
		if n := strings.Count(labels(a.ticks, a.lo, a.hi), " ") + 1; n < 2 || n > 12 {
			t.Errorf("%v: %d labels", values, n)
		}
	}
}

func TestNumbersForPeople(t *testing.T) {
	for _, test := range []struct{ got, want string }{
		{number(0.30000000000000004), "0.3"}, {number(1234567), "1\u2009234\u2009567"}, {number(5000), "5000"}, {number(-2), "\u22122"}, {number(1e-17), "0"},
		{count(999), "999"}, {count(20_000), "20.0 k"}, {count(412_345), "412 k"}, {count(999_700), "1.00 M"},
		{millis(0.123), "0.123 ms"}, {millis(1234), "1.23 s"}, {millis(45.6), "45.6 ms"},
		{brief(10), "10"}, {brief(12.345), "12.3"}, {deviation(1.254), "+25 %"}, {deviation(0.8), "\u221220 %"}, {deviation(1.001), "0 %"},
		{deviation(36.43), "36.4× too high"}, {deviation(0.25), "4× too low"},
		{slug("1KiB", "acks=all, flush", "", "cdf"), "1kib-acks-all-flush-cdf"}, {slug("../x"), "x"},
	} {
		if test.got != test.want {
			t.Errorf("%q, want %q", test.got, test.want)
		}
	}
}
