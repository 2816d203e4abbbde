package fault

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"odradek/sim"
)

// Profile bounds what [Draw] draws.
type Profile struct {
	// Workload is the name of the workload; its parameters are drawn by DrawWorkload.
	Workload string
	// DrawWorkload fills in the workload's parameters and topic configs. Nil leaves
	// the workload's defaults.
	DrawWorkload func(r *rand.Rand, w *Workload)
	// DrawCluster draws further knobs of the cluster. Nil leaves it at those that every
	// cluster has.
	DrawCluster func(r *rand.Rand, c *Cluster)
	// FaultsFor is the length of the phase with faults.
	FaultsFor time.Duration
	// Gap is the mean time between two faults.
	Gap time.Duration
	// Kinds are the faults to draw from; nil means those of [Default].
	Kinds []Kind
	// Nodes fixes the number of brokers, the first three of which are the controllers; 0
	// draws 3, mostly, up to 5, and sometimes controllers that are no brokers.
	Nodes int
}

// Default is the profile of `odradek run` without a plan.
func Default() Profile {
	return Profile{
		Workload:  "append-read",
		FaultsFor: 30 * time.Second,
		Gap:       1500 * time.Millisecond,
		Kinds:     []Kind{ProcessCrash, PowerLoss, Restart, Pause, Partition, Cut, SlowLink, SlowDisk, Reset, Arm},
	}
}

// Draw expands a seed into a plan. Each aspect is drawn from a stream of its own, so
// that a new kind of choice leaves the others as they were.
func Draw(seed uint64, pr Profile) *Plan {
	stream := func(name string) *rand.Rand { return rand.New(rand.NewPCG(seed, sim.HashString("plan/"+name))) }
	p := &Plan{Version: PlanVersion, Seed: seed, Faults: Duration(pr.FaultsFor)}
	p.Cluster = drawCluster(stream("cluster"), pr.Nodes)
	if pr.Nodes == 0 {
		drawControllers(stream("controllers"), &p.Cluster)
	}
	if pr.DrawCluster != nil {
		pr.DrawCluster(stream("cluster of "+pr.Workload), &p.Cluster)
	}
	p.Workload.Name = pr.Workload
	if pr.DrawWorkload != nil {
		pr.DrawWorkload(stream("workload"), &p.Workload)
	}
	kinds := pr.Kinds
	if kinds == nil {
		kinds = Default().Kinds
	}
	p.Events = drawEvents(stream("faults"), kinds, p.Cluster.Nodes+p.Cluster.Controllers, pr)
	if err := p.Validate(); err != nil {
		panic(fmt.Sprintf("fault: drew an invalid plan from seed %d: %v", seed, err))
	}
	return p
}

func drawCluster(r *rand.Rand, nodes int) Cluster {
	if nodes == 0 {
		nodes = pick(r, 3, 3, 3, 4, 5)
	}
	c := Cluster{Nodes: nodes, Voters: min(nodes, 3), Config: make(map[string]string)}
	set := func(key string, choices ...int) { c.Config[key] = strconv.Itoa(pick(r, choices...)) }
	// Tiny segments, windows and time-outs reach in seconds what a large cluster
	// reaches in weeks.
	set("log.segment.bytes", 1<<10, 4<<10, 64<<10, 1<<20)
	set("log.index.interval.bytes", 64, 512, 4096)
	set("metadata.log.max.record.bytes.between.snapshots", 2<<10, 16<<10, 1<<20)
	set("replica.lag.time.max.ms", 600, 1500, 3000)
	set("replica.fetch.max.bytes", 512, 16<<10, 1<<20)
	set("replica.fetch.response.max.bytes", 4<<10, 1<<20)
	set("broker.session.timeout.ms", 900, 1500, 3000)
	set("replica.high.watermark.checkpoint.interval.ms", 100, 1000, 5000)
	set("log.flush.offset.checkpoint.interval.ms", 500, 5000)
	c.Latency = micro(pick(r, 50, 100, 500, 2000))
	c.Jitter = micro(pick(r, 0, 50, 500, 5000))
	c.SyncLatency = micro(pick(r, 100, 500, 5000))
	return c
}

