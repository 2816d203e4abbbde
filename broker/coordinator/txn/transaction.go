package txn

import (
	"fmt"
	"math"
	"slices"

	"odradek/broker/wire"
)

// None, as a producer id or epoch.
const (
	noProducerID int64 = -1
	noEpoch      int16 = -1
)

// lastEpoch is the highest epoch that a producer is told. What fences a producer, and its
// markers, need up to two epochs above it (see fence).
//
// Kafka's is one higher; there the coordinator, short of one, may hand the fenced producer
// the epoch that was meant to fence it (KAFKA-19367 and its kin).
const lastEpoch int16 = math.MaxInt16 - 2

// exhausted reports whether a producer id is at the end of its epochs.
func exhausted(epoch int16) bool { return epoch >= lastEpoch }

// transaction is a transactional id: its producer, and its transaction if there is one. It
// is what a record says, and never changed in place: a decision makes the next one.
type transaction struct {
	id         string
	producerID int64
	epoch      int16
	// previousID is the producer id before the last one that was worn out, nextID the one
	// that comes with the end of the transaction that wore this one out (KIP-890).
	previousID, nextID int64
	timeout            int32 // ms
	state              State
	partitions         []wire.TopicPartition // sorted
	started            int64                 // ms, wall clock; -1 before the first transaction
	updated            int64                 // ms, wall clock
	// version is the protocol that the transaction was last changed in; 2 is KIP-890's second
	// part, in which its end changes the epoch.
	version int16

	// lastEpoch is the epoch before the current one, if the producer that had it is the one
	// that got the current one, so that it may ask once more (KIP-360). It is not in the
	// record: a new coordinator has forgotten it.
	lastEpoch int16
}

// has reports whether a partition is in the transaction.
func (x *transaction) has(tp wire.TopicPartition) bool {
	_, found := slices.BinarySearchFunc(x.partitions, tp, wire.TopicPartition.Compare)
	return found
}

// init is the transaction of a producer that begins, with the given identity.
func (x *transaction) init(producerID int64, epoch, last int16, timeout int32, wall int64) *transaction {
	y := *x
	if y.producerID != producerID {
		y.previousID = y.producerID
	}
	y.producerID, y.epoch, y.lastEpoch = producerID, epoch, last
	y.state, y.partitions, y.timeout, y.started, y.updated = Empty, nil, timeout, -1, wall
	return &y
}

// add is the transaction with more partitions.
func (x *transaction) add(partitions []wire.TopicPartition, version int16, wall int64) *transaction {
	y := *x
	if x.state != Ongoing {
		y.partitions, y.started = nil, wall
	}
	y.partitions = slices.Concat(y.partitions, partitions)
	y.sort()
	y.state, y.version, y.updated = Ongoing, version, wall
	return &y
}

// end is the transaction with its outcome decided by its producer. In version 2 that
// changes the epoch, so that a request that comes late is not taken for one of the next
// transaction (KAFKA-17754); next is the producer id that follows if this was the last
// epoch.
func (x *transaction) end(commit bool, version, epoch int16, next int64, wall int64) *transaction {
	y := *x
	y.state, _ = outcome(commit)
	if version >= 2 {
		y.lastEpoch, y.epoch, y.nextID = x.epoch, epoch, next
	}
	if x.state.idle() {
		y.partitions, y.started = nil, wall // there was nothing to abort
	}
	y.version, y.updated = version, wall
	return &y
}

// fence is the transaction aborted against its producer, whose epoch is over. In version
// 2 one epoch more would not do: the producer that is fenced would have the one below the
// current, and look as if it asked a second time how its own EndTxn went.
func (x *transaction) fence(epoch, version int16, wall int64) *transaction {
	y := *x
	y.epoch, y.lastEpoch, y.nextID = epoch, noEpoch, noProducerID
	y.state, y.version, y.updated = PrepareAbort, version, wall
	return &y
}

// fencing is how many epochs it takes to fence a producer.
func fencing(version int16) int {
	if version >= 2 {
		return 2
	}
	return 1
}

// complete is the transaction with all its markers written.
func (x *transaction) complete(wall int64) *transaction {
	y := *x
	_, y.state = outcome(x.state == PrepareCommit)
	y.partitions, y.updated = nil, wall
	y.producerID, y.epoch = x.successor()
	if y.producerID != x.producerID {
		y.previousID, y.nextID = x.producerID, noProducerID
	}
	return &y
}

// successor is the identity that the producer has once the transaction is complete.
func (x *transaction) successor() (producerID int64, epoch int16) {
	if x.state.prepared() && x.nextID != noProducerID {
		return x.nextID, 0
	}
	return x.producerID, x.epoch
}

// awaits reports whether a producer goes by the identity that it will have once the
// transaction, which has worn out its producer id, is complete.
func (x *transaction) awaits(producerID int64, epoch int16) bool {
	nextID, nextEpoch := x.successor()
	return nextID != x.producerID && producerID == nextID && epoch == nextEpoch
}

// sort brings the partitions in order.
func (x *transaction) sort() {
	slices.SortFunc(x.partitions, wire.TopicPartition.Compare)
	x.partitions = slices.Compact(x.partitions)
}

// String is how a transaction looks in transcripts and panics.
func (x *transaction) String() string {
	text := fmt.Sprintf("%s %v, producer %d epoch %d", x.id, x.state, x.producerID, x.epoch)
	if x.previousID != noProducerID {
		text += fmt.Sprintf(" after %d", x.previousID)
	}
	if x.nextID != noProducerID {
		text += fmt.Sprintf(" before %d", x.nextID)
	}
	if len(x.partitions) > 0 {
		text += ":" + showPartitions(x.partitions)
	}
	return text
}

func showPartitions(tps []wire.TopicPartition) string {
	text := ""
	for _, tp := range tps {
		text += " " + tp.String()
	}
	return text
}
