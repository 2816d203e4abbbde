package invariant

import (
	"fmt"
	"slices"

	"odradek/broker/wire"
)

// Invariants of transactions.
const (
	// TransactionStep: the records of a transactional id take legal transitions only.
	TransactionStep Name = "transaction-step"
	// TransactionWhole: what was in a transaction when it was decided is what it had,
	// and nothing is in it when it is over.
	TransactionWhole Name = "transaction-whole"
	// OneProducer: a producer id belongs to one transactional id or idempotent
	// producer, and a client is never told an id and epoch that another one has.
	OneProducer Name = "one-producer"
	// ProducerEpoch: the epoch of a producer id is not negative and does not go back.
	ProducerEpoch Name = "producer-epoch"
	// MarkerDecided: a marker says what was decided, in a partition of the transaction.
	MarkerDecided Name = "marker-decided"
	// MarkerWritten: a transaction is complete when each of its partitions has its marker,
	// below the high watermark.
	MarkerWritten Name = "marker-written"
)

// TransactionState is the state in a record of __transaction_state, numbered as in Kafka.
type TransactionState int8

// The states. Kafka's PrepareEpochFence is never in a record.
const (
	TransactionEmpty TransactionState = iota
	TransactionOngoing
	TransactionPrepareCommit
	TransactionPrepareAbort
	TransactionCompleteCommit
	TransactionCompleteAbort
	// TransactionNone is a transactional id without a record, or with a tombstone.
	TransactionNone TransactionState = -1
)

func (s TransactionState) String() string {
	if s == TransactionNone {
		return "none"
	}
	if s < 0 || s > TransactionCompleteAbort {
		return fmt.Sprintf("state %d", int8(s))
	}
	return [...]string{"Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort"}[s]
}

func (s TransactionState) idle() bool {
	return s == TransactionEmpty || s == TransactionCompleteCommit || s == TransactionCompleteAbort
}

func (s TransactionState) prepared() bool {
	return s == TransactionPrepareCommit || s == TransactionPrepareAbort
}

// follows reports whether a record may follow another one, in a version of the protocol
// (2 is KIP-890, where a producer may abort a transaction in which it has written
// nothing).
func (s TransactionState) follows(from TransactionState, version int16) bool {
	switch s {
	case TransactionNone:
		return from.idle()
	case TransactionEmpty:
		return from.idle() || from == TransactionNone
	case TransactionOngoing:
		return from.idle() || from == TransactionOngoing
	case TransactionPrepareCommit:
		return from == TransactionOngoing
	case TransactionPrepareAbort:
		return from == TransactionOngoing || version >= 2 && from.idle()
	case TransactionCompleteCommit:
		return from == TransactionPrepareCommit
	case TransactionCompleteAbort:
		return from == TransactionPrepareAbort
	}
	return false
}

// TransactionRecord is a record of __transaction_state.
type TransactionRecord struct {
	Shard      wire.TopicPartition
	Offset     wire.Offset
	ID         string // transactional id
	ProducerID int64
	Epoch      int16
	State      TransactionState      // TransactionNone: a tombstone
	Version    int16                 // of the protocol, 0 if the record does not say
	Partitions []wire.TopicPartition // in the transaction
}

// Grant is a producer id and epoch that a client is told.
type Grant struct {
	TransactionalID string // empty: idempotent only
	Client          string // anything that tells two producers apart
	ProducerID      int64
	Epoch           int16
}

// Transactions checks __transaction_state, and what follows from it.
type Transactions struct {
	ids    map[string]*TransactionRecord
	seen   map[wire.TopicPartition]wire.Offset
	owners map[int64]string // of producer ids
	grants map[identity]string
	// blank are the shards that have lost records: what a transactional id there was
	// before its next record is not known.
	blank map[wire.TopicPartition]bool
	// newest is the newest epoch of each producer id, and the shard that gave it out.
	newest map[int64]given
	outcomes
}

type identity struct {
	id    int64
	epoch int16
}

type given struct {
	shard wire.TopicPartition
	epoch int16
}

// NewTransactions knows none.
func NewTransactions() *Transactions {
	return &Transactions{
		ids: make(map[string]*TransactionRecord), seen: make(map[wire.TopicPartition]wire.Offset),
		owners: make(map[int64]string), grants: make(map[identity]string), blank: make(map[wire.TopicPartition]bool), newest: make(map[int64]given),
		outcomes: newOutcomes(),
	}
}

