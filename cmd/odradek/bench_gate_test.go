package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"odradek/bench/gate"
)

func TestGateFindsWhatIsNotAsTheBaselineHasIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "baseline.json")
	if _, err := benchLine("gate", "--baseline", path); err == nil || errors.Is(err, errFinding) || !strings.Contains(err.Error(), "--update writes one") {
		t.Fatalf("without a baseline: %v", err)
	}
	if _, err := benchLine("gate", "--baseline", path, "--update"); err != nil {
		t.Fatal(err)
	}
	b, err := gate.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	const scenario = "gate/acks-all, 2,000/s"
	b[scenario]["round_trips"]--
	if err := b.Write(path); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	out, err := benchLine("gate", "--baseline", path)
	if !errors.Is(err, errFinding) || !strings.HasPrefix(out, scenario+":\n  round_trips  ") || !strings.Contains(out, "worse\n\n1 difference from ") {
		t.Errorf("one round trip more than the baseline: %v\n%s", err, out)
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Errorf("a gate without --update wrote its baseline, or removed it: %v", err)
	}
}
