package broker

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"odradek/broker/producers"
	"odradek/broker/replica"
	"odradek/broker/wire"
)

// A transaction that the coordinator does not know of would never get a marker, and hold
// up everybody who reads committed records. So before a transaction's first batch is
// appended to a partition, its leader asks the coordinator whether the partition has been
// added to it (KIP-890), or from Produce version 12 on has it added.

// verifying is a question to a transaction coordinator that is under way, and what waits
// for its answer, in order.
type verifying struct {
	producer verifiedProducer
	leader   *replica.Leader
	version  int16 // of Produce
	waiting  []unverified
}

// unverified is a valid batch that has not been appended yet.
type unverified struct {
	batch []byte
	acks  int16
	part  *produced
}

type verifiedProducer struct {
	id    int64
	epoch int16
}

// The versions of Produce in which a client knows what it is told of its transaction.
const (
	produceAbortable = 11 // TRANSACTION_ABORTABLE
	produceAdds      = 12 // partitions are added by producing to them
)

// mustVerify reports whether a transactional batch has to wait for the coordinator: it
// would be the first of its transaction here, or that one is waiting before it. A batch
// that is refused or a duplicate anyway need not.
func (p *partition) mustVerify(h *wire.BatchHeader, rules producers.Rules) bool {
	if !rules.Verify {
		return false
	}
	if p.verification(verifiedProducer{h.ProducerID, h.ProducerEpoch}) != nil {
		return true // else the batches would change places
	}
	_, _, err := p.log.Producers().Check(h, rules)
	refused, ok := err.(*producers.Refusal)
	return ok && refused.Unverified
}

func (p *partition) verification(who verifiedProducer) *verifying {
	for _, v := range p.verifications {
		if v.producer == who {
			return v
		}
	}
	return nil
}

// verify has the coordinator asked about the transaction of a batch, or lets the batch wait
// with those that it was asked for.
func (p *partition) verify(h *wire.BatchHeader, terms appendTerms, u unverified) {
	adds := terms.version >= produceAdds
	who := verifiedProducer{h.ProducerID, h.ProducerEpoch}
	if v := p.verification(who); v != nil {
		p.log.Verify(h, adds) // it may have the lowest sequence number
		v.waiting = append(v.waiting, u)
		return
	}
	v := &verifying{producer: who, leader: p.leader, version: terms.version, waiting: []unverified{u}}
	p.verifications = append(p.verifications, v)
	p.n.verifyTransaction(p, *terms.transactionalID, h, adds, func(guard producers.Guard, code int16) { p.verified(v, guard, code) })
}

// verified goes on with what waited, in order.
func (p *partition) verified(v *verifying, guard producers.Guard, code int16) {
	p.verifications = slices.DeleteFunc(p.verifications, func(o *verifying) bool { return o == v })
	code = verificationCode(code, v.version)
	if code == 0 && p.err != nil {
		code = kerr.KafkaStorageError.Code
	}
	if code == 0 && p.leader != v.leader {
		code = notLeader
	}
	waiting := v.waiting
	v.waiting = nil
	for _, u := range waiting {
		if code != 0 {
			u.part.finish(appendError(code, ""))
			continue
		}
		p.write(u.batch, u.acks, producers.Rules{Origin: producers.Client, Verify: true, Guard: guard}, u.part)
	}
}

// verificationCode is the coordinator's error as a producer understands it. What passes by
// itself becomes NOT_ENOUGH_REPLICAS, which every client retries without asking for new
// metadata; a newer one knows CONCURRENT_TRANSACTIONS, which is common when transactions
// follow each other closely.
func verificationCode(code, version int16) int16 {
	switch code {
	case kerr.ConcurrentTransactions.Code:
		if version >= produceAdds {
			return code
		}
		return kerr.NotEnoughReplicas.Code
	case kerr.NetworkException.Code, kerr.CoordinatorLoadInProgress.Code, kerr.CoordinatorNotAvailable.Code, kerr.NotCoordinator.Code:
		return kerr.NotEnoughReplicas.Code
	case kerr.ProducerFenced.Code:
		return kerr.InvalidProducerEpoch.Code
	case kerr.TransactionAbortable.Code:
		if version < produceAbortable {
			return kerr.InvalidTxnState.Code
		}
	}
	return code
}
