package workloads

import (
	"errors"
	"slices"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/checker/history"
	"odradek/workloads/client"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/group"
	"odradek/workloads/client/producer"
	"odradek/workloads/client/txn"
)

// transactions records what one transactional producer does and experiences. It observes
// the client that the producer is made with, which makes nothing else, and every operation
// of the producer goes through it.
type transactions struct {
	*appends
	producer *client.Producer
	id       string
	// identity that the next transaction is under.
	identity *history.Producer
	// asking is the operation that an identity, when it comes, is the result of: the first
	// initialisation, and from then on the end of the transaction before, by which it may
	// come; 0 for none.
	asking int64
}

func newTransactions(s *Site, process string, cfg *producer.Config) *transactions {
	return &transactions{
		appends: newAppends(s, process, cfg), id: cfg.TransactionalID,
		identity: &history.Producer{TransactionalID: cfg.TransactionalID, ID: -1, Epoch: -1},
	}
}

func (x *transactions) invoke(f history.Func, e history.Event) int64 {
	e.Time, e.Func, e.Process, e.Txn = x.site.now(), f, x.process, x.txn
	return x.site.Recorder.Invoke(e)
}

// ask records that an identity is asked for, now or by what comes next.
func (x *transactions) ask() {
	if x.asking == 0 {
		x.asking = x.site.Recorder.Invoke(history.Event{
			Time: x.site.now(), Func: history.InitProducer, Process: x.process, Offset: wire.NoOffset,
			Producer: &history.Producer{TransactionalID: x.id, ID: -1, Epoch: -1},
		})
	}
}

// Transaction implements client.Observer.
func (x *transactions) Transaction(info client.TransactionInfo) {
	switch info.Event {
	case client.TransactionsInit:
		x.ask()
		x.identity = &history.Producer{TransactionalID: x.id, ID: info.ProducerID, Epoch: info.Epoch}
		x.site.Recorder.Return(x.asking, history.Event{
			Time: x.site.now(), Outcome: history.OK, Producer: x.identity, Offset: wire.NoOffset,
		})
		x.asking = 0
	case client.TransactionFenced:
		x.invoke(history.Fenced, history.Event{Producer: x.identity, Offset: wire.NoOffset, Detail: detailOf(info.Err)})
	}
}

// init makes the producer ready. A time-out is no end: it goes on trying unless told
// otherwise.
func (x *transactions) init(t *env.Task, enough func() bool) error {
	x.ask()
	for {
		err := x.producer.InitTransactions(t)
		if !errors.Is(err, txn.ErrTimeout) || enough() {
			return err
		}
	}
}

func (x *transactions) begin() error {
	// The identity may be newer than the last that was told of: that comes on a later turn.
	if err := x.producer.BeginTransaction(); err != nil {
		return err
	}
	if id, epoch, ok := x.producer.Identity(); ok && (id != x.identity.ID || epoch != x.identity.Epoch) {
		x.identity = &history.Producer{TransactionalID: x.id, ID: id, Epoch: epoch}
	}
	x.txn = 0
	x.txn = x.invoke(history.Begin, history.Event{Producer: x.identity, Offset: wire.NoOffset})
	return nil
}

// sendOffsets makes offsets part of the transaction, on behalf of a member.
func (x *transactions) sendOffsets(t *env.Task, member *history.Member, as txn.Group, offsets group.Offsets) txn.End {
	tps := sortedPartitions(offsets)
	sent := make(map[wire.TopicPartition]txn.Offset, len(tps))
	ops := make([]int64, len(tps))
	for i, tp := range tps {
		o := offsets[tp]
		sent[tp] = txn.Offset{Offset: o.Offset, LeaderEpoch: o.LeaderEpoch, Metadata: o.Metadata}
		ops[i] = x.invoke(history.SendOffsets, history.Event{Member: member, Topic: tp.Topic, Partition: tp.Partition, Offset: o.Offset})
	}
	end := x.producer.SendOffsets(t, as, sent)
	for i, tp := range tps {
		x.site.Recorder.Return(ops[i], x.ended(end, offsets[tp].Offset))
	}
	return end
}

// end commits or aborts, until it is known how that ended, or told otherwise.
func (x *transactions) end(t *env.Task, commit bool, enough func() bool) txn.End {
	for {
		x.ask() // the answer may have the next identity
		op := x.invoke(history.End, history.Event{Commit: commit, Offset: wire.NoOffset})
		var end txn.End
		if commit {
			end = x.producer.CommitTransaction(t)
		} else {
			end = x.producer.AbortTransaction(t)
		}
		e := x.ended(end, wire.NoOffset)
		e.Commit = commit
		x.site.Recorder.Return(op, e)
		if !errors.Is(end.Err, txn.ErrTimeout) || enough() {
			if end.Err == nil {
				x.txn = 0
			}
			return end
		}
	}
}

// ended is the return of an operation.
func (x *transactions) ended(end txn.End, offset wire.Offset) history.Event {
	lost := slices.ContainsFunc(end.Attempts, func(a attempt.Attempt) bool { return a.Err != nil && a.Outcome == attempt.Unknown })
	o := outcomeOf(end.Outcome)
	return history.Event{
		Time: x.site.now(), Outcome: o, Doubtful: lost && o == history.OK, Code: codeOf(end.Err), Detail: detailOf(end.Err), Offset: offset,
	}
}
