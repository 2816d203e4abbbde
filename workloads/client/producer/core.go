package producer

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"odradek/broker/wire"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/cluster"
)

// Core decides everything a producer does. Its caller
//
//   - calls Send for records, and soon after (or at once) Poll;
//   - calls Poll whenever anything was put in and at Deadline, and sends the
//     requests it returns;
//   - tells the end of each request with OnResponse or OnFailure, once;
//   - collects Results after each of these;
//   - keeps the cluster's metadata, which the core reads and asks to refresh.
type Core struct {
	cfg  Config
	meta *cluster.Metadata
	rng  *rand.Rand
	acc  accumulator
	// waiting records, in order: the first lacks memory or metadata and holds up the
	// others, as a blocked send() holds up a Java thread.
	waiting  []waiting
	sticky   map[string]*sticky
	requests map[attempt.ID]*request
	// inFlight counts the requests by node, rotation is where the next request to a
	// node starts among its partitions.
	inFlight map[wire.NodeID]int
	rotation map[wire.NodeID]int
	results  []Result
	deadline int64
	token    Token
	id       attempt.ID
	// flushTo: batches with tokens up to this one do not linger.
	flushTo Token
	closed  bool

	identity identity
	// For transactions, see transaction.go.
	gate            func(wire.TopicPartition) bool
	lowest, highest int16 // versions of Produce
	transaction     int
	refusing        error
	faults          []Fault
}

type waiting struct {
	record Record
	token  Token
	since  int64
}

// request is one Produce under way.
type request struct {
	id      attempt.ID
	node    wire.NodeID
	batches []*batch // at most one for each partition
	// names of the topics by id, for answers of version 13 on.
	names map[wire.UUID]string
}

// New returns a core. rng gives jitter and sticky partitions.
func New(cfg Config, meta *cluster.Metadata, rng *rand.Rand) *Core {
	switch {
	case cfg.MaxInFlight < 1, cfg.BatchSize < 1, cfg.BufferMemory < 1, cfg.MaxRequestSize < 1:
		panic(fmt.Sprintf("producer: a bound is below 1: %+v", cfg))
	case cfg.Compression < wire.None || cfg.Compression > wire.Zstd:
		panic(fmt.Sprintf("producer: compression %d", cfg.Compression))
	}
	cfg.Idempotent = cfg.Idempotent || cfg.TransactionalID != ""
	if cfg.Idempotent && (cfg.Acks != AcksAll || cfg.MaxInFlight > 5 || cfg.Retries == 0) {
		panic(fmt.Sprintf("producer: not idempotent with these settings: %+v", cfg))
	}
	c := &Core{
		identity: identity{session: NoSession},
		cfg:      cfg,
		meta:     meta,
		rng:      rng,
		sticky:   make(map[string]*sticky),
		requests: make(map[attempt.ID]*request),
		inFlight: make(map[wire.NodeID]int),
		rotation: make(map[wire.NodeID]int),
		deadline: cluster.Never,
	}
	c.acc = accumulator{
		cfg:    &c.cfg,
		byName: make(map[wire.TopicPartition]*partition),
		codec:  wire.NewCodec(wire.DefaultMaxDecompressed),
	}
	return c
}

// Send takes a record. now is in ns, wallMs in ms since the epoch. The result comes
// from Results, also if the record is refused.
func (c *Core) Send(now, wallMs int64, r Record) Token {
	c.token++
	token := c.token
	if r.Timestamp == 0 {
		r.Timestamp = wallMs
	}
	if c.closed {
		c.refuse(token, &r, ErrClosed)
		return token
	}
	if c.refusing != nil {
		c.refuse(token, &r, c.refusing)
		return token
	}
	if n := c.recordSize(&r); n > c.cfg.MaxRequestSize || n > c.cfg.BufferMemory {
		c.reject(token, &r, fmt.Errorf("%w: %d bytes", ErrRecordTooLarge, n))
		return token
	}
	if len(c.waiting) > 0 || !c.admit(now, &r, token) {
		c.waiting = append(c.waiting, waiting{record: r, token: token, since: now})
	}
	return token
}

func (c *Core) recordSize(r *Record) int {
	b := c.acc.builder()
	n := b.SizeWith(r.Timestamp, r.Key, r.Value, r.Headers...)
	c.acc.spare = append(c.acc.spare, b)
	return n
}

