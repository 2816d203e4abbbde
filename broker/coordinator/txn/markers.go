package txn

import (
	"maps"
	"slices"

	"odradek/broker/wire"
)

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

// Written is an input: a partition has its marker.
type Written struct {
	Completion
	Partition wire.TopicPartition
}

// completing is a transaction whose outcome is decided, and the partitions that do not
// have their marker yet.
type completing struct {
	Completion
	unmarked []wire.TopicPartition // sorted
}

// sendMarkers begins to tell the partitions of a transaction its outcome, once that has
// committed. One that is in no partition, or only in such as were deleted, is complete.
func (t *turn) sendMarkers(x *transaction) {
	t.m.attempts++
	c := &completing{Completion: Completion{
		TransactionalID: x.id, ProducerID: x.producerID, Epoch: x.epoch, CoordinatorEpoch: t.m.epoch, Attempt: t.m.attempts,
	}, unmarked: slices.DeleteFunc(slices.Clone(x.partitions), t.unknown)}
	t.m.completing[x.id] = c
	if len(c.unmarked) == 0 {
		t.complete(x)
		return
	}
	t.effect(SendMarkers{
		Completion: c.Completion, Commit: x.state == PrepareCommit, Version: int8(x.version), Partitions: slices.Clone(c.unmarked),
	})
}

// written takes note of a marker. One of another completion of the same transactional id
// says nothing about this one (KAFKA-16352), and one that comes twice is counted once
// (KAFKA-10080).
func (t *turn) written(w Written) {
	c := t.m.completing[w.TransactionalID]
	if c == nil || c.Completion != w.Completion {
		return
	}
	i, found := slices.BinarySearchFunc(c.unmarked, w.Partition, wire.TopicPartition.Compare)
	if !found {
		return
	}
	if c.unmarked = slices.Delete(c.unmarked, i, i+1); len(c.unmarked) == 0 {
		t.complete(t.get(w.TransactionalID))
	}
}

// forgetDeleted: partitions that were deleted need no marker.
func (t *turn) forgetDeleted() {
	for _, id := range slices.Sorted(maps.Keys(t.m.completing)) {
		c := t.m.completing[id]
		c.unmarked = slices.DeleteFunc(c.unmarked, t.unknown)
		if len(c.unmarked) == 0 {
			t.complete(t.get(id))
		}
	}
}

func (t *turn) complete(x *transaction) {
	y := x.complete(t.at.Wall)
	t.write(y)
	kind := "transaction-aborted"
	if y.state == CompleteCommit {
		kind = "transaction-committed"
	}
	t.event(kind, x)
}
