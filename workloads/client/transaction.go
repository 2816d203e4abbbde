package client

import (
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/producer"
	"odradek/workloads/client/txn"
)

// The methods below are those of a producer with producer.Config.TransactionalID; others
// must not call them. One task at a time may wait for any of them.

// awaited is a task that waits for the end of an operation, at the latest until then (ns).
type awaited struct {
	op    *txn.Operation
	until int64
	wake  func()
}

// InitTransactions makes the producer ready for transactions: it ends the transaction
// that an earlier producer of the same transactional id left behind, and fences that
// producer. It must be called first, and once; after txn.ErrTimeout again.
func (p *Producer) InitTransactions(t *env.Task) error {
	return p.await(t, p.txn.Init()).Err
}

// BeginTransaction begins a transaction, to which all records belong that are sent
// until its end. It is local.
func (p *Producer) BeginTransaction() error {
	p.txn.Protocol(p.net.features.transactions())
	if err := p.txn.Begin(); err != nil {
		return err
	}
	p.tell(TransactionInfo{Event: TransactionBegun})
	return nil
}

// SendOffsets makes the offsets part of the transaction: they are committed for the
// group if and when it commits (AddOffsetsToTxn, TxnOffsetCommit).
func (p *Producer) SendOffsets(t *env.Task, group txn.Group, offsets map[wire.TopicPartition]txn.Offset) txn.End {
	offsets = maps.Clone(offsets)
	info := p.transaction(TransactionInfo{Event: OffsetsSending, Group: group, Offsets: offsets})
	p.observeTransaction(info)
	end := p.await(t, p.txn.SendOffsets(group, offsets))
	info.Event, info.Outcome, info.Err = OffsetsSent, end.Outcome, end.Err
	p.observeTransaction(info)
	return end
}

// CommitTransaction waits for the results of all records and commits. After
// txn.ErrTimeout it may be called again; after txn.ErrAbortable the transaction must be
// aborted.
func (p *Producer) CommitTransaction(t *env.Task) txn.End { return p.endTransaction(t, true) }

// AbortTransaction drops what was not sent yet, waits for the results of the rest, and
// aborts. After txn.ErrTimeout it may be called again.
//
// To crash instead, as seen by the cluster, Close the producer: nothing more is sent,
// and the transaction stays open until it times out or its id is initialised again.
func (p *Producer) AbortTransaction(t *env.Task) txn.End { return p.endTransaction(t, false) }

func (p *Producer) endTransaction(t *env.Task, commit bool) txn.End {
	info := p.transaction(TransactionInfo{Event: TransactionEnding, Commit: commit})
	p.observeTransaction(info)
	var op *txn.Operation
	if commit {
		op = p.txn.Commit()
	} else {
		op = p.txn.Abort()
	}
	end := p.await(t, op)
	info.Event, info.Outcome, info.Err = TransactionEnded, end.Outcome, end.Err
	p.observeTransaction(info)
	return end
}

// TransactionState is where the producer is.
func (p *Producer) TransactionState() txn.State { return p.txn.State() }

// Identity is the producer id and epoch that records are sent under; ok is false while
// there are none. Also idempotent producers without transactions have one.
func (p *Producer) Identity() (id int64, epoch int16, ok bool) {
	s := p.core.Session()
	return s.ID, s.Epoch, s != producer.NoSession
}

// await waits for the end of an operation, for at most max.block.ms.
func (p *Producer) await(t *env.Task, op *txn.Operation) txn.End {
	until := p.net.now() + int64(p.cfg.MaxBlock)
	for !op.Done {
		if p.net.now() >= until {
			return txn.End{Outcome: attempt.Unknown, Err: txn.ErrTimeout, Attempts: slices.Clone(op.End.Attempts)}
		}
		p.wakeUp()
		t.Suspend(func(wake func()) {
			p.awaiting = append(p.awaiting, &awaited{op: op, until: until, wake: wake})
		})
	}
	op.Taken = true
	return op.End
}

// wakeAwaiting resumes the tasks whose operations are done or whose time is up.
func (p *Producer) wakeAwaiting(now int64) {
	var woken []*awaited
	p.awaiting = slices.DeleteFunc(p.awaiting, func(a *awaited) bool {
		if !a.op.Done && a.until > now {
			return false
		}
		woken = append(woken, a)
		return true
	})
	for _, a := range woken {
		a.wake()
	}
}

// pollTransaction sends what the transaction needs.
func (p *Producer) pollTransaction(now int64) {
	p.txn.Protocol(p.net.features.transactions())
	for _, req := range p.txn.Poll(now) {
		p.net.call(req, p.cfg.RequestTimeout, func(resp kmsg.Response, err error) {
			if err != nil {
				p.txn.OnFailure(p.net.now(), req.ID, err)
			} else {
				p.txn.OnResponse(p.net.now(), req.ID, resp)
			}
		})
	}
}

// deliverEvents tells the observer what the producer learned.
func (p *Producer) deliverEvents() {
	for _, e := range p.txn.Events() {
		info := TransactionInfo{Event: TransactionsInit, Err: e.Err}
		if e.Fenced {
			info.Event = TransactionFenced
		}
		info = p.transaction(info)
		info.ProducerID, info.Epoch = e.Session.ID, e.Session.Epoch
		p.observeTransaction(info)
	}
}

// transaction fills in whose event it is.
func (p *Producer) transaction(info TransactionInfo) TransactionInfo {
	s := p.txn.Session()
	info.ClientID, info.TransactionalID = p.net.cfg.ClientID, p.cfg.TransactionalID
	info.ProducerID, info.Epoch, info.Number = s.ID, s.Epoch, p.txn.Number()
	return info
}

func (p *Producer) tell(info TransactionInfo) { p.observeTransaction(p.transaction(info)) }

func (p *Producer) observeTransaction(info TransactionInfo) {
	if o := p.net.cfg.Observer; o != nil {
		info.At = p.net.env.Clock.Now()
		o.Transaction(info)
	}
}
