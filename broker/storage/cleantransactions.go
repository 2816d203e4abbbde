package storage

import (
	"slices"

	"odradek/broker/producers"
	"odradek/broker/wire"
)

// outcomes follows the transactions in the part of a log that is being read from front to
// back, all of which have ended: which batches are of aborted ones, and which markers have
// no records left to decide about (Kafka: CleanedTransactionMetadata).
type outcomes struct {
	// coming are the aborted transactions that have not begun yet, by their start.
	coming []producers.AbortedTransaction
	// aborting is a producer's aborted transaction, and whether a batch of it was there.
	aborting map[int64]*abortedHere
	// committing are the producers that have a batch since their last marker.
	committing map[int64]bool
}

type abortedHere struct {
	producers.AbortedTransaction
	seen bool
}

func newOutcomes(aborted []producers.AbortedTransaction) *outcomes {
	coming := slices.Clone(aborted)
	slices.SortStableFunc(coming, func(a, b producers.AbortedTransaction) int { return int(min(max(a.FirstOffset-b.FirstOffset, -1), 1)) })
	return &outcomes{coming: coming, aborting: make(map[int64]*abortedHere), committing: make(map[int64]bool)}
}

func (o *outcomes) begin(upTo wire.Offset) {
	for len(o.coming) > 0 && o.coming[0].FirstOffset <= upTo {
		a := o.coming[0]
		o.coming = o.coming[1:]
		if o.aborting[a.ProducerID] == nil {
			o.aborting[a.ProducerID] = &abortedHere{AbortedTransaction: a}
		}
	}
}

// data takes a batch that is not a control batch and reports whether its transaction was
// aborted.
func (o *outcomes) data(h *wire.BatchHeader) bool {
	o.begin(h.LastOffset())
	if !h.Transactional() {
		return false
	}
	if a := o.aborting[h.ProducerID]; a != nil {
		a.seen = true
		return true
	}
	o.committing[h.ProducerID] = true
	return false
}

// marker takes a whole control batch and reports whether it may go, because no batch of
// its transaction was left before it. aborted is the transaction that it aborts, if there
// was a batch of that.
func (o *outcomes) marker(h *wire.BatchHeader, batch []byte) (idle bool, aborted *producers.AbortedTransaction, err error) {
	o.begin(h.LastOffset())
	if h.Count == 0 {
		return true, nil, nil // emptied before, for what it says of its producer
	}
	m, ok, err := wire.ReadEndMarker(h, batch)
	if err != nil || !ok {
		return false, nil, err
	}
	if m.Commit {
		idle = !o.committing[h.ProducerID]
		delete(o.committing, h.ProducerID)
		return idle, nil, nil
	}
	a := o.aborting[h.ProducerID]
	delete(o.aborting, h.ProducerID)
	if a == nil || !a.seen {
		return true, nil, nil
	}
	return false, &a.AbortedTransaction, nil
}
