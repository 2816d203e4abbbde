package producers

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"pgregory.net/rapid"

	"odradek/broker/wire"
)

// told is a batch or marker in the log of the model, which knows everything that was ever
// appended and decides by searching all of it.
type told struct {
	h      wire.BatchHeader
	marker bool
	commit bool
}

type model struct {
	log []told
	// from is where the state was last made from a snapshot: of the batches before it
	// only the last of each producer is remembered.
	from wire.Offset
	hw   wire.Offset
}

func (m *model) end() wire.Offset {
	if n := len(m.log); n > 0 {
		return m.log[n-1].h.NextOffset()
	}
	return 0
}

// of lists what a producer has in the log, in its last epoch.
func (m *model) of(id int64) (epoch int16, batches []wire.BatchHeader, known bool) {
	for _, e := range m.log {
		if e.h.ProducerID != id {
			continue
		}
		if e.h.ProducerEpoch != epoch || !known {
			epoch, batches, known = e.h.ProducerEpoch, nil, true
		}
		if !e.marker {
			batches = append(batches, e.h)
		}
	}
	return epoch, batches, known
}

// open is the first offset of a producer's open transaction.
func (m *model) open(id int64, upTo wire.Offset) wire.Offset {
	start := wire.NoOffset
	for _, e := range m.log {
		switch {
		case e.h.ProducerID != id || e.h.BaseOffset >= upTo:
		case e.marker:
			start = wire.NoOffset
		case e.h.Transactional() && start == wire.NoOffset:
			start = e.h.BaseOffset
		}
	}
	return start
}

// remembered are the batches that a copy is known by.
func (m *model) remembered(batches []wire.BatchHeader) []wire.BatchHeader {
	i := 0
	for i < len(batches)-1 && batches[i+1].BaseOffset < m.from {
		i++
	}
	return batches[max(i, len(batches)-WindowSize):]
}

// allowed says what may become of a batch: nil and the first copy's offset or none, or errors.
func (m *model) allowed(h *wire.BatchHeader) (copyAt wire.Offset, errs []*kerr.Error) {
	epoch, batches, known := m.of(h.ProducerID)
	if !known {
		return wire.NoOffset, nil
	}
	if h.ProducerEpoch < epoch {
		return wire.NoOffset, []*kerr.Error{kerr.InvalidProducerEpoch}
	}
	if h.ProducerEpoch > epoch {
		batches = nil
	}
	for _, b := range m.remembered(batches) {
		if b.BaseSequence == h.BaseSequence && b.LastSequence() == h.LastSequence() {
			return b.BaseOffset, nil
		}
	}
	due := int32(0)
	if n := len(batches); n > 0 {
		due = wire.AddSequence(batches[n-1].LastSequence(), 1)
	}
	switch {
	case h.BaseSequence != due:
		errs = []*kerr.Error{kerr.OutOfOrderSequenceNumber}
	case m.open(h.ProducerID, m.end()) != wire.NoOffset && !h.Transactional():
		errs = []*kerr.Error{kerr.InvalidTxnState}
	}
	return wire.NoOffset, errs
}

func (m *model) stable() wire.Offset {
	stable := m.hw
	for _, e := range m.log {
		id := e.h.ProducerID
		if e.marker || !e.h.Transactional() || m.open(id, e.h.NextOffset()) != e.h.BaseOffset {
			continue // not the first of a transaction
		}
		ended := wire.NoOffset
		for _, o := range m.log {
			if o.marker && o.h.ProducerID == id && o.h.BaseOffset > e.h.BaseOffset {
				ended = o.h.BaseOffset
				break
			}
		}
		// A snapshot does not tell of what had ended before it.
		if ended == wire.NoOffset || ended >= m.hw && ended >= m.from {
			stable = min(stable, e.h.BaseOffset)
		}
	}
	return stable
}

