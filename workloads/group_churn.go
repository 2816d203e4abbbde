package workloads

import (
	"fmt"
	"math/rand/v2"
)

// The parameters of group-churn besides those of crews.
var groupChurnDefaults = extend(crewDefaults, map[string]int{
	"groups":  1,
	"members": 3, // of each group
	"stay-ms": 3000,
	"zombies": 1,
})

// drawCrews draws parameters of crews and of the feed that they read.
func drawCrews(r *rand.Rand) map[string]int {
	pick := picker(r)
	params := drawFeed(r)
	params["protocol"] = pick(0, 1, 2)
	params["assignor"] = pick(0, 1, 2, 3, 4)
	params["static"] = pick(0, 0, 1, 2)
	params["commit"] = pick(0, 1, 2, 3)
	params["session-timeout-ms"] = pick(600, 1500, 3000)
	params["heartbeat-ms"] = params["session-timeout-ms"] / pick(3, 6)
	params["max-poll-ms"] = pick(1000, 3000)
	params["auto-commit-ms"] = pick(100, 500, 2000)
	params["fetch-bytes"] = pick(1024, 4096, 1<<20)
	params["process-us"] = pick(0, 2000, 20000)
	return params
}

func drawGroupChurn(r *rand.Rand) map[string]int {
	pick := picker(r)
	params := drawCrews(r)
	params["groups"] = pick(1, 1, 2, 3)
	params["members"] = pick(1, 2, 3, 5)
	params["at-most-once"] = pick(0, 0, 0, 1)
	params["stay-ms"] = pick(1000, 3000, 8000)
	params["away-ms"] = pick(100, 1000, 3000)
	params["zombies"] = pick(0, 1)
	return params
}

// newGroupChurn makes group-churn: members join groups, leave them, crash, pause past their
// session and come back, while they read what producers write.
func newGroupChurn(params map[string]int, topic map[string]string) Workload {
	w := &crews{feed: newFeed("group-churn", params, topic)}
	for i := range params["groups"] {
		w.list = append(w.list, &crew{feed: w.feed, group: fmt.Sprintf("group-%d", i), size: max(params["members"], 1)})
	}
	return w
}
