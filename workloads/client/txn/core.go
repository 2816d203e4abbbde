package txn

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"odradek/broker/wire"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/cluster"
	"odradek/workloads/client/coordinator"
	"odradek/workloads/client/producer"
)

// Core decides everything a transactional producer does besides sending records. Its
// caller
//
//   - calls Notice before Poll of the producer's core and Poll after it, whenever anything
//     was put in and at Deadline, and sends the requests it returns;
//   - tells the end of each request with OnResponse or OnFailure, once, and of each
//     Produce to the producer's core;
//   - looks after each of these whether the operations it waits for are done;
//   - tells with Protocol what the cluster has finalised.
type Core struct {
	cfg  Config
	prod *producer.Core
	meta *cluster.Metadata
	rng  *rand.Rand

	state   State
	session producer.Session
	// cause of Abortable or Fatal.
	cause error
	// number counts the transactions begun.
	number int
	// latest: the cluster has finalised the second protocol. second: the transaction, or
	// the last one, uses it.
	latest, second bool
	// started: the coordinator may know of the transaction, so it must be ended there.
	started bool
	// bump: a new epoch must be asked for after the transaction. skipEnd: the coordinator
	// does not know the producer id any more, and would refuse to end anything.
	bump, skipEnd bool

	// added partitions of the transaction; wanted in order of asking; adding are those
	// of the request that is being tried (first protocol).
	added          map[wire.TopicPartition]bool
	wanted, adding []wire.TopicPartition
	// addingSent: a request to add may have reached the coordinator.
	addingSent bool

	initialising *Operation
	offsets      *Operation
	ending       *Operation
	// commits are the attempts to commit this transaction.
	commits []attempt.Attempt

	finder *coordinator.Finder
	// groups are the finders of the groups that offsets were sent for.
	groups map[string]*coordinator.Finder
	// lookups under way.
	lookups map[attempt.ID]*coordinator.Finder
	// flying is the one request under way besides lookups; nil for none.
	flying *flying
	// failures in a row, and when the next request may be made (ns).
	failures  int
	notBefore int64
	deadline  int64
	id        attempt.ID
	events    []Event
}

// Event is what the producer learned.
type Event struct {
	// Fenced, or else given a producer id and epoch.
	Fenced  bool
	Session producer.Session
	Err     error
}

// Operation is something that a user waits for.
type Operation struct {
	// Done: End is final.
	Done bool
	End  End
	// Taken is set by the caller when it has handed the end to the user. Until then a
	// call of the same kind gets this operation.
	Taken bool

	commit  bool
	group   Group
	offsets map[wire.TopicPartition]Offset
	// left to commit, and whether the group's partition was added (first protocol).
	left   []wire.TopicPartition
	joined bool
	// unsure: a request of the operation may have had an effect, and no answer told.
	unsure bool
}

func (o *Operation) finish(outcome attempt.Outcome, err error) {
	if o != nil && !o.Done {
		o.Done, o.End.Outcome, o.End.Err = true, outcome, err
	}
}

// pending tells whether the operation is not done.
func (o *Operation) pending() bool { return o != nil && !o.Done }

// New returns a core that directs the producer's. rng gives jitter.
func New(cfg Config, prod *producer.Core, meta *cluster.Metadata, rng *rand.Rand) *Core {
	c := &Core{
		cfg: cfg, prod: prod, meta: meta, rng: rng,
		session:  producer.NoSession,
		added:    make(map[wire.TopicPartition]bool),
		finder:   coordinator.New(coordinator.Transaction, cfg.TransactionalID, meta, cfg.Backoff, rng),
		groups:   make(map[string]*coordinator.Finder),
		lookups:  make(map[attempt.ID]*coordinator.Finder),
		deadline: cluster.Never,
	}
	prod.Direct(c.writable)
	return c
}

// State is where the producer is.
func (c *Core) State() State { return c.state }

// Session is the producer id and epoch of the transaction.
func (c *Core) Session() producer.Session { return c.session }

// Number counts the transactions begun.
func (c *Core) Number() int { return c.number }

// Protocol tells whether the cluster has finalised the second protocol.
func (c *Core) Protocol(second bool) { c.latest = second }

// Deadline is when Poll must be called next if nothing is put in before, in ns. It is
// valid after a Poll.
func (c *Core) Deadline() int64 { return c.deadline }

// Events gives what was learned since the last call.
func (c *Core) Events() []Event {
	es := c.events
	c.events = nil
	return es
}

// writable tells the producer whether a partition may be written to now, and has it added
// to the transaction if that is what it takes.
func (c *Core) writable(tp wire.TopicPartition) bool {
	switch {
	case c.state != InTransaction && c.state != Committing:
		return false
	case c.second:
		c.started = true
		return true
	case c.added[tp]:
		return true
	case !slices.Contains(c.wanted, tp) && !slices.Contains(c.adding, tp):
		c.wanted = append(c.wanted, tp)
	}
	return false
}

// adopt takes a producer id and epoch.
func (c *Core) adopt(s producer.Session) {
	c.session = s
	c.prod.SetSession(s)
	c.events = append(c.events, Event{Session: s})
}

// mustAbort makes the transaction one that can only be aborted.
func (c *Core) mustAbort(err error) {
	if c.state != InTransaction && c.state != Committing || c.flying != nil && c.flying.step == endTransaction {
		return // there is nothing left to save, or it is too late
	}
	c.cause = fmt.Errorf("%w: %w", ErrAbortable, err)
	c.enter(Abortable)
	// In the second protocol EndTxn answers with the next epoch.
	c.bump = c.bump || !c.second
	if c.ending.pending() {
		c.ending.finish(attempt.Combine(c.commits), c.cause)
	}
	c.dropOffsets(c.cause)
	c.prod.Refuse(c.cause)
	c.prod.Drop(c.cause)
}

// dropOffsets ends an operation that sends offsets, for the user. What it has under way
// must still be known before the transaction is ended.
func (c *Core) dropOffsets(err error) {
	if c.offsets.pending() {
		c.offsets.finish(attempt.Combine(c.offsets.End.Attempts), err)
	}
}

// die ends everything.
func (c *Core) die(err error) {
	if c.state == Fatal {
		return
	}
	c.cause = err
	c.enter(Fatal)
	c.initialising.finish(attempt.Unknown, err)
	c.dropOffsets(err)
	if c.ending.pending() {
		if outcome := attempt.Combine(c.ending.End.Attempts); outcome == attempt.OK {
			c.ending.finish(outcome, nil) // what failed is the new epoch after it
		} else {
			c.ending.finish(outcome, err)
		}
	}
	c.prod.Refuse(err)
	c.prod.Fail(err)
}

// fenced ends everything because of another producer.
func (c *Core) fenced(err error) {
	if c.state == Fatal {
		return
	}
	c.die(fmt.Errorf("%w: %w", ErrFenced, err))
	c.events = append(c.events, Event{Fenced: true, Session: c.session, Err: err})
}

// Close ends what is pending, with producer.ErrClosed. The producer's core is closed by
// its owner.
func (c *Core) Close() {
	c.die(producer.ErrClosed)
	c.deadline = cluster.Never
}
