package producer

import (
	"odradek/broker/wire"
	"odradek/workloads/client/attempt"
)

// batch is a run of records for one partition, from the first append until every
// record has its result.
type batch struct {
	part *partition
	// records, tokens: by offset delta. The records are kept so that a batch which
	// the broker finds too large can be split.
	records []Record
	tokens  []Token
	// builder collects the records until the batch is first sent; then encoded holds
	// it for all attempts, byte for byte the same.
	builder *wire.Builder
	encoded []byte
	// size in bytes before compression, and what it counts in buffer.memory.
	size int
	// created is when the first record was accepted, in ns: linger and delivery
	// time-out count from it.
	created int64
	// notBefore is when the next attempt may be made, in ns.
	notBefore int64
	attempts  []attempt.Attempt
	// answered: the results were given out (also when the delivery time-out passed
	// while an attempt is in flight).
	answered bool
	// identity is assigned when an idempotent producer first sends the batch, and
	// changes after only if the broker certainly does not have it (nil: none).
	identity *wire.Producer
	// first is the sequence number of the first record; it does not wrap.
	first int64
	// transaction is the number of the one that the batch belongs to.
	transaction int
	// ordinal counts the partition's batches before it under the same producer epoch.
	ordinal int
}

// full tells whether the batch takes no further record. One that was sent, even in
// vain, is closed: its bytes must not change between attempts.
func (b *batch) full(batchSize int) bool {
	return b.builder == nil || b.size >= batchSize
}

// fits tells whether the record can join the batch, and the size it would have.
func (b *batch) fits(r *Record, batchSize int) (int, bool) {
	if b.full(batchSize) {
		return 0, false
	}
	size := b.builder.SizeWith(r.Timestamp, r.Key, r.Value, r.Headers...)
	return size, size <= batchSize
}

// add appends a record. grown is by how many bytes the batch grew.
func (b *batch) add(r Record, token Token) (grown int) {
	b.builder.Append(r.Timestamp, r.Key, r.Value, r.Headers...)
	b.records = append(b.records, r)
	b.tokens = append(b.tokens, token)
	grown = b.builder.Size() - b.size
	b.size += grown
	return grown
}

// sendSize is how much of max.request.size the batch takes.
func (b *batch) sendSize() int {
	if b.encoded != nil {
		return len(b.encoded)
	}
	return b.size
}

// last is the attempt under way or made last; nil before the first.
func (b *batch) last() *attempt.Attempt {
	if len(b.attempts) == 0 {
		return nil
	}
	return &b.attempts[len(b.attempts)-1]
}

// sentAttempts counts the attempts that may have reached a broker.
func (b *batch) sentAttempts() int {
	n := 0
	for i := range b.attempts {
		if attempt.OutcomeOf(b.attempts[i].Err) != attempt.Failed {
			n++
		}
	}
	return n
}
