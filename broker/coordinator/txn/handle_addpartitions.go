package txn

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/coordinator"
	"odradek/broker/failpoint"
	"odradek/broker/wire"
)

// addPartitions is AddPartitionsToTxn (key 24, versions 0-5; KIP-98, KIP-890). Up to version
// 3 a producer adds partitions to its transaction, which begins with the first. From version
// 4 on it is leaders of partitions that ask, for several transactions at once: to
// add the partition that a producer writes to, or only whether it is in the
// transaction. Errors, in all partitions of a transaction:
//
//	INVALID_REQUEST              no transactional id
//	INVALID_PRODUCER_ID_MAPPING  the transactional id is unknown, or has another producer id
//	PRODUCER_FENCED              the epoch is another (before version 2 INVALID_PRODUCER_EPOCH)
//	CONCURRENT_TRANSACTIONS      the transaction before is being completed
//	UNKNOWN_TOPIC_OR_PARTITION   this one; then the others are OPERATION_NOT_ATTEMPTED
//	TRANSACTION_ABORTABLE        it is not in the transaction (before version 5
//	                             INVALID_TXN_STATE)
//
// A partition that the coordinator does not know yet must not be added: it would look like
// one that was deleted, and needs no marker, to the next coordinator.
func (t *turn) addPartitions(r coordinator.Request, req *kmsg.AddPartitionsToTxnRequest) {
	t.reply(r, wire.AnswerAddPartitionsToTxn(req, func(x *kmsg.AddPartitionsToTxnRequestTransaction) func(wire.TopicPartition) int16 {
		why := t.judgeAdd(x, req.Version)
		return func(tp wire.TopicPartition) int16 { return code(fenced(why(tp), req.Version, 2)) }
	}))
}

func (t *turn) judgeAdd(req *kmsg.AddPartitionsToTxnRequestTransaction, version int16) verdict {
	x, why := t.identify(req.TransactionalID, req.ProducerID, req.ProducerEpoch)
	switch {
	case why != nil:
		return all(why)
	case req.VerifyOnly:
		return verify(x, version)
	case version < 4:
		return t.add(x, partitionsOf(req), 0)
	}
	return t.add(x, partitionsOf(req), 2)
}

func partitionsOf(req *kmsg.AddPartitionsToTxnRequestTransaction) (partitions []wire.TopicPartition) {
	for _, topic := range req.Topics {
		for _, p := range topic.Partitions {
			partitions = append(partitions, wire.TopicPartition{Topic: topic.Topic, Partition: p})
		}
	}
	return partitions
}

// verdict is the error of each partition that was asked for, nil if there is none.
type verdict func(wire.TopicPartition) *kerr.Error

func all(why *kerr.Error) verdict { return func(wire.TopicPartition) *kerr.Error { return why } }

// identify finds the transaction of a producer that wants to write.
func (t *turn) identify(id string, producerID int64, epoch int16) (*transaction, *kerr.Error) {
	if id == "" {
		return nil, kerr.InvalidRequest
	}
	x := t.get(id)
	switch {
	case x == nil:
		return nil, kerr.InvalidProducerIDMapping
	case x.awaits(producerID, epoch):
		return x, kerr.ConcurrentTransactions
	case x.producerID != producerID:
		return x, kerr.InvalidProducerIDMapping
	case x.epoch != epoch:
		return x, kerr.ProducerFenced
	case x.state.prepared():
		return x, kerr.ConcurrentTransactions
	}
	return x, nil
}

// add puts partitions into a transaction. version is that of its protocol.
func (t *turn) add(x *transaction, partitions []wire.TopicPartition, version int16) verdict {
	if slices.ContainsFunc(partitions, t.unknown) {
		return func(tp wire.TopicPartition) *kerr.Error {
			if t.unknown(tp) {
				return kerr.UnknownTopicOrPartition
			}
			return kerr.OperationNotAttempted
		}
	}
	if !slices.ContainsFunc(partitions, func(tp wire.TopicPartition) bool { return x.state != Ongoing || !x.has(tp) }) {
		return all(nil)
	}
	y := x.add(partitions, version, t.at.Wall)
	if !t.fits(y) {
		return all(kerr.InvalidRequest)
	}
	if t.m.cfg.Fail.On(failpoint.ZooTransactionBeginInMemory) {
		t.keep(y)
		t.m.put(y.id, y)
		return all(nil)
	}
	t.write(y)
	if x.state != Ongoing {
		t.event("transaction-begun", y)
	}
	return all(nil)
}

// verify is which partitions are in a transaction, for a request of a version.
func verify(x *transaction, version int16) verdict {
	return func(tp wire.TopicPartition) *kerr.Error {
		switch {
		case x.state == Ongoing && x.has(tp):
			return nil
		case version < 5:
			return kerr.InvalidTxnState
		}
		return kerr.TransactionAbortable
	}
}
