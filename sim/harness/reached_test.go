package harness

import (
	"testing"

	"odradek/checker/history"
	"odradek/sim/fault"
)

// TestRareStatesAreReached guards against faults that do not bite: over a few seeds,
// every kind of fault really happens, and the cluster gets into the states that the
// checkers are about.
func TestRareStatesAreReached(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("runs a dozen seeds")
	}
	faults, reached, checked := make(map[fault.Kind]int), make(map[string]uint64), make(map[string]int)
	for seed := uint64(1); seed <= 12; seed++ {
		res := mustRun(t, DefaultPlan(seed))
		for k, n := range res.Faults {
			faults[k] += n
		}
		for k, n := range res.Reached {
			reached[k] += n
		}
		for k, n := range res.Checked {
			checked[k] += n
		}
	}
	for _, k := range fault.Default().Kinds {
		if faults[k] == 0 {
			t.Errorf("no %s happened", k)
		}
	}
	for _, k := range []string{
		"follower-truncated", "became-leader", "resigned", "isr-shrunk", "isr-expanded", "controller-active", "quorum-truncated",
		"snapshot-written", "snapshot-installed", "metadata-log-start-moved", "torn-tail-cut", "disk-sectors-lost", "log-offline",
	} {
		if reached[k] == 0 {
			t.Errorf("never reached: %s", k)
		}
	}
	for _, k := range []string{
		"log batches", "logs reopened", "replica states", "acknowledgements when sent", "metadata states", "quorum states", "votes",
	} {
		if checked[k] == 0 {
			t.Errorf("never checked: %s", k)
		}
	}
}

// TestRetentionMovesLogStarts has invariants and history hold while the front of the
// logs is being deleted.
func TestRetentionMovesLogStarts(t *testing.T) {
	t.Parallel()
	moved := uint64(0)
	for seed := uint64(1); seed <= 3; seed++ {
		p := DefaultPlan(seed)
		p.Cluster.Config["log.retention.check.interval.ms"] = "700"
		p.Workload.Topic = map[string]string{"retention.bytes": "6000", "segment.bytes": "2048", "file.delete.delay.ms": "100"}
		res, err := Run(p, Options{Guarantees: func(g *history.Guarantees) { g.Retention = true }})
		if err != nil {
			t.Fatal(err)
		}
		if res.Verdict != OK {
			t.Errorf("seed %d: %v", seed, res.Anomalies)
		}
		moved += res.Reached["log-start-moved"]
	}
	if moved == 0 {
		t.Error("no log start moved")
	}
}
