package invariant

import (
	"odradek/broker/wire"
)

// Invariants of compaction.
const (
	// CleanedStable: a log is compacted below its high watermark, and below its last
	// stable offset, only.
	CleanedStable Name = "cleaned-stable"
	// CleanedSubset: compaction removes records. It adds, changes and reorders none, and
	// does not touch what is beyond the cleaned range.
	CleanedSubset Name = "cleaned-subset"
	// LastOfKey: the last record of each key stays, unless it is a tombstone; and a
	// tombstone does not go before what it deletes.
	LastOfKey Name = "last-of-key"
	// DeleteHorizon: tombstones, and markers, go when their delete horizon has passed,
	// and a marker not before the records of its transaction.
	DeleteHorizon Name = "delete-horizon"
)

// Cleaning is a part of a replica's log that the cleaner has rewritten.
type Cleaning struct {
	Partition wire.TopicPartition
	Node      wire.NodeID
	// To is the first offset that was not looked at.
	To                        wire.Offset
	HighWatermark, LastStable wire.Offset
	Wall                      int64 // time of day of the node, in ms
	// Before and After are the records of the rewritten part.
	Before, After []CleanedRecord
}

// CleanedRecord is a record, as far as compaction cares.
type CleanedRecord struct {
	Offset wire.Offset
	// Key is a digest of the key, 0 if there is none.
	Key       uint64
	Content   uint64 // a digest of the whole record
	Tombstone bool   // the value is null
	// Transactional is set if the record is part of a transaction of ProducerID. Control: it
	// is the marker that ends it, and commits or not.
	Transactional, Control, Commit bool
	ProducerID                     int64
	// Horizon is the delete horizon of the record's batch, in ms; 0 if it has none.
	Horizon int64
}

// Compaction is what a replica's log has had below its high watermark: the last record of each
// key, and which transactions were aborted.
type Compaction struct {
	// Next is where [Compaction.Read] has to go on.
	Next wire.Offset
	last map[uint64]wire.Offset // by key
	open map[int64][]CleanedRecord
	// aborted are the transactions of producers, from the first record to the marker.
	aborted map[int64][][2]wire.Offset
}

// NewCompaction knows nothing: the log has to be read from its start.
func NewCompaction() *Compaction {
	return &Compaction{last: make(map[uint64]wire.Offset), open: make(map[int64][]CleanedRecord), aborted: make(map[int64][][2]wire.Offset)}
}

// Read takes the records below the high watermark, in order and each once. An undecided
// record outdates none.
func (c *Compaction) Read(list []CleanedRecord) {
	for i := range list {
		r := list[i]
		c.Next = r.Offset + 1
		switch {
		case r.Control:
			c.Ended(r)
		case r.Transactional:
			c.open[r.ProducerID] = append(c.open[r.ProducerID], r)
		default:
			c.outdate(&r)
		}
	}
}

// Ended takes a marker, in its turn or earlier.
func (c *Compaction) Ended(marker CleanedRecord) {
	records := c.open[marker.ProducerID]
	delete(c.open, marker.ProducerID)
	if len(records) == 0 {
		return
	}
	if !marker.Commit {
		c.aborted[marker.ProducerID] = append(c.aborted[marker.ProducerID], [2]wire.Offset{records[0].Offset, marker.Offset})
		return
	}
	for i := range records {
		c.outdate(&records[i])
	}
}

func (c *Compaction) outdate(r *CleanedRecord) {
	if r.Key != 0 {
		c.last[r.Key] = max(c.last[r.Key], r.Offset)
	}
}

func (c *Compaction) isAborted(r *CleanedRecord) bool {
	if r.Transactional {
		for _, t := range c.aborted[r.ProducerID] {
			if t[0] <= r.Offset && r.Offset < t[1] {
				return true
			}
		}
	}
	return false
}

// Cleaned checks a part of the log that was rewritten, when everything below the high
// watermark has been read.
func (c *Compaction) Cleaned(x Cleaning) []Violation {
	f := &findings{subject: x.Partition.String()}
	nodes := []wire.NodeID{x.Node}
	if x.To > x.HighWatermark || x.To > x.LastStable {
		f.add(CleanedStable, nodes, "node %d compacted up to %d, its high watermark is %d and its last stable offset %d", x.Node, x.To, x.HighWatermark, x.LastStable)
	}
	kept := x.subset(f, nodes)
	oldest := make(map[uint64]wire.Offset)      // of the kept records of each key
	transactions := make(map[int64]wire.Offset) // the first kept record since the last marker, by producer
	for i := range x.Before {
		r := &x.Before[i]
		if kept[r.Offset] {
			if _, known := oldest[r.Key]; !known && !r.Control && !c.isAborted(r) {
				oldest[r.Key] = r.Offset
			}
			if _, known := transactions[r.ProducerID]; !known && r.Transactional {
				transactions[r.ProducerID] = r.Offset
			}
		} else if r.Offset < x.To {
			c.removed(f, &x, r, oldest, transactions)
		}
		if r.Control {
			delete(transactions, r.ProducerID)
		}
	}
	return f.list
}

// removed judges that a record is gone.
func (c *Compaction) removed(f *findings, x *Cleaning, r *CleanedRecord, oldest map[uint64]wire.Offset, transactions map[int64]wire.Offset) {
	nodes := []wire.NodeID{x.Node}
	passed := r.Horizon > 0 && r.Horizon <= x.Wall
	switch {
	case r.Control:
		if first, some := transactions[r.ProducerID]; some {
			f.add(DeleteHorizon, nodes, "node %d removed the marker at offset %d before offset %d of its transaction", x.Node, r.Offset, first)
		} else if !passed {
			f.add(DeleteHorizon, nodes, "node %d removed the marker at offset %d before its delete horizon, %d, at %d", x.Node, r.Offset, r.Horizon, x.Wall)
		}
	case r.Key == 0, c.isAborted(r), r.Offset < c.last[r.Key]:
	case !r.Tombstone:
		f.add(LastOfKey, nodes, "node %d removed offset %d, which was the last one of its key", x.Node, r.Offset)
	case !passed:
		f.add(DeleteHorizon, nodes, "node %d removed the tombstone at offset %d before its delete horizon, %d, at %d", x.Node, r.Offset, r.Horizon, x.Wall)
	default:
		if o, older := oldest[r.Key]; older {
			f.add(LastOfKey, nodes, "node %d removed the tombstone at offset %d before offset %d, which it deletes", x.Node, r.Offset, o)
		}
	}
}

// subset checks that After is Before with records left out, and returns what was kept.
func (x *Cleaning) subset(f *findings, nodes []wire.NodeID) map[wire.Offset]bool {
	kept := make(map[wire.Offset]bool, len(x.After))
	i := 0
	for k := range x.After {
		r := &x.After[k]
		for i < len(x.Before) && x.Before[i].Offset < r.Offset {
			i++
		}
		if i == len(x.Before) || x.Before[i].Offset != r.Offset || x.Before[i].Content != r.Content || k > 0 && x.After[k-1].Offset >= r.Offset {
			f.add(CleanedSubset, nodes, "node %d has another record at offset %d than before it compacted", x.Node, r.Offset)
			continue
		}
		kept[r.Offset] = true
	}
	for k := range x.Before {
		if r := &x.Before[k]; r.Offset >= x.To && !kept[r.Offset] {
			f.add(CleanedSubset, nodes, "node %d removed offset %d, although it compacted up to %d only", x.Node, r.Offset, x.To)
			break
		}
	}
	return kept
}
