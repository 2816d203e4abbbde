package harness

import (
	"slices"
	"testing"
	"time"

	"odradek/sim/fault"
)

// seeded is a workload's plan with some of its parameters set.
func seeded(t *testing.T, workload string, seed uint64, params map[string]int) *fault.Plan {
	t.Helper()
	p, err := PlanOf(workload, seed)
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range params { //odradek:unordered a map into a map
		p.Workload.Params[name] = v
	}
	return p
}

// TestExactlyOnceReachesWhatItIsAbout: in both protocols of transactions workers are fenced,
// transactions time out and are aborted, and every input has one output all the same.
func TestExactlyOnceReachesWhatItIsAbout(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("runs four seeds")
	}
	for version := 1; version <= 2; version++ {
		reached, checked, struck := make(map[string]uint64), make(map[string]int), 0
		for seed := uint64(1); seed <= 2; seed++ {
			res := mustRun(t, seeded(t, "exactly-once", seed, map[string]int{
				"transaction-version": version, "later-ms": 0, "workers": 3, "batch": 5, "transaction-timeout-ms": 1000,
				"crash-per-mille": 50, "linger-per-mille": 50, "zombie-per-mille": 50, "abort-per-mille": 100,
			}))
			if res.Verdict != OK {
				t.Errorf("transaction.version %d, seed %d: %v", version, seed, res.Anomalies)
			}
			for k, n := range res.Reached {
				reached[k] += n
			}
			for k, n := range res.Checked {
				checked[k] += n
			}
			struck += len(res.Faults)
		}
		for _, k := range []string{"transaction-fenced", "transaction-timed-out", "member-expired", "coordinator-loaded", "coordinator-unloaded"} {
			if reached[k] == 0 {
				t.Errorf("transaction.version %d: never reached: %s", version, k)
			}
		}
		for _, k := range []string{"inputs of pipelines", "transactions", "commits", "records given to members", "operations on registers"} {
			if checked[k] == 0 {
				t.Errorf("transaction.version %d: never checked: %s", version, k)
			}
		}
		if struck == 0 {
			t.Error("no faults")
		}
	}
}

// TestOffsetsApartAreAtLeastOnce: the same workers without their offsets in the transaction
// process inputs twice, and it shows.
func TestOffsetsApartAreAtLeastOnce(t *testing.T) {
	t.Parallel()
	for seed := uint64(1); seed <= 5; seed++ {
		res := mustRun(t, seeded(t, "exactly-once", seed, map[string]int{"offsets-apart": 1, "crash-per-mille": 100, "workers": 2, "batch": 5}))
		if res.Verdict != OK {
			t.Errorf("seed %d: %v", seed, res.Anomalies)
		}
		if res.Allowed["not-exactly-once"] > 0 {
			return
		}
	}
	t.Error("no input was processed twice")
}

// TestCompactedTableCompacts: tables are legal while they are compacted and cleaned.
func TestCompactedTableCompacts(t *testing.T) {
	t.Parallel()
	p := seeded(t, "compacted-table", 1, map[string]int{"keys": 20, "segment-bytes": 1200, "partitions": 1, "topics": 1, "transactional": 1, "readers": 2, "retention-bytes": 0})
	p.Faults = fault.Duration(10 * time.Second)
	p.Cluster.Config["log.cleaner.backoff.ms"] = "100"
	p.Events = slices.DeleteFunc(p.Events, func(e fault.Event) bool { return e.At >= p.Faults })
	res := mustRun(t, p)
	if res.Verdict != OK {
		t.Error(res.Anomalies)
	}
	if res.Reached["segment-compacted"] == 0 || res.Checked["reads"] == 0 {
		t.Errorf("nothing was compacted or read: %v, %v", res.Reached, res.Checked)
	}
}

// TestScaleOutMovesEverything: brokers join, get replicas, are restarted, and one leaves,
// while nothing stops for long.
func TestScaleOutMovesEverything(t *testing.T) {
	t.Parallel()
	plan := func(stall int) *fault.Plan {
		p := seeded(t, "scale-out", 1, map[string]int{"stall-ms": stall, "rest-ms": 0, "throttle-bytes": 200_000, "consumers": 1})
		p.Events, p.Faults = nil, fault.Duration(15*time.Second)
		p.Cluster.Config["broker.session.timeout.ms"] = "1500"
		return p
	}
	res := mustRun(t, plan(3000))
	if res.Verdict != OK {
		t.Error(res.Anomalies)
	}
	nodes := uint64(res.Plan.Cluster.Nodes)
	if res.Reached["broker-registered"] < 2*nodes || res.Reached["broker-stopped"] < nodes || res.Checked["reads"] == 0 {
		t.Errorf("%d brokers registered, %d stopped, %d records were read", res.Reached["broker-registered"], res.Reached["broker-stopped"], res.Checked["reads"])
	}
	if found := names(mustRun(t, plan(1))); !slices.Equal(found, []string{"stalled"}) {
		t.Errorf("found %v; a millisecond without an acknowledgement is a stall", found)
	}
}
