package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The long form is `odradek repeat --count 200`; the gate also runs a binary with the
// race detector.
func TestRunsInOtherProcessesHaveTheSameHash(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("there is no go command to build the program with")
	}
	binary := filepath.Join(t.TempDir(), "odradek")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, plan := range [][]string{{"--seed", "7"}, {"--plan", shortPlan(t, nil)}, {"--plan", shortPlan(t, impossible)}} {
		out, err := command(t, append([]string{"repeat", "--count", "6", "--other", binary}, plan...)...)
		if err != nil || !strings.Contains(out, "6 of 6 runs") {
			t.Errorf("%v: %v\n%s", plan, err, out)
		}
	}
}

func TestRepeatTellsRunsApart(t *testing.T) {
	// A binary that always runs another seed.
	fake := filepath.Join(t.TempDir(), "fake")
	if err := os.WriteFile(fake, []byte("#!/bin/sh\necho '{\"hash\":\"0123456789abcdef\"}'\n"), 0o777); err != nil {
		t.Fatal(err)
	}
	out, err := command(t, "repeat", "--count", "2", "--other", fake, "--plan", shortPlan(t, nil))
	if err != errFinding || !strings.Contains(out, "1 of 2 runs") || !strings.Contains(out, "has hash 0123456789abcdef") {
		t.Errorf("%v\n%s", err, out)
	}
}
