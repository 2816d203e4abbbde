package workloads_test

import (
	"testing"
	"time"

	"odradek/checker/history"
	"odradek/checker/register"
	"odradek/workloads"
)

// perform runs all phases of a workload whose users are told to stop after a while; then
// nothing goes wrong any more.
func perform(t *testing.T, name string, seed uint64, params map[string]int, faults bool) (*run, error) {
	t.Helper()
	r := begin(t, seed, workloads.Config{Name: name, Params: params})
	if faults {
		r.inject()
	}
	r.start()
	r.world.Run(10 * time.Second)
	r.stop = true
	r.cluster.Inject = nil
	r.wait(2 * time.Minute)
	return r, r.final()
}

func TestCrewsReadEverything(t *testing.T) {
	for _, test := range []struct {
		name   string
		faults bool
		params map[string]int
	}{
		{"queue-and-pubsub", false, map[string]int{"commit": 3}},
		{"queue-and-pubsub", false, map[string]int{"protocol": 1}},
		{"group-churn", false, map[string]int{"groups": 2, "static": 1, "stay-ms": 800, "away-ms": 100, "commit": 3}},
		{"group-churn", true, map[string]int{"groups": 2, "protocol": 2, "stay-ms": 800, "away-ms": 100}},
	} {
		params := map[string]int{"operations": 0, "all-acks": 1, "pace-us": 20000, "heartbeat-ms": 100, "session-timeout-ms": 600}
		for k, v := range test.params {
			params[k] = v
		}
		r, err := perform(t, test.name, 1, params, test.faults)
		if err != nil {
			t.Errorf("%s %v: %v", test.name, test.params, err)
		}
		report := r.check()
		if v := report.Violations(); len(v) > 0 {
			t.Errorf("%s %v: %v", test.name, test.params, &v[0])
		}
		if report.Memberships < 3 || report.Commits == 0 || report.Given < report.Final || report.FinalOffsets == 0 {
			t.Errorf("%s %v: %d memberships, %d commits, %d records given of %d, %d final offsets", test.name, test.params,
				report.Memberships, report.Commits, report.Given, report.Final, report.FinalOffsets)
		}
	}
}

// What users did with registers is all in the history, and an honest cluster passes.
func TestRegistersAreRecorded(t *testing.T) {
	for seed := range uint64(2) {
		r, err := perform(t, "registers", seed, map[string]int{"request-timeout-ms": 500}, seed == 1)
		if err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
		report := register.CheckHistory(r.recorder.Events(), history.Guarantees{})
		for _, f := range report.Failed {
			t.Errorf("seed %d: %s: %v", seed, f.Register.Name, &f.Verdict)
		}
		if report.Ops < 200 || report.Inconclusive() {
			t.Errorf("seed %d: %d operations on registers, %d of %d undecided", seed, report.Ops, report.Undecided, report.Searches)
		}
		kinds := make(map[history.Func]int)
		for _, e := range r.recorder.Events() {
			if e.Phase == history.Return && e.Outcome == history.OK {
				kinds[e.Func]++
			}
		}
		for _, f := range []history.Func{
			history.Commit, history.FetchCommitted, history.FinalCommitted, history.AlterConfig, history.DescribeConfig, history.InitProducer,
		} {
			if kinds[f] == 0 {
				t.Errorf("seed %d: no %s", seed, f)
			}
		}
	}
}
