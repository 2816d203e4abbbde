package workloads

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/checker/history"
	"odradek/workloads/client"
	"odradek/workloads/client/group"
)

// The parameters of exactly-once besides those of the feed of its inputs.
var exactlyOnceDefaults = extend(feedDefaults, map[string]int{
	"all-acks":               1,
	"idempotent":             1,
	"workers":                3, // members of the group, each with a transactional id of its own
	"output-partitions":      2,
	"protocol":               0, // of the group; 0: classic; 1: consumer (KIP-848), where the cluster has it
	"static":                 0, // 1: the workers are static members
	"transaction-version":    2, // of the cluster: 1 is the first protocol of transactions
	"later-version":          2, // the same, after later-ms
	"later-ms":               0, // 0: it stays as it is
	"batch":                  20,
	"transaction-timeout-ms": 4000,
	"session-timeout-ms":     1500, // of the classic protocol
	"max-poll-ms":            5000, // max.poll.interval.ms
	"abort-per-mille":        50,   // of the transactions are aborted by choice,
	"crash-per-mille":        20,   // so many end with a crash in the middle of one,
	"linger-per-mille":       20,   // so many take longer than transactions or sessions may,
	"zombie-per-mille":       20,   // and so often a worker is replaced and goes on
	"offsets-apart":          0,    // 1: offsets are committed after the transaction: at least once
	"committed-readers":      1,    // who read committed records
	"uncommitted-readers":    1,    // who read all
})

func drawExactlyOnce(r *rand.Rand) map[string]int {
	pick := picker(r)
	params := drawFeed(r)
	params["topics"] = 1
	params["all-acks"], params["idempotent"] = 1, 1
	params["workers"] = pick(1, 2, 3, 4)
	params["output-partitions"] = pick(1, 2, 3)
	// With a request for each record a transaction can take longer than it may, for ever.
	params["batch-bytes"] = max(params["batch-bytes"], 2048)
	params["protocol"] = pick(0, 1)
	params["static"] = pick(0, 0, 0, 1)
	params["transaction-version"] = pick(1, 2, 2)
	params["later-version"] = pick(1, 2)
	params["later-ms"] = pick(0, 0, 3000, 12000)
	params["batch"] = pick(1, 5, 20, 100)
	// No more than the workers can catch up with: each ends a few transactions a second.
	rate := max(1, min(1_000_000*params["producers"]/params["pace-us"], 2*params["workers"]*params["batch"]))
	params["pace-us"] = params["producers"] * 1_000_000 / rate
	params["at-least"] = min(1000, 20*rate)
	params["transaction-timeout-ms"] = pick(1000, 4000, 10000)
	params["session-timeout-ms"] = pick(600, 1500, 3000)
	params["max-poll-ms"] = pick(1500, 5000)
	params["abort-per-mille"] = pick(0, 50, 200)
	params["crash-per-mille"] = pick(0, 10, 50)
	params["linger-per-mille"] = pick(0, 10, 50)
	params["zombie-per-mille"] = pick(0, 10, 50)
	params["committed-readers"] = pick(0, 1, 2)
	params["uncommitted-readers"] = pick(0, 1)
	return params
}

// exactlyOnce: idempotent producers write inputs, and workers, who are members of one group
// and each a transactional producer, write one output for each, in the transaction that
// commits the input's offset.
type exactlyOnce struct {
	*feed
	protocol group.Protocol
	// done: nothing is left to be processed, or it took too long.
	done bool
}

func newExactlyOnce(params map[string]int, topic map[string]string) Workload {
	for _, name := range []string{"workers", "output-partitions", "batch", "transaction-timeout-ms"} {
		params[name] = max(params[name], 1)
	}
	return &exactlyOnce{feed: newFeed("exactly-once", params, topic)}
}

const exactlyOnceGroup = "exactly-once"

func (w *exactlyOnce) output() string { return w.name + "-output" }

func (w *exactlyOnce) outputs() []wire.TopicPartition {
	var tps []wire.TopicPartition
	for p := range w.params["output-partitions"] {
		tps = append(tps, wire.TopicPartition{Topic: w.output(), Partition: int32(p)})
	}
	return tps
}

// Promise implements Promising.
func (w *exactlyOnce) Promise(g *history.Guarantees) {
	g.Pipelines = append(g.Pipelines, history.Pipeline{
		Group: exactlyOnceGroup, Inputs: w.topics(), Output: w.output(), AtLeastOnce: w.params["offsets-apart"] != 0,
	})
}

// Setup implements Workload.
func (w *exactlyOnce) Setup(t *env.Task, s *Site) error {
	if err := w.feed.Setup(t, s); err != nil {
		return err
	}
	c := s.client("setup-outputs", w.requestTimeout(), nil)
	defer c.Close()
	admin := c.NewAdmin().WithTimeout(setupTimeout)
	if err := w.createTopic(t, s, admin, w.output(), w.params["output-partitions"], w.topic); err != nil {
		return err
	}
	if err := w.speak(t, admin, w.params["transaction-version"]); err != nil {
		return err
	}
	if w.params["protocol"] == 1 && admin.FinalizedLevel("group.version") >= 1 {
		w.protocol = group.Consumer
	}
	return nil
}

