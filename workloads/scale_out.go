package workloads

import (
	"fmt"
	"math/rand/v2"
	"time"

	"odradek/broker/env"
	"odradek/broker/wire"
)

// The parameters of scale-out besides those of a feed.
var scaleOutDefaults = extend(feedDefaults, map[string]int{
	"all-acks":       1,
	"idempotent":     1,
	"partitions":     6,
	"operations":     0,
	"at-least":       1000,
	"consumers":      1,
	"throttle-bytes": 200_000, // of the replication of what is being moved, a second, of each broker; 0: no bound
	"rest-ms":        500,     // between two steps of the operator
	"stall-ms":       20_000,  // no partition may go without an acknowledgement for longer
})

func drawScaleOut(r *rand.Rand) map[string]int {
	pick := picker(r)
	params := drawFeed(r)
	params["all-acks"], params["idempotent"] = 1, 1
	params["partitions"] = pick(1, 4, 8)
	params["outstanding"] = pick(10, 100)
	params["consumers"] = pick(0, 1, 2)
	params["throttle-bytes"] = pick(0, 200_000, 1_000_000)
	params["rest-ms"] = pick(0, 500, 2000)
	return params
}

// scaleOut: while producers write, an operator has brokers join, moves replicas to them,
// restarts all brokers one after another, empties one and takes it away for good.
type scaleOut struct {
	*feed
	// last is when each partition acknowledged a record last, in ns of the host's clock,
	// and stall the longest time without, in which partition and until when.
	last  map[wire.TopicPartition]env.Time
	stall struct {
		time.Duration
		tp    wire.TopicPartition
		until int64
	}
	// stuck is the step that the operator could not end, or "".
	stuck string
}

func newScaleOut(params map[string]int, topic map[string]string) Workload {
	w := &scaleOut{feed: newFeed("scale-out", params, topic), last: make(map[wire.TopicPartition]env.Time)}
	w.acknowledged = w.goes
	return w
}

// goes takes down that a partition is alive.
func (w *scaleOut) goes(s *Site, tp wire.TopicPartition) {
	now := s.Env.Clock.Now()
	if last, ok := w.last[tp]; ok && now.Sub(last) > w.stall.Duration {
		w.stall.Duration, w.stall.tp, w.stall.until = now.Sub(last), tp, s.now()
	}
	w.last[tp] = now
}

// Users implements Workload.
func (w *scaleOut) Users() []User {
	users := w.producers()
	for i := range w.params["consumers"] {
		name := fmt.Sprintf("consumer-%d", i)
		users = append(users, User{Name: name, Run: func(t *env.Task, s *Site) { w.follow(t, s, name) }})
	}
	return append(users, User{Name: "operator", Run: func(t *env.Task, s *Site) {
		if s.Machines != nil {
			newOperator(w, s).run(t)
		}
	}})
}

// follow reads everything, until nothing more comes.
func (w *scaleOut) follow(t *env.Task, s *Site, name string) {
	c := s.client(name, w.requestTimeout(), nil)
	defer c.Close()
	cfg := w.consumerConfig()
	newReader(s, name, c, cfg, w.partitions()).follow(t, cfg.MaxWait, func() bool { return w.producing == 0 })
}

// Final implements Workload.
func (w *scaleOut) Final(t *env.Task, s *Site) error {
	if err := w.feed.Final(t, s); err != nil {
		return err
	}
	switch most := w.duration("stall-ms", time.Millisecond); {
	case w.stuck != "":
		return &Finding{Name: "operator-stuck", Sentence: fmt.Sprintf("%v after everything had healed the operator still waits: %s", operateWithin, w.stuck)}
	case w.stall.Duration > most:
		return &Finding{Name: "stalled", Sentence: fmt.Sprintf("%v acknowledged nothing for %v, until %v; no more than %v is expected", w.stall.tp, w.stall.Duration, time.Duration(w.stall.until), most)}
	}
	return nil
}
