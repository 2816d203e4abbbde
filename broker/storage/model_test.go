package storage_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"

	"odradek/broker/env"
	"odradek/broker/storage"
	"odradek/broker/wire"
)

// model is what a log that keeps its promises may contain. It lives outside of the
// machine, so that crashes do not touch it.
type model struct {
	batches []modelBatch // everything submitted and not truncated
	// ghosts are batches before the start of a log that was to start over, and was cut
	// short when it was empty: its producers may still be known.
	ghosts []modelBatch
	// The log ends at least here after power loss, and after a crash of the process.
	durable, acked wire.Offset
	// The log starts between these.
	lowStart, highStart wire.Offset
	epoch               wire.LeaderEpoch
	lastTimestamp       int64

	truncating  bool
	truncateTo  wire.Offset
	startOver   bool
	startOverAt wire.Offset
	// syncFailed says that pages may have been lost without a crash.
	syncFailed bool
	tags       int
}

type modelBatch struct {
	base, next wire.Offset
	epoch      wire.LeaderEpoch
	timestamps []int64
	raw        []byte
}

func (m *model) end() wire.Offset {
	if n := len(m.batches); n > 0 {
		return m.batches[n-1].next
	}
	return m.acked
}

// cut removes the batches that end above to and returns the new end.
func (m *model) cut(to wire.Offset) wire.Offset {
	for n := len(m.batches); n > 0 && m.batches[n-1].next > to; n = len(m.batches) {
		to = min(to, m.batches[n-1].base)
		m.batches = m.batches[:n-1]
	}
	return to
}

// lowest is the least end after a crash.
func (m *model) lowest(power bool) wire.Offset {
	end := m.acked
	if power || m.syncFailed {
		end = m.durable
	}
	if m.truncating {
		c := model{batches: slices.Clone(m.batches)}
		end = min(end, c.cut(m.truncateTo))
	}
	if m.startOver {
		end = 0
	}
	return end
}

// reopened compares a log that was just opened with the model, and makes the model what the
// log is.
func (m *model) reopened(task *env.Task, l *storage.Log, power bool) error {
	start, end := l.LogStartOffset(), l.LogEndOffset()
	if l.FlushedOffset() != end || l.NextOffset() != end {
		return fmt.Errorf("flushed %d, next %d, but the end is %d", l.FlushedOffset(), l.NextOffset(), end)
	}
	if m.startOver && start == m.startOverAt && end == start {
		m.cut(end)
		m.ghosts, m.batches = append(m.ghosts, m.batches...), nil
	} else {
		if end < m.lowest(power) {
			return fmt.Errorf("the log ends at %d, but %d was promised (durable %d, acknowledged %d, power loss %v)",
				end, m.lowest(power), m.durable, m.acked, power)
		}
		if start < m.lowStart || start > m.highStart {
			return fmt.Errorf("the log starts at %d, not in [%d, %d]", start, m.lowStart, m.highStart)
		}
		if n := len(m.batches); n == 0 && end != start && end != m.acked {
			return fmt.Errorf("the log is [%d, %d), but nothing was appended", start, end)
		}
		if m.cut(end); m.end() != end && start != end && len(m.batches) > 0 {
			return fmt.Errorf("the log ends at %d, within a batch", end)
		}
		// A crash may come before the rest of this.
		m.acked, m.durable = min(m.acked, end), min(m.durable, end)
	}
	got, err := readAll(task, l)
	if err != nil {
		return err
	}
	var want []byte
	var live []modelBatch
	for _, b := range m.batches {
		if b.next > start {
			want = append(want, b.raw...)
			live = append(live, b)
		}
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("the log [%d, %d) has %d bytes that differ from the %d expected", start, end, len(got), len(want))
	}
	m.durable, m.acked, m.lowStart, m.highStart = end, end, start, start
	m.truncating, m.startOver, m.syncFailed = false, false, false
	if err := m.checkEpochs(l, live); err != nil {
		return err
	}
	if err := m.checkProducers(l); err != nil {
		return err
	}
	return m.checkTimestamps(task, l, live)
}

