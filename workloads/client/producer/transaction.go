package producer

import (
	"slices"

	"odradek/broker/wire"
)

// Fault is something that keeps a transaction from committing: a record of it was not
// appended, or nobody knows.
type Fault struct {
	wire.TopicPartition
	// Code is the broker's, 0 if it is not what ended the record.
	Code int16
	Err  error
}

// The methods below are for the core of transactions, which directs this one.

// Direct hands the core over. gate tells whether a partition may be written to now; it
// is asked when a batch for it is ready, and again later if it says no.
func (c *Core) Direct(gate func(wire.TopicPartition) bool) {
	if c.cfg.TransactionalID == "" {
		panic("producer: directed, but not transactional")
	}
	c.gate = gate
	c.Refuse(ErrNoTransaction)
}

// SetSession gives the producer id and epoch of the next transaction. Nothing may be
// unanswered.
func (c *Core) SetSession(s Session) {
	if c.Unanswered() {
		panic("producer: a new session with records of the old one")
	}
	c.identity.session = s
	for _, p := range c.acc.parts {
		p.nums.unresolved, p.nums.rewind = 0, false
	}
}

// Begin has the records that follow belong to the transaction of that number. The versions
// of Produce tell brokers its protocol.
func (c *Core) Begin(transaction int, lowest, highest int16) {
	c.transaction, c.lowest, c.highest = transaction, lowest, highest
	c.refusing = nil
}

// Refuse makes Send refuse records with the error, until Begin.
func (c *Core) Refuse(err error) { c.refusing = err }

// Faults gives what went wrong since the last call.
func (c *Core) Faults() []Fault {
	fs := c.faults
	c.faults = nil
	return fs
}

func (c *Core) fault(tp wire.TopicPartition, code int16, err error) {
	if c.cfg.TransactionalID != "" {
		c.faults = append(c.faults, Fault{TopicPartition: tp, Code: code, Err: err})
	}
}

// Fail ends all records. Answers to what is on the wire will find nobody.
func (c *Core) Fail(err error) {
	for _, w := range c.waiting {
		c.refuse(w.token, &w.record, err)
	}
	c.waiting = nil
	for _, b := range c.unanswered() {
		c.answer(b, err)
	}
	for _, p := range c.acc.parts {
		p.queue = nil
	}
}

// Drop ends the records that were never sent.
func (c *Core) Drop(err error) {
	for _, w := range c.waiting {
		c.refuse(w.token, &w.record, err)
	}
	c.waiting = nil
	for _, p := range c.acc.parts {
		p.queue = slices.DeleteFunc(p.queue, func(b *batch) bool {
			if len(b.attempts) > 0 {
				return false
			}
			c.answer(b, err)
			return true
		})
	}
}