// drawControllers sometimes gives the cluster controllers of their own.
func drawControllers(r *rand.Rand, c *Cluster) {
	if r.IntN(5) == 0 {
		c.Voters, c.Controllers = 0, pick(r, 1, 3, 3)
	}
}

func drawEvents(r *rand.Rand, kinds []Kind, nodes int, pr Profile) []Event {
	// Swarm: a run has only some of the kinds, since some hide what others would show.
	var some []Kind
	for _, k := range kinds {
		if r.IntN(3) > 0 {
			some = append(some, k)
		}
	}
	if len(some) == 0 {
		some = kinds
	}
	if len(some) == 0 || pr.Gap <= 0 {
		return nil
	}
	var events []Event
	at := time.Duration(0)
	for {
		at += between(r, pr.Gap/4, pr.Gap*7/4)
		if at >= pr.FaultsFor {
			return events
		}
		e := drawEvent(r, some[r.IntN(len(some))], nodes)
		e.At = Duration(at.Round(time.Millisecond))
		e.For = min(e.For, Duration(pr.FaultsFor)-e.At)
		events = append(events, e)
	}
}

func drawEvent(r *rand.Rand, k Kind, nodes int) Event {
	e := Event{Kind: k}
	node := func() int { return 1 + r.IntN(nodes) }
	long := func(shortest, longest time.Duration) {
		e.For = Duration(between(r, shortest, longest).Round(time.Millisecond))
	}
	pair := func() {
		e.From = node()
		e.To = 1 + (e.From+r.IntN(max(nodes-1, 1)))%nodes
	}
	if nodes == 1 && (k == Partition || k == Cut || k == SlowLink || k == Reset) {
		e.Kind, k = Pause, Pause
	}
	switch k {
	case ProcessCrash, PowerLoss:
		e.Node = node()
		long(50*time.Millisecond, 4*time.Second)
	case Restart:
		e.Node = node()
		long(10*time.Millisecond, time.Second)
	case Pause:
		e.Node = node()
		long(50*time.Millisecond, 4*time.Second)
	case Partition:
		ids := r.Perm(nodes)
		cut := 1 + r.IntN(nodes-1)
		groups := [][]int{nil, nil}
		for i, id := range ids {
			side := 0
			if i >= cut {
				side = 1
			}
			groups[side] = append(groups[side], id+1)
		}
		for _, g := range groups {
			slices.Sort(g)
		}
		slices.SortFunc(groups, func(a, b []int) int { return cmp.Compare(len(a), len(b)) })
		if r.IntN(4) == 0 {
			slices.Reverse(groups) // the clients are with the smaller side
		}
		e.Groups = groups
		long(200*time.Millisecond, 5*time.Second)
	case Cut:
		pair()
		long(200*time.Millisecond, 5*time.Second)
	case SlowLink:
		pair()
		e.Factor = pick(r, 10, 100, 1000)
		long(500*time.Millisecond, 5*time.Second)
	case SlowDisk:
		e.Node = node()
		e.Factor = pick(r, 10, 100, 500)
		long(500*time.Millisecond, 5*time.Second)
	case Reset:
		pair()
	case Arm:
		e.Node = node()
		f := survivable[r.IntN(len(survivable))]
		e.Point, e.Terms = f.Name, f.Terms
		long(100*time.Millisecond, 2*time.Second)
	}
	return e
}

// survivable are failpoints that a correct broker gets over, armed once or a few times.
var survivable = []Failpoint{
	{"storage/append", `1*return("io")`},
	{"storage/append", `1*return("nospace")`},
	{"storage/sync", `1*return("io")`},
	{"storage/roll", `1*return("io")`},
	{"replica/alter-partition-lost", `3*return(true)`},
	{"replica/fetch-dropped", `5*return(true)`},
	{"raft/persist", `1*return("io")`},
	{"raft/fetch-dropped", `5*return(true)`},
}

func pick[T any](r *rand.Rand, choices ...T) T { return choices[r.IntN(len(choices))] }

func micro(us int) Duration { return Duration(time.Duration(us) * time.Microsecond) }

// between draws from [lo, hi).
func between(r *rand.Rand, lo, hi time.Duration) time.Duration {
	return lo + time.Duration(r.Int64N(int64(hi-lo)))
}
