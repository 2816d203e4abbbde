package txn

import (
	"fmt"
	"maps"
	"slices"

	"odradek/broker/wire"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/coordinator"
	"odradek/workloads/client/producer"
)

// refused is an operation that ends at once.
func refused(err error) *Operation {
	return &Operation{Done: true, End: End{Outcome: attempt.Failed, Err: err}}
}

// illegal is why an operation cannot be done in the state.
func (c *Core) illegal() error {
	if c.cause != nil {
		return c.cause
	}
	return fmt.Errorf("%w: %v", ErrState, c.state)
}

// untaken tells whether an operation has ended, or will, without the user knowing: it
// timed out. The same operation must be called again first, as in Java.
func (o *Operation) untaken() bool { return o != nil && !o.Taken }

// Init asks for the producer id, with the epoch that fences earlier producers.
func (c *Core) Init() *Operation {
	switch {
	case c.initialising.untaken():
	case c.state == Uninitialised:
		c.enter(Initialising)
		c.initialising = &Operation{}
	default:
		return refused(c.illegal())
	}
	return c.initialising
}

// Begin begins a transaction.
func (c *Core) Begin() error {
	if c.state != Ready || c.initialising.untaken() || c.ending.untaken() {
		return c.illegal()
	}
	c.enter(InTransaction)
	c.number++
	c.second = c.latest
	c.ending, c.offsets, c.commits = nil, nil, nil
	if c.second {
		c.prod.Begin(c.number, 12, 13)
	} else {
		c.prod.Begin(c.number, 3, 11)
	}
	return nil
}

// SendOffsets makes offsets part of the transaction. The map is kept.
func (c *Core) SendOffsets(g Group, offsets map[wire.TopicPartition]Offset) *Operation {
	c.Notice()
	switch {
	case c.state == InTransaction && c.offsets.untaken():
		return c.offsets
	case c.state != InTransaction:
		return refused(c.illegal())
	case len(offsets) == 0:
		return &Operation{Done: true, End: End{Outcome: attempt.OK}}
	}
	if c.groups[g.ID] == nil {
		c.groups[g.ID] = coordinator.New(coordinator.Group, g.ID, c.meta, c.cfg.Backoff, c.rng)
	}
	c.offsets = &Operation{
		group: g, offsets: offsets,
		left: slices.SortedFunc(maps.Keys(offsets), wire.TopicPartition.Compare),
	}
	return c.offsets
}

// Commit commits once all records have their results.
func (c *Core) Commit() *Operation {
	c.Notice()
	switch {
	case c.ending.untaken() && c.ending.commit:
		return c.ending
	case c.state == InTransaction:
		c.enter(Committing)
		return c.end(true)
	}
	// Whatever the state is, this transaction commits only if that was asked before.
	op := refused(c.illegal())
	op.End.Outcome, op.End.Attempts = attempt.Combine(c.commits), c.commits
	return op
}

// Abort drops the records that were never sent, and aborts once the others have their
// results.
func (c *Core) Abort() *Operation {
	c.Notice()
	switch {
	case c.ending.untaken() && !c.ending.commit:
		return c.ending
	case c.state == InTransaction || c.state == Abortable:
		if c.state == InTransaction {
			c.cause = nil
		}
		c.enter(Aborting)
		c.dropOffsets(ErrAborted)
		c.prod.Drop(ErrAborted)
		return c.end(false)
	}
	return refused(c.illegal())
}

func (c *Core) end(commit bool) *Operation {
	c.ending = &Operation{commit: commit}
	c.prod.Refuse(producer.ErrNoTransaction)
	c.prod.Flush()
	return c.ending
}
