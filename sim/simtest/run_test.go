package simtest_test

import (
	"testing"
	"time"

	"odradek/sim/fault"
	"odradek/sim/harness"
	"odradek/sim/simtest"
)

func TestDefaultPlansAreGreen(t *testing.T) {
	seeds := 4
	if testing.Short() {
		seeds = 1
	}
	simtest.Run(t, simtest.Config{Seeds: seeds, Check: func(r *harness.Result) error {
		if r.Ops.Total < 2000 || time.Duration(r.SimNS) < 30*time.Second {
			t.Errorf("seed %d: only %d operations in %v", r.Seed, r.Ops.Total, time.Duration(r.SimNS))
		}
		return nil
	}})
}

func TestConfigChangesThePlan(t *testing.T) {
	profile := harness.DefaultProfile()
	profile.Nodes, profile.Gap, profile.FaultsFor = 1, 0, 2*time.Second
	simtest.Run(t, simtest.Config{
		Seeds:   2,
		Profile: &profile,
		Plan: func(p *fault.Plan) {
			p.Cluster.Config["min.insync.replicas"] = "1"
			p.Workload.Params = map[string]int{"replication": 1, "operations": 50}
			p.Events = append(p.Events, fault.Event{At: fault.Duration(time.Second), Kind: fault.Restart, Node: 1})
		},
		Check: func(r *harness.Result) error {
			if r.Plan.Cluster.Nodes != 1 || r.Faults[fault.Restart] != 1 || r.Ops.Acknowledged == 0 {
				t.Errorf("seed %d: %d nodes, faults %v, %+v", r.Seed, r.Plan.Cluster.Nodes, r.Faults, r.Ops)
			}
			return nil
		},
	})
}
