package harness

import (
	"encoding/binary"
	"hash/fnv"
	"path"
	"strings"

	"odradek/broker/storage"
	"odradek/broker/wire"
	"odradek/checker/invariant"
	"odradek/sim/cluster"
	"odradek/sim/disk"
)

// compacted compares a part of a log that the cleaner has rewritten with what was there
// before: both are on the disk at this moment. Of the rest of the log only what came since
// the last time is read.
func (v *invariants) compacted(n *cluster.Node, l *replicaLog, c *storage.Cleaned, hw wire.Offset, wall int64) {
	files := segments(n.Disk, l.name.TopicPartition)
	if l.compaction == nil {
		l.compaction = invariant.NewCompaction()
	}
	if from := l.compaction.Next; from < hw {
		l.compaction.Read(v.recordsOf(n.Disk, files, from, hw))
	}
	x := invariant.Cleaning{
		Partition: l.part.name, Node: n.ID, To: c.UpTo, HighWatermark: hw, LastStable: l.told.LastStable, Wall: wall,
		Before: v.recordsOf(n.Disk, files, c.From, c.UpTo),
	}
	for _, name := range files {
		if baseOffset(name) == c.From {
			x.After = v.recordsOf(n.Disk, []string{name + ".cleaned"}, c.From, c.UpTo)
		}
	}
	v.counts.sieved += len(x.Before)
	for _, f := range l.compaction.Cleaned(x) {
		v.report(string(f.Invariant), f.Subject, f.Sentence)
	}
}

// recordsOf reads the records of a log with offsets in [from, to).
func (v *invariants) recordsOf(d *disk.Device, files []string, from, to wire.Offset) []invariant.CleanedRecord {
	first := 0
	for first+1 < len(files) && baseOffset(files[first+1]) <= from {
		first++
	}
	var list []invariant.CleanedRecord
	for _, name := range files[first:] {
		if !eachBatch(d, name, func(h *wire.BatchHeader, bytes func() []byte) bool {
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
		}) {
			break
		}
	}
	return list
}

// baseOffset is that of a segment's file.
func baseOffset(name string) wire.Offset {
	o := wire.Offset(0)
	for _, digit := range strings.TrimSuffix(path.Base(name), ".log") {
		o = o*10 + wire.Offset(digit-'0')
	}
	return o
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
