package harness

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"

	"odradek/sim/fault"
)

var (
	flagHunt  = flag.Bool("zoo.hunt", false, "hunt for every specimen of the zoo, with the switch on and off")
	flagRow   = flag.Int("zoo.row", 0, "only this row of the zoo")
	flagSeeds = flag.Int("zoo.seeds", 0, "try so many seeds, whatever they find; 0 stops at the first that finds it, within the budget")
	flagWrite = flag.Bool("zoo.write", false, "write the first plan that finds a specimen into testdata")
)

// TestHuntsFindTheZoo is what the harness is judged by: with a historical bug switched
// on, a hunt finds it within its budget of seeds, and with it off the same seeds are
// green. The plans in testdata are those that such hunts have found, and cheaper.
func TestHuntsFindTheZoo(t *testing.T) {
	if !*flagHunt && !*flagWrite {
		t.Skip("only with -zoo.hunt")
	}
	for _, s := range Zoo() {
		if *flagRow != 0 && s.Row != *flagRow {
			continue
		}
		t.Run(string(s.Switch), func(t *testing.T) {
			t.Parallel()
			found, seeds := 0, s.Budget
			if *flagSeeds > 0 {
				seeds = *flagSeeds
			}
			for seed := uint64(1); seed <= uint64(seeds) && (found == 0 || *flagSeeds > 0); seed++ {
				if res := mustRun(t, s.Plan(seed, false)); res.Verdict != OK {
					t.Errorf("seed %d with the switch off: %v", seed, res.Anomalies)
				}
				res := mustRun(t, s.Plan(seed, true))
				list := names(res)
				t.Logf("seed %d: %v", seed, list)
				if !slices.ContainsFunc(s.Finds, func(name string) bool { return slices.Contains(list, name) }) {
					continue
				}
				if found++; found == 1 && *flagWrite {
					s.write(t, seed, list)
				}
			}
			if found == 0 {
				t.Errorf("%d seeds did not find any of %v", seeds, s.Finds)
			}
			t.Logf("found by %d seeds", found)
		})
	}
}

// write leaves a plan for TestCorpus, if there is none.
func (s *Specimen) write(t *testing.T, seed uint64, found []string) {
	t.Helper()
	base := fmt.Sprintf("testdata/zoo-%02d", s.Row)
	if _, err := os.Stat(base + ".json"); err == nil {
		return
	}
	finds := slices.DeleteFunc(slices.Clone(s.Finds), func(name string) bool { return !slices.Contains(found, name) })
	note := fmt.Sprintf("finds: %s\n%s.\n", finds[0], s.Story)
	for name, content := range map[string][]byte{base + ".json": s.Plan(seed, true).Encode(), base + ".txt": []byte(note)} {
		if err := os.WriteFile(name, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestEverySpecimenHasAPlan has TestCorpus show every bug of the zoo.
func TestEverySpecimenHasAPlan(t *testing.T) {
	for _, s := range Zoo() {
		raw, err := os.ReadFile(fmt.Sprintf("testdata/zoo-%02d.json", s.Row))
		if err != nil {
			t.Error(err)
			continue
		}
		if p, err := fault.Decode(raw); err != nil || len(p.Armed) == 0 || p.Armed[0].Name != string(s.Switch) {
			t.Errorf("the plan of row %d does not arm %s: %v", s.Row, s.Switch, err)
		}
	}
}
