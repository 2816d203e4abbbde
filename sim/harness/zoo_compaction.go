package harness

import (
	"maps"
	"math/rand/v2"
	"time"

	"odradek/broker/failpoint"
	"odradek/sim/fault"
)

// zooOfCompaction are bugs of the log cleaner.
func zooOfCompaction() []Specimen {
	return []Specimen{
		{
			Row: 48, Switch: failpoint.ZooPartialCleaning,
			Story:   "the cleaner has no room for all keys of a segment, and forgets which transactions in the rest of it are aborted",
			Finds:   []string{"aborted-read", "last-of-key", "delete-horizon"},
			Budget:  10,
			profile: profileWith("compacted-table", map[string]int{"abort-per-mille": 500, "transactional": 2, "rebuild-ms": 300}, 5*time.Second, 0),
			adjust: func(p script, _ *rand.Rand) {
				maps.Copy(p.Cluster.Config, map[string]string{
					"log.cleaner.backoff.ms": "50", "log.cleaner.io.buffer.size": "2000",
					"log.cleaner.dedupe.buffer.size": "150", // a handful of keys
				})
			},
		},
		{
			Row: 50, Switch: failpoint.ZooCleaningAboveHighWatermark,
			Story:   "what is compacted away was replaced by a record that was never committed, and is truncated",
			Finds:   []string{"cleaned-stable", "last-of-key"},
			Budget:  10,
			profile: profileWith("compacted-table", map[string]int{"keys": 5}, 10*time.Second, time.Second, fault.ProcessCrash, fault.Restart, fault.Pause, fault.SlowLink),
			adjust: func(p script, _ *rand.Rand) {
				maps.Copy(p.Cluster.Config, map[string]string{"log.cleaner.backoff.ms": "50", "log.cleaner.io.buffer.size": "2000"})
			},
		},
	}
}
