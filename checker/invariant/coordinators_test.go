package invariant

import (
	"slices"
	"testing"

	"odradek/broker/wire"
)

var shard = wire.TopicPartition{Topic: "__consumer_offsets", Partition: 3}

func tps(partitions ...int32) []wire.TopicPartition {
	var out []wire.TopicPartition
	for _, p := range partitions {
		out = append(out, wire.TopicPartition{Topic: "t", Partition: p})
	}
	return out
}

func group(epoch int32, members ...GroupMember) Group {
	return Group{Shard: shard, Node: 1, ID: "g", Epoch: epoch, Members: members}
}

func TestPlantedViolationsOfGroups(t *testing.T) {
	for _, test := range []struct {
		name string
		run  func(c *Coordinators) []Violation
		want Name
	}{
		{"all is well", func(c *Coordinators) []Violation {
			return slices.Concat(
				c.Group(group(1, GroupMember{ID: "a", Epoch: 1, Owned: tps(0, 1)}, GroupMember{ID: "idle", Epoch: 1})),
				c.Group(group(2, GroupMember{ID: "a", Epoch: 1, Owned: tps(0, 1)}, GroupMember{ID: "b", Epoch: 2})),
				c.Group(group(2, GroupMember{ID: "a", Epoch: 2, Owned: tps(0)}, GroupMember{ID: "b", Epoch: 2, Owned: tps(1)})),
				c.Group(group(3)))
		}, ""},
		{"two owners", func(c *Coordinators) []Violation {
			return c.Group(group(1, GroupMember{ID: "a", Owned: tps(0, 1)}, GroupMember{ID: "b", Owned: tps(2, 1)}))
		}, SingleOwner},
		{"one partition of two topics", func(c *Coordinators) []Violation {
			return c.Group(group(1, GroupMember{ID: "a", Owned: tps(0)}, GroupMember{ID: "b", Owned: []wire.TopicPartition{{Topic: "u"}}}))
		}, ""},
		{"a member ahead of its group", func(c *Coordinators) []Violation { return c.Group(group(1, GroupMember{ID: "a", Epoch: 2})) }, MemberEpoch},
		{"one instance twice", func(c *Coordinators) []Violation {
			return c.Group(group(1, GroupMember{ID: "a", Instance: "i"}, GroupMember{ID: "b", Instance: "i"}))
		}, OneInstance},
		{"an epoch goes back", func(c *Coordinators) []Violation { return slices.Concat(c.Group(group(2)), c.Group(group(1))) }, GroupEpoch},
		{"an epoch that did not commit", func(c *Coordinators) []Violation {
			return slices.Concat(c.Group(group(2)), c.Loaded(shard, 1, 5), c.Group(group(1)))
		}, ""},
		{"a group that begins anew", func(c *Coordinators) []Violation {
			a := c.Group(group(2))
			c.Forget(shard, 1, "g")
			return slices.Concat(a, c.Group(group(1)))
		}, ""},
		{"two coordinators of an epoch", func(c *Coordinators) []Violation { return c.Loaded(shard, 2, 4) }, OneCoordinator},
		{"it moves", func(c *Coordinators) []Violation { return slices.Concat(c.Loaded(shard, 2, 5), c.Loaded(shard, 1, 6)) }, ""},
		{"it loads again", func(c *Coordinators) []Violation { return c.Loaded(shard, 1, 4) }, ""},
		{"a group of nobody", func(c *Coordinators) []Violation { g := group(1); g.Node = 3; return c.Group(g) }, Bookkeeping},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := NewCoordinators()
			expect(t, c.Loaded(shard, 1, 4), "")
			expect(t, test.run(c), test.want)
		})
	}
}