// TestProducersAreWhatTheLogSays compares a state that appends, is written, read, truncated
// and replayed with a model that searches the log.
func TestProducersAreWhatTheLogSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{}
		s := New(nil)
		snapshots := map[wire.Offset][]byte{0: s.Snapshot()}
		take := func(e told) {
			m.log = append(m.log, e)
			if !e.marker {
				s.Append(&e.h)
				return
			}
			start := m.open(e.h.ProducerID, e.h.BaseOffset)
			a, aborted := s.End(&e.h, wire.EndMarker{Commit: e.commit})
			if aborted != (start != wire.NoOffset && !e.commit) || aborted && (a.FirstOffset != start || a.LastOffset != e.h.BaseOffset) {
				t.Fatalf("a marker at %d, of a transaction from %d on, aborts %+v, %v", e.h.BaseOffset, start, a, aborted)
			}
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			id := rapid.Int64Range(0, 2).Draw(t, "id")
			epoch, batches, _ := m.of(id)
			h := wire.BatchHeader{
				BaseOffset: m.end(), ProducerID: id, ProducerEpoch: max(0, epoch+int16(rapid.SampledFrom([]int{0, 0, 0, 0, 0, 1, -1}).Draw(t, "epoch"))),
				LastOffsetDelta: rapid.Int32Range(0, 2).Draw(t, "records"),
			}
			switch rapid.SampledFrom([]string{"next", "next", "next", "again", "odd", "marker", "snapshot", "restart", "truncate"}).Draw(t, "step") {
			case "next":
				if n := len(batches); n > 0 && h.ProducerEpoch == epoch {
					h.BaseSequence = wire.AddSequence(batches[n-1].LastSequence(), 1)
				} else if n == 0 && rapid.IntRange(0, 9).Draw(t, "late") == 0 {
					h.BaseSequence = 1<<31 - 3
				}
			case "again":
				if len(batches) == 0 {
					continue
				}
				b := rapid.SampledFrom(batches).Draw(t, "copy")
				h.BaseSequence, h.LastOffsetDelta, h.ProducerEpoch, h.Attributes = b.BaseSequence, b.LastOffsetDelta, b.ProducerEpoch, b.Attributes
			case "odd":
				h.BaseSequence = rapid.Int32Range(0, 12).Draw(t, "sequence")
			case "marker":
				h.Attributes, h.BaseSequence, h.LastOffsetDelta = control|transactional, wire.NoSequence, 0
				if err := s.CheckMarker(&h, wire.EndMarker{}, 1); (err != nil) != (h.ProducerEpoch < epoch) {
					t.Fatalf("a marker of epoch %d after %d: %v", h.ProducerEpoch, epoch, err)
				}
				if h.ProducerEpoch >= epoch {
					take(told{h, true, rapid.Bool().Draw(t, "commit")})
				}
				continue
			case "snapshot":
				snapshots[m.end()] = s.Snapshot()
				continue
			case "truncate", "restart":
				cut := len(m.log)
				if len(m.log) > 0 && rapid.Bool().Draw(t, "cut") {
					cut = rapid.IntRange(0, len(m.log)-1).Draw(t, "batches")
				}
				log := m.log[:cut:cut]
				m.log = nil
				m.log = append(m.log, log...)
				var at []wire.Offset
				for o := range snapshots { //odradek:unordered sorted below
					if o > m.end() {
						delete(snapshots, o)
					} else {
						at = append(at, o)
					}
				}
				slices.Sort(at)
				m.from = rapid.SampledFrom(at).Draw(t, "snapshot")
				m.hw = min(m.hw, m.end())
				s = s.Renew()
				if err := s.Load(snapshots[m.from], m.from); err != nil {
					t.Fatal(err)
				}
				i := slices.IndexFunc(log, func(e told) bool { return e.h.BaseOffset >= m.from })
				if i < 0 {
					i = len(log)
				}
				m.log = append([]told(nil), log[:i]...)
				for _, e := range log[i:] {
					take(e)
				}
				continue
			}
			if h.Attributes == 0 && (rapid.Bool().Draw(t, "transactional") || m.open(id, m.end()) != wire.NoOffset && rapid.IntRange(0, 5).Draw(t, "stray") > 0) {
				h.Attributes = transactional
			}
			copyAt, errs := m.allowed(&h)
			first, duplicate, err := s.Check(&h, Rules{Origin: Client})
			var refused *Refusal
			switch {
			case errors.As(err, &refused):
				if !slices.Contains(errs, refused.Code) {
					t.Fatalf("%+v: %v, want %v or a copy at %d", h, err, errs, copyAt)
				}
			case duplicate != (copyAt != wire.NoOffset) || duplicate && first.FirstOffset != copyAt || len(errs) > 0:
				t.Fatalf("%+v: duplicate %v of %+v, want a copy at %d or %v", h, duplicate, first, copyAt, errs)
			case !duplicate:
				take(told{h: h})
			}
			m.hw = wire.Offset(rapid.Int64Range(int64(m.hw), int64(m.end())).Draw(t, "hw"))
			if got, want := s.LastStableOffset(m.hw), m.stable(); got != want {
				t.Fatalf("last stable offset %d, want %d with high watermark %d\n%s", got, want, m.hw, m)
			}
		}
	})
}

func (m *model) String() string {
	var out string
	for _, e := range m.log {
		out += fmt.Sprintf("[%d, %d] producer %d epoch %d sequence %d marker=%v transactional=%v\n", e.h.BaseOffset, e.h.LastOffset(), e.h.ProducerID, e.h.ProducerEpoch, e.h.BaseSequence, e.marker, e.h.Transactional())
	}
	return out
}

// Whatever is on the disk is refused or makes a state that can go on.
func TestLoadedSnapshotsAreSound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := New(nil)
		for i := range rapid.IntRange(0, 4).Draw(t, "producers") {
			s.Append(&wire.BatchHeader{BaseOffset: wire.Offset(i), ProducerID: int64(i), Attributes: int16(i % 2 * transactional)})
		}
		b := s.Snapshot()
		if err := s.Renew().Load(b, 4); err != nil {
			t.Fatal(err)
		}
		if rapid.Bool().Draw(t, "cut") {
			b = b[:rapid.IntRange(0, len(b)-1).Draw(t, "length")]
		} else {
			b[rapid.IntRange(0, len(b)-1).Draw(t, "at")] ^= byte(rapid.IntRange(1, 255).Draw(t, "bits"))
		}
		if err := s.Renew().Load(b, 4); !errors.Is(err, ErrBadSnapshot) {
			t.Fatalf("damaged, and read: %v", err)
		}
	})
}
