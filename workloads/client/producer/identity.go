package producer

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
	"odradek/workloads/client/attempt"
)

// Session is a producer id with its epoch: what brokers know an idempotent producer by.
// A new epoch starts new sequence numbers in every partition.
type Session struct {
	ID    int64
	Epoch int16
}

// NoSession is what a producer has until it was given an id.
var NoSession = Session{ID: wire.NoProducerID, Epoch: wire.NoProducerEpoch}

// maxEpoch is the last epoch of a producer id that a client may use.
const maxEpoch int16 = 1<<15 - 1

// identity is what an idempotent producer knows about its producer id. A transactional
// producer has its session from outside.
type identity struct {
	session Session
	// asking is the InitProducerId under way, 0 for none; notBefore is when the next
	// may be made (ns), failures in a row.
	asking    attempt.ID
	notBefore int64
	failures  int
}

// Session is what new batches are sent under.
func (c *Core) Session() Session { return c.identity.session }

// askIdentity makes the request for a producer id, if one is needed and there is
// anything to send under it.
func (c *Core) askIdentity(now int64) (Request, bool) {
	id := &c.identity
	if !c.cfg.Idempotent || c.cfg.TransactionalID != "" || id.session != NoSession || id.asking != 0 || c.acc.used == 0 {
		return Request{}, false
	}
	if id.notBefore > now {
		c.until(id.notBefore)
		return Request{}, false
	}
	brokers := c.meta.Brokers()
	if len(brokers) == 0 {
		c.meta.RequestUpdate()
		return Request{}, false
	}
	c.id++
	id.asking = c.id
	msg := kmsg.NewPtrInitProducerIDRequest()
	msg.TransactionTimeoutMillis = -1
	return Request{Request: attempt.Request{
		ID: c.id, Node: brokers[c.rng.IntN(len(brokers))].Node, Msg: msg, MinVersion: 0, MaxVersion: 5,
	}}, true
}

// onIdentity takes the answer to InitProducerId, or nil and what kept it away.
func (c *Core) onIdentity(now int64, resp *kmsg.InitProducerIDResponse, err error) {
	id := &c.identity
	id.asking = 0
	if resp != nil {
		if resp.ErrorCode == 0 {
			id.session = Session{ID: resp.ProducerID, Epoch: resp.ProducerEpoch}
			id.failures = 0
			return
		}
		err = attempt.NewCodeError(resp.ErrorCode, nil)
		switch resp.ErrorCode {
		case kerr.ClusterAuthorizationFailed.Code, kerr.UnsupportedVersion.Code, kerr.InvalidRequest.Code:
			c.giveUpQueued(err)
			return
		}
	}
	id.failures++
	id.notBefore = now + int64(c.cfg.Backoff.After(id.failures, c.rng))
	c.meta.RequestUpdate()
}

// giveUpQueued ends every batch that is queued.
func (c *Core) giveUpQueued(err error) {
	for _, p := range c.acc.parts {
		for _, b := range p.queue {
			c.giveUp(b, err)
		}
		p.queue = nil
	}
}

// numbers is what an idempotent producer knows about a partition's sequence numbers.
// They count records in the log's order; here they do not wrap, on the wire they do.
type numbers struct {
	// session that the numbers belong to. A partition takes up a new one when none of
	// its batches are left under the old one.
	session Session
	// next is the number of the first record of the next new batch, sent counts the
	// batches with numbers.
	next int64
	sent int
	// acked follows the highest number that was acknowledged.
	acked int64
	// wire has the partition's batches that are in a request under way, in the order of
	// sending; also those whose delivery time-out has passed meanwhile.
	wire []*batch
	// unresolved, if not 0, follows the highest number of a batch that was given up
	// while nobody knew whether the broker has it. Nothing new is sent until the
	// batches after it have shown that.
	unresolved int64
	// rewind: there is a gap in the numbers, so they must start again under a new epoch,
	// as soon as nothing is on the wire.
	rewind bool
}

// numbered tells whether the batch has sequence numbers.
func (b *batch) numbered() bool { return b.identity != nil }

// after is the number that follows the batch.
func (b *batch) after() int64 { return b.first + int64(len(b.records)) }

// certain tells whether the broker certainly does not have the batch.
func (b *batch) certain() bool { return attempt.Combine(b.attempts) == attempt.Failed }

// numbered tells whether any batch of the partition is left that has its numbers.
func (p *partition) numbered() bool {
	// The queue is in the order of the numbers, and what has none yet comes last.
	return len(p.nums.wire) > 0 || len(p.queue) > 0 && p.queue[0].numbered()
}

// allowed tells whether the first batch of the partition may be sent, as far as
// sequence numbers and transactions go.
func (c *Core) allowed(p *partition, b *batch) bool {
	n := &p.nums
	switch {
	case !c.cfg.Idempotent:
		return true
	case c.identity.session == NoSession || n.rewind:
		return false
	case b.numbered():
		// A retry waits until it is the first in line: the broker refuses it before that.
		return !slices.ContainsFunc(n.wire, func(w *batch) bool { return w.first < b.first })
	case n.unresolved != 0:
		return false
	case n.session != c.identity.session && p.numbered():
		return false
	case slices.ContainsFunc(n.wire, func(w *batch) bool { return n.sent-w.ordinal >= c.cfg.MaxInFlight }):
		// One at an old leader, perhaps. Brokers know the last five batches again; they
		// would refuse a retry of one before those.
		return false
	}
	return c.gate == nil || c.gate(p.TopicPartition)
}

