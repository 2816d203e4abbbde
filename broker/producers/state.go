package producers

import (
	"cmp"
	"fmt"
	"slices"

	"odradek/broker/failpoint"
	"odradek/broker/wire"
)

// State is what is known of the producers of one partition.
type State struct {
	fail      *failpoint.Registry
	producers map[int64]*producer
	// ongoing are the open transactions, completed those whose marker was not below the
	// high watermark yet when it was last looked at; both sorted by their first offset.
	ongoing   []transaction
	completed []completed

	verifying map[int64]*verification
	lastGuard Guard
	known     bool // there ever was a producer
}

// New is the state of an empty log. fail may be nil.
func New(fail *failpoint.Registry) *State {
	return &State{fail: fail, producers: make(map[int64]*producer), verifying: make(map[int64]*verification)}
}

// Renew is an empty state for the same log: no guard of the old one fits it.
func (s *State) Renew() *State {
	fresh := New(s.fail)
	fresh.lastGuard = s.lastGuard
	return fresh
}

// Len is the number of producers.
func (s *State) Len() int { return len(s.producers) }

// Blank reports whether there never was a producer, not even one that has expired.
func (s *State) Blank() bool { return !s.known }

// Producer is what is known of a producer; false if nothing is.
func (s *State) Producer(id int64) (Producer, bool) {
	p := s.producers[id]
	if p == nil {
		return Producer{}, false
	}
	return p.view(id), true
}

// All lists the producers, sorted by id.
func (s *State) All() []Producer {
	all := make([]Producer, 0, len(s.producers))
	for id, p := range s.producers { //odradek:unordered sorted below
		all = append(all, p.view(id))
	}
	slices.SortFunc(all, func(a, b Producer) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

func (s *State) producer(id int64) *producer {
	p := s.producers[id]
	if p == nil {
		p = &producer{epoch: wire.NoProducerEpoch, coordinatorEpoch: -1, timestamp: wire.NoTimestamp, start: wire.NoOffset}
		s.producers[id] = p
		s.known = true
	}
	return p
}

// Append takes note of a data batch with a producer id that is in the log, or will be once
// everything queued is: its offsets are final.
func (s *State) Append(h *wire.BatchHeader) {
	p := s.producer(h.ProducerID)
	p.setEpoch(h.ProducerEpoch)
	p.add(Batch{
		FirstSequence: h.BaseSequence, LastSequence: h.LastSequence(),
		FirstOffset: h.BaseOffset, LastOffset: h.LastOffset(), Timestamp: h.MaxTimestamp,
	})
	p.timestamp = h.MaxTimestamp
	if !h.Transactional() {
		return
	}
	if p.start == wire.NoOffset {
		p.start = h.BaseOffset
		s.begin(transaction{first: h.BaseOffset, producerID: h.ProducerID})
	}
	delete(s.verifying, h.ProducerID)
}

// End takes note of a marker in the log. If it aborted a transaction that has records
// here, that is returned.
func (s *State) End(h *wire.BatchHeader, m wire.EndMarker) (AbortedTransaction, bool) {
	p := s.producer(h.ProducerID)
	// Nothing that was verified before may be appended now (KIP-890).
	delete(s.verifying, h.ProducerID)
	p.setEpoch(h.ProducerEpoch)
	p.coordinatorEpoch = m.CoordinatorEpoch
	p.timestamp = h.MaxTimestamp
	if p.start == wire.NoOffset {
		return AbortedTransaction{}, false // it has no records here, or has ended before
	}
	first := p.start
	p.start = wire.NoOffset
	stable := s.complete(h.ProducerID, first, h.LastOffset())
	return AbortedTransaction{ProducerID: h.ProducerID, FirstOffset: first, LastOffset: h.LastOffset(), LastStableOffset: stable}, !m.Commit
}

// Expire forgets producers of which nothing came for longer than age, except those in a
// transaction (producer.id.expiration.ms), and verifications that nobody used. now is the
// time of day, both are in ms. It returns the number of producers forgotten.
func (s *State) Expire(now, age int64) int {
	n := 0
	for id, p := range s.producers { //odradek:unordered each is judged by itself
		if p.start == wire.NoOffset && now-p.timestamp >= age {
			delete(s.producers, id)
			n++
		}
	}
	for id, v := range s.verifying { //odradek:unordered each is judged by itself
		if now-v.begun >= age {
			delete(s.verifying, id)
		}
	}
	return n
}

// check is an always-on invariant: only a bug can break it.
func check(ok bool, format string, args ...any) {
	if !ok {
		panic("producers: " + fmt.Sprintf(format, args...))
	}
}
