package session

import "math"

// search finds the highest rate that a target keeps up with: it doubles the rate until one
// is too much, and halves the interval, as a ratio, until that is small.
type search struct {
	first float64
	// Rates that were kept, and that were too much; 0 while there is none.
	kept, failed float64
}

const (
	// closeEnough is how near the two rates around the knee get to each other.
	closeEnough = 1.1
	slowest     = 1
	fastest     = 1e8
)

// next is the rate to try; false if the search is over.
func (s *search) next() (float64, bool) {
	switch {
	case s.kept == 0 && s.failed == 0:
		return s.first, true
	case s.failed == 0:
		return s.kept * 2, s.kept*2 <= fastest
	case s.kept == 0:
		return round(s.failed / 4), s.failed/4 >= slowest
	}
	middle := round(math.Sqrt(s.kept * s.failed))
	return middle, s.failed/s.kept > closeEnough && middle > s.kept && middle < s.failed
}

func (s *search) saw(rate float64, kept bool) {
	if kept {
		s.kept = rate
	} else {
		s.failed = rate
	}
}

// round leaves three digits, which people can read.
func round(rate float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(rate))-2)
	return math.Round(rate/unit) * unit
}
