package harness

import (
	"flag"
	"math/rand/v2"
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
