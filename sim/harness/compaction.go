package harness

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"odradek/broker/storage"
	"odradek/broker/wire"
	"odradek/checker/invariant"
	"odradek/sim/cluster"
	"odradek/sim/disk"
)

// compaction is what is known of a log that is compacted.
type compaction struct {
	*invariant.Compaction
	// segment is the one with the next record to read.
	segment wire.Offset
}

// compacted compares a part of a log that the cleaner has rewritten with what was there
// before: both are on the disk at this moment. Of the rest of the log only what came since
// the last time is read.
func (v *invariants) compacted(n *cluster.Node, l *replicaLog, c *storage.Cleaned, hw wire.Offset, wall int64) {
	tp, read := l.name.TopicPartition, l.compaction
	if read == nil {
		read = &compaction{Compaction: invariant.NewCompaction(), segment: wire.NoOffset}
		l.compaction = read
	}
	if read.Next < hw {
		if n.Disk.Peek(segmentFile(tp, read.segment), make([]byte, 1), 0) == 0 {
			read.segment = baseOffset(segments(n.Disk, tp)[0])
		}
		list, last := v.recordsOf(n.Disk, tp, read.segment, read.Next, hw)
		read.Read(list)
		read.segment = last
	}
	for i := range l.undecided.ended {
		// The replica itself goes by them (see there).
		if e := &l.undecided.ended[i]; e.reloaded && e.marker.Offset >= hw {
			read.Ended(invariant.CleanedRecord{Offset: e.marker.Offset, ProducerID: e.producerID, Commit: e.marker.Commit})
		}
	}
	before, _ := v.recordsOf(n.Disk, tp, c.From, c.From, c.UpTo)
	v.counts.sieved += len(before)
	for _, f := range read.Cleaned(invariant.Cleaning{
		Partition: l.part.name, Node: n.ID, To: c.UpTo, HighWatermark: hw, LastStable: l.told.LastStable, Wall: wall,
		Before: before, After: v.recordsIn(n.Disk, segmentFile(tp, c.From)+".cleaned", c.From, c.UpTo, new(wire.Offset)),
	}) {
		v.report(string(f.Invariant), f.Subject, f.Sentence)
	}
	if c.From < read.segment && read.segment < c.UpTo {
		read.segment = c.From // they become one
	}
}

// recordsOf reads the records of a log with offsets in [from, to), in the segment with the
// given base offset and those behind it, and returns the base offset of the last one.
func (v *invariants) recordsOf(d *disk.Device, tp wire.TopicPartition, base, from, to wire.Offset) (list []invariant.CleanedRecord, last wire.Offset) {
	for {
		next := base // a segment begins where the one before it ends
		list = append(list, v.recordsIn(d, segmentFile(tp, base), from, to, &next)...)
		if next == base || next >= to {
			return list, base
		}
		base = next
	}
}

// recordsIn reads those of one file. end is the offset behind its last batch, or behind to.
func (v *invariants) recordsIn(d *disk.Device, file string, from, to wire.Offset, end *wire.Offset) (list []invariant.CleanedRecord) {
	var err error // what cannot be read is missing, and that is found
	for h, batch := range wire.Batches(v.content(d, file), wire.AllowTruncated, &err) {
		*end = h.NextOffset()
		if h.BaseOffset >= to {
			break
		}
		if h.LastOffset() < from || h.Count == 0 {
			continue
		}
		b := invariant.CleanedRecord{Transactional: h.Transactional(), ProducerID: h.ProducerID}
		if at, set := h.DeleteHorizon(); set {
			b.Horizon = at
		}
		if end, ok, err := wire.ReadEndMarker(&h, batch); err == nil && ok {
			b.Control, b.Commit = true, end.Commit
		}
		eachRecord(v.codec, batch, func(r *wire.Record) {
			if r.Offset < from || r.Offset >= to {
				return
			}
			x := b
			x.Offset, x.Content, x.Tombstone = r.Offset, contentOf(r), r.Value == nil
			if r.Key != nil && !b.Control {
				x.Key = digest(r.Key)
			}
			list = append(list, x)
		})
	}
	return list
}

// content is a whole file, until the next one is read.
func (v *invariants) content(d *disk.Device, file string) []byte {
	if v.buffer == nil {
		v.buffer = make([]byte, 16<<10)
	}
	for {
		n := d.Peek(file, v.buffer, 0)
		if n < len(v.buffer) {
			return v.buffer[:n]
		}
		v.buffer = make([]byte, 2*len(v.buffer))
	}
}

func segmentFile(tp wire.TopicPartition, base wire.Offset) string {
	return fmt.Sprintf("%v/%020d.log", tp, base)
}

// baseOffset is that of a segment's file.
func baseOffset(name string) wire.Offset {
	o, err := strconv.ParseInt(strings.TrimSuffix(path.Base(name), ".log"), 10, 64)
	if err != nil {
		panic(fmt.Sprintf("harness: a segment's name: %v", err))
	}
	return wire.Offset(o)
}

func contentOf(r *wire.Record) uint64 {
	h := add(add(uint64(r.Timestamp), r.Key), r.Value)
	for _, x := range r.Headers() {
		h = add(add(h, []byte(x.Key)), x.Value)
	}
	return h
}

// digest is never 0.
func digest(key []byte) uint64 { return add(0, key) | 1 }

// add extends a digest by a part, or by its absence, which is not the same as an empty one.
func add(h uint64, part []byte) uint64 {
	const prime = 1099511628211 // of FNV-1a
	n := uint64(len(part))
	if part == nil {
		n = 1 << 63
	}
	h = (h ^ n) * prime
	for _, b := range part {
		h = (h ^ uint64(b)) * prime
	}
	return h ^ h>>32
}
