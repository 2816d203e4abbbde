package storage_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"odradek/broker/producers"
	"odradek/broker/storage"
	"odradek/broker/wire"
)

// asProducer makes the batch, in one case of two, one of an idempotent producer: the next of
// its sequence, perhaps in a transaction, or the end of one.
func (d *driver) asProducer(b *modelBatch, size int) {
	if d.r.IntN(2) == 0 || b.base > d.log.NextOffset() {
		return // the log does not know the one before it yet
	}
	id := d.r.Int64N(3)
	p, known := d.log.Producers().Producer(id)
	if !known {
		p = producers.Producer{Epoch: 0, TransactionStart: wire.NoOffset}
	}
	inTransaction := p.TransactionStart != wire.NoOffset
	if inTransaction && d.r.IntN(2) == 0 {
		end := wire.EndMarker{Commit: d.r.IntN(2) == 0, CoordinatorEpoch: p.CoordinatorEpoch + int32(d.r.IntN(2))}
		b.timestamps = b.timestamps[:1]
		b.raw = wire.BuildEndMarker(id, p.Epoch+int16(d.r.IntN(2)), end, b.timestamps[0])
		wire.SetBaseOffset(b.raw, b.base)
		wire.SetLeaderEpoch(b.raw, b.epoch)
		return
	}
	next := wire.AddSequence(p.LastSequence(), 1)
	if len(p.Batches) == 0 {
		next = 0
	}
	if !inTransaction && d.r.IntN(8) == 0 {
		p.Epoch, next = p.Epoch+1, 0
	}
	builder := wire.NewBuilder(wire.BatchOptions{
		BaseOffset: b.base, LeaderEpoch: b.epoch, Transactional: inTransaction || d.r.IntN(2) == 0,
		Producer: &wire.Producer{ID: id, Epoch: p.Epoch, Sequence: next},
	})
	for _, ts := range b.timestamps {
		builder.Append(ts, nil, make([]byte, size))
	}
	raw, err := builder.Build(nil, nil)
	if err != nil {
		panic(err)
	}
	b.raw = raw
}

// appendAgain appends a batch that is there, or on its way: it is answered like its first copy.
func (d *driver) appendAgain() {
	p, _ := d.log.Producers().Producer(d.r.Int64N(3))
	if len(p.Batches) == 0 {
		return
	}
	first := p.Batches[d.r.IntN(len(p.Batches))]
	i := slices.IndexFunc(d.model.batches, func(b modelBatch) bool { return b.base == first.FirstOffset })
	if i < 0 {
		return // its segment is gone
	}
	raw := bytes.Clone(d.model.batches[i].raw)
	wire.SetBaseOffset(raw, 0)
	d.trace("again [%d, %d]", first.FirstOffset, first.LastOffset)
	sync := d.r.IntN(4) == 0
	d.pending++
	d.log.Append(raw, storage.AppendOptions{Epoch: d.model.epoch, Sync: sync, Rules: producers.Rules{Origin: producers.Client}}, func(res storage.AppendResult, err error) {
		d.pending--
		switch {
		case errors.Is(err, storage.ErrTruncated) && (d.model.truncating || d.model.startOver):
		case err != nil && d.log.Err() == nil:
			d.failf("appending [%d, %d] again: %w", first.FirstOffset, first.LastOffset, err)
		case err != nil:
		case !res.Duplicate || res.BaseOffset != first.FirstOffset || res.NextOffset != first.LastOffset+1:
			d.failf("appending [%d, %d] again: %+v", first.FirstOffset, first.LastOffset, res)
		case d.log.LogEndOffset() < res.NextOffset || sync && d.log.FlushedOffset() < res.NextOffset:
			d.failf("acknowledged a copy before its first copy")
		}
	})
}

// history is what the batches say of the producers.
type history struct {
	state   *producers.State
	aborted []producers.AbortedTransaction
}

func replay(batches []modelBatch) history {
	h := history{state: producers.New(nil)}
	for _, b := range batches {
		header, err := wire.ReadBatchHeader(b.raw)
		if err != nil {
			panic(err)
		}
		if !header.HasProducer() {
			continue
		}
		m, ok, err := wire.ReadEndMarker(&header, b.raw)
		switch {
		case err != nil:
			panic(err)
		case !ok:
			h.state.Append(&header)
		default:
			if a, aborted := h.state.End(&header, m); aborted {
				h.aborted = append(h.aborted, a)
			}
		}
	}
	return h
}

// checkProducers compares what a log at rest knows of its producers with what its batches
// say: all that are left, and as many of those that were deleted as it still knew of when
// they went.
func (m *model) checkProducers(l *storage.Log) error {
	start, batches := l.LogStartOffset(), slices.Concat(m.ghosts, m.batches)
	live := slices.IndexFunc(batches, func(b modelBatch) bool { return b.next > start })
	if live < 0 {
		live = len(batches)
	}
	h := replay(batches[live:])
	state, aborted := h.compareState(l), h.compareAborted(l)
	for k := live - 1; k >= 0 && (state != nil || aborted != nil); k-- {
		h := replay(batches[k:])
		if state != nil {
			state = h.compareState(l)
		}
		if aborted != nil {
			aborted = h.compareAborted(l)
		}
	}
	return errors.Join(state, aborted)
}

func (h history) compareState(l *storage.Log) error {
	start, end := l.LogStartOffset(), l.LogEndOffset()
	got, want := l.Producers().All(), h.state.All()
	if len(got) != len(want) {
		return fmt.Errorf("%d producers are known, want %d", len(got), len(want))
	}
	for i := range got {
		g, w := got[i], want[i]
		if g.ID != w.ID || g.Epoch != w.Epoch || g.CoordinatorEpoch != w.CoordinatorEpoch || g.LastTimestamp != w.LastTimestamp ||
			g.TransactionStart != w.TransactionStart || !endsLike(g.Batches, w.Batches) {
			return fmt.Errorf("producer is\n%+v, want\n%+v", g, w)
		}
	}
	stable := max(h.state.LastStableOffset(end), start)
	if got := l.LastStableOffset(end); got != stable {
		return fmt.Errorf("last stable offset %d, want %d", got, stable)
	}
	return nil
}

func (h history) compareAborted(l *storage.Log) error {
	start := l.LogStartOffset()
	stable := l.LastStableOffset(l.LogEndOffset())
	aborted := slices.DeleteFunc(slices.Clone(h.aborted), func(a producers.AbortedTransaction) bool {
		return a.LastOffset < start || a.FirstOffset >= stable
	})
	if got := l.AbortedTransactions(start, stable); !slices.Equal(got, aborted) {
		return fmt.Errorf("aborted are %+v, want %+v", got, aborted)
	}
	return nil
}

// endsLike reports whether the batches that are known are the last that there were. Of those
// before a snapshot it is only the very last.
func endsLike(got, want []producers.Batch) bool {
	if len(got) > len(want) || len(want) > 0 && len(got) == 0 {
		return false
	}
	for i := range got {
		g, w := got[len(got)-1-i], want[len(want)-1-i]
		g.Timestamp, w.Timestamp = 0, 0 // a snapshot has that of the producer
		if g != w {
			return false
		}
	}
	return true
}