// checkEpochs compares the epoch cache with the epochs in the batches.
func (m *model) checkEpochs(l *storage.Log, live []modelBatch) error {
	for i, b := range live {
		if i+1 < len(live) && live[i+1].epoch == b.epoch {
			continue
		}
		wantEnd := l.LogEndOffset()
		if i+1 < len(live) {
			wantEnd = live[i+1].base
		}
		epoch, end := l.EndOffsetForEpoch(b.epoch)
		if epoch != b.epoch || end != wantEnd {
			return fmt.Errorf("end of epoch %d is (%d, %d), want (%d, %d)", b.epoch, epoch, end, b.epoch, wantEnd)
		}
	}
	if n := len(live); n > 0 && l.LatestEpoch() != live[n-1].epoch {
		return fmt.Errorf("latest epoch %d, want %d", l.LatestEpoch(), live[n-1].epoch)
	}
	m.epoch = max(m.epoch, l.LatestEpoch())
	return nil
}

func (m *model) checkTimestamps(task *env.Task, l *storage.Log, live []modelBatch) error {
	largest := int64(-1)
	for _, b := range live {
		largest = max(largest, slices.Max(b.timestamps))
	}
	for _, ts := range []int64{0, m.lastTimestamp / 3, m.lastTimestamp / 2, m.lastTimestamp, largest, m.lastTimestamp + 1000} {
		want := storage.TimestampOffset{Timestamp: -1, Offset: -1, Epoch: -1}
	search:
		for _, b := range live {
			for i, got := range b.timestamps {
				if o := b.base + wire.Offset(i); got >= ts && o >= l.LogStartOffset() {
					want = storage.TimestampOffset{Timestamp: got, Offset: o, Epoch: b.epoch}
					break search
				}
			}
		}
		got, err := env.Await2(task, func(done func(storage.TimestampOffset, error)) { l.OffsetForTimestamp(ts, done) })
		if err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("offset for timestamp %d is %+v, want %+v", ts, got, want)
		}
	}
	return nil
}

// checkReads compares reads with random bounds with what was written.
func (m *model) checkReads(task *env.Task, r *rand.Rand, l *storage.Log) error {
	start, end := l.LogStartOffset(), l.LogEndOffset()
	if start == end {
		return nil
	}
	from := start + wire.Offset(r.Int64N(int64(end-start)))
	req := storage.ReadRequest{From: from, UpTo: from + wire.Offset(r.Int64N(int64(end-from)+3)), MaxBytes: r.IntN(2000), MinOneBatch: r.IntN(2) == 0}
	var res storage.ReadResult
	got, err := env.Await2(task, func(done func([]byte, error)) {
		l.ReadBatches(req, func(b []byte, got storage.ReadResult, err error) { res = got; done(b, err) })
	})
	if err != nil {
		if l.Err() != nil {
			return nil
		}
		return err
	}
	i := slices.IndexFunc(m.batches, func(b modelBatch) bool { return b.next > from })
	if i < 0 {
		return fmt.Errorf("offset %d was never written", from)
	}
	first := m.batches[i]
	if len(got) == 0 {
		if first.next <= min(req.UpTo, end) && (len(first.raw) <= req.MaxBytes || req.MinOneBatch) {
			return fmt.Errorf("%+v found nothing, but the batch [%d, %d) of %d bytes is there", req, first.base, first.next, len(first.raw))
		}
		return nil
	}
	var want []byte
	next := first.base
	for ; i < len(m.batches) && len(want) < len(got); i++ {
		want = append(want, m.batches[i].raw...)
		next = m.batches[i].next
	}
	switch {
	case !bytes.Equal(got, want):
		return fmt.Errorf("%+v returned %d bytes that were not written", req, len(got))
	case next > min(req.UpTo, l.LogEndOffset()):
		return fmt.Errorf("%+v went on to %d", req, next)
	case len(got) > req.MaxBytes && !(req.MinOneBatch && len(got) == len(first.raw)):
		return fmt.Errorf("%+v returned %d bytes", req, len(got))
	case res.BaseOffset != first.base || res.NextOffset != next || res.Epoch != first.epoch || res.Size != len(got):
		return fmt.Errorf("%+v says base %d, next %d, epoch %d, size %d; want %d, %d, %d, %d", req,
			res.BaseOffset, res.NextOffset, res.Epoch, res.Size, first.base, next, first.epoch, len(got))
	}
	return nil
}
