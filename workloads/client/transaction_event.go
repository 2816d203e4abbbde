package client

import (
	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/txn"
)

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
