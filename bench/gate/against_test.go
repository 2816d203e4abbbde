package gate

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"odradek/bench"
	"odradek/bench/compare"
)

// paired answers with n repetitions of noise around 1 ms; the second build has its
// latencies and its number of samples changed.
func paired(seed uint64, n int, factor float64, drop bool) Pairs {
	return func(_ context.Context, list []bench.Scenario) (*bench.Result, error) {
		noise := rand.New(rand.NewPCG(seed, 7))
		r := &bench.Result{Scenario: "gate", Targets: []bench.Target{{Name: Before, Mode: "disk"}, {Name: After, Mode: "disk"}}}
		for rep := range n {
			for i, s := range list {
				for _, side := range []struct {
					target string
					factor float64
				}{{Before, 1}, {After, factor}} {
					if drop && i == 0 && side.target == After {
						continue
					}
					x := bench.Sample{Target: side.target, Variant: s.Variant, Rate: 1000, Repetition: rep, Seconds: 1, Acked: 1000 + noise.Int64N(20), Server: bench.Unknown}
					for range 100 {
						x.Ack.Record(int64(side.factor * float64(1e6+noise.Int64N(1e5))))
					}
					r.Samples = append(r.Samples, x)
				}
			}
		}
		return r, nil
	}
}

var fivePercent = []compare.Threshold{{Share: 0.05}}

func against(t *testing.T, run Pairs) *Judgement {
	t.Helper()
	j, err := Against(context.Background(), run, Scenarios(), fivePercent)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func TestSlowerBuildIsFound(t *testing.T) {
	j := against(t, paired(1, 10, 1.3, false))
	// Three percentiles of every scenario.
	if want := 3 * len(Scenarios()); len(j.Worse) != want || j.Findings() != want {
		t.Errorf("%d findings, want %d: %+v", j.Findings(), want, j.Worse)
	}
	var text bytes.Buffer
	if err := j.Print(&text); err != nil || !strings.Contains(text.String(), "worse: after, acks-all, 1,000/s, ack p99: 1.1") {
		t.Errorf("%v\n%s", err, &text)
	}
}

func TestSameBuildIsNotFound(t *testing.T) {
	for seed := range uint64(10) {
		if j := against(t, paired(seed, 10, 1, false)); j.Findings() != 0 {
			t.Errorf("seed %d: %+v", seed, j.Worse)
		}
	}
}

// Beyond doubt is not yet worth a word.
func TestChangeWithinTheThresholdIsNotFound(t *testing.T) {
	if j := against(t, paired(1, 10, 1.03, false)); j.Findings() != 0 {
		t.Errorf("%+v", j.Worse)
	}
}

func TestScenarioThatOneBuildDidNotRunIsFound(t *testing.T) {
	j := against(t, paired(1, 10, 1, true))
	if len(j.Missing) != 1 || j.Findings() != 1 {
		t.Errorf("missing %v, %d findings", j.Missing, j.Findings())
	}
}

func TestRecordsThatOnlyTheSecondBuildLosesAreFound(t *testing.T) {
	same := paired(1, 10, 1, false)
	losing := func(ctx context.Context, list []bench.Scenario) (*bench.Result, error) {
		r, err := same(ctx, list)
		for i := range r.Samples {
			if s := &r.Samples[i]; s.Target == After && s.Variant == list[0].Variant {
				s.Lost = 1
			}
		}
		return r, err
	}
	if j := against(t, losing); j.Findings() != 1 {
		t.Errorf("%d findings, harm %q", j.Findings(), j.Harm)
	}
}

func TestGateThatCouldFindNothingIsAnError(t *testing.T) {
	if _, err := Against(context.Background(), paired(1, 4, 9, false), Scenarios(), fivePercent); err == nil || !strings.Contains(err.Error(), "4 repetitions") {
		t.Error(err)
	}
	wrong := errors.New("no such binary")
	failing := func(context.Context, []bench.Scenario) (*bench.Result, error) { return nil, wrong }
	if _, err := Against(context.Background(), failing, Scenarios(), fivePercent); !errors.Is(err, wrong) {
		t.Error(err)
	}
}
