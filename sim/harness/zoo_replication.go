package harness

import (
	"maps"
	"math/rand/v2"
	"time"

	"odradek/broker/failpoint"
	"odradek/sim/fault"
)

// zooOfReplication are bugs of replicated logs and of the quorum. Of seeds 1 to 40, row 1 is
// found in about half, row 8 in 5, row 10 in half, row 14 in three quarters, row 26 in
// every one.
func zooOfReplication() []Specimen {
	return []Specimen{
		{
			Row: 1, Switch: failpoint.ZooTruncateToHighWatermark,
			Story:   "a follower of a new leader truncates to its own high watermark, which lags, and leads next",
			Finds:   []string{"lost-write"},
			Budget:  10,
			profile: profileOf(16*time.Second, 0),
			adjust: func(p script, r *rand.Rand) {
				p.Cluster.Latency, p.Cluster.Jitter = ms(1), ms(1)
				// The next leader dies soon after its election, before the slow follower has
				// fetched again what it cut off.
				for at := 500; at < 13_000; at += 4000 {
					n := nodes(r, 3)
					old, next, last := n[0], n[1], n[2]
					p.slowLink(at, next, last, 200, 3500)
					p.slowLink(at, last, next, 200, 3500)
					p.strike(at+200, fault.Restart, old, 200)
					p.strike(at+250+r.IntN(400), fault.ProcessCrash, next, 2500)
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
			adjust: func(p script, r *rand.Rand) {
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
					n := nodes(r, 3)
					preferred, standIn, third := n[0], n[1], n[2]
					p.strike(at-2600-r.IntN(300), fault.Restart, preferred, 10)
					p.slowLink(at-70-r.IntN(100), preferred, standIn, 2000, 500)
					p.slowLink(at-50+r.IntN(50), third, standIn, 1500, 4000)
					p.strike(at+20+r.IntN(100), fault.Restart, preferred, 10)
					p.strike(at+1400+r.IntN(1200), fault.ProcessCrash, standIn, 2000)
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
			adjust: func(p script, r *rand.Rand) {
				p.Cluster.Nodes, p.Cluster.Voters = 4, 3
				p.Cluster.Latency, p.Cluster.Jitter = ms(1), ms(1)
				p.Cluster.Config["log.segment.bytes"] = "1048576" // rolling would sync
				// Broker 4 and a voter are shut down in good order, a second voter loses power.
				for at := 500; at < 13_000; at += 4000 {
					n := nodes(r, 3)
					p.strike(at, fault.Restart, 4, 1000)
					p.strike(at+r.IntN(300), fault.Restart, n[0], 1000)
					p.strike(at+600+r.IntN(1000), fault.PowerLoss, n[1], 100)
				}
			},
		},
		{
			Row: 20, Switch: failpoint.ZooLatestBeforeEpochStart,
			Story:   "a new leader whose high watermark lags tells a lower end than the leader before it",
			Finds:   []string{"offset-regression"},
			Budget:  10,
			profile: profileOf(13*time.Second, 0),
			adjust: func(p script, r *rand.Rand) {
				p.Cluster.Latency, p.Cluster.Jitter = ms(1), ms(1)
				params := p.Workload.Params
				params["consumers"], params["seek-per-mille"], params["poll-pause-us"], params["pace-us"] = 6, 1000, 5000, 5000
				// What the next leader learns of the high watermark, and then of its followers, is
				// slow on its way.
				for at := 500; at < 12_000; at += 3000 {
					n := nodes(r, 3)
					old, next, last := n[0], n[1], n[2]
					p.slowLink(at, old, next, 100, 1000)
					p.slowLink(at, next, last, 300, 2500)
					p.strike(at+300, fault.Restart, old, 200)
				}
			},
		},
		{
			Row: 21, Switch: failpoint.ZooPositionWithoutEpoch,
			// No leader of this broker truncates what consumers have read unless the records are
			// really lost: by power loss here, with a single replica, or by unclean election.
			// The bug was in consumers, which did not say where they stood; a leader that does
			// not look at it is the same.
			Story:   "the tail that a consumer has read is lost and filled up anew before it asks for more: it skips what is new",
			Finds:   []string{"poll-skip"},
			Budget:  10,
			profile: profileOf(16*time.Second, 0),
			adjust: func(p script, r *rand.Rand) {
				params := p.Workload.Params
				params["replication"], params["consumers"], params["poll-pause-us"], params["pace-us"] = 1, 6, 1_500_000, 5000
				p.Workload.Topic = map[string]string{"min.insync.replicas": "1"}
				p.Cluster.Config["log.segment.bytes"] = "1048576" // rolling would sync
				for at := 1500; at < 14_000; at += 2500 {
					p.strike(at+r.IntN(500), fault.PowerLoss, 1+r.IntN(3), 100)
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
