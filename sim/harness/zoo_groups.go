package harness

import (
	"maps"
	"math/rand/v2"
	"time"

	"odradek/broker/failpoint"
)

// zooOfGroups are bugs of consumer groups and their coordinators.
func zooOfGroups() []Specimen {
	return []Specimen{
		{
			Row: 58, Switch: failpoint.ZooStaticMemberNotFenced,
			Story:   "the process that had a static member's id before goes on beside the one that took it over",
			Finds:   []string{"double-ownership"},
			Budget:  10,
			profile: profileWith("group-churn", map[string]int{"static": 2, "zombies": 1, "stay-ms": 1500, "session-timeout-ms": 3000}, 12*time.Second, 0),
		},
		{
			Row: 60, Switch: failpoint.ZooOffsetsExpireInRebalance,
			Story:  "offsets that nothing was added to for long expire when a rebalance takes its time, and the group begins anew",
			Finds:  []string{"commit-regression"},
			Budget: 10,
			// Retention is in minutes: the group has nothing to do for more than one of them.
			profile: profileWith("group-churn", map[string]int{
				"operations": 100, "groups": 6, "members": 1, "zombies": 0, "stay-ms": 65_000,
			}, 140*time.Second, 0),
			adjust: func(p script, _ *rand.Rand) {
				maps.Copy(p.Cluster.Config, map[string]string{
					"offsets.retention.minutes": "1", "offsets.retention.check.interval.ms": "100",
					"group.initial.rebalance.delay.ms": "500",
				})
			},
		},
	}
}
