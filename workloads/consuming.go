package workloads

import (
	"fmt"
	"math/rand/v2"
	"time"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/checker/history"
	"odradek/workloads/client"
	"odradek/workloads/client/consumer"
)

// consumer is the i-th consumer of append-read.
func (w *appendRead) consumer(i int) User {
	name := fmt.Sprintf("consumer-%d", i)
	return User{Name: name, Run: func(t *env.Task, s *Site) { w.consume(t, s, name, i) }}
}

func (w *appendRead) consumerConfig(i int) consumer.Config {
	cfg := w.feed.consumerConfig()
	cfg.Reset = []consumer.Reset{consumer.ResetNone, consumer.ResetEarliest, consumer.ResetLatest}[i%3]
	cfg.FetchEpochs = i%2 == 1
	cfg.PartitionMaxBytes = w.params["fetch-bytes"]
	cfg.MaxPollRecords = []int{7, 100}[i%2]
	return cfg
}

// consumerConfig is the default, but for polls that end while somebody waits.
func (w *feed) consumerConfig() consumer.Config {
	cfg := consumer.DefaultConfig()
	cfg.MaxWait = min(cfg.MaxWait, w.requestTimeout()/2)
	return cfg
}

// idlePolls without anything end a consumer once the producers are done.
const idlePolls = 5

// maxSeek is how many records a seek goes back at most.
const maxSeek = 50

// consume reads a random part of the partitions until the producers are done and
// nothing more comes.
func (w *appendRead) consume(t *env.Task, s *Site, name string, i int) {
	cfg := w.consumerConfig(i)
	c := s.client(name, w.requestTimeout(), nil)
	defer c.Close()
	rng := s.Env.Rand.Stream("workload/" + name)
	tps := w.share(rng)
	reader := newReader(s, name, c, cfg, tps)
	admin := c.NewAdmin().WithTimeout(w.requestTimeout())
	pause := w.duration("poll-pause-us", time.Microsecond)
	for idle := 0; idle < idlePolls && !s.stopping(); {
		if reader.poll(t, cfg.MaxWait) {
			idle = 0
		} else if w.producing == 0 {
			idle++
		}
		// Not for ever: with enough seeks a consumer would never arrive at the end.
		if w.producing > 0 && rng.IntN(1000) < w.params["seek-per-mille"] {
			w.wander(t, rng, reader, admin, tps[rng.IntN(len(tps))])
		}
		if pause > 0 && !s.stopping() {
			s.sleep(t, about(rng, pause))
		}
	}
}

// share is a random, not empty part of the partitions.
func (w *appendRead) share(rng *rand.Rand) []wire.TopicPartition {
	all := w.partitions()
	var some []wire.TopicPartition
	for _, tp := range all {
		if rng.IntN(2) == 0 {
			some = append(some, tp)
		}
	}
	if len(some) == 0 {
		some = append(some, all[rng.IntN(len(all))])
	}
	return some
}

// wander asks for the end of a partition, or moves back in it.
func (w *appendRead) wander(t *env.Task, rng *rand.Rand, r *reader, admin *client.Admin, tp wire.TopicPartition) {
	if rng.IntN(2) == 0 {
		// What went wrong is in the history.
		_, _ = r.listed(tp, "latest", func() (client.ListedOffset, error) {
			return admin.ListOffset(t, tp, client.LatestOffset, false)
		})
		return
	}
	p, ok := r.consumer.Position(tp)
	if !ok || p.Offset == 0 {
		return
	}
	// Without an epoch: nobody remembers those of old positions.
	back := 1 + wire.Offset(rng.Int64N(min(int64(p.Offset), maxSeek)))
	to := consumer.Position{Offset: p.Offset - back, Epoch: wire.NoLeaderEpoch}
	r.moved(tp, to.Offset, "seek")
	r.consumer.Seek(tp, to)
}

// reader polls a consumer and deals with what does not simply go on.
type reader struct {
	positions
	consumer *client.Consumer
}

// newReader makes a consumer that reads partitions from the beginning.
func newReader(s *Site, process string, c *client.Client, cfg consumer.Config, tps []wire.TopicPartition) *reader {
	con := c.NewConsumer(cfg)
	r := &reader{positions{reads{site: s, process: process}, con}, con}
	if cfg.ReadCommitted {
		r.isolation = history.ReadCommitted
	}
	con.Assign(tps)
	for _, tp := range tps {
		r.moved(tp, wire.NoOffset, "assigned")
		r.fromBeginning(tp)
	}
	return r
}

// poll reports whether anything came.
func (r *reader) poll(t *env.Task, wait time.Duration) bool {
	records, events := r.consumer.Poll(t, wait)
	// Events first: within one answer of the consumer, what moved a position came
	// before the records read from there.
	for _, e := range events {
		r.event(e)
	}
	r.polled(records)
	return len(records)+len(events) > 0
}

// follow reads until nothing more comes after everything is done.
func (r *reader) follow(t *env.Task, wait time.Duration, done func() bool) {
	for idle := 0; idle < idlePolls; {
		if r.poll(t, wait) {
			idle = 0
		} else if done() {
			idle++
		}
	}
}

// seeker is a consumer of either kind, as far as its positions go.
type seeker interface {
	Seek(tp wire.TopicPartition, p consumer.Position)
	SeekTo(tp wire.TopicPartition, to consumer.Reset, timestamp int64)
}

// positions records where a consumer reads, and moves it where it does not simply go on.
type positions struct {
	reads
	seeker seeker
}

func (r *positions) fromBeginning(tp wire.TopicPartition) {
	r.seeker.SeekTo(tp, consumer.ResetEarliest, 0)
}

// event records an event and, where the consumer stands still, goes on as a user
// would: where the logs part, else where it stood, else from the beginning.
func (r *positions) event(e consumer.Event) {
	why := e.Kind.String()
	if e.Err != nil {
		why += ": " + e.Err.Error()
	}
	switch {
	case e.Kind == consumer.WasReset, e.Kind == consumer.Truncated && !e.Stopped:
		r.moved(e.TopicPartition, e.To.Offset, why)
	case !e.Stopped:
		r.moved(e.TopicPartition, wire.NoOffset, why) // a reset follows
	case e.Kind == consumer.Truncated && e.To.Offset != wire.NoOffset:
		r.moved(e.TopicPartition, e.To.Offset, why)
		r.seeker.Seek(e.TopicPartition, e.To)
	case e.Kind == consumer.Corrupt:
		r.moved(e.TopicPartition, e.From.Offset, why)
		r.seeker.Seek(e.TopicPartition, e.From)
	default:
		r.moved(e.TopicPartition, wire.NoOffset, why)
		r.fromBeginning(e.TopicPartition)
	}
}