// speak finalises a protocol of transactions.
func (w *exactlyOnce) speak(t *env.Task, admin *client.Admin, version int) error {
	if _, err := admin.DescribeCluster(t); err != nil { // to learn what is finalised
		return fmt.Errorf("describe the cluster: %w", err)
	}
	if version == int(admin.FinalizedLevel("transaction.version")) {
		return nil
	}
	if err := admin.UpdateFeature(t, "transaction.version", int16(version)); err != nil {
		return fmt.Errorf("set transaction.version to %d: %w", version, err)
	}
	return nil
}

// Users implements Workload.
func (w *exactlyOnce) Users() []User {
	users := append(w.producers(), w.foreman())
	for i := range w.params["workers"] {
		users = append(users, w.worker(i))
	}
	for i := range w.params["committed-readers"] {
		users = append(users, w.reader(fmt.Sprintf("committed-reader-%d", i), true))
	}
	for i := range w.params["uncommitted-readers"] {
		users = append(users, w.reader(fmt.Sprintf("uncommitted-reader-%d", i), false))
	}
	if w.params["later-ms"] > 0 {
		users = append(users, User{Name: "upgrader", Run: func(t *env.Task, s *Site) {
			s.sleep(t, w.duration("later-ms", time.Millisecond))
			c := s.client("upgrader", w.requestTimeout(), nil)
			defer c.Close()
			admin := c.NewAdmin().WithTimeout(2 * w.requestTimeout())
			for w.speak(t, admin, w.params["later-version"]) != nil && !s.stopping() {
				s.sleep(t, 100*time.Millisecond)
			}
		}})
	}
	return users
}

// processWithin bounds how long the workers may take for what is left, after everything has
// healed and nothing more is written.
const processWithin = time.Minute

// foreman tells the workers when nothing is left to be done.
func (w *exactlyOnce) foreman() User {
	return User{Name: "foreman", Run: func(t *env.Task, s *Site) {
		c := s.client("foreman", w.requestTimeout(), nil)
		defer c.Close()
		admin := c.NewAdmin().WithTimeout(2 * w.requestTimeout())
		for w.producing > 0 || !s.stopping() {
			s.sleep(t, 100*time.Millisecond)
		}
		until := s.Env.Clock.Now().Add(processWithin)
		for !w.processed(t, admin) && s.Env.Clock.Now() < until {
			s.sleep(t, 200*time.Millisecond)
		}
		w.done = true
	}}
}

// processed reports whether the group has committed everything.
func (w *exactlyOnce) processed(t *env.Task, admin *client.Admin) bool {
	tps := w.partitions()
	got, err := admin.ListConsumerGroupOffsets(t, exactlyOnceGroup, tps, true)
	if err != nil {
		return false
	}
	for _, tp := range tps {
		end, err := admin.ListOffset(t, tp, client.LatestOffset, true)
		if err != nil || got[tp].Offset < end.Offset {
			return false
		}
	}
	return true
}

// reader reads inputs and outputs from the beginning, until everything is done and nothing
// more comes.
func (w *exactlyOnce) reader(name string, committed bool) User {
	return User{Name: name, Run: func(t *env.Task, s *Site) {
		c := s.client(name, w.requestTimeout(), nil)
		defer c.Close()
		cfg := w.consumerConfig()
		cfg.ReadCommitted = committed
		newReader(s, name, c, cfg, append(w.partitions(), w.outputs()...)).follow(t, cfg.MaxWait, func() bool { return w.done })
	}}
}

// Final implements Workload.
func (w *exactlyOnce) Final(t *env.Task, s *Site) error {
	if err := w.finalReads(t, s, append(w.partitions(), w.outputs()...), true); err != nil {
		return err
	}
	a := &administered{site: s, process: "final-offsets"}
	c := w.finalClient(s, a.process, a)
	defer c.Close()
	admin := c.NewAdmin()
	tps := w.partitions()
	with := history.Event{Which: history.Live, Isolation: history.ReadCommitted}
	for _, stable := range []bool{true, false} {
		_, err := a.committed(t, admin.WithTimeout(stableWithin), history.FinalCommitted, exactlyOnceGroup, tps, stable, with)
		switch {
		case err == nil:
			return nil
		case stable && errors.Is(err, kerr.UnstableOffsetCommit):
			// A transaction hangs, perhaps because its coordinator has lost it to a fault. What
			// is left to be processed for that reason is for others to judge.
		default:
			return fmt.Errorf("final offsets: %w", err)
		}
	}
	return nil
}

// stableWithin is how long offsets may take to be those of transactions that have ended.
const stableWithin = 30 * time.Second
