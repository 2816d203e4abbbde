package producer

import (
	"slices"

	"odradek/broker/wire"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/cluster"
)

// partition is the queue of batches of one partition. Batches under way are not in
// it; a batch that must be sent again goes back to its front.
type partition struct {
	wire.TopicPartition
	queue    []*batch
	inFlight int
	nums     numbers
}

// accumulator holds the records that wait to be sent.
type accumulator struct {
	cfg *Config
	// parts in the order of their names; byName finds one.
	parts  []*partition
	byName map[wire.TopicPartition]*partition
	// used bytes of buffer.memory: of all batches without results.
	used  int
	codec *wire.Codec
	// spare builders.
	spare []*wire.Builder
}

func (a *accumulator) partition(tp wire.TopicPartition) *partition {
	if p := a.byName[tp]; p != nil {
		return p
	}
	p := &partition{TopicPartition: tp, nums: numbers{session: NoSession}}
	i, _ := slices.BinarySearchFunc(a.parts, tp, func(p *partition, tp wire.TopicPartition) int {
		return p.TopicPartition.Compare(tp)
	})
	a.parts = slices.Insert(a.parts, i, p)
	a.byName[tp] = p
	return p
}

// append puts a record into the partition's last batch or a new one. It is false,
// and nothing has changed, if there is no memory for it.
func (a *accumulator) append(now int64, p *partition, r Record, token Token) (grown int, ok bool) {
	if n := len(p.queue); n > 0 {
		b := p.queue[n-1]
		if size, fits := b.fits(&r, a.cfg.BatchSize); fits {
			if !a.fits(size - b.size) {
				return 0, false
			}
			grown = b.add(r, token)
			a.used += grown
			return grown, true
		}
	}
	b := &batch{part: p, created: now, builder: a.builder()}
	size := b.builder.SizeWith(r.Timestamp, r.Key, r.Value, r.Headers...)
	if !a.fits(size) {
		a.spare = append(a.spare, b.builder)
		return 0, false
	}
	grown = b.add(r, token)
	a.used += grown
	p.queue = append(p.queue, b)
	return grown, true
}

// fits tells whether n more bytes are within buffer.memory. A lone record always
// is: it was checked by itself, without the batch around it.
func (a *accumulator) fits(n int) bool {
	return a.used == 0 || a.used+n <= a.cfg.BufferMemory
}

func (a *accumulator) builder() *wire.Builder {
	opts := wire.BatchOptions{Compression: a.cfg.Compression, LeaderEpoch: wire.NoLeaderEpoch}
	if n := len(a.spare); n > 0 {
		b := a.spare[n-1]
		a.spare = a.spare[:n-1]
		b.Reset(opts)
		return b
	}
	return wire.NewBuilder(opts)
}

// encode closes a batch and makes its bytes.
func (a *accumulator) encode(b *batch) {
	if b.encoded != nil {
		return
	}
	out, err := b.builder.Build(nil, a.codec)
	if err != nil {
		// Compressing in memory with a known codec cannot fail.
		panic("producer: " + err.Error())
	}
	a.spare = append(a.spare, b.builder)
	b.builder = nil
	b.encoded = out
}

// release gives back the memory of a batch whose results are out.
func (a *accumulator) release(b *batch) {
	a.used -= b.size
	if a.used < 0 {
		panic("producer: more memory released than used")
	}
}

// split cuts a batch in two halves. What was attempted
// was refused as a whole, so both halves start with its attempts, and share its
// sequence numbers.
func (a *accumulator) split(b *batch) [2]*batch {
	a.used -= b.size
	half := len(b.records) / 2
	var parts [2]*batch
	for i, cut := range [2][2]int{{0, half}, {half, len(b.records)}} {
		n := &batch{
			part: b.part, created: b.created, builder: a.builder(), attempts: slices.Clone(b.attempts),
			first: b.first + int64(cut[0]), ordinal: b.ordinal, transaction: b.transaction,
		}
		for j := cut[0]; j < cut[1]; j++ {
			a.used += n.add(b.records[j], b.tokens[j])
		}
		// Closed: a record appended now would inherit attempts that it never had.
		a.encode(n)
		parts[i] = n
	}
	return parts
}

// readiness of a partition's first batch.
type readiness uint8

const (
	// idle: nothing queued.
	idle readiness = iota
	// later: the batch waits for a time.
	later
	// blocked: the batch waits for an answer (its partition may have one request
	// under way only).
	blocked
	// ready to be sent.
	ready
)

// ready tells whether the first batch of p can be sent now, and if it is a matter
// of time, when (ns). hurry is set when nothing is to linger: a flush, or records
// waiting for memory.
func (a *accumulator) ready(now int64, p *partition, leader cluster.Partition, hurry func(*batch) bool) (readiness, int64) {
	if len(p.queue) == 0 {
		return idle, cluster.Never
	}
	b := p.queue[0]
	if a.cfg.MaxInFlight == 1 && p.inFlight > 0 {
		return blocked, cluster.Never
	}
	if last := b.last(); last != nil {
		// A new leader is tried at once (KIP-951).
		if b.notBefore > now && leader.Epoch <= last.LeaderEpoch {
			return later, b.notBefore
		}
		return ready, now
	}
	if len(p.queue) > 1 || b.full(a.cfg.BatchSize) || hurry(b) {
		return ready, now
	}
	if lingered := b.created + int64(a.cfg.Linger); lingered > now {
		return later, lingered
	}
	return ready, now
}

// begin notes the attempt of a batch that is put into a request.
func (b *batch) begin(now int64, id attempt.ID, leader cluster.Partition) {
	b.attempts = append(b.attempts, attempt.Attempt{
		ID: id, Node: leader.Leader, LeaderEpoch: leader.Epoch, Sent: now,
	})
}
