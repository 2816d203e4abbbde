package harness

import (
	"math/rand/v2"
	"time"

	"odradek/broker/failpoint"
	"odradek/sim/fault"
)

// zooOfProducers are bugs of what a log knows of its producers.
func zooOfProducers() []Specimen {
	return []Specimen{
		{
			Row: 34, Switch: failpoint.ZooDuplicateOutOfOrder,
			// Whether this makes a duplicate is up to the producer: ours would give up what the
			// broker may have, so it has to do as Java's here.
			Story:   "a producer whose answer was lost sends its batch again, is told that it is out of order, and begins anew",
			Finds:   []string{"duplicate"},
			Budget:  10,
			profile: profileOf(10*time.Second, 500*time.Millisecond, fault.ProcessCrash, fault.Restart, fault.Reset, fault.Pause),
			adjust: func(p script, _ *rand.Rand) {
				params := p.Workload.Params
				params["idempotent"], params["resend-doubtful"], params["request-timeout-ms"] = 1, 1, 500
			},
		},
		{
			Row: 36, Switch: failpoint.ZooProducerStateBeforeAppend,
			Story:   "a batch that was refused because replicas were missing passes for a duplicate when it comes again",
			Finds:   []string{"lost-write"},
			Budget:  10,
			profile: profileOf(12*time.Second, 0),
			adjust: func(p script, r *rand.Rand) {
				p.Workload.Params["idempotent"] = 1
				// All but one of the replicas are away for a while.
				for at := 1000; at < 10_000; at += 5000 {
					n := nodes(r, 3)
					p.strike(at, fault.Restart, n[0], 2000)
					p.strike(at+300, fault.Restart, n[1], 1000+r.IntN(1000))
				}
			},
		},
	}
}