func TestPlantedViolationsOfTransactions(t *testing.T) {
	log := func(c *Transactions, records ...TransactionRecord) (found []Violation) {
		for i, r := range records {
			r.ID, r.Offset = "x", wire.Offset(i)
			if r.State != TransactionNone {
				r.ProducerID = 7
			}
			found = append(found, c.Committed(r)...)
		}
		return found
	}
	parts := func(n int) (list []wire.TopicPartition) {
		for p := range int32(n) {
			list = append(list, wire.TopicPartition{Topic: "t", Partition: p})
		}
		return list
	}
	step := func(s TransactionState, epoch int16, partitions int) TransactionRecord {
		return TransactionRecord{State: s, Epoch: epoch, Partitions: parts(partitions)}
	}
	second := func(s TransactionState, epoch int16, partitions int) TransactionRecord {
		return TransactionRecord{State: s, Epoch: epoch, Version: 2, Partitions: parts(partitions)}
	}
	marker := func(partition int, epoch int16, at wire.Offset, commit bool) Marker {
		return Marker{Partition: parts(partition + 1)[partition], Offset: at, Node: 1, ProducerID: 7, Epoch: epoch, Commit: commit}
	}
	// decided logs a transaction in two partitions and the markers that its log is told of.
	decided := func(c *Transactions, state, end TransactionState, markers ...Marker) []Violation {
		found := log(c, second(TransactionEmpty, 0, 0), second(TransactionOngoing, 0, 2), second(state, 1, 2))
		for _, m := range markers {
			found = append(found, c.Marked(m)...)
			c.MarkerCommitted(m)
		}
		r := second(end, 1, 0)
		r.ID, r.Offset, r.ProducerID = "x", 3, 7
		return append(found, c.Committed(r)...)
	}
	for _, test := range []struct {
		name string
		run  func(c *Transactions) []Violation
		want Name
	}{
		{"all is well", func(c *Transactions) []Violation {
			whole := []TransactionRecord{step(TransactionEmpty, 0, 0), step(TransactionOngoing, 0, 1), step(TransactionOngoing, 0, 2), step(TransactionPrepareCommit, 0, 2), step(TransactionCompleteCommit, 0, 0),
				step(TransactionOngoing, 0, 1), step(TransactionPrepareAbort, 1, 1), step(TransactionCompleteAbort, 1, 0), step(TransactionEmpty, 2, 0), step(TransactionNone, 0, 0), step(TransactionEmpty, 0, 0)}
			found := log(c, whole[:4]...)
			c.MarkerCommitted(marker(0, 0, 8, true))
			c.MarkerCommitted(marker(1, 0, 8, true))
			found = append(found, log(c, whole[:7]...)...)
			c.MarkerCommitted(marker(0, 1, 9, false))
			return slices.Concat(found, log(c, whole...), c.Marked(marker(0, 0, 8, true)), c.Marked(Marker{ProducerID: 8}),
				c.Granted(Grant{"x", "p", 7, 0}), c.Granted(Grant{"x", "p", 7, 0}), c.Granted(Grant{"x", "q", 7, 2}), c.Granted(Grant{"", "r", 8, 0}))
		}, ""},
		{"nothing is aborted, in the second protocol", func(c *Transactions) []Violation {
			return log(c, second(TransactionEmpty, 0, 0), second(TransactionPrepareAbort, 1, 0), second(TransactionCompleteAbort, 1, 0))
		}, ""},
		{"nothing is aborted, in the first protocol", func(c *Transactions) []Violation {
			return log(c, step(TransactionEmpty, 0, 0), step(TransactionPrepareAbort, 1, 0))
		}, TransactionStep},
		{"a decision changes", func(c *Transactions) []Violation {
			return log(c, step(TransactionEmpty, 0, 0), step(TransactionOngoing, 0, 1), step(TransactionPrepareCommit, 0, 1), step(TransactionPrepareAbort, 0, 1))
		}, TransactionStep},
		{"it completes the other way", func(c *Transactions) []Violation {
			return log(c, step(TransactionEmpty, 0, 0), step(TransactionOngoing, 0, 1), step(TransactionPrepareAbort, 0, 1), step(TransactionCompleteCommit, 0, 0))
		}, TransactionStep},
		{"it begins before the last one is over", func(c *Transactions) []Violation {
			return log(c, step(TransactionEmpty, 0, 0), step(TransactionOngoing, 0, 1), step(TransactionPrepareAbort, 0, 1), step(TransactionOngoing, 0, 1))
		}, TransactionStep},
		{"it is forgotten while it is open", func(c *Transactions) []Violation {
			return log(c, step(TransactionEmpty, 0, 0), step(TransactionOngoing, 0, 1), step(TransactionNone, 0, 0))
		}, TransactionStep},
		{"a state that Kafka never writes", func(c *Transactions) []Violation { return log(c, step(7, 0, 0)) }, TransactionStep},
		{"a partition is dropped", func(c *Transactions) []Violation {
			return log(c, step(TransactionEmpty, 0, 0), step(TransactionOngoing, 0, 2), step(TransactionPrepareCommit, 0, 1))
		}, TransactionWhole},
		{"a partition is left over", func(c *Transactions) []Violation {
			return log(c, step(TransactionEmpty, 0, 0), step(TransactionOngoing, 0, 1), step(TransactionPrepareCommit, 0, 1), step(TransactionCompleteCommit, 0, 1))
		}, TransactionWhole},
		{"an epoch goes back", func(c *Transactions) []Violation {
			return log(c, step(TransactionEmpty, 3, 0), step(TransactionEmpty, 2, 0))
		}, ProducerEpoch},
		{"an epoch overflows", func(c *Transactions) []Violation { return log(c, step(TransactionEmpty, -32768, 0)) }, ProducerEpoch},
		{"two ids share a producer id", func(c *Transactions) []Violation {
			return slices.Concat(c.Committed(TransactionRecord{ID: "x", ProducerID: 7}), c.Committed(TransactionRecord{ID: "y", ProducerID: 7, Offset: 1}))
		}, OneProducer},
		{"two clients share an epoch", func(c *Transactions) []Violation {
			return slices.Concat(c.Granted(Grant{"x", "p", 7, 0}), c.Granted(Grant{"x", "q", 7, 0}))
		}, OneProducer},
		{"two idempotent clients share a producer id", func(c *Transactions) []Violation {
			return slices.Concat(c.Granted(Grant{"", "p", 7, 0}), c.Granted(Grant{"", "q", 7, 1}))
		}, OneProducer},
		{"a client is told a negative epoch", func(c *Transactions) []Violation { return c.Granted(Grant{"x", "p", 7, -1}) }, ProducerEpoch},
		{"an epoch is given out again after a loss", func(c *Transactions) []Violation {
			a := c.Granted(Grant{"x", "p", 7, 0})
			c.Excuse(shard)
			return slices.Concat(a, c.Granted(Grant{"x", "q", 7, 0}))
		}, ""},
		{"records are lost", func(c *Transactions) []Violation {
			a := log(c, step(TransactionEmpty, 0, 0), step(TransactionOngoing, 0, 1), step(TransactionPrepareAbort, 0, 1))
			c.Excuse(wire.TopicPartition{})
			return slices.Concat(a, log(c, step(TransactionEmpty, 0, 0)))
		}, ""},
		{"another replica tells the same", func(c *Transactions) []Violation {
			records := []TransactionRecord{step(TransactionEmpty, 0, 0), step(TransactionOngoing, 0, 1)}
			return slices.Concat(log(c, records...), log(c, records...))
		}, ""},
		{"every partition has its marker", func(c *Transactions) []Violation {
			return decided(c, TransactionPrepareCommit, TransactionCompleteCommit, marker(0, 1, 5, true), marker(1, 1, 5, true), marker(1, 1, 6, true))
		}, ""},
		{"a partition has none", func(c *Transactions) []Violation {
			return decided(c, TransactionPrepareCommit, TransactionCompleteCommit, marker(0, 1, 5, true))
		}, MarkerWritten},
		{"a partition was lost", func(c *Transactions) []Violation {
			a := log(c, second(TransactionEmpty, 0, 0), second(TransactionOngoing, 0, 2), second(TransactionPrepareCommit, 1, 2))
			c.Lost(parts(1)[0])
			c.Lost(parts(2)[1])
			r := second(TransactionCompleteCommit, 1, 0)
			r.ID, r.Offset, r.ProducerID = "x", 3, 7
			return append(a, c.Committed(r)...)
		}, ""},
		{"an epoch is given out again, and a partition that has seen a newer one refuses its marker", func(c *Transactions) []Violation {
			a := log(c, step(TransactionEmpty, 9, 0))
			c.Excuse(wire.TopicPartition{})
			return append(a, log(c, step(TransactionOngoing, 9, 1), step(TransactionPrepareAbort, 9, 1), step(TransactionCompleteAbort, 9, 0))...)
		}, ""},
		{"a newer epoch than before the loss has no marker", func(c *Transactions) []Violation {
			a := log(c, step(TransactionEmpty, 9, 0))
			c.Excuse(wire.TopicPartition{})
			return append(a, log(c, step(TransactionOngoing, 10, 1), step(TransactionPrepareAbort, 10, 1), step(TransactionCompleteAbort, 10, 0))...)
		}, MarkerWritten},
		{"a marker of the transaction before counts as its own", func(c *Transactions) []Violation {
			c.MarkerCommitted(marker(0, 0, 5, true))
			return log(c, step(TransactionEmpty, 0, 0), step(TransactionOngoing, 0, 1), step(TransactionPrepareCommit, 0, 1), step(TransactionCompleteCommit, 0, 0))
		}, MarkerWritten},
		{"a follower is late to tell of the marker before", func(c *Transactions) []Violation {
			c.MarkerCommitted(marker(0, 0, 5, true))
			a := log(c, step(TransactionEmpty, 0, 0), step(TransactionOngoing, 0, 1), step(TransactionPrepareCommit, 0, 1))
			c.MarkerCommitted(marker(0, 0, 5, true))
			r := step(TransactionCompleteCommit, 0, 0)
			r.ID, r.Offset, r.ProducerID = "x", 3, 7
			return append(a, c.Committed(r)...)
		}, MarkerWritten},
		{"a marker aborts what is committed", func(c *Transactions) []Violation {
			return decided(c, TransactionPrepareCommit, TransactionCompleteCommit, marker(0, 1, 5, true), marker(1, 1, 5, true), marker(1, 1, 6, false))
		}, MarkerDecided},
		{"a partition outside of the transaction has a marker", func(c *Transactions) []Violation {
			return decided(c, TransactionPrepareCommit, TransactionCompleteCommit, marker(0, 1, 5, true), marker(1, 1, 5, true), marker(2, 1, 6, true))
		}, MarkerDecided},
		{"after a loss a transaction is met in the middle", func(c *Transactions) []Violation {
			a := log(c, step(TransactionEmpty, 0, 0))
			c.Excuse(wire.TopicPartition{})
			return append(a, log(c, step(TransactionPrepareCommit, 0, 1), step(TransactionCompleteAbort, 0, 0))...)
		}, TransactionStep},
		{"a marker commits what was not decided", func(c *Transactions) []Violation { return c.Marked(Marker{ProducerID: 7, Commit: true}) }, MarkerDecided},
		{"a marker commits what was aborted", func(c *Transactions) []Violation {
			return slices.Concat(log(c, step(TransactionEmpty, 0, 0), step(TransactionOngoing, 0, 1), step(TransactionPrepareAbort, 0, 1)), c.Marked(Marker{ProducerID: 7, Commit: true}))
		}, MarkerDecided},
	} {
		t.Run(test.name, func(t *testing.T) { expect(t, test.run(NewTransactions()), test.want) })
	}
}

