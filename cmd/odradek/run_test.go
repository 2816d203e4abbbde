package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"odradek/sim/fault"
	"odradek/sim/harness"
)

// command runs the command line in this process.
func command(t *testing.T, args ...string) (stdout string, err error) {
	t.Helper()
	root := &cobra.Command{Use: "odradek", SilenceUsage: true, SilenceErrors: true}
	root.AddCommand(runCommand(), huntCommand(), repeatCommand())
	var out, errOut bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&errOut)
	root.SetArgs(args)
	err = root.Execute()
	if errOut.Len() > 0 {
		t.Errorf("%v wrote %q to standard error, which is no terminal", args, errOut.String())
	}
	return out.String(), err
}

// shortPlan is a file with a plan of 2 s and one fault.
func shortPlan(t *testing.T, change func(*fault.Plan)) string {
	t.Helper()
	p := harness.DefaultPlan(3)
	p.Faults = fault.Duration(2 * time.Second)
	p.Events = []fault.Event{{At: fault.Duration(time.Second), Kind: fault.ProcessCrash, Node: 1, For: fault.Duration(time.Second)}}
	p.Workload.Params = map[string]int{"operations": 50}
	if change != nil {
		change(p)
	}
	path := filepath.Join(t.TempDir(), "plan.json")
	if err := os.WriteFile(path, p.Encode(), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRunTellsTheVerdict(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "files")
	out, err := command(t, "run", "--plan", shortPlan(t, nil), "--out", dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"verdict   ok\n", "process-crash 1\n", "hash      ", "files     " + dir} {
		if !strings.Contains(out, want) {
			t.Errorf("want %q in:\n%s", want, out)
		}
	}
	again, err := command(t, "run", "--plan", filepath.Join(dir, "plan.json"), "--out=", "--json")
	if err != nil {
		t.Fatal(err)
	}
	var res harness.Result
	if err := json.Unmarshal([]byte(again), &res); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out, "hash      "+res.Hash+"\n") {
		t.Errorf("the plan left behind runs to hash %s; the run said:\n%s", res.Hash, out)
	}
	if res.Verdict != harness.OK || res.Seed != 3 || res.Events == 0 || res.SimNS == 0 || res.WallNS == 0 || res.Ops.Total == 0 {
		t.Errorf("%+v", res)
	}
}

// More replicas than brokers: the setup of the workload must fail.
func impossible(p *fault.Plan) { p.Workload.Params["replication"] = 7 }

func TestRunOfViolationExitsWithFinding(t *testing.T) {
	plan := shortPlan(t, impossible)
	out, err := command(t, "run", "--plan", plan, "--out=")
	if !errors.Is(err, errFinding) {
		t.Errorf("error %v", err)
	}
	for _, want := range []string{"VIOLATION: 1 anomaly\n  ", "no-setup on cluster", " run --plan " + plan + "\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("want %q in:\n%s", want, out)
		}
	}
}

func TestWrongUsageIsNoFinding(t *testing.T) {
	for _, args := range [][]string{
		{"run", "--seed", "x"},
		{"run", "--plan", "/no/such/file"},
		{"run", "--arm", "zoo/0-no-such-bug"},
		{"run", "--arm", "storage/sync=sleep(1)"},
		{"run", "--seed", "1", "--plan", "x"},
		{"hunt", "--seeds", "9..3"},
		{"hunt", "--seeds", "1..3", "--count", "4"},
		{"hunt", "--arm", "no/such/point"},
		{"hunt", "--jobs", "0"},
		{"repeat", "--count", "1"},
	} {
		if _, err := command(t, args...); err == nil || errors.Is(err, errFinding) {
			t.Errorf("%v: error %v", args, err)
		}
	}
}
