package harness

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
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
	eachBatch(d, file, func(h *wire.BatchHeader, bytes func() []byte) bool {
		*end = h.NextOffset()
		if h.BaseOffset >= to {
			return false
		}
		if h.LastOffset() < from || h.Count == 0 {
			return true
		}
		b := invariant.CleanedRecord{Transactional: h.Transactional(), ProducerID: h.ProducerID}
		if at, set := h.DeleteHorizon(); set {
			b.Horizon = at
		}
		raw := bytes()
		if end, ok, err := wire.ReadEndMarker(h, raw); err == nil && ok {
			b.Control, b.Commit = true, end.Commit
		}
		eachRecord(v.codec, raw, func(r *wire.Record) {
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
		return true
	})
	return list
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
	h := fnv.New64a()
	part := func(b []byte) {
		var size [8]byte
		n := int64(len(b))
		if b == nil {
			n = -1
		}
		binary.BigEndian.PutUint64(size[:], uint64(n))
		h.Write(size[:])
		h.Write(b)
	}
	part(r.Key)
	part(r.Value)
	part(binary.BigEndian.AppendUint64(nil, uint64(r.Timestamp)))
	for _, x := range r.Headers() {
		part([]byte(x.Key))
		part(x.Value)
	}
	return h.Sum64()
}

// digest is never 0.
func digest(key []byte) uint64 {
	h := fnv.New64a()
	h.Write(key)
	return h.Sum64() | 1
}
