package storage

import (
	"errors"
	"fmt"

	"odradek/broker/producers"
	"odradek/broker/wire"
)

// sieve decides which records of a log stay when it is compacted, and rewrites the batches
// that do. It reads and writes memory only: the cleaning brings and fetches the bytes, and
// may run it off the loop.
//
// A batch is kept whole and as it is from offset upTo on. Below that:
//
//	a record stays       if it has a key, and the map has no later offset for it
//	a tombstone goes     once the delete horizon of its batch has passed
//	aborted records go   whatever their key
//	a marker goes        if no batch of its transaction is left, once its horizon has passed
//	an emptied batch     stays if it says what its producer sent last; the last batch of a
//	                     segment leaves a placeholder; others go
//
// The horizon is delete.retention.ms after the cleaning that first saw the tombstone, or
// the marker without records (KIP-534): a reader who began before that sees them.
type sieve struct {
	keys     *keyMap
	upTo     wire.Offset
	outcomes *outcomes
	// last is the producers' last batches, which deduplication needs after a restart.
	last  map[int64]lastBatch
	codec *wire.Codec
	// now is the time of day and horizon the delete horizon for what is seen first, in ms.
	now, horizon int64
	watched      bool

	// What came out since the last take.
	out     []byte
	batches []batchInfo // positions in out
	ids     []BatchID   // if watched
	aborted []producers.AbortedTransaction
	// produced says that a batch with a producer came out.
	produced bool
	// rewritten says that something is not as it was.
	rewritten bool
	stats     *CleanStats
}

type lastBatch struct {
	offset wire.Offset // wire.NoOffset: it is a marker
	epoch  int16
}

// lastBatches are the ones that the state of the producers names.
func lastBatches(state *producers.State) map[int64]lastBatch {
	if state.Blank() {
		return nil
	}
	all := state.All()
	last := make(map[int64]lastBatch, len(all))
	for i := range all {
		p := &all[i]
		last[p.ID] = lastBatch{p.LastOffset(), p.Epoch}
	}
	return last
}

// damageError is a batch whose bytes are not what was written.
type damageError struct {
	at     int // in the buffer
	reason string
}

func (e *damageError) Error() string { return e.reason }

// each visits the whole batches at the start of buf with their checksums verified. It
// returns their size and, if there is none, how many bytes the first one needs. left is
// what the segment has from the start of buf on.
func each(buf []byte, left int64, visit func(h *wire.BatchHeader, batch []byte, end int64) error) (done, need int, err error) {
	for done < len(buf) {
		h, batch, _, err := wire.NextBatch(buf[done:])
		switch {
		case errors.Is(err, wire.ErrShortBatch):
			need = max(h.Size(), wire.BatchHeaderSize)
			if int64(need) > left-int64(done) {
				return done, 0, &damageError{done, fmt.Sprintf("batch of %d bytes, but the file has only %d more", need, left-int64(done))}
			}
			return done, need, nil
		case err != nil:
			return done, 0, &damageError{done, err.Error()}
		case !wire.CheckCRC(batch):
			// A rewritten batch gets a checksum of its own, which would hide the damage.
			return done, 0, &damageError{done, "CRC does not match"}
		}
		if err := visit(&h, batch, int64(done+len(batch))); err != nil {
			return done, 0, &damageError{done, err.Error()}
		}
		done += len(batch)
	}
	return done, 0, nil
}

// pass sieves the whole batches at the start of buf. closing says that the segment is the
// last of those that become one.
func (s *sieve) pass(buf []byte, left int64, closing bool) (done, need int, err error) {
	return each(buf, left, func(h *wire.BatchHeader, batch []byte, end int64) error {
		return s.batch(h, batch, closing && end == left)
	})
}

// batch sieves one batch. closing says that it is the last of the new segment.
func (s *sieve) batch(h *wire.BatchHeader, batch []byte, closing bool) error {
	s.stats.BytesRead += int64(len(batch))
	s.stats.RecordsRead += int64(h.Count)
	if h.BaseOffset >= s.upTo {
		s.emit(h, batch, true)
		return nil
	}
	var discard, idle bool
	if h.Control() {
		var aborted *producers.AbortedTransaction
		var err error
		if idle, aborted, err = s.outcomes.marker(h, batch); err != nil {
			return err
		}
		if aborted != nil {
			s.aborted = append(s.aborted, *aborted)
		}
		discard = idle && s.passed(h)
	} else {
		discard = s.outcomes.data(h)
	}
	at := len(s.out)
	out, kept, err := s.codec.Compact(s.out, batch, wire.Compaction{
		Retain:  func(r *wire.Record) bool { return !discard && (h.Control() || s.retain(h, r)) },
		Horizon: s.horizon, Mark: idle,
	})
	if err != nil {
		return err
	}
	switch {
	case kept == int(h.Count) && kept > 0 && len(out) == len(batch) && &out[0] == &batch[0]:
		s.emit(h, batch, true)
	case kept > 0:
		s.out = out
		s.note(h, at, false)
	case s.isLast(h):
		unchanged := h.Count == 0
		s.out = wire.AppendEmptied(s.out, h)
		s.note(h, at, unchanged)
	case closing:
		// A segment ends where the next one begins, or recovery could not tell that it
		// has lost its end; nor would a follower learn how far the log goes.
		unchanged := h.Count == 0 && !h.HasProducer()
		s.out = wire.AppendPlaceholder(s.out, h)
		s.note(h, at, unchanged)
	default:
		s.rewritten = true
	}
	return nil
}

