package producers

import (
	"cmp"
	"slices"

	"odradek/broker/wire"
)

// transaction is one that has records here and no marker.
type transaction struct {
	first      wire.Offset
	producerID int64
}

// completed is one whose marker, at last, may not have replicated.
type completed struct {
	first, last wire.Offset
}

// AbortedTransaction is one that has records here that nobody who reads committed records
// may see.
type AbortedTransaction struct {
	ProducerID  int64
	FirstOffset wire.Offset
	LastOffset  wire.Offset // of the marker
	// LastStableOffset is where the log was decided up to when the marker was appended:
	// no transaction that began before it ended later.
	LastStableOffset wire.Offset
}

// InTransaction reports whether the producer has an open transaction here in this epoch.
func (s *State) InTransaction(id int64, epoch int16) bool {
	p := s.producers[id]
	return p != nil && p.start != wire.NoOffset && p.epoch == epoch
}

func (s *State) begin(t transaction) {
	if n := len(s.ongoing); n > 0 {
		check(s.ongoing[n-1].first < t.first, "a transaction begins at offset %d, after one at %d", t.first, s.ongoing[n-1].first)
	}
	s.ongoing = append(s.ongoing, t)
}

// complete moves a transaction from the ongoing to the completed ones and returns how far
// the log is decided then, but for replication.
func (s *State) complete(id int64, first, last wire.Offset) wire.Offset {
	i, ok := slices.BinarySearchFunc(s.ongoing, first, func(t transaction, o wire.Offset) int { return cmp.Compare(t.first, o) })
	check(ok && s.ongoing[i].producerID == id, "producer %d completes a transaction at offset %d that did not begin", id, first)
	s.ongoing = slices.Delete(s.ongoing, i, i+1)
	i, _ = slices.BinarySearchFunc(s.completed, first, func(c completed, o wire.Offset) int { return cmp.Compare(c.first, o) })
	s.completed = slices.Insert(s.completed, i, completed{first, last})
	if len(s.ongoing) > 0 {
		return s.ongoing[0].first
	}
	return last + 1
}

// LastStableOffset is the offset below which everything is decided and replicated: the
// start of the first transaction that is open, or whose marker is not below the high
// watermark, and at most the high watermark (KIP-98). It must be asked with the high
// watermark of the moment: what that has passed is forgotten.
func (s *State) LastStableOffset(highWatermark wire.Offset) wire.Offset {
	k := 0
	for k < len(s.completed) && s.completed[k].last < highWatermark {
		k++
	}
	if k > 0 {
		s.completed = slices.Delete(s.completed, 0, k)
	}
	stable := highWatermark
	if len(s.completed) > 0 {
		stable = min(stable, s.completed[0].first)
	}
	if len(s.ongoing) > 0 {
		stable = min(stable, s.ongoing[0].first)
	}
	return stable
}

// FirstUndecided is the start of the first open transaction; false if there is none.
func (s *State) FirstUndecided() (wire.Offset, bool) {
	if len(s.ongoing) == 0 {
		return wire.NoOffset, false
	}
	return s.ongoing[0].first, true
}
