package harness

import (
	"slices"
	"testing"
	"time"

	"odradek/checker/history"
	"odradek/sim/fault"
)

// The tests here are about the faults: a correct broker under weak settings must show
// the anomalies that these settings allow, or the faults are too weak to show bugs.

func TestWeakAcksLoseAndDuplicate(t *testing.T) {
	t.Parallel()
	allowed := make(map[string]int)
	for seed := uint64(1); seed <= 10; seed++ {
		res := mustRun(t, DefaultPlan(seed))
		for k, n := range res.Allowed {
			allowed[k] += n
		}
		if allowed["lost-write"] > 0 && allowed["duplicate"] > 0 {
			return
		}
	}
	t.Errorf("allowed anomalies %v; want a write with acks=1 lost, and one without idempotence duplicated", allowed)
}

func TestUncleanElectionLosesAcknowledgedWrites(t *testing.T) {
	t.Parallel()
	lost := func(unclean bool) []string {
		res, err := Run(uncleanPlan(), Options{Guarantees: func(g *history.Guarantees) { g.Unclean = unclean }})
		if err != nil {
			t.Fatal(err)
		}
		if unclean {
			if res.Verdict != OK {
				t.Errorf("%v", res.Anomalies)
			}
			if res.Allowed["lost-write"] == 0 {
				t.Errorf("allowed anomalies %v; want writes with acks=all lost", res.Allowed)
			}
		}
		return names(res)
	}
	lost(true)
	if found := lost(false); !slices.Contains(found, string(history.LostWrite)) {
		t.Errorf("found %v without the allowance, want lost-write", found)
	}
}

// uncleanPlan leaves a partition to one replica, kills that, and has the others back.
func uncleanPlan() *fault.Plan {
	p := fault.Draw(1, profileOf(10*time.Second, 0)())
	p.Cluster.Nodes, p.Cluster.Voters = 4, 3
	p.Workload.Topic = map[string]string{"unclean.leader.election.enable": "true", "min.insync.replicas": "1"}
	p.Events = []fault.Event{
		{At: ms(1000), Kind: fault.Restart, Node: 4, For: ms(100)},
		{At: ms(1000), Kind: fault.Restart, Node: 2, For: ms(100)},
		{At: ms(2800), Kind: fault.ProcessCrash, Node: 3, For: ms(5000)},
	}
	return p
}
