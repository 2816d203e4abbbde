package simtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"odradek/sim/fault"
	"odradek/sim/harness"
	"odradek/sim/rundir"
)

// TestInvoluntary fails on purpose when TestFailingSeedTellsHowToReproduce runs it.
func TestInvoluntary(t *testing.T) {
	if os.Getenv("ODRADEK_FAIL") == "" {
		t.Skip("is run by TestFailingSeedTellsHowToReproduce")
	}
	profile := harness.DefaultProfile()
	profile.Gap, profile.FaultsFor = 0, 3*time.Second
	Run(t, Config{Seeds: 2, Profile: &profile, Plan: func(p *fault.Plan) {
		p.Workload.Params = map[string]int{"operations": 20}
		if p.Seed == 2 {
			// More replicas than brokers: the setup must fail.
			p.Workload.Params["replication"] = 7
		}
	}})
}

func TestFailingSeedTellsHowToReproduce(t *testing.T) {
	dir := t.TempDir()
	run := func(args ...string) string {
		cmd := exec.Command(os.Args[0], append([]string{"-test.run=^TestInvoluntary$"}, args...)...)
		cmd.Env = append(os.Environ(), "ODRADEK_FAIL=1")
		out, err := cmd.CombinedOutput()
		if err == nil {
			t.Fatalf("%v passed:\n%s", args, out)
		}
		return string(out)
	}
	out := run("-odradek.out=" + dir)
	want := "reproduce: go test odradek/sim/simtest -run '^TestInvoluntary$' -odradek.seed=2\n"
	if strings.Count(out, "reproduce") != 1 || !strings.Contains(out, want) {
		t.Errorf("want once %s got:\n%s", want, out)
	}
	for _, name := range []string{rundir.Plan, rundir.History, rundir.Trace, rundir.Result} {
		info, err := os.Stat(filepath.Join(dir, "seed-2", name))
		if err != nil || info.Size() == 0 && name != rundir.History {
			t.Errorf("%s: %v", name, err)
		}
	}
	if out := run("-odradek.seed=2"); !strings.Contains(out, want) || strings.Contains(out, "seed-1") {
		t.Errorf("with its seed:\n%s", out)
	}
}