// refuse gives the result of a record that was never in a batch.
func (c *Core) refuse(token Token, r *Record, err error) {
	c.results = append(c.results, Result{
		Token: token, Topic: r.Topic, Outcome: attempt.Failed, Partition: r.Partition,
		Offset: wire.NoOffset, Timestamp: r.Timestamp, Err: err,
	})
}

// reject refuses a record that the user meant to be sent: a transaction must not commit
// without it.
func (c *Core) reject(token Token, r *Record, err error) {
	c.refuse(token, r, err)
	c.fault(wire.TopicPartition{Topic: r.Topic, Partition: r.Partition}, 0, err)
}

// admit moves a record into the accumulator, or refuses it for good. It is false if
// the record has to wait.
func (c *Core) admit(now int64, r *Record, token Token) bool {
	if r.Partition < AnyPartition {
		c.reject(token, r, ErrNoSuchPartition)
		return true
	}
	c.meta.Want(r.Topic)
	t, ok := c.meta.Topic(r.Topic)
	if !ok {
		return false
	}
	if t.Code != 0 && !attempt.Classify(t.Code).Retriable {
		c.reject(token, r, attempt.NewCodeError(t.Code, nil))
		return true
	}
	n := len(t.Partitions)
	if t.Code != 0 || n == 0 || int(r.Partition) >= n {
		c.meta.RequestUpdate()
		return false
	}
	partition, stick := r.Partition, (*sticky)(nil)
	if partition == AnyPartition {
		if r.Key != nil {
			partition = keyPartition(r.Key, n)
		} else {
			stick = c.stickyOf(t)
			partition = stick.partition
		}
	}
	p := c.acc.partition(wire.TopicPartition{Topic: r.Topic, Partition: partition})
	grown, ok := c.acc.append(now, p, *r, token)
	if !ok {
		return false
	}
	if stick != nil {
		stick.bytes += grown
		if stick.spent(c.cfg.BatchSize, p.queue[len(p.queue)-1].full(c.cfg.BatchSize)) {
			stick.partition, stick.bytes = chooseSticky(t, c.rng), 0
		}
	}
	return true
}

func (c *Core) stickyOf(t *cluster.Topic) *sticky {
	s := c.sticky[t.Name]
	if s == nil || int(s.partition) >= len(t.Partitions) {
		s = &sticky{partition: chooseSticky(t, c.rng)}
		c.sticky[t.Name] = s
	}
	return s
}

// Flush makes everything accepted so far sendable without lingering.
func (c *Core) Flush() { c.flushTo = c.token }

// Unanswered tells whether any record has no result yet.
func (c *Core) Unanswered() bool { return len(c.waiting) > 0 || c.acc.used > 0 }

// Results gives the results that came in since the last call.
func (c *Core) Results() []Result {
	rs := c.results
	c.results = nil
	return rs
}

// Deadline is when Poll must be called next if nothing is put in before, in ns. It is
// valid after a Poll.
func (c *Core) Deadline() int64 { return c.deadline }

// Close gives every record without a result the result ErrClosed. Requests under way
// are forgotten.
func (c *Core) Close() {
	c.closed = true
	c.Fail(ErrClosed)
	clear(c.requests)
	c.deadline = cluster.Never
}

// unanswered batches, in the order of their first tokens.
func (c *Core) unanswered() []*batch {
	var bs []*batch
	for _, p := range c.acc.parts {
		bs = append(bs, p.queue...)
	}
	for _, r := range c.requests { //odradek:unordered sorted below
		for _, b := range r.batches {
			if !b.answered {
				bs = append(bs, b)
			}
		}
	}
	slices.SortFunc(bs, func(x, y *batch) int {
		if x.tokens[0] < y.tokens[0] {
			return -1
		}
		return 1
	})
	return bs
}

// answer ends a batch that is not OK.
func (c *Core) answer(b *batch, err error) {
	b.answered = true
	c.acc.release(b)
	outcome := attempt.Combine(b.attempts)
	// Copied because the last attempt may still be under way.
	attempts := slices.Clone(b.attempts)
	for i, token := range b.tokens {
		c.results = append(c.results, Result{
			Token: token, Topic: b.part.Topic, Outcome: outcome, Partition: b.part.Partition,
			Offset: wire.NoOffset, Timestamp: b.records[i].Timestamp, Err: err, Attempts: attempts,
		})
	}
}
