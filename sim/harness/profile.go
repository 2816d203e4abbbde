package harness

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"

	"odradek/sim/fault"
	"odradek/workloads"
)

// DefaultWorkload is what runs where nothing else is said.
const DefaultWorkload = "append-read"

// DefaultProfile bounds the plans of [DefaultPlan]: 30 s of all kinds of faults, with a
// workload of at least 2,000 operations.
func DefaultProfile() fault.Profile {
	p, err := ProfileOf(DefaultWorkload)
	if err != nil {
		panic(err)
	}
	return p
}

// ProfileOf bounds the plans for a workload: the faults are the same for all, the
// cluster's knobs those that the workload makes interesting. An unknown workload is an
// error.
func ProfileOf(workload string) (fault.Profile, error) {
	if !slices.Contains(workloads.Names(), workload) {
		return fault.Profile{}, fmt.Errorf("no workload %q; there are %v", workload, workloads.Names())
	}
	p := fault.Default()
	p.Workload = workload
	p.DrawWorkload = func(r *rand.Rand, w *fault.Workload) { w.Params = workloads.Draw(w.Name, r) }
	if workload != DefaultWorkload {
		p.DrawCluster = drawCoordinators
	}
	if workload == "scale-out" {
		p.Gap *= 3 // else its operator gets nowhere
		p.DrawCluster = drawLate
	}
	return p, nil
}

// drawCoordinators draws the knobs of internal topics, groups, transactions and the
// cleaner: as with those of every cluster, tiny ones reach in seconds what would take
// days.
func drawCoordinators(r *rand.Rand, c *fault.Cluster) {
	set := func(key string, choices ...int) { c.Config[key] = strconv.Itoa(choices[r.IntN(len(choices))]) }
	set("offsets.topic.num.partitions", 1, 2, 4)
	set("offsets.topic.replication.factor", 3)
	set("offsets.topic.segment.bytes", 1<<10, 16<<10, 1<<20)
	set("offsets.load.buffer.size", 1<<10, 1<<20)
	set("offsets.commit.timeout.ms", 1000, 5000)
	set("transaction.state.log.num.partitions", 1, 3)
	set("transaction.state.log.replication.factor", 3)
	set("transaction.state.log.min.isr", 2)
	set("transaction.state.log.segment.bytes", 1<<10, 16<<10, 1<<20)
	set("transaction.state.log.load.buffer.size", 1<<10, 1<<20)
	set("transaction.abort.timed.out.transaction.cleanup.interval.ms", 100, 500)
	set("group.initial.rebalance.delay.ms", 0, 100, 500)
	set("group.min.session.timeout.ms", 100)
	set("group.consumer.min.session.timeout.ms", 100)
	set("group.consumer.session.timeout.ms", 1000, 3000)
	set("group.consumer.min.heartbeat.interval.ms", 10)
	set("group.consumer.heartbeat.interval.ms", 100, 300)
	set("log.cleaner.backoff.ms", 50, 500, 5000)
	set("log.cleaner.dedupe.buffer.size", 1<<10, 16<<10, 1<<20)
	set("log.segment.delete.delay.ms", 0, 100, 60_000)
}

// drawLate draws how many brokers join later.
func drawLate(r *rand.Rand, c *fault.Cluster) {
	drawCoordinators(r, c)
	c.Late = 1 + r.IntN(2)
	c.Nodes += c.Late
}

// DefaultPlan is the plan that a seed stands for where nothing else is said: in
// `odradek run --seed N` and `hunt`, and in tests. A seed may mean another plan in
// another version of this program; a plan's file means the same in all.
func DefaultPlan(seed uint64) *fault.Plan { return fault.Draw(seed, DefaultProfile()) }

// PlanOf is the plan that a seed stands for with a workload.
func PlanOf(workload string, seed uint64) (*fault.Plan, error) {
	profile, err := ProfileOf(workload)
	if err != nil {
		return nil, err
	}
	return fault.Draw(seed, profile), nil
}