// retain decides about a record whose transaction was not aborted.
func (s *sieve) retain(h *wire.BatchHeader, r *wire.Record) bool {
	if r.Key == nil {
		return false // as in Kafka: it was appended before the topic was compacted
	}
	if r.Offset < s.keys.get(r.Key) {
		return false
	}
	return r.Value != nil || !s.passed(h)
}

// passed reports whether the batch has a delete horizon that is over.
func (s *sieve) passed(h *wire.BatchHeader) bool {
	horizon, marked := h.DeleteHorizon()
	return marked && s.now >= horizon
}

// isLast reports whether the batch tells what its producer sent last.
func (s *sieve) isLast(h *wire.BatchHeader) bool {
	last, known := s.last[h.ProducerID]
	switch {
	case !h.HasProducer() || !known:
		return false
	case last.offset == wire.NoOffset:
		return h.Control() && h.ProducerEpoch == last.epoch
	}
	return h.LastOffset() == last.offset
}

func (s *sieve) emit(h *wire.BatchHeader, batch []byte, unchanged bool) {
	at := len(s.out)
	s.out = append(s.out, batch...)
	s.note(h, at, unchanged)
}

// note takes down the batch at the end of out.
func (s *sieve) note(was *wire.BatchHeader, at int, unchanged bool) {
	h, err := wire.ReadBatchHeader(s.out[at:])
	check(err == nil && h.BaseOffset == was.BaseOffset && h.NextOffset() == was.NextOffset() && h.LeaderEpoch == was.LeaderEpoch,
		"a batch that was rewritten is another one: %+v, it was %+v, %v", h, was, err)
	s.batches = append(s.batches, infoOf(&h, int64(at)))
	if s.watched {
		s.ids = append(s.ids, BatchID{Base: h.BaseOffset, Last: h.LastOffset(), Epoch: h.LeaderEpoch, CRC: h.CRC})
	}
	s.produced = s.produced || h.HasProducer()
	s.rewritten = s.rewritten || !unchanged
	s.stats.BytesKept += int64(h.Size())
	s.stats.RecordsKept += int64(h.Count)
}

// take hands out what came out, and begins anew with the given memory.
func (s *sieve) take(out []byte) ([]byte, []batchInfo) {
	full, batches := s.out, s.batches
	s.out, s.batches = out[:0], nil
	return full, batches
}

// learner fills the map of keys.
type learner struct {
	keys     *keyMap
	limit    int // entries
	from     wire.Offset
	upTo     wire.Offset // of what is in the map
	outcomes *outcomes
	codec    *wire.Codec
	full     bool
}

// errFull ends learning before a batch that has no room.
var errFull = errors.New("the map of keys is full")

func (m *learner) learn(buf []byte, left int64) (done, need int, err error) {
	done, need, err = each(buf, left, func(h *wire.BatchHeader, batch []byte, _ int64) error { return m.batch(h, batch) })
	var damaged *damageError
	if m.full && errors.As(err, &damaged) {
		err = nil
	}
	return done, need, err
}

func (m *learner) batch(h *wire.BatchHeader, batch []byte) error {
	if h.NextOffset() <= m.from {
		return nil
	}
	// The first batch goes in whatever its size: else the log could never be compacted.
	if m.keys.used > 0 && m.keys.used+int(h.Count) > m.limit {
		m.full = true
		return errFull
	}
	if h.Control() {
		if _, _, err := m.outcomes.marker(h, batch); err != nil {
			return err
		}
	} else if !m.outcomes.data(h) {
		records, err := m.codec.Records(batch)
		if err != nil {
			return err
		}
		var r wire.Record
		for records.Next(&r) {
			if r.Key != nil && r.Offset >= m.from {
				m.keys.put(r.Key, r.Offset)
			}
		}
		if err := records.Err(); err != nil {
			return err
		}
	}
	m.upTo = max(m.upTo, h.NextOffset())
	return nil
}
