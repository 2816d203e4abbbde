package client

import (
	"odradek/broker/env"
	"odradek/workloads/client/producer"
)

// Producer sends records.
type Producer struct{}

// Send sends a record and waits for its result.
func (p *Producer) Send(t *env.Task, r producer.Record) producer.Result {
	panic("first commit: API only")
}

// SendAsync sends a record; done gets its result on a later turn of the loop.
// Records that wait for memory or metadata keep their order. The token is the one
// of the result.
func (p *Producer) SendAsync(r producer.Record, done func(producer.Result)) producer.Token {
	panic("first commit: API only")
}

// Flush makes all accepted records sendable at once and waits for their results.
func (p *Producer) Flush(t *env.Task) { panic("first commit: API only") }

// Pending is how many records have no result yet.
func (p *Producer) Pending() int { panic("first commit: API only") }

// Close ends the producer; pending records end with producer.ErrClosed on a later
// turn of the loop (outcome unknown if they were ever sent). Flush first to avoid
// that.
func (p *Producer) Close() { panic("first commit: API only") }
