package broker

import (
	"cmp"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/producers"
	"odradek/broker/wire"
)

// txnVerifier asks the coordinators of transactions, on behalf of the partitions that are
// led here, whether a partition is in a producer's transaction, or to add it (KIP-890).
type txnVerifier struct {
	n      *Node
	outbox outbox[*txnQuestion]
}

func newTxnVerifier(n *Node) *txnVerifier {
	v := &txnVerifier{n: n}
	v.outbox = outbox[*txnQuestion]{
		n: n, lane: laneTxnVerify, patience: n.requestTimeout, answered: v.answered,
		pack: func(waiting []*txnQuestion) (kmsg.Request, []*txnQuestion, []*txnQuestion) {
			return requestOf(waiting), waiting, nil
		},
		serve: func(req kmsg.Request, done func(kmsg.Response)) {
			n.addPartitionsToTxn(req.(*kmsg.AddPartitionsToTxnRequest), sender{}, done)
		},
	}
	return v
}

type txnQuestion struct {
	p               *partition
	transactionalID string
	header          wire.BatchHeader // of the transaction's first batch
	add             bool
	guard           producers.Guard // from before the coordinator was asked
	backoff         time.Duration   // before the next try
	giveUp          env.Time        // when it is not tried again any more
	done            func(guard producers.Guard, code int16)
}

// A transaction that follows closely on another meets its markers: at the coordinator, as
// CONCURRENT_TRANSACTIONS, or here, where they make a guard void. Then the coordinator is
// asked again, for addPartitionsPatience, after a pause that grows to addPartitionsBackoff
// (add.partitions.to.txn.retry.backoff.max.ms and .ms of Kafka, at their defaults). Markers
// mostly take no longer than the first pause.
const (
	addPartitionsFirst    = time.Millisecond
	addPartitionsBackoff  = 20 * time.Millisecond
	addPartitionsPatience = 100 * time.Millisecond
)

const versionAddPartitionsToTxn = 5

// verifyTransaction asks the coordinator of a transactional id whether the producer's
// ongoing transaction has the partition, or with add puts it there. h is the header of the
// batch that wants to be the first of the transaction in the partition, which must have a
// log. done follows on a later turn: the guard to append the batch with, in the same turn, or
// AddPartitionsToTxn's error for the partition; what kept the coordinator from answering is
// COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR or NETWORK_EXCEPTION.
func (n *Node) verifyTransaction(p *partition, transactionalID string, h *wire.BatchHeader, add bool, done func(guard producers.Guard, code int16)) {
	n.txnVerifier.ask(&txnQuestion{
		p: p, transactionalID: transactionalID, header: *h, add: add,
		giveUp: n.env.Clock.Now().Add(addPartitionsPatience), done: done,
	})
}

func (v *txnVerifier) ask(q *txnQuestion) {
	q.guard = q.p.log.Verify(&q.header, q.add)
	to, why := v.n.transactionCoordinatorOf(q.transactionalID)
	if why != nil {
		v.n.env.Clock.After(0, func() { q.done(producers.NoGuard, why.Code) })
		return
	}
	v.outbox.put(to, q)
}

// transactionCoordinatorOf is the broker that leads the partition of a transactional id.
func (n *Node) transactionCoordinatorOf(transactionalID string) (wire.NodeID, *kerr.Error) {
	tp, why := n.coordinators.partitionOf(transactionCoordinator, transactionalID)
	if why != nil {
		return wire.NoNode, why
	}
	p := n.image.Partition(tp.Topic, tp.Partition)
	if p == nil || p.Leader == wire.NoNode {
		return wire.NoNode, kerr.CoordinatorNotAvailable
	}
	return p.Leader, nil
}

