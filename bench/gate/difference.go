package gate

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"odradek/bench/report"
)

// Difference is something that is not as the baseline has it.
type Difference struct {
	Scenario string `json:"scenario"`
	// What differs, "" if all of the scenario does: it is missing, or new.
	What   string `json:"what,omitempty"`
	Before int64  `json:"before"`
	After  int64  `json:"after"`
	// Is it worse, better, missing (of a scenario that did not run) or new.
	Is string `json:"is"`
}

// Differences are all, by scenario and name. What a side does not have counts as 0, as
// what never happened does.
func Differences(before, after Baseline) []Difference {
	var found []Difference
	for _, scenario := range union(before, after) {
		b, known := before[scenario]
		a, ran := after[scenario]
		switch {
		case !ran:
			found = append(found, Difference{Scenario: scenario, Is: "missing"})
			continue
		case !known:
			found = append(found, Difference{Scenario: scenario, Is: "new"})
			continue
		}
		for _, what := range union(b, a) {
			if b[what] == a[what] {
				continue
			}
			is := "worse"
			if (a[what] < b[what]) != moreIsBetter[what] {
				is = "better"
			}
			found = append(found, Difference{scenario, what, b[what], a[what], is})
		}
	}
	return found
}

// moreIsBetter names the numbers of which less is a loss. Of all others more is.
var moreIsBetter = map[string]bool{"acked": true, "received": true}

func union[V any, M ~map[string]V](a, b M) []string {
	all := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(all)
	return slices.Compact(all)
}

// Print tells differences: what, where, before, after, and by how much.
func Print(w io.Writer, found []Difference) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	scenario := ""
	for _, d := range found {
		if d.What == "" {
			fmt.Fprintf(t, "%s: %s\n", d.Scenario, map[string]string{
				"missing": "is in the baseline and did not run", "new": "ran and is not in the baseline",
			}[d.Is])
			continue
		}
		if d.Scenario != scenario {
			scenario = d.Scenario
			fmt.Fprintf(t, "%s:\n", scenario)
		}
		fmt.Fprintf(t, "  %s\t%s\t-> %s\t%s\t%s\n", d.What, size(d.What, d.Before), size(d.What, d.After), change(&d), d.Is)
	}
	return t.Flush()
}

// size writes a time as people read it, and any other number in full.
func size(what string, n int64) string {
	if strings.HasSuffix(what, "_ns") {
		return report.Quantity(float64(n), "ns")
	}
	return report.Number(float64(n))
}

// change is by how much, and of which share.
func change(d *Difference) string {
	by := d.After - d.Before
	sign := "+"
	if by < 0 {
		sign, by = "-", -by
	}
	text := sign + size(d.What, by)
	if d.Before != 0 {
		text += fmt.Sprintf(" (%+.2f%%)", 100*float64(d.After-d.Before)/float64(d.Before))
	}
	return text
}