// Committed reports a record that is below the high watermark of its partition, every
// record once and in order, before compaction takes any. Whatever was reported before,
// by another replica, is passed over.
func (c *Transactions) Committed(r TransactionRecord) []Violation {
	if last, ok := c.seen[r.Shard]; ok && r.Offset <= last {
		return nil
	}
	c.seen[r.Shard] = r.Offset
	f := &findings{subject: "transactional id " + r.ID}
	from := TransactionNone
	before := c.ids[r.ID]
	if before != nil {
		from = before.State
	}
	if !r.State.follows(from, r.Version) && (before != nil || !c.blank[r.Shard]) {
		f.add(TransactionStep, nil, "%v follows %v at offset %d of %v", r.State, from, r.Offset, r.Shard)
	}
	if r.State == TransactionNone {
		delete(c.ids, r.ID)
		return f.list
	}
	switch {
	case r.State.idle() && len(r.Partitions) > 0:
		f.add(TransactionWhole, nil, "%v with partitions %v at offset %d of %v", r.State, r.Partitions, r.Offset, r.Shard)
	case from == TransactionOngoing && (!contains(r.Partitions, before.Partitions) || r.State.prepared() && len(r.Partitions) > len(before.Partitions)):
		f.add(TransactionWhole, nil, "%v with partitions %v follows %v with %v, at offset %d of %v", r.State, r.Partitions, from, before.Partitions, r.Offset, r.Shard)
	}
	c.own(f, r.ProducerID, "transactional id "+r.ID)
	c.newest[r.ProducerID] = given{r.Shard, max(r.Epoch, c.newest[r.ProducerID].epoch)}
	if r.Epoch < 0 && r.ProducerID >= 0 || before != nil && before.ProducerID == r.ProducerID && r.Epoch < before.Epoch {
		was := int16(-1)
		if before != nil {
			was = before.Epoch
		}
		f.add(ProducerEpoch, nil, "producer id %d has epoch %d after %d, at offset %d of %v", r.ProducerID, r.Epoch, was, r.Offset, r.Shard)
	}
	if r.State.prepared() {
		c.decide(&r)
	}
	if from.prepared() && (r.State == TransactionCompleteCommit || r.State == TransactionCompleteAbort) {
		c.complete(f, before)
	}
	c.ids[r.ID] = &r
	return f.list
}

// contains reports whether all of part are in whole. There are few.
func contains(whole, part []wire.TopicPartition) bool {
	return !slices.ContainsFunc(part, func(tp wire.TopicPartition) bool { return !slices.Contains(whole, tp) })
}

// own takes note of whose a producer id is.
func (c *Transactions) own(f *findings, id int64, owner string) {
	if id < 0 {
		return
	}
	if other, ok := c.owners[id]; ok && other != owner {
		f.add(OneProducer, nil, "producer id %d belongs to %s and to %s", id, other, owner)
		return
	}
	c.owners[id] = owner
}

// Granted reports that a client is told its producer id and epoch.
func (c *Transactions) Granted(g Grant) []Violation {
	owner := "transactional id " + g.TransactionalID
	if g.TransactionalID == "" {
		owner = "client " + g.Client
	}
	f := &findings{subject: owner}
	c.own(f, g.ProducerID, owner)
	if g.Epoch < 0 || g.ProducerID < 0 {
		f.add(ProducerEpoch, nil, "client %s is told producer id %d and epoch %d", g.Client, g.ProducerID, g.Epoch)
	}
	k := identity{g.ProducerID, g.Epoch}
	if other, ok := c.grants[k]; ok && other != g.Client {
		f.add(OneProducer, nil, "clients %s and %s are both told producer id %d and epoch %d", other, g.Client, g.ProducerID, g.Epoch)
	}
	c.grants[k] = g.Client
	return f.list
}

// Excuse forgets a shard's transactions: the fault plan allows that their records are lost.
func (c *Transactions) Excuse(shard wire.TopicPartition) {
	// An epoch that was given out may be given out again. A partition that has seen a newer
	// one then refuses its marker.
	clear(c.grants)
	for id, n := range c.newest { //odradek:unordered each on its own
		if n.shard == shard {
			c.again[id] = n.epoch
		}
	}
	c.blank[shard] = true
	delete(c.seen, shard)
	for id, r := range c.ids { //odradek:unordered each on its own
		if r.Shard == shard {
			delete(c.ids, id)
		}
	}
}