// number gives a batch that is about to be sent its sequence numbers, for all attempts.
func (c *Core) number(p *partition, b *batch) {
	if !c.cfg.Idempotent || b.numbered() {
		return
	}
	n := &p.nums
	if n.session != c.identity.session {
		*n = numbers{session: c.identity.session, wire: n.wire}
	}
	b.first, b.ordinal, b.transaction = n.next, n.sent, c.transaction
	n.next = b.after()
	n.sent++
	c.stamp(b)
}

// stamp writes the identity of a batch into its bytes.
func (c *Core) stamp(b *batch) {
	s := b.part.nums.session
	b.identity = &wire.Producer{ID: s.ID, Epoch: s.Epoch, Sequence: int32(b.first & 0x7fffffff)}
	if len(b.attempts) > 0 {
		b.encoded = slices.Clone(b.encoded) // the network has the old bytes for ever
	}
	wire.SetProducer(b.encoded, *b.identity, c.cfg.TransactionalID != "")
}

// acknowledge notes that the broker has the batch.
func (p *partition) acknowledge(b *batch) {
	if n := &p.nums; b.numbered() && b.identity.ID == n.session.ID && b.identity.Epoch == n.session.Epoch {
		n.acked = max(n.acked, b.after())
	}
}

// lose notes that a batch was given up although the broker may have it.
func (p *partition) lose(b *batch) {
	if b.numbered() {
		p.nums.unresolved = max(p.nums.unresolved, b.after())
	}
}

// retriable tells whether a batch that was refused with the code may be sent again, by
// the rules of the Java client (TransactionManager.canRetry).
func (c *Core) retriable(b *batch, code int16, class attempt.Class) bool {
	if !b.numbered() {
		return class.Retriable
	}
	n := &b.part.nums
	transactional := c.cfg.TransactionalID != ""
	switch code {
	case kerr.UnknownProducerID.Code:
		// The broker has forgotten the producer. A transaction is aborted then.
		n.rewind = n.rewind || !transactional
		return !transactional
	case kerr.OutOfOrderSequenceNumber.Code:
		if n.unresolved == 0 && b.first != n.acked {
			return true // the one before it was not appended yet, and comes first next time
		}
		if transactional {
			return false
		}
		if n.unresolved == 0 || b.first == n.unresolved {
			// What should be right before it is not there: acknowledged records were lost,
			// or those that were given up did never arrive.
			n.rewind = true
		}
		return true
	}
	return class.Retriable
}

// settle starts the numbers of partitions with gaps again, and finds out about those
// that were left unresolved.
func (c *Core) settle() {
	if !c.cfg.Idempotent {
		return
	}
	bumped := false
	for _, p := range c.acc.parts {
		n := &p.nums
		if n.unresolved != 0 && !p.numbered() {
			n.unresolved = 0
			if n.acked != n.next {
				c.gap(p)
			}
		}
		if !n.rewind || len(n.wire) > 0 {
			continue
		}
		if !bumped {
			bumped = true
			c.bump()
		}
		c.rewind(p)
	}
}

// gap says that numbers are missing in the partition's log, with nothing on its way to
// fill them.
func (c *Core) gap(p *partition) {
	if c.cfg.TransactionalID != "" {
		c.fault(p.TopicPartition, 0, ErrSequenceGap)
		return
	}
	p.nums.rewind = true
}

// bump goes to the next epoch. That is local for a producer without transactions
// (KIP-360); after the last epoch a new producer id is asked for.
func (c *Core) bump() {
	id := &c.identity
	switch {
	case id.session == NoSession:
	case id.session.Epoch == maxEpoch:
		id.session = NoSession
	default:
		id.session.Epoch++
	}
}

// rewind takes the sequence numbers from the queued batches of a partition, which get
// new ones in the next epoch. Java does that with all of them. But one that the broker
// may have, or may still get from a connection that was given up, would then be there
// twice; so here such a batch ends, with an unknown outcome, unless ResendDoubtful is set.
func (c *Core) rewind(p *partition) {
	p.nums = numbers{session: NoSession}
	p.queue = slices.DeleteFunc(p.queue, func(b *batch) bool {
		if b.numbered() && !b.certain() && !c.cfg.ResendDoubtful {
			c.answer(b, ErrSequenceGap)
			return true
		}
		b.identity = nil
		return false
	})
}

// requeue puts batches that must be sent again where they belong in the queue.
func (p *partition) requeue(bs ...*batch) {
	at := 0
	for at < len(p.queue) && p.queue[at].numbered() && p.queue[at].first < bs[0].first {
		at++
	}
	p.queue = slices.Insert(p.queue, at, bs...)
}
