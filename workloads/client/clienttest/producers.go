package clienttest

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"odradek/broker/wire"
)

// writer is what a partition's log tells about a producer id.
type writer struct {
	epoch int16
	// recent batches of this epoch, at most five.
	recent []wire.BatchHeader
	// next sequence number.
	next int32
	// first offset of the open transaction; NoOffset if there is none.
	first wire.Offset
}

// aborted is an aborted transaction in a partition.
type aborted struct {
	producer    int64
	first, last wire.Offset
}

// note keeps what a batch in the log tells about its producer.
func (p *Partition) note(b Batch) {
	h := b.Header
	if !h.HasProducer() {
		return
	}
	if p.writers == nil {
		p.writers = make(map[int64]*writer)
	}
	w := p.writers[h.ProducerID]
	if w == nil {
		w = &writer{first: wire.NoOffset}
		p.writers[h.ProducerID] = w
	}
	if h.ProducerEpoch != w.epoch {
		w.epoch, w.recent, w.next = h.ProducerEpoch, nil, 0
	}
	if h.Control() {
		m, ok, err := wire.ReadEndMarker(&h, b.Bytes)
		if err != nil || !ok {
			panic("clienttest: not a marker")
		}
		if !m.Commit && w.first != wire.NoOffset {
			p.aborted = append(p.aborted, aborted{producer: h.ProducerID, first: w.first, last: h.BaseOffset})
		}
		w.first = wire.NoOffset
		return
	}
	if h.Transactional() && w.first == wire.NoOffset {
		w.first = h.BaseOffset
	}
	w.recent = append(w.recent, h)
	if len(w.recent) > 5 {
		w.recent = w.recent[1:]
	}
	w.next = wire.AddSequence(h.LastSequence(), 1)
}

// check tells whether a batch may be appended, or where it already is.
func (p *Partition) check(h *wire.BatchHeader) (code int16, at wire.Offset) {
	if !h.HasProducer() {
		return 0, wire.NoOffset
	}
	w := p.writers[h.ProducerID]
	switch {
	case w == nil:
		if h.BaseSequence != 0 {
			return kerr.UnknownProducerID.Code, wire.NoOffset
		}
		return 0, wire.NoOffset
	case h.ProducerEpoch < w.epoch:
		return kerr.InvalidProducerEpoch.Code, wire.NoOffset
	case h.ProducerEpoch > w.epoch:
		if h.BaseSequence != 0 {
			return kerr.OutOfOrderSequenceNumber.Code, wire.NoOffset
		}
		return 0, wire.NoOffset
	}
	for _, r := range w.recent {
		if r.BaseSequence == h.BaseSequence && r.LastOffsetDelta == h.LastOffsetDelta {
			return 0, r.BaseOffset
		}
	}
	if h.BaseSequence == w.next {
		return 0, wire.NoOffset
	}
	if len(w.recent) > 0 && h.LastSequence() < w.recent[0].BaseSequence {
		return kerr.DuplicateSequenceNumber.Code, wire.NoOffset
	}
	return kerr.OutOfOrderSequenceNumber.Code, wire.NoOffset
}

// LastStable is where what is decided ends: the first offset of the oldest open
// transaction, or the high watermark.
func (p *Partition) LastStable() wire.Offset {
	stable := p.HighWatermark
	for _, w := range p.writers { //odradek:unordered a minimum
		if w.first != wire.NoOffset {
			stable = min(stable, w.first)
		}
	}
	return stable
}

// abortedIn lists the aborted transactions with records in a range of offsets.
func (p *Partition) abortedIn(from, to wire.Offset) []aborted {
	var as []aborted
	for _, a := range p.aborted {
		if a.last >= from && a.first < to {
			as = append(as, a)
		}
	}
	return as
}

// Committed lists the values in a partition's log that a read_committed consumer gets.
func (c *Cluster) Committed(tp wire.TopicPartition) []string {
	p := c.Partition(tp)
	var vs []string
	for _, b := range p.Batches {
		h := b.Header
		if h.BaseOffset >= p.LastStable() || h.Transactional() && slices.ContainsFunc(p.aborted, func(a aborted) bool {
			return a.producer == h.ProducerID && a.first <= h.BaseOffset && h.BaseOffset <= a.last
		}) {
			continue
		}
		vs = append(vs, c.values(b)...)
	}
	return vs
}
