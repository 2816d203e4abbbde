package storage

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"odradek/broker/wire"
)

// An index that was cut and continued must be what it would be had the cut batches never
// been there, whatever way it took, and whether or not it was on disk in between.
func TestCutIndexIsAsIfNeverLonger(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		interval := rapid.Int64Range(0, 300).Draw(t, "interval")
		base := wire.Offset(rapid.Int64Range(0, 1<<40).Draw(t, "base"))
		var batches []batchInfo
		pos, next := int64(0), base
		for range rapid.IntRange(0, 40).Draw(t, "batches") {
			b := batchInfo{base: next, pos: pos, size: rapid.Int32Range(61, 300).Draw(t, "size"),
				maxTimestamp: rapid.Int64Range(-1, 100).Draw(t, "timestamp")}
			b.next = next + wire.Offset(rapid.IntRange(1, 5).Draw(t, "records"))
			batches = append(batches, b)
			pos, next = pos+int64(b.size), b.next
		}
		build := func(bs []batchInfo) *index {
			x := newIndex(base)
			for i := range bs {
				x.add(&bs[i], interval)
			}
			return x
		}
		keep := rapid.IntRange(0, len(batches)).Draw(t, "keep")
		cut, end := pos, next
		if keep < len(batches) {
			cut, end = batches[keep].pos, batches[keep].base
		}
		x := build(batches)
		if rapid.Bool().Draw(t, "on disk") {
			x.addTime()
			offsets, times := x.encode()
			var ok bool
			if x, ok = decodeIndex(base, next, pos, offsets, times); !ok {
				t.Fatalf("index %x, time index %x are refused", offsets, times)
			}
		}
		rescan := x.cut(cut)
		for i := range batches[:keep] {
			if batches[i].pos >= rescan {
				x.add(&batches[i], interval)
			}
		}
		want := build(batches[:keep])
		options := cmp.AllowUnexported(index{}, offsetEntry{}, timeEntry{})
		normal := func(x *index) index { // nil and empty are the same
			y := *x
			y.offsets, y.times = append([]offsetEntry{}, y.offsets...), append([]timeEntry{}, y.times...)
			return y
		}
		if diff := cmp.Diff(normal(want), normal(x), options); diff != "" {
			t.Fatalf("cut at %d (offset %d), rescanned from %d:\n%s", cut, end, rescan, diff)
		}
		// Lookups never lead behind what they are for.
		for _, b := range batches[:keep] {
			if e, ok := x.floor(b.base); ok && e.pos > b.pos {
				t.Fatalf("floor of offset %d is position %d, its batch is at %d", b.base, e.pos, b.pos)
			}
			if o := x.floorTime(b.maxTimestamp); b.maxTimestamp >= 0 && o >= b.next {
				first := b
				for _, c := range batches[:keep] {
					if c.maxTimestamp >= b.maxTimestamp {
						first = c
						break
					}
				}
				if o >= first.next {
					t.Fatalf("search for timestamp %d begins at offset %d, behind [%d, %d)", b.maxTimestamp, o, first.base, first.next)
				}
			}
		}
	})
}

func TestCheckpointsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := make(offsetMap)
		for range rapid.IntRange(0, 10).Draw(t, "entries") {
			tp := wire.TopicPartition{Topic: rapid.StringMatching(`[a-zA-Z0-9._-]{1,20}`).Draw(t, "topic"), Partition: rapid.Int32Range(0, 1<<30).Draw(t, "partition")}
			m[tp] = wire.Offset(rapid.Int64Range(0, 1<<62).Draw(t, "offset"))
		}
		got, err := parseOffsets("file", m.format())
		if diff := cmp.Diff(m, got); err != nil || diff != "" {
			t.Fatalf("%v\n%s", err, diff)
		}
		for tp := range m {
			if back, ok := parsePartitionDir(tp.String()); !ok || back != tp {
				t.Fatalf("directory %s is parsed as %s, %v", tp, back, ok)
			}
		}
	})
}
