package harness

import (
	"slices"
	"testing"
)

// TestHuntsFindTheZoo is what the harness is judged by: with a historical bug switched
// on, a hunt finds it within its budget of seeds, and with it off the same seeds are
// green.
func TestHuntsFindTheZoo(t *testing.T) {
	for _, s := range Zoo() {
		t.Run(string(s.Switch), func(t *testing.T) {
			t.Parallel()
			for seed := uint64(1); seed <= uint64(s.Budget); seed++ {
				if res := mustRun(t, s.Plan(seed, false)); res.Verdict != OK {
					t.Fatalf("seed %d with the switch off: %v", seed, res.Anomalies)
				}
				res := mustRun(t, s.Plan(seed, true))
				found := names(res)
				t.Logf("seed %d: %v", seed, found)
				for _, want := range s.Finds {
					if slices.Contains(found, want) {
						return
					}
				}
			}
			t.Errorf("%d seeds did not find %v", s.Budget, s.Finds)
		})
	}
}
