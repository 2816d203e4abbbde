package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"odradek/sim/fault"
	"odradek/sim/harness"
)

func TestHuntRunsTheSeeds(t *testing.T) {
	dir := t.TempDir()
	out, err := command(t, "hunt", "--seeds", "5..7", "--jobs", "2", "--json", "--out", dir)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var got HuntResult
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if got.SeedsRun != 3 || got.First != 5 || got.Findings == nil || got.Ops < 3*2000 || got.Interrupted {
		t.Errorf("%+v", got)
	}
	for _, want := range []string{"became-leader", "isr-shrunk"} {
		if got.Reached[want] == 0 {
			t.Errorf("%s was not reached: %v", want, got.Reached)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("files without findings: %v, %v", left, err)
	}
}

func TestHuntTellsEachKindOnce(t *testing.T) {
	dir := t.TempDir()
	var out bytes.Buffer
	h := &hunter{flags: huntFlags{workloads: []string{harness.DefaultWorkload}, out: dir, arm: []string{"storage/sync=1*return(\"io\")"}}, stdout: &out, result: HuntResult{
		Faults: map[fault.Kind]int{}, Reached: map[string]uint64{}, Checked: map[string]int{}, Allowed: map[string]int{},
	}}
	for _, a := range []struct {
		seed        uint64
		name, where string
	}{
		{4, "lost-write", "a-0"}, {4, "lost-write", "a-1"}, {2, "lost-write", "a-12"}, {9, "lost-write", "cluster"}, {9, "duplicate", "a-0"},
	} {
		res := &harness.Result{Seed: a.seed, Plan: harness.DefaultPlan(a.seed), Verdict: harness.Violation,
			Anomalies: []harness.Anomaly{{Name: a.name, Where: a.where, Sentence: "something\nis wrong"}}}
		h.add(res)
	}
	if h.failed != nil {
		t.Fatal(h.failed)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3 {
		t.Fatalf("want a line for each of 3 kinds:\n%s", out.String())
	}
	if want := `seed 4: lost-write on a-0: something is wrong; reproduce: ` + program() + ` run --seed 4 --arm 'storage/sync=1*return("io")'`; lines[0] != want {
		t.Errorf("got  %s\nwant %s", lines[0], want)
	}
	if f := h.result.Findings[0]; !slices.Equal(f.Seeds, []uint64{4, 2}) || f.Plan != filepath.Join(dir, "seed-4", "plan.json") {
		t.Errorf("%+v", f)
	}
	text, err := os.ReadFile(filepath.Join(dir, "seed-4", "plan.json"))
	if err != nil {
		t.Fatal(err)
	}
	if p, err := fault.Decode(text); err != nil || p.Seed != 4 {
		t.Errorf("plan %v, %v", p, err)
	}
}
