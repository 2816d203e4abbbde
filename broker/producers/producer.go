package producers

import "odradek/broker/wire"

// WindowSize is how many batches of a producer are remembered, and so how many a producer
// may have in flight (max.in.flight.requests.per.connection).
const WindowSize = 5

// Batch is one that a producer appended.
type Batch struct {
	// FirstSequence and LastSequence are wire.NoSequence in batches of a coordinator.
	FirstSequence, LastSequence int32
	FirstOffset, LastOffset     wire.Offset
	Timestamp                   int64 // the largest, ms
}

// Producer is what is known of a producer.
type Producer struct {
	ID               int64
	Epoch            int16
	CoordinatorEpoch int32 // of the last marker, -1 if there was none
	LastTimestamp    int64 // of the last batch or marker, ms
	// TransactionStart is the first offset of the open transaction, or wire.NoOffset.
	TransactionStart wire.Offset
	// Batches are the last ones of this epoch, the oldest first.
	Batches []Batch
}

// LastSequence is that of the last batch, or wire.NoSequence.
func (p *Producer) LastSequence() int32 {
	if n := len(p.Batches); n > 0 {
		return p.Batches[n-1].LastSequence
	}
	return wire.NoSequence
}

// LastOffset is that of the last batch, or wire.NoOffset.
func (p *Producer) LastOffset() wire.Offset {
	if n := len(p.Batches); n > 0 {
		return p.Batches[n-1].LastOffset
	}
	return wire.NoOffset
}

type producer struct {
	epoch            int16
	coordinatorEpoch int32
	timestamp        int64
	start            wire.Offset // of the open transaction
	window           [WindowSize]Batch
	n                int // in the window
}

func (p *producer) view(id int64) Producer {
	return Producer{
		ID: id, Epoch: p.epoch, CoordinatorEpoch: p.coordinatorEpoch, LastTimestamp: p.timestamp, TransactionStart: p.start,
		Batches: append([]Batch(nil), p.window[:p.n]...),
	}
}

// setEpoch begins a new epoch if it is one.
func (p *producer) setEpoch(epoch int16) {
	if p.epoch != epoch {
		p.epoch, p.n = epoch, 0
	}
}

func (p *producer) add(b Batch) {
	if p.n == WindowSize {
		copy(p.window[:], p.window[1:])
		p.n--
	}
	p.window[p.n] = b
	p.n++
}

func (p *producer) lastSequence() int32 {
	if p.n == 0 {
		return wire.NoSequence
	}
	return p.window[p.n-1].LastSequence
}

// find looks for the first copy of a batch with these sequence numbers.
func (p *producer) find(first, last int32) (Batch, bool) {
	for i := range p.window[:p.n] {
		if b := &p.window[i]; b.FirstSequence == first && b.LastSequence == last {
			return *b, true
		}
	}
	return Batch{}, false
}
