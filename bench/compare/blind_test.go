package compare

import (
	"strings"
	"testing"

	"odradek/bench"
)

func TestTooFewRepetitionsAreBlind(t *testing.T) {
	slow := func(s *bench.Sample) { s.Server.CPUSeconds *= 100 }
	if err := compare(t, result(1, 3, nil), result(2, 3, slow), Options{}).Blind(); err == nil || !strings.Contains(err.Error(), "fewer than 4") {
		t.Errorf("3 repetitions: %v", err)
	}
	seeing := compare(t, result(1, 4, nil), result(2, 4, slow), Options{})
	if err := seeing.Blind(); err != nil || len(verdicts(seeing, Worse)) == 0 {
		t.Errorf("4 repetitions: %v, worse %v", err, verdicts(seeing, Worse))
	}
	b, a := result(1, 1, nil), result(1, 1, nil)
	b.Targets[0].Mode, a.Targets[0].Mode = "sim", "sim"
	if err := compare(t, b, a, Options{}).Blind(); err != nil {
		t.Errorf("simulations: %v", err)
	}
}

// The numbers of the U test's tables.
func TestRepetitionsThatTheTestNeeds(t *testing.T) {
	for alpha, want := range map[float64]int{1: 1, 0.1: 3, 0.05: 4, 0.01: 5, 0.0021: 7, 0.0006: 7} {
		if got := repetitions(alpha); got != want {
			t.Errorf("alpha %v: %d, want %d", alpha, got, want)
		}
	}
}
