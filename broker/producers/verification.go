package producers

import "odradek/broker/wire"

// Guard names one verification of a producer's transaction (KIP-890). The first batch of
// a transaction is appended only if the coordinator knows of the transaction. Between its
// answer and the append the transaction may end, and a new one may begin of which the
// coordinator has not been asked: a batch let in then would never get a marker. So the
// guard that is made before asking is void as soon as a batch or a marker of the producer
// is appended.
type Guard int64

// NoGuard is that of a batch that was not verified.
const NoGuard Guard = 0

type verification struct {
	guard Guard
	begun int64 // time of day, ms
	epoch int16
	// lowest is the lowest sequence number that waited for this verification: while that
	// batch has to come again, none behind it may take its place.
	lowest int32
	// epochBump says that each transaction has an epoch of its own, so that it begins
	// with sequence 0 (KIP-890, transaction version 2).
	epochBump bool
}

// Verify begins the verification of the transaction that the batch is the first of, or
// joins the one that was begun. now is the time of day in ms.
func (s *State) Verify(h *wire.BatchHeader, epochBump bool, now int64) Guard {
	v := s.verifying[h.ProducerID]
	if v == nil {
		s.lastGuard++
		v = &verification{guard: s.lastGuard, begun: now, epoch: h.ProducerEpoch, lowest: h.BaseSequence, epochBump: epochBump}
		s.verifying[h.ProducerID] = v
	}
	switch {
	case h.ProducerEpoch > v.epoch:
		v.epoch, v.lowest = h.ProducerEpoch, h.BaseSequence
	case h.ProducerEpoch == v.epoch:
		v.lowest = min(v.lowest, h.BaseSequence)
	}
	return v.guard
}
