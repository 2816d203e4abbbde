package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"odradek/bench"
)

// benchLine runs what reads results, and the gate, in this process.
func benchLine(args ...string) (stdout string, err error) {
	root := &cobra.Command{Use: "odradek", SilenceUsage: true, SilenceErrors: true}
	root.AddCommand(family(&cobra.Command{Use: "bench"}, benchReportCommand(), benchCompareCommand(), benchGateCommand()))
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(append([]string{"bench"}, args...))
	err = root.Execute()
	return out.String(), err
}

// resultFile has samples of one target, whose latencies of acknowledgement are given.
func resultFile(t *testing.T, scenario string, latencies ...int64) string {
	t.Helper()
	r := bench.Result{Version: bench.ResultVersion, Scenario: scenario, File: "name: " + scenario + "\nproducerRate: 1000\n", Targets: []bench.Target{{Name: "odradek", Mode: "disk"}}}
	for rep, ns := range latencies {
		s := bench.Sample{Target: "odradek", Rate: 1000, Repetition: rep, Seconds: 10, Sent: 10_000, Acked: 10_000, Received: 10_000, Bytes: 10_240_000, Server: bench.Unknown, Client: bench.Unknown}
		for range 100 {
			s.Ack.Record(ns)
		}
		r.Samples = append(r.Samples, s)
	}
	path := filepath.Join(t.TempDir(), "result.json")
	if err := r.Write(path); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReportsOfAResultFile(t *testing.T) {
	path := resultFile(t, "acks", 1e6, 2e6, 3e6)
	for format, want := range map[string]string{"markdown": "| 2.00 (1.00-3.00) |", "csv": "acks,,odradek,disk,,,1000,2,10,", "go": "Benchmarkacks/target=odradek/rate=1000 10000 "} {
		out, err := benchLine("report", path, "--format", format)
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("%s: %v, want %q in:\n%s", format, err, want, out)
		}
	}
	if _, err := benchLine("report", path, "--format", "odd"); err == nil || !strings.Contains(err.Error(), "want csv, go, markdown") {
		t.Errorf("an odd format: %v", err)
	}
}
