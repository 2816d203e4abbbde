package harness

import (
	"maps"
	"math/rand/v2"
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
	// Finds names the anomaly that gives it away; others may come with it.
	Finds []string
	// Budget is within how many seeds a hunt finds it. Of seeds 1 to 40, row 1 is
	// found in about half, row 8 in 5, row 10 in half, row 14 in three quarters, row 26 in
	// every one.
	Budget int

	profile func() fault.Profile
	adjust  func(p *fault.Plan, r *rand.Rand)
}

// Zoo lists the specimens that this broker has, by row.
func Zoo() []Specimen {
	return []Specimen{
		{
			Row: 1, Switch: failpoint.ZooTruncateToHighWatermark,
			Story:   "a follower of a new leader truncates to its own high watermark, which lags, and leads next",
			Finds:   []string{"lost-write"},
			Budget:  10,
			profile: profileOf(16*time.Second, 0),
			adjust: func(p *fault.Plan, r *rand.Rand) {
				p.Cluster.Latency, p.Cluster.Jitter = ms(1), ms(1)
				// The next leader dies soon after its election, before the slow follower has
				// fetched again what it cut off.
				for at := 500; at < 13_000; at += 4000 {
					n := r.Perm(3)
					old, next, last := n[0]+1, n[1]+1, n[2]+1
					p.Events = append(p.Events,
						fault.Event{At: ms(at), Kind: fault.SlowLink, From: next, To: last, Factor: 200, For: ms(3500)},
						fault.Event{At: ms(at), Kind: fault.SlowLink, From: last, To: next, Factor: 200, For: ms(3500)},
						fault.Event{At: ms(at + 200), Kind: fault.Restart, Node: old, For: ms(200)},
						fault.Event{At: ms(at + 250 + r.IntN(400)), Kind: fault.ProcessCrash, Node: next, For: ms(2500)},
					)
				}
			},
		},
		{
			Row: 8, Switch: failpoint.ZooUnfencedReplicaFetch,
			// The write that it loses was refused or had acks=1: since fetches carry the last
			// fetched epoch (version 12), what is counted twice is from before the leader's
			// own epoch. But it was committed, and consumers have read it.
			Story:   "a fetch that was long on its way tells a leader of records that the follower has truncated since",
			Finds:   []string{"leader-complete"},
			Budget:  10,
			profile: profileOf(13*time.Second, 0),
			adjust: func(p *fault.Plan, r *rand.Rand) {
				p.Cluster.Nodes, p.Cluster.Voters, p.Cluster.Controllers = 3, 0, 1
				p.Cluster.Latency, p.Cluster.Jitter, p.Cluster.SyncLatency = ms(1), 0, fault.Duration(100*time.Microsecond)
				maps.Copy(p.Cluster.Config, map[string]string{
					"leader.imbalance.check.interval.seconds": "1", "controller.quorum.request.timeout.ms": "4000",
					"broker.session.timeout.ms": "9000", "replica.lag.time.max.ms": "9000",
				})
				p.Workload.Params["all-acks"], p.Workload.Params["consumers"], p.Workload.Params["pace-us"] = 0, 1, 6000
				// A broker stands in for the preferred leader while that restarts. At a full
				// second the controller gives leadership back, but the preferred leader shuts
				// down once more, and the stand-in leads again before it has followed. Then a
				// slow fetch of the third broker arrives, from before all that.
				for at := 4000 - 100; at < 12_000; at += 6000 {
					n := r.Perm(3)
					preferred, standIn, third := n[0]+1, n[1]+1, n[2]+1
					p.Events = append(p.Events,
						fault.Event{At: ms(at - 2600 - r.IntN(300)), Kind: fault.Restart, Node: preferred, For: ms(10)},
						fault.Event{At: ms(at - 70 - r.IntN(100)), Kind: fault.SlowLink, From: preferred, To: standIn, Factor: 2000, For: ms(500)},
						fault.Event{At: ms(at - 50 + r.IntN(50)), Kind: fault.SlowLink, From: third, To: standIn, Factor: 1500, For: ms(4000)},
						fault.Event{At: ms(at + 20 + r.IntN(100)), Kind: fault.Restart, Node: preferred, For: ms(10)},
						fault.Event{At: ms(at + 1400 + r.IntN(1200)), Kind: fault.ProcessCrash, Node: standIn, For: ms(2000)},
					)
				}
			},
		},
		{
			Row: 10, Switch: failpoint.ZooZombieController,
			Story:   "the controller answers a change of an ISR before that is committed, and the leader acts on it",
			Finds:   []string{"maximal-isr"},
			Budget:  10,
			profile: profileOf(10*time.Second, time.Second, fault.ProcessCrash, fault.PowerLoss, fault.Pause, fault.Partition),
		},
		{
			Row: 14, Switch: failpoint.ZooLastReplicaStanding,
			Story:   "the ISR shrinks to one replica, which loses power, and with it its tail, and is elected again",
			Finds:   []string{"lost-write"},
			Budget:  10,
			profile: profileOf(16*time.Second, 0),
			adjust: func(p *fault.Plan, r *rand.Rand) {
				p.Cluster.Nodes, p.Cluster.Voters = 4, 3
				p.Cluster.Latency, p.Cluster.Jitter = ms(1), ms(1)
				p.Cluster.Config["log.segment.bytes"] = "1048576" // rolling would sync
				// Broker 4 and a voter are shut down in good order, a second voter loses power.
				for at := 500; at < 13_000; at += 4000 {
					n := r.Perm(3)
					p.Events = append(p.Events,
						fault.Event{At: ms(at), Kind: fault.Restart, Node: 4, For: ms(1000)},
						fault.Event{At: ms(at + r.IntN(300)), Kind: fault.Restart, Node: n[0] + 1, For: ms(1000)},
						fault.Event{At: ms(at + 600 + r.IntN(1000)), Kind: fault.PowerLoss, Node: n[1] + 1, For: ms(100)},
					)
				}
			},
		},
		{
			Row: 26, Switch: failpoint.ZooVoteBeforeDurable,
			Story:  "a vote is answered before it is on disk; a crash in between, and the node votes again in the same epoch",
			Finds:  []string{"vote-durable"},
			Budget: 1,
			// Any election will do: no crash has to hit the moment.
			profile: profileOf(3*time.Second, 0),
		},
	}
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

func ms(n int) fault.Duration { return fault.Duration(time.Duration(n) * time.Millisecond) }

// Plan is the plan that a seed stands for in the hunt for the specimen, with the switch
// armed or not.
func (s *Specimen) Plan(seed uint64, armed bool) *fault.Plan {
	p := fault.Draw(seed, s.profile())
	p.Cluster.Config = maps.Clone(p.Cluster.Config)
	if s.adjust != nil {
		s.adjust(p, rand.New(rand.NewPCG(seed, uint64(s.Row))))
	}
	if armed {
		p.Armed = []fault.Failpoint{{Name: string(s.Switch), Terms: "return(true)"}}
	}
	return p
}
