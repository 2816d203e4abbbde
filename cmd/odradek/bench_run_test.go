package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"odradek/bench"
)

func benchOutput(t *testing.T, args ...string) (string, error) {
	t.Helper()
	root := &cobra.Command{Use: "odradek", SilenceUsage: true, SilenceErrors: true}
	root.AddCommand(benchCommand())
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(append([]string{"bench"}, args...))
	err := root.Execute()
	return out.String(), err
}

func TestBenchMeasuresAFileAndLeavesAResult(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "mine.yaml")
	text := "name: mine\nwarmupDuration: 100ms\nvariants: [{variant: small, messageSize: 100}, {variant: large, messageSize: 10000}]\n" +
		"brokerConfig: {group.initial.rebalance.delay.ms: \"0\"}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := benchOutput(t, "run", file, "--mode", "in-process", "--mode", "sim", "--profile", "laptop", "--variant", "small",
		"--rate", "100,200", "--duration", "300ms", "--repetitions", "1", "--out", filepath.Join(dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"odradek, 1 node in process", "simulated on laptop", "small", "result in "} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
	r, err := bench.ReadResult(filepath.Join(dir, "out", "result.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Samples) != 4 || len(r.Targets) != 2 || r.File != text || r.Scenario != "mine" {
		t.Fatalf("%d samples of %d targets, scenario %q", len(r.Samples), len(r.Targets), r.Scenario)
	}
	for _, s := range r.Samples {
		if s.Variant != "small" || s.Lost != 0 || s.Sent != int64(s.Rate*0.3) {
			t.Errorf("%s %s at %v: sent %d, lost %d", s.Target, s.Variant, s.Rate, s.Sent, s.Lost)
		}
	}
}

func TestBenchFlagsThatCannotBeAreErrors(t *testing.T) {
	for want, args := range map[string][]string{
		"there is no scenario":       {"run", "nonsense"},
		"want disk, in-process":      {"run", "smoke", "--mode", "quantum"},
		"--pid":                      {"run", "smoke", "--pid", "1"},
		"no such variant":            {"run", "smoke", "--variant", "x"},
		"is not within":              {"run", "failover", "--duration", "1s"},
		"producerRate":               {"run", "smoke", "--rate", "-1"},
		"--from":                     {"sweep", "smoke", "--from", "0"},
		"no profile":                 {"run", "smoke", "--mode", "sim", "--profile", "abacus"},
		"no such file":               {"run", "./nonsense.yaml"},
		"accepts 1 arg(s)":           {"run"},
		"there is no field nonsense": {"run", writeScenario(t, "name: x\nnonsense: 1\n")},
		"testDuration: 0s":           {"run", "smoke", "--duration", "0s"},
		"--profile":                  {"run", "smoke", "--profile", "hdd"},
		"--frame":                    {"run", "smoke", "--frame", "1000"},
		"--data":                     {"run", "smoke", "--mode", "sim", "--data", "/tmp"},
		"--repetitions":              {"gate", "--repetitions", "3"},
		"there is no baseline":       {"gate", "--against", "/x", "--baseline", "y"},
		"are of --check":             {"calibrate", "--json"},
		"no profile is made":         {"calibrate", "--check", "smoke", "--out", "y"},
		"want HOST:PORT":             {"run", "smoke", "--target", "localhost"},
		"there is nothing to do":     {"run", writeScenario(t, "name: x\nproducersPerTopic: 0\n")},
		"repetitions: -1, want 1":    {"run", "smoke", "--repetitions", "-1"},
	} {
		if _, err := benchOutput(t, args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", args, err, want)
		}
	}
}

func writeScenario(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "x.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestBenchTableTellsWhatWentWrong(t *testing.T) {
	variants, err := bench.Parse([]byte("name: x\nvariants: [{variant: safe}, {variant: unsafe, producerConfig: {acks: \"1\"}}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	sample := func(variant string, repetition int, acked, lost int64) bench.Sample {
		s := bench.Sample{Target: "A", Variant: variant, Rate: 100, Repetition: repetition, Seconds: 1, Acked: acked, Received: acked, Lost: lost, Server: bench.Unknown}
		s.Ack.Record(int64(3 * time.Millisecond))
		return s
	}
	r := &bench.Result{Samples: []bench.Sample{sample("safe", 1, 100, 0), sample("safe", 2, 50, 0), sample("unsafe", 1, 100, 7)}}
	r.Samples[0].Marks = []bench.Mark{{At: 0.5, What: "leader 1 is killed"}}
	var out bytes.Buffer
	if err := printSamples(&out, r, variants); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1 of 2", "3.00 ms", "7 lost", "at 0.500 s: leader 1 is killed"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
	// A leader alone may take what it has acknowledged with it.
	if lostDurable(r, variants) {
		t.Error("acks=1 promised nothing")
	}
	r.Samples[1].Lost = 1
	if !lostDurable(r, variants) {
		t.Error("a loss with acks=all was overlooked")
	}
}

func TestBenchShowsWhatItLists(t *testing.T) {
	list, err := benchOutput(t, "list")
	if err != nil || !strings.Contains(list, "0,1,all,all-idempotent") {
		t.Errorf("%v\n%s", err, list)
	}
	text, err := benchOutput(t, "show", "smoke")
	if err != nil || !strings.HasPrefix(text, "name: smoke\n") {
		t.Errorf("%v\n%s", err, text)
	}
}
