package harness

import (
	"testing"

	"odradek/checker/history"
	"odradek/sim/fault"
)

// planOf is the plan of a seed with a workload, with some parameters of the test's own.
func planOf(t *testing.T, workload string, seed uint64, params map[string]int) *fault.Plan {
	t.Helper()
	p, err := PlanOf(workload, seed)
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range params {
		p.Workload.Params[name] = v
	}
	return p
}

// Members who commit before they process lose what they have not processed when they die;
// without idempotence the records themselves have copies. Both are legal, and if neither
// happened the faults would be too weak to show a bug.
func TestAtMostOnceLosesAndPlainProducersDuplicate(t *testing.T) {
	t.Parallel()
	allowed := make(map[string]int)
	for seed := uint64(1); seed <= 10; seed++ {
		res := mustRun(t, planOf(t, "group-churn", seed, map[string]int{"at-most-once": 1, "idempotent": 0, "stay-ms": 2000, "all-acks": 1}))
		if res.Verdict != OK {
			t.Errorf("seed %d: %v", seed, res.Anomalies)
		}
		for k, n := range res.Allowed {
			allowed[k] += n
		}
		if allowed[string(history.Unconsumed)] > 0 && allowed[string(history.Duplicate)] > 0 {
			return
		}
	}
	t.Errorf("allowed anomalies %v; want records that were committed and not processed, and copies", allowed)
}

func TestIdempotentProducersAndCarefulMembersShowNoAnomaly(t *testing.T) {
	t.Parallel()
	for seed := uint64(1); seed <= 4; seed++ {
		res := mustRun(t, planOf(t, "group-churn", seed, map[string]int{"at-most-once": 0, "idempotent": 1, "all-acks": 1}))
		if res.Verdict != OK {
			t.Errorf("seed %d: %v", seed, res.Anomalies)
		}
		for _, name := range []history.Name{history.Duplicate, history.Unconsumed, history.NonmonotonicSend} {
			if res.Allowed[string(name)] > 0 {
				t.Errorf("seed %d: %d %s", seed, res.Allowed[string(name)], name)
			}
		}
		if res.Checked["memberships"] == 0 || res.Checked["commits"] == 0 {
			t.Errorf("seed %d: checked %v", seed, res.Checked)
		}
	}
}

// While nobody fails, a group is a queue: each record goes to one member, once; members
// beyond the number of partitions get none. And each group gets everything.
func TestQueueGivesEachRecordToOneMember(t *testing.T) {
	t.Parallel()
	for seed := uint64(1); seed <= 4; seed++ {
		p := planOf(t, "queue-and-pubsub", seed, map[string]int{
			"protocol": int(seed % 2), "partitions": 3, "topics": 1, "workers": 5, "subscribers": 2, "subscriber-members": 1,
			"all-acks": 1, "idempotent": 1, "commit": 0, "session-timeout-ms": 3000, "max-poll-ms": 3000, "process-us": 2000,
			"fetch-bytes": 4096, "at-least": 300,
		})
		p.Events, p.Faults = nil, ms(5000)
		p.Cluster.Config["group.initial.rebalance.delay.ms"] = "500"
		res := mustRun(t, p)
		if res.Verdict != OK || len(res.Allowed) > 0 {
			t.Errorf("seed %d: %v, allowed %v", seed, res.Anomalies, res.Allowed)
		}
		written := 0
		got := make(map[string]map[uint64]int)     // by group
		workers := make(map[string]bool)           // those of the queue that got something
		joined := make(map[string]map[string]bool) // by group: members
		for _, e := range res.History {
			if e.Func == history.Append && e.Outcome == history.OK {
				written++
			}
			if e.Member == nil {
				continue
			}
			if g := e.Member.Group; joined[g] == nil {
				joined[g], got[g] = make(map[string]bool), make(map[uint64]int)
			}
			if e.Func == history.Assigned {
				joined[e.Member.Group][e.Process] = true
			}
			if e.Func == history.Poll && e.Phase == history.Return {
				for _, r := range e.Records {
					got[e.Member.Group][r.Value]++
				}
				if e.Member.Group == "queue" {
					workers[e.Process] = true
				}
			}
		}
		if written < 300 || len(got) != 3 {
			t.Fatalf("seed %d: %d records, groups %d", seed, written, len(got))
		}
		for g, values := range got {
			if len(values) != written {
				t.Errorf("seed %d: group %s got %d of %d records", seed, g, len(values), written)
			}
			for v, n := range values {
				if n != 1 {
					t.Errorf("seed %d: group %s got value %d %d times", seed, g, v, n)
					break
				}
			}
		}
		if len(joined["queue"]) != 5 || len(workers) < 2 || len(workers) > 3 {
			t.Errorf("seed %d: %d members, of which %d had something to do, with 3 partitions", seed, len(joined["queue"]), len(workers))
		}
	}
}

// Runs with groups are to be runs that anybody can repeat, and the coordinators have to be
// shaken: loaded by other nodes, with members expired and replaced.
func TestGroupsReachRareStates(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("runs half a dozen seeds")
	}
	reached := make(map[string]uint64)
	for seed := uint64(1); seed <= 3; seed++ {
		for _, w := range []string{"group-churn", "registers"} {
			res := mustRun(t, planOf(t, w, seed, nil))
			if res.Verdict != OK {
				t.Errorf("%s, seed %d: %v", w, seed, res.Anomalies)
			}
			for k, n := range res.Reached {
				reached[k] += n
			}
		}
	}
	for _, k := range []string{
		"coordinator-loaded", "group-rebalancing", "group-stable", "group-empty", "member-expired",
		"static-member-replaced", "log-cleaned", "transactional-id-initialised",
	} {
		if reached[k] == 0 {
			t.Errorf("never reached: %s", k)
		}
	}
}
