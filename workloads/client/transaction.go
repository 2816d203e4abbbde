package client

import (
	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/txn"
)

// InitTransactions makes the producer ready for transactions: it ends the transaction
// that an earlier producer of the same transactional id left behind, and fences that
// producer. It must be called first, and once; after txn.ErrTimeout again.
func (p *Producer) InitTransactions(t *env.Task) error { panic("not yet") }

// BeginTransaction begins a transaction, to which all records belong that are sent
// until its end. It is local.
func (p *Producer) BeginTransaction() error { panic("not yet") }

// SendOffsets makes the offsets part of the transaction: they are committed for the
// group if and when it commits (AddOffsetsToTxn, TxnOffsetCommit).
func (p *Producer) SendOffsets(t *env.Task, group txn.Group, offsets map[wire.TopicPartition]txn.Offset) txn.End {
	panic("not yet")
}

// CommitTransaction waits for the results of all records and commits. After
// txn.ErrTimeout it may be called again; after txn.ErrAbortable the transaction must be
// aborted.
func (p *Producer) CommitTransaction(t *env.Task) txn.End { panic("not yet") }

// AbortTransaction drops what was not sent yet, waits for the results of the rest, and
// aborts. After txn.ErrTimeout it may be called again.
//
// To crash instead, as seen by the cluster, Close the producer: nothing more is sent,
// and the transaction stays open until it times out or its id is initialised again.
func (p *Producer) AbortTransaction(t *env.Task) txn.End { panic("not yet") }

// TransactionState is where the producer is.
func (p *Producer) TransactionState() txn.State { panic("not yet") }

// Identity is the producer id and epoch that records are sent under; ok is false while
// there are none.
func (p *Producer) Identity() (id int64, epoch int16, ok bool) { panic("not yet") }

// TransactionEvent is what happened to a transactional producer.
type TransactionEvent uint8

const (
	// TransactionsInit: a producer id and epoch came, of the first initialisation or a
	// bump of the epoch.
	TransactionsInit TransactionEvent = iota
	TransactionBegun
	// OffsetsSending and OffsetsSent are the call of SendOffsets and its return.
	OffsetsSending
	OffsetsSent
	// TransactionEnding and TransactionEnded are the call of Commit or Abort and its
	// return.
	TransactionEnding
	TransactionEnded
	// TransactionFenced: the producer learned that it was fenced. Its last event, apart
	// from the returns of calls.
	TransactionFenced
)

func (e TransactionEvent) String() string {
	return [...]string{
		"init", "begin", "offsets-sending", "offsets-sent", "ending", "ended", "fenced",
	}[e]
}

// TransactionInfo describes an event of a transactional producer.
type TransactionInfo struct {
	ClientID        string
	TransactionalID string
	Event           TransactionEvent
	At              env.Time
	// ProducerID and Epoch are those of the transaction, or for TransactionsInit the
	// new ones.
	ProducerID int64
	Epoch      int16
	// Number counts the producer's transactions from 1 on; 0 before the first.
	Number int
	// Group and Offsets of OffsetsSending and OffsetsSent. Not to be modified.
	Group   txn.Group
	Offsets map[wire.TopicPartition]txn.Offset
	// Commit, or else abort, of TransactionEnding and TransactionEnded.
	Commit bool
	// Outcome and Err of OffsetsSent and TransactionEnded; Err of TransactionFenced.
	Outcome attempt.Outcome
	Err     error
}
