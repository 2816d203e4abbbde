package documents

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"odradek/workloads"
)

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// sections are the texts below the headings of second level.
func sections(text string) map[string]string {
	all := make(map[string]string)
	for _, s := range strings.Split(text, "\n## ")[1:] {
		heading, body, _ := strings.Cut(s, "\n")
		all[heading] = body
	}
	return all
}

var parameter = regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| (\\d+) \\|")

// parameters are the defaults in a section's table.
func parameters(t *testing.T, section string) map[string]int {
	t.Helper()
	all := make(map[string]int)
	for _, m := range parameter.FindAllStringSubmatch(section, -1) {
		if _, twice := all[m[1]]; twice {
			t.Errorf("%s is there twice", m[1])
		}
		all[m[1]], _ = strconv.Atoi(m[2])
	}
	return all
}

// TestWorkloadsAreDocumented holds docs/workloads.md to the parameters that there are.
func TestWorkloadsAreDocumented(t *testing.T) {
	documented := sections(read(t, "docs/workloads.md"))
	for _, name := range workloads.Names() {
		section, ok := documented[name]
		if !ok {
			t.Errorf("no section %s", name)
			continue
		}
		got := parameters(t, documented["Producers"])
		if name == "group-churn" || name == "queue-and-pubsub" {
			maps.Copy(got, parameters(t, documented["Members of groups"]))
		}
		maps.Copy(got, parameters(t, section))
		want := workloads.Defaults(name)
		for _, p := range slices.Sorted(maps.Keys(want)) {
			if v, ok := got[p]; !ok || v != want[p] {
				t.Errorf("%s: parameter %s is %d by default, documented is %d (%v)", name, p, want[p], v, ok)
			}
			delete(got, p)
		}
		for _, p := range slices.Sorted(maps.Keys(got)) {
			t.Errorf("%s has no parameter %s", name, p)
		}
	}
}

// findings are the patterns by which findings are named in the source.
var findings = map[string]*regexp.Regexp{
	"checker/history/anomaly.go": regexp.MustCompile(`Name = "([a-z0-9-]+)"`),
	"checker/invariant/*.go":     regexp.MustCompile(`Name = "([a-z0-9-]+)"`),
	"sim/harness/*.go":           regexp.MustCompile(`(?:violation\(|Name: |^\t[A-Z]\w+ += )"([a-z0-9]+(?:-[a-z0-9]+)+|panic)"`),
	"workloads/*.go":             regexp.MustCompile(`Finding\{Name: "([a-z0-9-]+)"`),
}

// TestFindingsAreDocumented holds docs/faults.md to the names that a run may report.
func TestFindingsAreDocumented(t *testing.T) {
	documented := make(map[string]bool)
	for line := range strings.Lines(sections(read(t, "docs/faults.md"))["What is found"]) {
		if cells := strings.Split(line, "|"); len(cells) > 2 {
			for _, m := range regexp.MustCompile("`([a-z0-9-]+)`").FindAllStringSubmatch(cells[1], -1) {
				documented[m[1]] = false
			}
		}
	}
	for _, pattern := range slices.Sorted(maps.Keys(findings)) {
		files, err := filepath.Glob(filepath.Join("../..", pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		found := 0
		for _, f := range files {
			if strings.HasSuffix(f, "_test.go") {
				continue
			}
			rel, _ := filepath.Rel("../..", f)
			for line := range strings.Lines(read(t, rel)) {
				for _, m := range findings[pattern].FindAllStringSubmatch(line, -1) {
					found++
					if _, ok := documented[m[1]]; !ok {
						t.Errorf("%s is not in docs/faults.md (%s)", m[1], rel)
					}
					documented[m[1]] = true
				}
			}
		}
		if found == 0 {
			t.Errorf("%s names no findings", pattern)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(documented)) {
		if !documented[name] && !slices.Contains([]string{"bad-request", "bad-frame-size"}, name) {
			t.Errorf("nothing reports %s", name)
		}
	}
}
