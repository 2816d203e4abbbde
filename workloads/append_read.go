package workloads

import "math/rand/v2"

// The parameters of append-read besides those of a feed. Consumers differ from one another
// by their number, as producers do.
var appendReadDefaults = extend(feedDefaults, map[string]int{
	"consumers":      2,
	"fetch-bytes":    4096, // max.partition.fetch.bytes
	"poll-pause-us":  0,    // mean pause between two polls of a consumer
	"seek-per-mille": 10,   // of a consumer's polls
	"churn":          1,    // users who create, change and delete other topics
})

func drawAppendRead(r *rand.Rand) map[string]int {
	pick := picker(r)
	producers := pick(1, 3, 4, 6)
	outstanding := pick(1, 3, 10, 100)
	if producers == 1 && outstanding == 1 {
		outstanding = 3 // alone, one at a time: too slow for at-least
	}
	rate := pick(100, 100, 200, 400) // records a second of all together
	return map[string]int{
		"topics":     pick(1, 1, 2),
		"partitions": pick(1, 2, 3, 5),
		"producers":  producers,
		"all-acks":   pick(0, 0, 1),
		"consumers":  pick(1, 2, 3),
		// Mostly until told to stop, so that every fault finds somebody at work.
		"operations":          pick(0, 0, 0, 2400/producers),
		"at-least":            2000,
		"pace-us":             producers * 1_000_000 / rate,
		"outstanding":         outstanding,
		"value-bytes":         pick(8, 20, 20, 200, 1000),
		"batch-bytes":         pick(100, 2048, 16384),
		"linger-us":           pick(0, 1000, 10000),
		"compressed":          pick(0, 1),
		"fetch-bytes":         pick(100, 4096, 1<<20),
		"poll-pause-us":       pick(2000, 5000, 20000), // else one that seeks a lot and fetches little spins
		"seek-per-mille":      pick(0, 10, 100),
		"churn":               pick(0, 1, 1, 2),
		"request-timeout-ms":  pick(500, 2000, 5000),
		"delivery-timeout-ms": pick(3000, 10000, 20000),
	}
}

// appendRead: producers with all settings of acks append unique values to a few
// partitions, consumers by assignment read them, others make topics come and go.
type appendRead struct{ *feed }

func newAppendRead(params map[string]int, topic map[string]string) Workload {
	params["fetch-bytes"] = max(params["fetch-bytes"], 1)
	return &appendRead{newFeed("append-read", params, topic)}
}

// Users implements Workload.
func (w *appendRead) Users() []User {
	users := w.producers()
	for i := range w.params["consumers"] {
		users = append(users, w.consumer(i))
	}
	for i := range w.params["churn"] {
		users = append(users, w.churner(i))
	}
	return users
}