func TestPlantedViolationsOfCompaction(t *testing.T) {
	record := func(o wire.Offset, key uint64) CleanedRecord {
		return CleanedRecord{Offset: o, Key: key, Content: uint64(o) + 100}
	}
	tombstone := func(o wire.Offset, key uint64) CleanedRecord { r := record(o, key); r.Tombstone = true; return r }
	expired := func(r CleanedRecord) CleanedRecord { r.Horizon = 50; return r }
	part := func(o wire.Offset, key uint64) CleanedRecord {
		r := record(o, key)
		r.Transactional, r.ProducerID = true, 7
		return r
	}
	abort := func(o wire.Offset) CleanedRecord { r := part(o, 0); r.Control = true; return r }
	commit := func(o wire.Offset) CleanedRecord { r := abort(o); r.Commit = true; return r }
	log := func(records ...CleanedRecord) []CleanedRecord { return records }
	for _, test := range []struct {
		name          string
		before, after []CleanedRecord
		change        func(c *Cleaning)
		want          Name
	}{
		{"older records go", log(record(0, 1), record(1, 2), record(2, 1), record(9, 1)), log(record(1, 2), record(2, 1), record(9, 1)), nil, ""},
		{"older records may stay", log(record(0, 1), record(2, 1)), log(record(0, 1), record(2, 1)), nil, ""},
		{"the last goes", log(record(0, 1), record(2, 1)), log(record(0, 1)), nil, LastOfKey},
		{"what it replaced goes, because of what is beyond the range", log(record(0, 1), record(9, 1)), log(record(9, 1)), nil, ""},
		{"a tombstone and all that it deletes go", log(record(0, 1), expired(tombstone(2, 1))), log(), nil, ""},
		{"a tombstone goes first", log(record(0, 1), expired(tombstone(2, 1))), log(record(0, 1)), nil, LastOfKey},
		{"a tombstone goes before its time", log(record(0, 1), tombstone(2, 1)), log(), nil, DeleteHorizon},
		{"a tombstone goes before its horizon", log(record(0, 1), expired(tombstone(2, 1))), log(), func(c *Cleaning) { c.Wall = 49 }, DeleteHorizon},
		{"a tombstone that was replaced goes", log(tombstone(0, 1), record(2, 1)), log(record(2, 1)), nil, ""},
		{"aborted records go", log(record(0, 1), part(2, 1), abort(3)), log(record(0, 1), abort(3)), nil, ""},
		{"committed records go", log(part(2, 1), commit(3)), log(commit(3)), nil, LastOfKey},
		{"committed records replace others", log(record(0, 1), part(2, 1), commit(3)), log(part(2, 1), commit(3)), nil, ""},
		{"a marker goes after its records", log(record(0, 1), expired(abort(3))), log(record(0, 1)), nil, ""},
		{"a marker goes before its time", log(record(0, 1), abort(3)), log(record(0, 1)), nil, DeleteHorizon},
		{"a marker goes before its records", log(part(2, 1), expired(commit(3))), log(part(2, 1)), nil, DeleteHorizon},
		{"an aborted record replaces nothing", log(record(0, 1), part(2, 1), abort(3)), log(abort(3)), nil, LastOfKey},
		{"an open transaction replaces nothing", log(record(0, 1), part(2, 1)), log(part(2, 1)), nil, LastOfKey},
		{"beyond the high watermark", log(record(0, 1)), log(record(0, 1)), func(c *Cleaning) { c.To = 11 }, CleanedStable},
		{"beyond the last stable offset", log(record(0, 1)), log(record(0, 1)), func(c *Cleaning) { c.LastStable = 4 }, CleanedStable},
		{"a record changes", log(record(0, 1)), log(CleanedRecord{Offset: 0, Key: 1, Content: 5}), nil, CleanedSubset},
		{"a record appears", log(record(0, 1)), log(record(0, 1), record(1, 2)), nil, CleanedSubset},
		{"records change places", log(record(0, 1), record(1, 2)), log(record(1, 2), record(0, 1)), nil, CleanedSubset},
		{"a record beyond the range goes", log(record(0, 1), record(8, 2), record(9, 2)), log(record(0, 1), record(9, 2)), nil, CleanedSubset},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := Cleaning{Partition: testTP, Node: 1, To: 5, HighWatermark: 10, LastStable: 10, Wall: 50, Before: test.before, After: test.after}
			if test.change != nil {
				test.change(&c)
			}
			log := NewCompaction()
			log.Read(test.before)
			expect(t, log.Cleaned(c), test.want)
		})
	}
}

