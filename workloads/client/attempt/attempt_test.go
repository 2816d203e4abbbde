package attempt

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

func TestCombine(t *testing.T) {
	for _, c := range []struct {
		attempts []Outcome
		want     Outcome
	}{
		{nil, Failed},
		{[]Outcome{OK}, OK},
		{[]Outcome{Unknown, Failed, OK}, OK},
		{[]Outcome{Failed, Failed}, Failed},
		{[]Outcome{Unknown, Failed}, Unknown},
		{[]Outcome{Failed, Unknown}, Unknown},
		// Answered too late: the operation had ended, and nobody may say that it failed.
		{[]Outcome{OK, Failed}, Unknown},
	} {
		var as []Attempt
		for _, o := range c.attempts {
			as = append(as, Attempt{Outcome: o})
		}
		if got := Combine(as); got != c.want {
			t.Errorf("%v gives %v, want %v", c.attempts, got, c.want)
		}
	}
}

func TestBackoffGrowsToItsBoundWithJitter(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	b := Backoff{Initial: 100 * time.Millisecond, Max: time.Second}
	for failures, base := range map[int]time.Duration{1: 100, 2: 200, 3: 400, 4: 800, 5: 1000, 60: 1000} {
		base *= time.Millisecond
		low, high := base, base
		for range 1000 {
			d := b.After(failures, rng)
			if d < base*4/5 || d > base*6/5 {
				t.Fatalf("after %d failures %v, want %v give or take a fifth", failures, d, base)
			}
			low, high = min(low, d), max(high, d)
		}
		if low > base*17/20 || high < base*23/20 {
			t.Errorf("after %d failures only %v to %v", failures, low, high)
		}
	}
	if d := (Backoff{}).After(3, rng); d != 0 {
		t.Errorf("no back-off is %v", d)
	}
}

func TestErrorsWithoutAnswer(t *testing.T) {
	for err, want := range map[error]Outcome{
		ErrNotSent: Failed, ErrVersion: Failed, ErrLost: Unknown, ErrTimedOut: Unknown, ErrMalformed: Unknown, ErrClosed: Unknown,
	} {
		if got := OutcomeOf(fmt.Errorf("somehow: %w", err)); got != want {
			t.Errorf("%v is %v, want %v", err, got, want)
		}
	}
}

// Only what a broker refuses before it appends may be called failed, and whatever is
// not listed is unknown.
func TestNothingIsFailedByDefault(t *testing.T) {
	failed := 0
	for code := int16(-1); code < 200; code++ {
		for _, class := range []Class{Classify(code), ClassifyAdmin(code)} {
			if (class.Outcome == OK) != (code == 0) {
				t.Errorf("%s is %v", CodeName(code), class.Outcome)
			}
			if class.Outcome == Failed {
				failed++
			}
		}
	}
	if failed == 0 || failed > 60 {
		t.Errorf("%d codes are failures", failed)
	}
}

func TestCodeErrorsAreKerrs(t *testing.T) {
	detail := "why"
	err := NewCodeError(kerr.NotLeaderForPartition.Code, &detail)
	if !errors.Is(err, kerr.NotLeaderForPartition) || err.Error() != "NOT_LEADER_OR_FOLLOWER: why" {
		t.Errorf("%v", err)
	}
	if NewCodeError(0, nil) != nil {
		t.Error("no error is an error")
	}
	if got := CodeName(999); got != "ERROR_999" {
		t.Error(got)
	}
}