// requestOf puts the questions about one transaction together. It sorts the questions.
func requestOf(asked []*txnQuestion) *kmsg.AddPartitionsToTxnRequest {
	slices.SortStableFunc(asked, func(a, b *txnQuestion) int {
		return cmp.Or(cmp.Compare(a.transactionalID, b.transactionalID), cmp.Compare(a.header.ProducerID, b.header.ProducerID), cmp.Compare(a.header.ProducerEpoch, b.header.ProducerEpoch),
			cmp.Compare(boolRank(a.add), boolRank(b.add)), a.p.tp.Compare(b.p.tp))
	})
	req := kmsg.NewPtrAddPartitionsToTxnRequest()
	req.Version = versionAddPartitionsToTxn
	for i, q := range asked {
		if i == 0 || !q.sameTransaction(asked[i-1]) {
			t := kmsg.NewAddPartitionsToTxnRequestTransaction()
			t.TransactionalID, t.ProducerID, t.ProducerEpoch, t.VerifyOnly = q.transactionalID, q.header.ProducerID, q.header.ProducerEpoch, !q.add
			req.Transactions = append(req.Transactions, t)
		}
		t := &req.Transactions[len(req.Transactions)-1]
		if k := len(t.Topics); k == 0 || t.Topics[k-1].Topic != q.p.tp.Topic {
			rt := kmsg.NewAddPartitionsToTxnRequestTransactionTopic()
			rt.Topic = q.p.tp.Topic
			t.Topics = append(t.Topics, rt)
		}
		topic := &t.Topics[len(t.Topics)-1]
		if k := len(topic.Partitions); k == 0 || topic.Partitions[k-1] != q.p.tp.Partition {
			topic.Partitions = append(topic.Partitions, q.p.tp.Partition)
		}
	}
	return req
}

func (q *txnQuestion) sameTransaction(o *txnQuestion) bool {
	return q.transactionalID == o.transactionalID && q.header.ProducerID == o.header.ProducerID && q.header.ProducerEpoch == o.header.ProducerEpoch && q.add == o.add
}

func boolRank(b bool) int {
	if b {
		return 1
	}
	return 0
}

// answered tells the askers. The answer has the transactions of the request in their order.
func (v *txnVerifier) answered(asked []*txnQuestion, resp kmsg.Response, err error) {
	whole := kerr.NetworkException.Code
	var list []kmsg.AddPartitionsToTxnResponseTransaction
	if err == nil {
		r := resp.(*kmsg.AddPartitionsToTxnResponse)
		list = r.Transactions
		if whole = r.ErrorCode; whole == 0 {
			whole = kerr.UnknownServerError.Code // of what the answer leaves out
		}
	} else {
		v.n.env.Trace.Event(env.Debug, "transaction-not-verified", env.Err(err))
	}
	at := -1
	for i, q := range asked {
		if i == 0 || !q.sameTransaction(asked[i-1]) {
			at++
		}
		code := whole
		if at < len(list) && list[at].TransactionalID == q.transactionalID {
			code = codeFor(&list[at], q.p.tp, whole)
		}
		again := code == 0 && q.void() || code == kerr.ConcurrentTransactions.Code && q.add
		if again && v.n.env.Clock.Now() < q.giveUp {
			q.backoff = min(max(2*q.backoff, addPartitionsFirst), addPartitionsBackoff)
			v.n.env.Clock.After(q.backoff, func() { v.ask(q) })
			continue
		}
		q.done(q.guard, code)
	}
}

// void reports whether a marker has come in since the coordinator was asked: its answer may
// be about the transaction before.
func (q *txnQuestion) void() bool {
	_, _, err := q.p.log.Producers().Check(&q.header, producers.Rules{Origin: producers.Coordinator, Verify: true, Guard: q.guard})
	refused, ok := err.(*producers.Refusal)
	return ok && refused.Unverified
}

func codeFor(t *kmsg.AddPartitionsToTxnResponseTransaction, tp wire.TopicPartition, missing int16) int16 {
	for _, topic := range t.Topics {
		if topic.Topic != tp.Topic {
			continue
		}
		for _, p := range topic.Partitions {
			if p.Partition == tp.Partition {
				return p.ErrorCode
			}
		}
	}
	return missing
}
