package storage

import (
	"encoding/binary"
	"math"
	"slices"
	"sort"

	"odradek/broker/wire"
)

// Sizes of entries in index files, in bytes.
const (
	offsetEntrySize = 8  // relative offset, position: int32 each, big endian
	timeEntrySize   = 12 // timestamp in ms: int64; relative offset: int32
)

// offsetEntry says that the batch at pos ends with offset last.
type offsetEntry struct {
	last wire.Offset
	pos  int64
}

// timeEntry says that no batch up to the place where the entry was made has a
// timestamp above timestamp, and that the batch that ends with offset last is the
// first to have it.
type timeEntry struct {
	timestamp int64
	last      wire.Offset
}

// index is the sparse index of one segment, for offsets and for timestamps, and the
// state that decides where the next entry goes: a function of the batches alone, so
// that a rebuilt index is identical.
type index struct {
	base    wire.Offset
	offsets []offsetEntry
	times   []timeEntry
	// since counts the bytes appended since the last entry.
	since int64
	// maxTimestamp is the largest so far, -1 if none, and maxLast the last offset
	// of the first batch that has it.
	maxTimestamp int64
	maxLast      wire.Offset
}

func newIndex(base wire.Offset) *index {
	return &index{base: base, maxTimestamp: wire.NoTimestamp, maxLast: base}
}

// add takes note of the segment's next batch.
func (x *index) add(b *batchInfo, interval int64) {
	if b.maxTimestamp > x.maxTimestamp {
		x.maxTimestamp, x.maxLast = b.maxTimestamp, b.next-1
	}
	if x.since > interval {
		x.offsets = append(x.offsets, offsetEntry{last: b.next - 1, pos: b.pos})
		x.addTime()
		x.since = 0
	}
	x.since += int64(b.size)
}

// addTime makes an entry of the largest timestamp, unless the last one says it.
func (x *index) addTime() {
	if n := len(x.times); x.maxTimestamp >= 0 && (n == 0 || x.times[n-1].timestamp < x.maxTimestamp) {
		x.times = append(x.times, timeEntry{x.maxTimestamp, x.maxLast})
	}
}

// floor is the entry to scan from for the batch that contains offset o, or is the
// first after it; false if that is the segment's beginning.
func (x *index) floor(o wire.Offset) (offsetEntry, bool) {
	i := sort.Search(len(x.offsets), func(i int) bool { return x.offsets[i].last > o })
	if i == 0 {
		return offsetEntry{}, false
	}
	return x.offsets[i-1], true
}

// before is the greatest indexed batch start at or below pos whose batch ends below
// upTo, or from if that is greater.
func (x *index) before(pos int64, upTo wire.Offset, from int64) int64 {
	i := sort.Search(len(x.offsets), func(i int) bool {
		return x.offsets[i].pos > pos || x.offsets[i].last >= upTo
	})
	if i == 0 {
		return from
	}
	return max(from, x.offsets[i-1].pos)
}

// floorTime is the offset to scan from for the first batch with a timestamp >= ts.
func (x *index) floorTime(ts int64) wire.Offset {
	i := sort.Search(len(x.times), func(i int) bool { return x.times[i].timestamp > ts })
	if i == 0 {
		return x.base
	}
	return x.times[i-1].last
}

// cut forgets what was noted of batches at or after pos. The batches from the returned
// position up to pos must be added again: the state between entries (since,
// maxTimestamp) is not in the entries.
func (x *index) cut(pos int64) (rescan int64) {
	i := sort.Search(len(x.offsets), func(i int) bool { return x.offsets[i].pos >= pos })
	x.offsets = x.offsets[:i]
	last := x.base - 1
	if i > 0 {
		// The time entry made along with this one covers its batch too, which is
		// added twice then; that changes nothing, and since is 0 there.
		rescan, last = x.offsets[i-1].pos, x.offsets[i-1].last
	}
	j := sort.Search(len(x.times), func(j int) bool { return x.times[j].last > last })
	x.times = x.times[:j]
	x.since, x.maxTimestamp, x.maxLast = 0, wire.NoTimestamp, x.base
	if j > 0 {
		x.maxTimestamp, x.maxLast = x.times[j-1].timestamp, x.times[j-1].last
	}
	return rescan
}

// encode returns the contents of the two files.
func (x *index) encode() (offsets, times []byte) {
	be := binary.BigEndian
	offsets = make([]byte, 0, len(x.offsets)*offsetEntrySize)
	for _, e := range x.offsets {
		offsets = be.AppendUint32(offsets, uint32(e.last-x.base))
		offsets = be.AppendUint32(offsets, uint32(e.pos))
	}
	times = make([]byte, 0, len(x.times)*timeEntrySize)
	for _, e := range x.times {
		times = be.AppendUint64(times, uint64(e.timestamp))
		times = be.AppendUint32(times, uint32(e.last-x.base))
	}
	return offsets, times
}

// decodeIndex reads the two files of the segment that begins at base, ends before
// next and has size bytes. It reports false if they cannot belong to it. Entries that
// are plausible but wrong are not noticed here: readers check what they find.
func decodeIndex(base, next wire.Offset, size int64, offsets, times []byte) (*index, bool) {
	be := binary.BigEndian
	x := newIndex(base)
	if len(offsets)%offsetEntrySize != 0 || len(times)%timeEntrySize != 0 {
		return nil, false
	}
	x.offsets = slices.Grow(x.offsets, len(offsets)/offsetEntrySize)
	lastPos, lastOffset := int64(0), base-1
	for b := offsets; len(b) > 0; b = b[offsetEntrySize:] {
		e := offsetEntry{base + wire.Offset(be.Uint32(b)), int64(be.Uint32(b[4:]))}
		// Position 0 is never indexed, so zero-filled files are refused here.
		if e.pos <= lastPos || e.pos >= size || e.last <= lastOffset || e.last >= next {
			return nil, false
		}
		lastPos, lastOffset = e.pos, e.last
		x.offsets = append(x.offsets, e)
	}
	x.times = slices.Grow(x.times, len(times)/timeEntrySize)
	for b := times; len(b) > 0; b = b[timeEntrySize:] {
		e := decodeTime(base, b)
		if e.timestamp <= x.maxTimestamp || e.last < x.maxLast || e.last >= next {
			return nil, false
		}
		x.maxTimestamp, x.maxLast = e.timestamp, e.last
		x.times = append(x.times, e)
	}
	return x, true
}

func decodeTime(base wire.Offset, b []byte) timeEntry {
	return timeEntry{int64(binary.BigEndian.Uint64(b)), base + wire.Offset(binary.BigEndian.Uint32(b[8:]))}
}

// fits reports whether an offset can be indexed in the segment that begins at base.
func fits(base, last wire.Offset) bool {
	return last >= base && last-base <= math.MaxInt32
}
