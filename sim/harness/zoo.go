package harness

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"odradek/broker/failpoint"
	"odradek/sim/fault"
)

// Specimen is a historical bug that a switch plants in the broker, and plans under
// which it shows.
type Specimen struct {
	// Row is its number in the zoo, Switch its failpoint.
	Row    int
	Switch failpoint.Name
	// Story tells in a sentence how it hurts.
	Story string
	// Finds names the anomalies of which one gives it away; others may come with it.
	Finds []string
	// Budget is within how many seeds a hunt finds it.
	Budget int

	profile func() fault.Profile
	adjust  func(p script, r *rand.Rand)
}

// Zoo lists the specimens that this broker has, by row.
func Zoo() []Specimen {
	all := slices.Concat(zooOfReplication(), zooOfProducers(), zooOfTransactions(), zooOfCompaction(), zooOfGroups())
	slices.SortFunc(all, func(a, b Specimen) int { return cmp.Compare(a.Row, b.Row) })
	return all
}

// profileOf is a profile of three nodes on which producers with acks=all are at work.
func profileOf(faults, gap time.Duration, kinds ...fault.Kind) func() fault.Profile {
	return func() fault.Profile {
		return fault.Profile{
			Workload: "append-read", FaultsFor: faults, Gap: gap, Kinds: kinds, Nodes: 3,
			DrawWorkload: func(_ *rand.Rand, w *fault.Workload) {
				w.Params = map[string]int{
					"topics": 1, "partitions": 8, "producers": 4, "all-acks": 1, "consumers": 0, "operations": 0,
					"pace-us": 20_000, "value-bytes": 200, "churn": 0, "seek-per-mille": 0,
				}
			},
		}
	}
}

// profileWith is a profile of three nodes with a workload that has coordinators. What params
// does not say of it is the default.
func profileWith(workload string, params map[string]int, faults, gap time.Duration, kinds ...fault.Kind) func() fault.Profile {
	return func() fault.Profile {
		return fault.Profile{
			Workload: workload, FaultsFor: faults, Gap: gap, Kinds: kinds, Nodes: 3, DrawCluster: drawCoordinators,
			DrawWorkload: func(_ *rand.Rand, w *fault.Workload) {
				w.Params = map[string]int{"operations": 0, "pace-us": 20_000}
				maps.Copy(w.Params, params)
			},
		}
	}
}

// script is a plan whose events are being written. Times are in ms.
type script struct{ *fault.Plan }

func (p script) strike(at int, kind fault.Kind, node, d int) {
	p.Events = append(p.Events, fault.Event{At: ms(at), Kind: kind, Node: node, For: ms(d)})
}

// clients are one end of a slow link.
const clients = 0

func (p script) slowLink(at, from, to, factor, d int) {
	p.Events = append(p.Events, fault.Event{At: ms(at), Kind: fault.SlowLink, From: from, To: to, Factor: factor, For: ms(d)})
}

// nodes are the first n, in any order.
func nodes(r *rand.Rand, n int) []int {
	list := r.Perm(n)
	for i := range list {
		list[i]++
	}
	return list
}

func ms(n int) fault.Duration { return fault.Duration(time.Duration(n) * time.Millisecond) }

// Plan is the plan that a seed stands for in the hunt for the specimen, with the switch
// armed or not.
func (s *Specimen) Plan(seed uint64, armed bool) *fault.Plan {
	p := fault.Draw(seed, s.profile())
	p.Cluster.Config = maps.Clone(p.Cluster.Config)
	if s.adjust != nil {
		s.adjust(script{p}, rand.New(rand.NewPCG(seed, uint64(s.Row))))
	}
	if armed {
		p.Armed = slices.Insert(p.Armed, 0, fault.Failpoint{Name: string(s.Switch), Terms: "return(true)"})
	}
	return p
}
