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
)

// Cleaning is one run of the log cleaner on one replica.
type Cleaning struct {
	Partition wire.TopicPartition
	Node      wire.NodeID
	// To is the first offset that was not looked at.
	To                        wire.Offset
	HighWatermark, LastStable wire.Offset // when it began
	// Before and After are the log's records when it began and when its result has taken
	// their place. What was appended in between is in neither.
	Before, After []CleanedRecord
}

// CleanedRecord is a record, as far as compaction cares.
type CleanedRecord struct {
	Offset wire.Offset
	// Key is a digest of the key, 0 if there is none.
	Key     uint64
	Content uint64 // a digest of the whole record
	// Tombstone: the value is null. Aborted: the record is part of an aborted transaction.
	// Control: it is a marker.
	Tombstone, Aborted, Control bool
}

// Cleaned checks a run of the cleaner.
func Cleaned(c Cleaning) []Violation {
	f := &findings{subject: c.Partition.String()}
	nodes := []wire.NodeID{c.Node}
	if c.To > c.HighWatermark || c.To > c.LastStable {
		f.add(CleanedStable, nodes, "node %d compacted up to %d, its high watermark is %d and its last stable offset %d", c.Node, c.To, c.HighWatermark, c.LastStable)
	}
	kept := c.subset(f, nodes)
	last := make(map[uint64]*CleanedRecord) // by key, of the records that count
	oldest := make(map[uint64]wire.Offset)  // by key, of those that were kept
	for i := range c.Before {
		r := &c.Before[i]
		if r.Control || r.Aborted || r.Key == 0 {
			continue
		}
		last[r.Key] = r
		if _, ok := oldest[r.Key]; !ok && kept[r.Offset] {
			oldest[r.Key] = r.Offset
		}
	}
	for i := range c.Before { // in order, for equal reports
		r := &c.Before[i]
		if last[r.Key] != r || kept[r.Offset] {
			continue
		}
		o, older := oldest[r.Key]
		switch {
		case !r.Tombstone:
			f.add(LastOfKey, nodes, "node %d removed offset %d, which was the last one of its key", c.Node, r.Offset)
		case older && o < r.Offset:
			f.add(LastOfKey, nodes, "node %d removed the tombstone at offset %d before offset %d, which it deletes", c.Node, r.Offset, o)
		}
	}
	return f.list
}

// subset checks that After is Before with records left out, and returns what was kept.
func (c *Cleaning) subset(f *findings, nodes []wire.NodeID) map[wire.Offset]bool {
	kept := make(map[wire.Offset]bool, len(c.After))
	i := 0
	for k := range c.After {
		r := &c.After[k]
		for i < len(c.Before) && c.Before[i].Offset < r.Offset {
			i++
		}
		if i == len(c.Before) || c.Before[i].Offset != r.Offset || c.Before[i].Content != r.Content || k > 0 && c.After[k-1].Offset >= r.Offset {
			f.add(CleanedSubset, nodes, "node %d has another record at offset %d than before it compacted", c.Node, r.Offset)
			continue
		}
		kept[r.Offset] = true
	}
	for k := range c.Before {
		if r := &c.Before[k]; r.Offset >= c.To && !kept[r.Offset] {
			f.add(CleanedSubset, nodes, "node %d removed offset %d, although it compacted up to %d only", c.Node, r.Offset, c.To)
			break
		}
	}
	return kept
}
