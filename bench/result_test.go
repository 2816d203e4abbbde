package bench

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestResultsComeBackFromFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "result.json")
	r := Result{Version: ResultVersion, Scenario: "x", Samples: []Sample{sample("odradek", 100, 200)}}
	if err := r.Write(path); err != nil {
		t.Fatal(err)
	}
	back, err := ReadResult(path)
	if err != nil {
		t.Fatal(err)
	}
	if s := &back.Samples[0]; back.Scenario != "x" || s.Acked != 200 || s.Ack.Quantile(0.5) != r.Samples[0].Ack.Quantile(0.5) || s.EndToEnd.Count() != 0 {
		t.Errorf("%+v", back)
	}
}

func TestFilesThatAreNoResultsOfThisVersion(t *testing.T) {
	path := filepath.Join(t.TempDir(), "result.json")
	for text, want := range map[string]string{"{}": "version 0", `{"version": 2}`: "version 2", "x": path} {
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadResult(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
