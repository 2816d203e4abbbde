package client

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/producer"
)

// Observer sees what a client does, for the recorder of a history. Its methods run
// on the loop, must not call the client, and must not keep or modify messages
// beyond the call (their record bytes belong to the client).
type Observer interface {
	// Request is called when a request is handed to its connection, which may still
	// be in the making.
	Request(RequestInfo)
	// Response is called once for every Request.
	Response(ResponseInfo)
	// Attempt is called for each batch of records that a producer puts into a
	// request, right before that Request.
	Attempt(AttemptInfo)
	// AttemptDone is called once for every Attempt, before the results of its
	// records, unless the producer is closed first.
	AttemptDone(AttemptInfo)
	// Transaction is called for each event of a transactional producer.
	Transaction(TransactionInfo)
	// Group is called for each event of a member of a group.
	Group(GroupInfo)
}

// RequestInfo describes a request of a client.
type RequestInfo struct {
	ClientID string
	// Serial numbers the requests of one producer, consumer or admin client.
	Serial uint64
	At     env.Time
	Node   wire.NodeID
	Msg    kmsg.Request
}

// ResponseInfo describes how a request ended.
type ResponseInfo struct {
	RequestInfo
	Sent env.Time
	// Msg is nil if Err is not, and for requests that have no answer.
	Response kmsg.Response
	Err      error
}

// AttemptInfo describes one attempt for a batch of records.
type AttemptInfo struct {
	ClientID string
	Acks     producer.Acks
	wire.TopicPartition
	// Tokens of the batch's records, in log order. Not to be kept.
	Tokens []producer.Token
	// Attempt has an outcome only in AttemptDone.
	Attempt attempt.Attempt
	// BaseOffset of the first record, NoOffset if it was not told.
	BaseOffset wire.Offset
	// Identity is what an idempotent producer wrote into the batch, else nil. Not to be
	// modified.
	Identity *wire.Producer
	// Transaction is the number of the producer's transaction that the batch belongs to,
	// 0 for none.
	Transaction int
}

// NopObserver observes nothing; embed it to implement only some methods.
type NopObserver struct{}

func (NopObserver) Request(RequestInfo)         {}
func (NopObserver) Response(ResponseInfo)       {}
func (NopObserver) Attempt(AttemptInfo)         {}
func (NopObserver) AttemptDone(AttemptInfo)     {}
func (NopObserver) Transaction(TransactionInfo) {}
func (NopObserver) Group(GroupInfo)             {}
