package producers

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"

	"odradek/broker/failpoint"
	"odradek/broker/wire"
)

// Origin is who appends.
type Origin uint8

const (
	// Own is this broker, in what it has already decided.
	Own Origin = iota
	// Client is a producer: everything is checked.
	Client
	// Coordinator is a coordinator, on behalf of a producer: without sequence numbers.
	Coordinator
)

// Rules are those of one append.
type Rules struct {
	Origin Origin
	// Verify demands of the first batch of a transaction that the coordinator was asked:
	// with Guard (transaction.partition.verification.enable).
	Verify bool
	Guard  Guard
	// TransactionVersion is that of a marker's coordinator.
	TransactionVersion int8
}

// Refusal is why a batch must not be appended.
type Refusal struct {
	Code    *kerr.Error
	Message string
	// Unverified says that all that is missing is a verification.
	Unverified bool
}

func (r *Refusal) Error() string { return r.Code.Message + ": " + r.Message }

func refuse(code *kerr.Error, format string, args ...any) *Refusal {
	return &Refusal{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Check judges a data batch with a producer id that is to be appended by the leader. It
// changes nothing. duplicate says that the batch is in the log, or on its way, as first;
// that is a success. Errors (*[Refusal]):
//
//	INVALID_PRODUCER_EPOCH        the epoch is older than one that was seen
//	OUT_OF_ORDER_SEQUENCE_NUMBER  batches are missing before this one, or it is a
//	                              copy that is not remembered
//	DUPLICATE_SEQUENCE_NUMBER     a copy that is older than the window, for certain
//	INVALID_TXN_STATE             not transactional in the middle of a transaction, or
//	                              not verified
//
// A producer that is not known may begin with any sequence number, since what it appended
// before may have been deleted (KIP-360), except under transaction version 2.
//
// A copy of a batch older than the window is out of order, as in Kafka: to call it the
// duplicate that it is would be an acknowledgement, and nobody remembers where the first
// copy is, so that nobody can wait for the high watermark to pass it.
func (s *State) Check(h *wire.BatchHeader, r Rules) (first Batch, duplicate bool, err error) {
	p := s.producers[h.ProducerID]
	if p != nil {
		if h.ProducerEpoch < p.epoch {
			return first, false, refuse(kerr.InvalidProducerEpoch, "epoch %d of producer %d is older than the last seen, %d", h.ProducerEpoch, h.ProducerID, p.epoch)
		}
		if r.Origin == Client && h.ProducerEpoch == p.epoch {
			first, duplicate = p.find(h.BaseSequence, h.LastSequence())
			if duplicate && !s.fail.On(failpoint.ZooDuplicateOutOfOrder) {
				return first, true, nil
			}
		}
	}
	if r.Origin == Client {
		if refusal := s.checkSequence(h, p); refusal != nil {
			return Batch{}, false, refusal
		}
	}
	if p != nil && p.start != wire.NoOffset && !h.Transactional() {
		return Batch{}, false, refuse(kerr.InvalidTxnState, "producer %d is in a transaction, the batch is not", h.ProducerID)
	}
	if h.Transactional() && r.Verify && !s.InTransaction(h.ProducerID, h.ProducerEpoch) && !s.verified(h, r.Guard) {
		refusal := refuse(kerr.InvalidTxnState, "the transaction of producer %d was not verified", h.ProducerID)
		refusal.Unverified = true
		return Batch{}, false, refusal
	}
	return Batch{}, false, nil
}

func (s *State) verified(h *wire.BatchHeader, g Guard) bool {
	if g == NoGuard {
		return false
	}
	if s.fail.On(failpoint.ZooVerificationRacesAppend) {
		return true
	}
	v := s.verifying[h.ProducerID]
	return v != nil && v.guard == g
}

func (s *State) checkSequence(h *wire.BatchHeader, p *producer) *Refusal {
	if v := s.verifying[h.ProducerID]; v != nil && h.Transactional() {
		if v.epochBump && h.BaseSequence != 0 && (p == nil || p.n == 0) {
			return refuse(kerr.OutOfOrderSequenceNumber, "producer %d begins a transaction with sequence %d", h.ProducerID, h.BaseSequence)
		}
		if v.epoch == h.ProducerEpoch && h.BaseSequence > v.lowest {
			return refuse(kerr.OutOfOrderSequenceNumber, "sequence %d of producer %d, while %d is missing", h.BaseSequence, h.ProducerID, v.lowest)
		}
	}
	switch {
	case p == nil:
		return nil
	case p.epoch != h.ProducerEpoch:
		if h.BaseSequence != 0 {
			return refuse(kerr.OutOfOrderSequenceNumber, "producer %d begins epoch %d, after %d, with sequence %d", h.ProducerID, h.ProducerEpoch, p.epoch, h.BaseSequence)
		}
		return nil
	case h.BaseSequence == nextSequence(p.lastSequence()):
		return nil
	}
	return refuse(kerr.OutOfOrderSequenceNumber, "sequence %d of producer %d after %d", h.BaseSequence, h.ProducerID, p.lastSequence())
}

// nextSequence follows last; the first is 0.
func nextSequence(last int32) int32 {
	if last == wire.NoSequence {
		return 0
	}
	return wire.AddSequence(last, 1)
}

// CheckMarker judges a marker that a transaction coordinator wants appended by the leader.
// Under transaction version 2 each transaction has an epoch of its own, so that a marker
// of the last epoch seen is late, unless it comes again after it has ended the transaction
// (KIP-890). Errors (*[Refusal]): INVALID_PRODUCER_EPOCH, TRANSACTION_COORDINATOR_FENCED.
func (s *State) CheckMarker(h *wire.BatchHeader, m wire.EndMarker, transactionVersion int8) error {
	p := s.producers[h.ProducerID]
	switch {
	case p == nil:
		return nil
	case h.ProducerEpoch < p.epoch:
		return refuse(kerr.InvalidProducerEpoch, "marker with epoch %d of producer %d, of which %d was seen", h.ProducerEpoch, h.ProducerID, p.epoch)
	case transactionVersion >= 2 && h.ProducerEpoch == p.epoch && p.start != wire.NoOffset:
		return refuse(kerr.InvalidProducerEpoch, "marker with the epoch %d of a transaction of producer %d that is open", h.ProducerEpoch, h.ProducerID)
	case m.CoordinatorEpoch < p.coordinatorEpoch:
		return refuse(kerr.TransactionCoordinatorFenced, "marker of coordinator epoch %d for producer %d, of which %d was seen", m.CoordinatorEpoch, h.ProducerID, p.coordinatorEpoch)
	}
	return nil
}
