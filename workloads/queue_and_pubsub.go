package workloads

import (
	"fmt"
	"math/rand/v2"
)

// The parameters of queue-and-pubsub besides those of crews.
var queueAndPubsubDefaults = extend(crewDefaults, map[string]int{
	"workers":            4, // members of the group that shares the records
	"subscribers":        2, // groups that each get all
	"subscriber-members": 1, // of each of them
})

func drawQueueAndPubsub(r *rand.Rand) map[string]int {
	pick := picker(r)
	params := drawCrews(r)
	params["workers"] = pick(1, 2, 4, 8)
	params["subscribers"] = pick(1, 2, 3)
	params["subscriber-members"] = pick(1, 1, 2)
	return params
}

// newQueueAndPubsub makes queue-and-pubsub: the members of one group share the records, as
// workers do a queue (those beyond the number of partitions are idle, and ready), while
// each of several other groups gets all of them. Nobody comes or goes, so that a group
// changes only when the cluster's faults make it.
func newQueueAndPubsub(params map[string]int, topic map[string]string) Workload {
	w := &crews{feed: newFeed("queue-and-pubsub", params, topic)}
	w.list = append(w.list, &crew{feed: w.feed, group: "queue", size: max(params["workers"], 1)})
	for i := range params["subscribers"] {
		w.list = append(w.list, &crew{feed: w.feed, group: fmt.Sprintf("subscriber-%d", i), size: max(params["subscriber-members"], 1)})
	}
	return w
}
