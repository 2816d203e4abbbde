package harness

import (
	"bytes"
	"flag"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"odradek/sim/fault"
	"odradek/workloads"
)

var (
	firstSeed = flag.Uint64("odradek.first", 1, "first seed")
	seeds     = flag.Int("odradek.n", 5, "seeds")
)

func defaultProfile() fault.Profile {
	p := fault.Default()
	p.DrawWorkload = func(r *rand.Rand, w *fault.Workload) { w.Params = workloads.Draw(w.Name, r) }
	return p
}

func TestSeeds(t *testing.T) {
	for i := range *seeds {
		seed := *firstSeed + uint64(i)
		plan := fault.Draw(seed, defaultProfile())
		res, err := Run(plan, Options{Wall: func() int64 { return time.Now().UnixNano() }})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("seed %d: %s, %d nodes, ops %+v, %d events, sim %v, wall %v, allowed %v, hash %s", seed, res.Verdict, plan.Cluster.Nodes, res.Ops, res.Events, time.Duration(res.SimNS).Round(time.Millisecond), time.Duration(res.WallNS).Round(time.Millisecond), res.Allowed, res.Hash)
		if res.Verdict != OK {
			for i, a := range res.Anomalies {
				if i < 5 {
					t.Errorf("seed %d: %s", seed, a)
				}
			}
		}
	}
}

var story = flag.String("odradek.story", "", "print the notes that contain this")

// TestStory prints what happened to one partition, for people who look for a bug.
func TestStory(t *testing.T) {
	if *story == "" {
		t.Skip("needs -odradek.story")
	}
	var out bytes.Buffer
	res, err := Run(fault.Draw(*firstSeed, defaultProfile()), Options{Trace: &out})
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Split(*story, ",")
	for line := range strings.Lines(out.String()) {
		if !strings.Contains(line, `"level"`) {
			continue
		}
		for _, w := range words {
			if strings.Contains(line, w) {
				t.Log(line)
				break
			}
		}
	}
	for _, a := range res.Anomalies {
		t.Log(a)
	}
}
