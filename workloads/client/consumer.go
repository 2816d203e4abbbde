package client

import (
	"time"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/workloads/client/consumer"
)

// Consumer reads the partitions it is assigned.
type Consumer struct{}

// Assign replaces the assignment. Partitions that stay keep their position; new
// ones start by the reset policy (or are stopped, with ResetNone, until a seek).
func (c *Consumer) Assign(tps []wire.TopicPartition) { panic("first commit: API only") }

// Poll waits at most maxWait for records or events and returns what is there, in
// log order within a partition.
func (c *Consumer) Poll(t *env.Task, maxWait time.Duration) ([]consumer.Record, []consumer.Event) {
	panic("first commit: API only")
}

// Seek moves to a position. An epoch makes the position be validated first.
func (c *Consumer) Seek(tp wire.TopicPartition, p consumer.Position) { panic("first commit: API only") }

// SeekTo moves to the beginning, the end, or (ResetTimestamp) to a timestamp in ms.
func (c *Consumer) SeekTo(tp wire.TopicPartition, r consumer.Reset, timestamp int64) {
	panic("first commit: API only")
}

// Position is where the next record is expected; ok is false while there is none.
func (c *Consumer) Position(tp wire.TopicPartition) (p consumer.Position, ok bool) {
	panic("first commit: API only")
}

// Progress is what the latest fetch said about the partition's log.
func (c *Consumer) Progress(tp wire.TopicPartition) consumer.Progress {
	panic("first commit: API only")
}

// Close ends the consumer; a waiting Poll returns nothing.
func (c *Consumer) Close() { panic("first commit: API only") }
