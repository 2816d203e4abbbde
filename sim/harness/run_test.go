package harness_test

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"odradek/broker/env"
	"odradek/sim/fault"
	"odradek/sim/harness"
	"odradek/workloads"
)

// shortPlan has some faults within 5 s.
func shortPlan(seed uint64) *fault.Plan {
	profile := harness.DefaultProfile()
	profile.FaultsFor, profile.Gap = 5*time.Second, 500*time.Millisecond
	p := fault.Draw(seed, profile)
	p.Workload.Params["at-least"] = 300
	return p
}

func TestSameSeedIsTheSameRunInParallelToo(t *testing.T) {
	type outcome struct {
		result         *harness.Result
		history, trace bytes.Buffer
	}
	runs := make([]outcome, 12)
	if testing.Short() {
		runs = runs[:6] // with the race detector a run takes seconds
	}
	var wg sync.WaitGroup
	for i := range runs {
		wg.Go(func() {
			o := &runs[i]
			res, err := harness.Run(shortPlan(uint64(1+i%3)), harness.Options{History: &o.history, Trace: &o.trace})
			if err != nil {
				t.Error(err)
				return
			}
			o.result = res
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	for i := 3; i < len(runs); i++ {
		first, again := &runs[i%3], &runs[i]
		if first.result.Hash != again.result.Hash {
			t.Errorf("seed %d: hashes %s and %s; the traces differ from here: %s", first.result.Seed, first.result.Hash, again.result.Hash,
				firstDifference(first.trace.String(), again.trace.String()))
			continue
		}
		if !bytes.Equal(first.history.Bytes(), again.history.Bytes()) || !bytes.Equal(first.trace.Bytes(), again.trace.Bytes()) {
			t.Errorf("seed %d: equal hashes, but another history or trace", first.result.Seed)
		}
		if d := cmp.Diff(first.result, again.result); d != "" {
			t.Errorf("seed %d: results differ:\n%s", first.result.Seed, d)
		}
	}
	if runs[0].result.Hash == runs[1].result.Hash {
		t.Error("two seeds have one hash")
	}
}

func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return x[i] + "\n" + y[i]
		}
	}
	return "one is longer"
}

// scripted is a workload whose parts are functions.
type scripted struct {
	user  func(*env.Task, *workloads.Site)
	final func(*env.Task, *workloads.Site) error
}

func (w scripted) Setup(*env.Task, *workloads.Site) error { return nil }

func (w scripted) Users() []workloads.User { return []workloads.User{{Name: "user", Run: w.user}} }

func (w scripted) Final(t *env.Task, s *workloads.Site) error { return w.final(t, s) }

func runScripted(t *testing.T, w scripted) *harness.Result {
	t.Helper()
	res, err := harness.Run(shortPlan(1), harness.Options{Workload: w})
	if err != nil {
		t.Fatal(err)
	}
	if res.Verdict != harness.Violation || len(res.Anomalies) != 1 {
		t.Fatalf("want one violation: %+v", res)
	}
	return res
}

func TestPanicIsAFinding(t *testing.T) {
	res := runScripted(t, scripted{user: func(task *env.Task, s *workloads.Site) {
		task.Sleep(s.Env.Clock, time.Second)
		panic("the invariant does not hold")
	}})
	a := res.Anomalies[0]
	if a.Name != "panic" || a.Where != "users" || !strings.Contains(a.Sentence, "the invariant does not hold") || a.AtNS < int64(time.Second) {
		t.Errorf("%+v", a)
	}
	if res.Stack == "" || res.Hash == "" || res.Events == 0 {
		t.Errorf("stack %q, hash %q, %d events", res.Stack, res.Hash, res.Events)
	}
}

func TestWorkloadsOwnFinding(t *testing.T) {
	res := runScripted(t, scripted{
		user: func(*env.Task, *workloads.Site) {},
		final: func(*env.Task, *workloads.Site) error {
			return &workloads.Finding{Name: "debt", Sentence: "the sum is -1"}
		},
	})
	if a := res.Anomalies[0]; a.Name != "debt" || a.Sentence != "the sum is -1" {
		t.Errorf("%+v", a)
	}
}

func TestUsersWhoNeverStopAreFound(t *testing.T) {
	res := runScripted(t, scripted{
		user:  func(task *env.Task, s *workloads.Site) { task.Suspend(func(func()) {}) },
		final: func(*env.Task, *workloads.Site) error { return nil },
	})
	if a := res.Anomalies[0]; a.Name != "users-stuck" {
		t.Errorf("%+v", a)
	}
}
