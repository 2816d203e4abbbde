package harness

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"odradek/sim/fault"
)

// TestCorpus runs the plans in testdata: each once showed a bug. The text beside a plan
// says which. Where a bug is still there, behind a switch that the plan arms, the text
// begins with a line "finds:" and the anomalies that must be found, and without the
// switch the plan must be green; every other plan must be green as it is.
func TestCorpus(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no plans: %v", err)
	}
	for _, file := range files {
		base := strings.TrimSuffix(file, ".json")
		t.Run(filepath.Base(base), func(t *testing.T) {
			t.Parallel()
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			note, err := os.ReadFile(base + ".txt")
			if err != nil || len(strings.TrimSpace(string(note))) < 20 {
				t.Fatalf("a plan needs a sentence that says what it found: %v", err)
			}
			decode := func() *fault.Plan {
				p, err := fault.Decode(raw)
				if err != nil {
					t.Fatal(err)
				}
				return p
			}
			if list, ok := strings.CutPrefix(firstLine(note), "finds:"); ok {
				found := names(mustRun(t, decode()))
				for _, want := range strings.Fields(list) {
					if !slices.Contains(found, want) {
						t.Errorf("found %v, want %s among them", found, want)
					}
				}
			}
			p := decode()
			p.Armed = slices.DeleteFunc(p.Armed, func(f fault.Failpoint) bool { return strings.HasPrefix(f.Name, "zoo/") })
			if res := mustRun(t, p); res.Verdict != OK {
				t.Errorf("%v", res.Anomalies)
			}
		})
	}
}

func firstLine(b []byte) string {
	line, _, _ := strings.Cut(string(b), "\n")
	return line
}

func mustRun(t *testing.T, p *fault.Plan) *Result {
	t.Helper()
	res, err := Run(p, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// names lists the kinds of anomalies that a run found, sorted.
func names(r *Result) []string {
	var list []string
	for _, a := range r.Anomalies {
		list = append(list, a.Name)
	}
	slices.Sort(list)
	return slices.Compact(list)
}
