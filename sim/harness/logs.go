package harness

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"odradek/broker/storage"
	"odradek/broker/wire"
	"odradek/checker/invariant"
	"odradek/sim/disk"
)

// replicaLog is what one node has of one partition, as the probe and the disk told.
type replicaLog struct {
	name storage.Partition
	part *partition // nil for the metadata log

	batches []invariant.Batch
	start   wire.Offset // where batches begin
	// flushed is what the node called durable: no crash may take it.
	flushed  wire.Offset
	logStart wire.Offset
	// before is what the last compaction replaced, in the offsets of replaced: the end of the
	// process in the middle of an exchange of files may bring it back.
	before   []invariant.Batch
	replaced [2]wire.Offset
	// cut: a truncation was announced and is perhaps not done.
	cut bool
	// powerLost: the machine was without power since the log was last open.
	powerLost bool
	undecided undecided
	// compaction is nil as long as nothing of the log was compacted.
	compaction *compaction
	// changes are those not yet given to the checkers.
	changes []invariant.Change
	// told is the last state that the checkers got, while running.
	told    invariant.Replica
	running bool
}

func (l *replicaLog) end() wire.Offset {
	if n := len(l.batches); n > 0 {
		return l.batches[n-1].Last + 1
	}
	return l.start
}

func (l *replicaLog) append(b invariant.Batch) {
	l.batches = append(l.batches, b)
	l.changes = append(l.changes, invariant.Change{Kind: invariant.Appended, Batch: b})
}

func (l *replicaLog) truncate(to wire.Offset) {
	i := l.index(to)
	clear(l.batches[i:])
	l.batches = l.batches[:i]
	l.flushed, l.cut = min(l.flushed, to), true
	l.undecided.truncate(to)
	if l.compaction != nil && to < l.compaction.Next {
		l.compaction = nil
	}
	l.changes = append(l.changes, invariant.Change{Kind: invariant.TruncatedTo, Offset: to})
}

// clean replaces the batches in [from, upTo) by what compaction has left of them.
func (l *replicaLog) clean(from, upTo wire.Offset, left []invariant.Batch, hw wire.Offset) {
	i, k := l.index(from), l.index(upTo)
	l.replaced, l.before = [2]wire.Offset{from, upTo}, slices.Clone(l.batches[i:k])
	l.batches = slices.Concat(l.batches[:i], left, l.batches[k:])
	l.changes = append(l.changes, invariant.Change{Kind: invariant.CleanedTo, Offset: upTo, Batches: left, HighWatermark: hw})
}

// unclean takes the last compaction back if the disk has what was there before.
func (l *replicaLog) unclean(found []invariant.Batch) {
	part := func(list []invariant.Batch) []invariant.Batch {
		return slices.DeleteFunc(slices.Clone(list), func(b invariant.Batch) bool {
			return b.Last < max(l.replaced[0], found[0].Base) || b.Last >= l.replaced[1]
		})
	}
	if is := part(found); !slices.Equal(is, part(l.batches)) && slices.Equal(is, part(l.before)) {
		l.batches = slices.Concat(l.batches[:l.index(l.replaced[0])], l.before, l.batches[l.index(l.replaced[1]):])
	}
	l.before = nil
}

func (l *replicaLog) restart(at wire.Offset) {
	l.batches, l.start, l.flushed, l.cut = nil, at, 0, true
	l.undecided, l.compaction = undecided{}, nil
	l.changes = append(l.changes, invariant.Change{Kind: invariant.StartedAt, Offset: at})
}

// index is that of the first batch that ends at or after an offset.
func (l *replicaLog) index(o wire.Offset) int {
	i, _ := slices.BinarySearchFunc(l.batches, o, func(b invariant.Batch, o wire.Offset) int { return cmp.Compare(b.Last, o) })
	return i
}

// take returns the changes for the checkers.
func (l *replicaLog) take() []invariant.Change {
	c := l.changes
	l.changes = l.changes[:0] // the checkers do not keep it
	return c
}

// reopened makes the log what was found on the disk after a start, and returns the
// offset below which it is as it was, or the old end.
func (l *replicaLog) reopened(found []invariant.Batch, end wire.Offset) (kept wire.Offset) {
	old := l.end()
	if len(found) == 0 {
		switch {
		case end < old:
			l.truncate(end)
			if l.end() != end {
				l.restart(end)
			}
		case end > old:
			l.restart(end)
		}
		return min(old, end)
	}
	if found[0].Base > old || found[0].Base < l.start {
		kept = min(old, found[0].Base)
		l.restart(found[0].Base)
		for _, b := range found {
			l.append(b)
		}
		return kept
	}
	if len(l.before) > 0 {
		l.unclean(found)
	}
	// Batches below the first found one have been deleted from the front.
	i, k := l.index(found[0].Base), 0
	for k < len(found) && i < len(l.batches) && found[k] == l.batches[i] {
		i, k = i+1, k+1
	}
	kept = old
	if i < len(l.batches) {
		// Compaction may have left nothing between this batch and the one before.
		kept = max(l.start, min(found[0].Base, l.batches[i].Base))
		if i > 0 {
			kept = l.batches[i-1].Last + 1
		}
		l.truncate(kept)
	}
	for _, b := range found[k:] {
		l.append(b)
	}
	return kept
}

// onDisk reads the batches of a partition's log from the files, as a process would see
// them at this moment, up to the log's end; no simulated time passes.
func onDisk(d *disk.Device, tp wire.TopicPartition, end wire.Offset) ([]invariant.Batch, undecided) {
	var list []invariant.Batch
	var u undecided
	for _, name := range segments(d, tp) {
		ended := !eachBatch(d, name, func(h *wire.BatchHeader, bytes func() []byte) bool {
			if h.LastOffset() >= end {
				return false
			}
			list = append(list, batchOf(h))
			if h.Transactional() {
				u.append(h, bytes)
			}
			return true
		})
		if ended {
			break
		}
	}
	u.reloaded()
	return list, u
}

func batchOf(h *wire.BatchHeader) invariant.Batch {
	return invariant.Batch{Base: h.BaseOffset, Last: h.LastOffset(), Epoch: h.LeaderEpoch, CRC: h.CRC}
}

// segments are the files of a partition's log, in order.
func segments(d *disk.Device, tp wire.TopicPartition) []string {
	var list []string
	dir := tp.String()
	for _, name := range d.Names(dir) { // base offsets have leading zeroes
		if strings.HasSuffix(name, ".log") {
			list = append(list, path.Join(dir, name))
		}
	}
	return list
}

// eachBatch visits the batches of a file, and reports whether the visitor wanted all. bytes
// is the whole batch, if it is there.
func eachBatch(d *disk.Device, file string, visit func(h *wire.BatchHeader, bytes func() []byte) bool) bool {
	var head [wire.BatchHeaderSize]byte
	for at := int64(0); ; {
		if d.Peek(file, head[:], at) < len(head) {
			return true
		}
		h, err := wire.ReadBatchHeader(head[:])
		if err != nil {
			return false
		}
		if !visit(&h, func() []byte {
			b := make([]byte, h.Size())
			return b[:d.Peek(file, b, at)]
		}) {
			return false
		}
		at += int64(h.Size())
	}
}
