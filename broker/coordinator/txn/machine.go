package txn

import (
	"odradek/broker/config"
	"odradek/broker/coordinator"
	"odradek/broker/failpoint"
	"odradek/broker/wire"
)

// Config is what a machine is told once.
type Config struct {
	// Broker has the keys of transactions. It is read at every use, so that a change of a
	// dynamic config takes effect.
	Broker *config.Broker
	// Fail may be nil.
	Fail *failpoint.Registry
}

// Completion identifies one end of one transaction, in this life of the shard.
type Completion struct {
	TransactionalID string
	// ProducerID and Epoch are those of the markers.
	ProducerID       int64
	Epoch            int16
	CoordinatorEpoch int32
	// Attempt tells apart transactions of the same producer: it only ever grows in the
	// life of a machine.
	Attempt int64
}

// SendMarkers is an effect: the transaction has been decided, and these partitions have
// to learn it.
type SendMarkers struct {
	Completion
	Commit bool
	// Version is that of the protocol: from 2 on the marker's epoch is above that of the
	// transaction's records (KIP-890).
	Version    int8
	Partitions []wire.TopicPartition // sorted
}

// Written is an input: a partition has its marker, or is no more.
type Written struct {
	Completion
	Partition wire.TopicPartition
}

// WantProducerID is an effect: the machine needs a producer id that nobody has ever had.
type WantProducerID struct{}

// FreshProducerID is an input: the answer to WantProducerID. Code is the error, if the
// controller gave none.
type FreshProducerID struct {
	ID   int64
	Code int16
}

// Machine is the transactional ids of one shard. It implements [coordinator.Machine].
//
// Requests with several transactions (DescribeTransactions, AddPartitionsToTxn from version
// 4) are answered for every one in them as if it belonged to this shard; the shell sends
// each shard its own.
type Machine struct {
	cfg Config
}

// New returns a machine without transactions.
func New(cfg Config) *Machine {
	if cfg.Broker == nil {
		panic("txn: Broker must be set")
	}
	return &Machine{cfg: cfg}
}

// Event is an effect for the trace: something happened to a transaction, and has committed.
type Event struct {
	Kind            string // such as "transaction-committed"
	TransactionalID string
	ProducerID      int64
	Epoch           int16
	Partitions      int
}

var _ = coordinator.Never
