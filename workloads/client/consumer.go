package client

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/workloads/client/cluster"
	"odradek/workloads/client/consumer"
)

// Consumer reads the partitions it is assigned.
type Consumer struct {
	net  *network
	core *consumer.Core
	// wake ends the Poll that waits, if any, at the latest at wakeAt (ns).
	wake   func()
	wakeAt int64
}

func newConsumer(n *network, cfg consumer.Config) *Consumer {
	c := &Consumer{net: n, core: consumer.New(cfg, n.meta, n.rng), wakeAt: cluster.Never}
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
		t.Suspend(func(wake func()) {
			c.wake, c.wakeAt = wake, until
			c.net.kick()
		})
	}
	return nil, nil
}

// Seek moves to a position. An epoch makes the position be validated first.
func (c *Consumer) Seek(tp wire.TopicPartition, p consumer.Position) {
	c.core.Seek(tp, p)
	c.net.kick()
}

// SeekTo moves to the beginning, the end, or (ResetTimestamp) to a timestamp in ms.
func (c *Consumer) SeekTo(tp wire.TopicPartition, r consumer.Reset, timestamp int64) {
	c.core.SeekTo(tp, r, timestamp)
	c.net.kick()
}

// Pause keeps a partition from being read, or lets it go on.
func (c *Consumer) Pause(tp wire.TopicPartition, paused bool) {
	c.core.Pause(tp, paused)
	c.net.kick()
}

// Position is where the next record is expected; ok is false while there is none.
func (c *Consumer) Position(tp wire.TopicPartition) (p consumer.Position, ok bool) {
	return c.core.Position(tp)
}

// Stopped tells whether a partition stands still until a seek.
func (c *Consumer) Stopped(tp wire.TopicPartition) bool { return c.core.Stopped(tp) }

// Progress is what the latest fetch said about the partition's log.
func (c *Consumer) Progress(tp wire.TopicPartition) consumer.Progress { return c.core.Progress(tp) }

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

func (c *Consumer) wakeUp() {
	if wake := c.wake; wake != nil {
		c.wake, c.wakeAt = nil, cluster.Never
		wake()
	}
}

func (c *Consumer) poll(now int64) {
	for _, req := range c.core.Poll(now) {
		c.net.call(req, c.net.cfg.RequestTimeout, func(resp kmsg.Response, err error) {
			if err != nil {
				c.core.OnFailure(c.net.now(), req.ID, err)
				return
			}
			c.core.OnResponse(c.net.now(), req.ID, resp)
		})
	}
}

func (c *Consumer) deliver(now int64) {
	if c.core.HasData() || c.wakeAt <= now {
		c.wakeUp()
	}
}

func (c *Consumer) deadline() int64 { return min(c.core.Deadline(), c.wakeAt) }
