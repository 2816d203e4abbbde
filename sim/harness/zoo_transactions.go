package harness

import (
	"math/rand/v2"
	"time"

	"odradek/broker/failpoint"
	"odradek/sim/fault"
)

// zooOfTransactions are bugs of transactions and their coordinators.
func zooOfTransactions() []Specimen {
	return []Specimen{
		{
			Row: 38, Switch: failpoint.ZooLateEndTxn,
			Story:  "the late copy of a request to end a transaction ends the next one, with which its producer goes on",
			Finds:  []string{"torn-transaction", "not-exactly-once"},
			Budget: 10,
			profile: profileWith("exactly-once", map[string]int{
				"producers": 1, "pace-us": 10_000, "request-timeout-ms": 150, "linger-per-mille": 500,
				"transaction-timeout-ms": 1000, "session-timeout-ms": 1000, "max-poll-ms": 1000,
			}, 12*time.Second, 0),
			adjust: func(p *fault.Plan, r *rand.Rand) {
				p.Cluster.Latency, p.Cluster.Jitter = ms(1), 0
				// What is sent in a short while arrives late, after what is sent later over
				// another connection.
				for at := 1000; at < 12_000; at += 200 {
					p.Events = append(p.Events, fault.Event{At: ms(at), Kind: fault.SlowLink, To: 1 + r.IntN(3), Factor: 300 + r.IntN(1200), For: ms(60)})
				}
			},
		},
		{
			Row: 45, Switch: failpoint.ZooTransactionBeginInMemory,
			Story:   "the next coordinator does not know what was in a transaction, and leaves that open when it commits the rest",
			Finds:   []string{"lost-transaction", "hanging-transaction", "aborted-read"},
			Budget:  10,
			profile: profileWith("exactly-once", map[string]int{}, 12*time.Second, time.Second, fault.Restart, fault.ProcessCrash),
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
			Finds:   []string{"epoch-regression"},
			Budget:  10,
			profile: profileWith("exactly-once", map[string]int{"operations": 200, "pace-us": 5000}, 3*time.Second, 0),
			adjust: func(p *fault.Plan, _ *rand.Rand) {
				p.Armed = append(p.Armed, fault.Failpoint{Name: string(failpoint.TxnFirstEpoch), Terms: `return("32760")`})
			},
		},
	}
}
