package client

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/cluster"
	"odradek/workloads/client/consumer"
)

// reader is what consumers by assignment and members of groups have in common: positions
// and records of the partitions they hold. Asking for another partition panics.
type reader struct {
	net  *network
	core *consumer.Core
	// wake ends the Poll that waits, if any, at the latest at wakeAt (ns).
	wake   func()
	wakeAt int64
}

// Seek moves to a position. An epoch makes the position be validated first.
func (r *reader) Seek(tp wire.TopicPartition, p consumer.Position) {
	r.core.Seek(tp, p)
	r.net.kick()
}

// SeekTo moves to the beginning, the end, or (ResetTimestamp) to a timestamp in ms.
func (r *reader) SeekTo(tp wire.TopicPartition, to consumer.Reset, timestamp int64) {
	r.core.SeekTo(tp, to, timestamp)
	r.net.kick()
}

// Position is where the next record is expected; ok is false while there is none.
func (r *reader) Position(tp wire.TopicPartition) (p consumer.Position, ok bool) {
	return r.core.Position(tp)
}

// Stopped tells whether a partition stands still until a seek.
func (r *reader) Stopped(tp wire.TopicPartition) bool { return r.core.Stopped(tp) }

// Progress is what the latest fetch said about the partition's log.
func (r *reader) Progress(tp wire.TopicPartition) consumer.Progress { return r.core.Progress(tp) }

// sleep parks a Poll until there is something to look at, or until then (ns).
func (r *reader) sleep(t *env.Task, until int64) {
	t.Suspend(func(wake func()) {
		r.wake, r.wakeAt = wake, until
		r.net.kick()
	})
}

func (r *reader) wakeUp() {
	if wake := r.wake; wake != nil {
		r.wake, r.wakeAt = nil, cluster.Never
		wake()
	}
}

// answer gives the core the end of a request.
func (r *reader) answer(id attempt.ID, resp kmsg.Response, err error) {
	if err != nil {
		r.core.OnFailure(r.net.now(), id, err)
		return
	}
	r.core.OnResponse(r.net.now(), id, resp)
}

// Consumer reads the partitions it is assigned.
type Consumer struct{ reader }

func newConsumer(n *network, cfg consumer.Config) *Consumer {
	c := &Consumer{reader{net: n, core: consumer.New(cfg, n.meta, n.rng), wakeAt: cluster.Never}}
	n.core = c
	return c
}

// Assign replaces the assignment. Partitions that stay keep their position; new
// ones start by the reset policy (or are stopped, with ResetNone, until a seek).
func (c *Consumer) Assign(tps []wire.TopicPartition) {
	c.core.Assign(tps)
	c.net.kick()
}

// Poll waits at most maxWait for records or events and returns what is there, in
// log order within a partition. One Poll may wait at a time. On a closed consumer it
// returns nothing.
func (c *Consumer) Poll(t *env.Task, maxWait time.Duration) ([]consumer.Record, []consumer.Event) {
	if c.wake != nil {
		panic("client: two polls of one consumer at the same time")
	}
	until := c.net.now() + int64(max(maxWait, 0))
	for !c.net.closed {
		records, events := c.core.Take()
		if len(records) > 0 || len(events) > 0 {
			c.net.kick() // there is room for the next fetch
			return records, events
		}
		if c.net.now() >= until {
			break
		}
		c.sleep(t, until)
	}
	return nil, nil
}

// Close ends the consumer; a waiting Poll returns nothing.
func (c *Consumer) Close() {
	if c.net.closed {
		return
	}
	c.net.close()
	if c.wake != nil {
		c.net.env.Clock.After(0, c.wakeUp)
	}
}

func (c *Consumer) poll(now int64) {
	for _, req := range c.core.Poll(now) {
		c.net.call(req, c.net.cfg.RequestTimeout, func(resp kmsg.Response, err error) {
			c.answer(req.ID, resp, err)
		})
	}
}

func (c *Consumer) deliver(now int64) {
	if c.core.HasData() || c.wakeAt <= now {
		c.wakeUp()
	}
}

func (c *Consumer) deadline() int64 { return min(c.core.Deadline(), c.wakeAt) }
