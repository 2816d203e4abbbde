package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"odradek/bench/compare"
)

func TestCompareFailsOnlyWhenItIsToldTo(t *testing.T) {
	before := resultFile(t, "acks", 1.00e6, 1.01e6, 1.02e6, 1.03e6, 1.04e6)
	after := resultFile(t, "acks", 1.20e6, 1.21e6, 1.22e6, 1.23e6, 1.24e6)
	for _, c := range []struct {
		failOn  []string
		finding bool
	}{{nil, false}, {[]string{"30%"}, false}, {[]string{"10%"}, true}, {[]string{"30%", "ack_p99=10%"}, true}} {
		args := []string{"compare", before, after}
		for _, text := range c.failOn {
			args = append(args, "--fail-on", text)
		}
		out, err := benchLine(args...)
		if errors.Is(err, errFinding) != c.finding || err != nil && !c.finding {
			t.Errorf("--fail-on %q: %v", c.failOn, err)
		}
		if !strings.Contains(out, "worse") || c.finding != strings.Contains(out, "\nworse: odradek, 1,000/s, ack p99: 1.02 ms") {
			t.Errorf("--fail-on %q:\n%s", c.failOn, out)
		}
	}
	if _, err := benchLine("compare", after, before, "--fail-on", "0"); err != nil {
		t.Errorf("what became better: %v", err)
	}
}

func TestComparisonAsJSON(t *testing.T) {
	path := resultFile(t, "acks", 1e6, 2e6, 3e6, 4e6)
	out, err := benchLine("compare", path, path, "--json")
	var c compare.Comparison
	if err := errors.Join(err, json.Unmarshal([]byte(out), &c)); err != nil {
		t.Fatal(err)
	}
	if len(c.Changes) == 0 || c.Changes[0].Verdict != compare.Unclear || c.Changes[0].Key != "throughput" {
		t.Errorf("%+v", c)
	}
}

func TestComparisonsThatMakeNoSense(t *testing.T) {
	acks, other := resultFile(t, "acks", 1e6), resultFile(t, "other", 1e6)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{acks, other}, "acks and other; --force"},
		{[]string{acks, "/no/such/file"}, "no such file"},
		{[]string{acks, resultFile(t, "acks")}, "nothing is in both results"},
		{[]string{acks, acks, "--fail-on", "5%"}, "nothing could be beyond doubt"},
		{[]string{acks, acks, "--fail-on", "p99=5%"}, "no measure p99"},
		{[]string{acks, acks, "--fail-on", "five"}, "want a percentage"},
		{[]string{acks, acks, "--alpha", "0"}, "--alpha 0"},
	} {
		if _, err := benchLine(append([]string{"compare"}, c.args...)...); err == nil || errors.Is(err, errFinding) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.args, err, c.want)
		}
	}
	if out, err := benchLine("compare", acks, other, "--force"); err != nil || !strings.Contains(out, "note: different scenarios: acks and other") {
		t.Errorf("--force: %v\n%s", err, out)
	}
}