// What comes behind the rewritten part of the log outdates what is in it.
func TestCompactionKnowsTheRestOfTheLog(t *testing.T) {
	first, last := CleanedRecord{Offset: 0, Key: 1}, CleanedRecord{Offset: 9, Key: 1}
	c := Cleaning{Partition: testTP, Node: 1, To: 5, HighWatermark: 10, LastStable: 10, Before: []CleanedRecord{first}}
	log := NewCompaction()
	log.Read([]CleanedRecord{first})
	expect(t, log.Cleaned(c), LastOfKey)
	log.Read([]CleanedRecord{last})
	expect(t, log.Cleaned(c), "")
}

func TestPlantedViolationsOfTheLastStableOffset(t *testing.T) {
	at := func(node wire.NodeID, leads bool, epoch wire.LeaderEpoch, stable, hw wire.Offset) Replica {
		return Replica{Node: node, Running: true, Leader: leads, LeaderEpoch: epoch, LogEnd: 1, HighWatermark: hw, LastStable: stable, Changes: []Change{{Kind: TruncatedTo}, appended(0, 0, 1, 7)}}
	}
	for _, test := range []struct {
		name   string
		states []Replica
		want   Name
	}{
		{"all is well", []Replica{at(1, true, 1, 0, 0), at(1, true, 1, 1, 1)}, ""},
		{"beyond the high watermark", []Replica{at(1, true, 1, 1, 0)}, StableInLog},
		{"it goes back", []Replica{at(1, true, 1, 1, 1), at(1, true, 1, 0, 1)}, StableMonotonic},
		{"it goes back in a new epoch", []Replica{at(1, true, 1, 1, 1), at(1, true, 2, 0, 1)}, ""},
		{"a follower's goes back", []Replica{at(1, false, 1, 1, 1), at(1, false, 1, 0, 1)}, ""},
		{"it is not known", []Replica{at(1, true, 1, 0, -1)}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := NewReplication()
			var got []Violation
			for _, s := range test.states {
				got = append(got, c.Replica(testTP, s)...)
			}
			expect(t, got, test.want)
		})
	}
}
