package harness

import (
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
	}
}
