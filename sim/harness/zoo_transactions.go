package harness

import (
	"maps"
	"math/rand/v2"
	"time"

	"odradek/broker/failpoint"
	"odradek/sim/fault"
)

// zooOfTransactions are bugs of transactions and their coordinators. Of ten seeds, row 38
// is found in about four, row 39 in two, rows 42 and 45 in four, rows 46 and 47 in every one.
func zooOfTransactions() []Specimen {
	return []Specimen{
		{
			Row: 38, Switch: failpoint.ZooLateEndTxn,
			Story:  "the late copy of a request to end a transaction ends the next one, with which its producer goes on",
			Finds:  []string{"not-exactly-once", "aborted-read"},
			Budget: 10,
			profile: profileWith("exactly-once", map[string]int{
				"producers": 1, "pace-us": 10_000, "request-timeout-ms": 150, "linger-per-mille": 500,
				"transaction-timeout-ms": 1000, "session-timeout-ms": 1000, "max-poll-ms": 1000,
			}, 12*time.Second, 0),
			adjust: func(p script, r *rand.Rand) {
				p.Cluster.Latency, p.Cluster.Jitter = ms(1), 0
				// What is sent in a short while arrives late, after what is sent later over
				// another connection.
				for at := 1000; at < 12_000; at += 200 {
					p.slowLink(at, clients, 1+r.IntN(3), 300+r.IntN(1200), 60)
				}
			},
		},
		{
			Row: 39, Switch: failpoint.ZooVerificationRacesAppend,
			// Under the second protocol of transactions each has an epoch of its own, and the
			// marker fences the batch.
			Story:  "a transaction is aborted between the verification of a batch and its append, and nobody ends what that begins",
			Finds:  []string{"hanging-transaction", "aborted-read"},
			Budget: 20,
			profile: profileWith("exactly-once", map[string]int{
				"transaction-version": 1, "later-version": 1, "request-timeout-ms": 200, "delivery-timeout-ms": 300, "output-partitions": 8, "replication": 1,
			}, 12*time.Second, 0),
			adjust: func(p script, r *rand.Rand) {
				p.Cluster.Latency, p.Cluster.Jitter = ms(1), 0
				p.Cluster.Voters, p.Cluster.Controllers = 0, 1
				maps.Copy(p.Cluster.Config, map[string]string{
					"controller.quorum.request.timeout.ms": "4000", // of all requests between brokers
					// Nobody waits for replicas.
					"transaction.state.log.replication.factor": "1", "transaction.state.log.min.isr": "1", "offsets.topic.replication.factor": "1",
				})
				// The answer about a transaction arrives after the marker that ends it.
				for at := 1000; at < 12_000; at += 300 {
					n := nodes(r, 3)
					p.slowLink(at, n[0], n[1], 250+r.IntN(150), 60)
				}
			},
		},
		{
			Row: 42, Switch: failpoint.ZooMarkerRemovedByKeyOnly,
			Story:  "late answers to a coordinator's markers, from before it was replaced and came back, take its new ones out of the queue",
			Finds:  []string{"hanging-transaction"},
			Budget: 20,
			profile: profileWith("exactly-once", map[string]int{
				"workers": 6, "partitions": 6, "output-partitions": 8, "replication": 1, "pace-us": 20_000,
				"transaction-version": 1, "later-version": 1,
				"abort-per-mille": 0, "crash-per-mille": 0, "linger-per-mille": 0, "zombie-per-mille": 0,
			}, 9*time.Second, 0),
			adjust: func(p script, r *rand.Rand) {
				p.Cluster.Nodes, p.Cluster.Voters, p.Cluster.Controllers = 4, 0, 1
				p.Cluster.Latency, p.Cluster.Jitter = ms(1), 0
				maps.Copy(p.Cluster.Config, map[string]string{
					"leader.imbalance.check.interval.seconds": "1", "controller.quorum.request.timeout.ms": "6000",
					"broker.session.timeout.ms": "900", "replica.lag.time.max.ms": "600", "transaction.state.log.num.partitions": "6",
					"transaction.state.log.replication.factor": "2", "transaction.state.log.min.isr": "1",
					// Slow links stop nothing but the answers to markers.
					"offsets.topic.replication.factor": "1", "transaction.partition.verification.enable": "false",
				})
				// A broker that coordinates stands still, is replaced, and gets its office back
				// while answers of another one are on their way.
				n := nodes(r, 4)
				p.slowLink(2000, n[1], n[0], 4000, 600)
				p.strike(2500, fault.Pause, n[0], 1200)
			},
		},
		{
			Row: 45, Switch: failpoint.ZooTransactionBeginInMemory,
			Story:   "the next coordinator does not know what was in a transaction, and leaves that open when it commits the rest",
			Finds:   []string{"transaction-step", "lost-transaction", "hanging-transaction", "torn-transaction"},
			Budget:  10,
			profile: profileWith("exactly-once", map[string]int{"workers": 6, "partitions": 6, "output-partitions": 4}, 12*time.Second, 700*time.Millisecond, fault.Restart, fault.ProcessCrash),
		},
		{
			Row: 46, Switch: failpoint.ZooTransactionDoneEarly,
			Story:   "a worker that takes over reads offsets from before a transaction that was answered as done, and processes its inputs again",
			Finds:   []string{"not-exactly-once"},
			Budget:  10,
			profile: profileWith("exactly-once", map[string]int{"abort-per-mille": 200, "crash-per-mille": 100}, 8*time.Second, 0),
		},
		{
			Row: 47, Switch: failpoint.ZooEpochOverflow,
			Story:   "after its last epoch a producer gets one below zero",
			Finds:   []string{"epoch-regression", "producer-epoch"},
			Budget:  10,
			profile: profileWith("exactly-once", map[string]int{"operations": 200, "pace-us": 5000}, 3*time.Second, 0),
			adjust: func(p script, _ *rand.Rand) {
				p.Armed = append(p.Armed, fault.Failpoint{Name: string(failpoint.TxnFirstEpoch), Terms: `return("32760")`})
			},
		},
	}
}
