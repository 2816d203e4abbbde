package wire

import (
	"bytes"
	"fmt"
	"testing"
)

func compactable(t *testing.T, how Compression, appendTime int64) []byte {
	t.Helper()
	b := NewBuilder(BatchOptions{
		BaseOffset: 100, LeaderEpoch: 7, Compression: how, LogAppendTime: appendTime,
		Producer: &Producer{ID: 9, Epoch: 2, Sequence: 40},
	})
	b.Append(5000, []byte("a"), []byte("1"), Header{"h", []byte("x")})
	b.Append(4000, []byte("b"), []byte("2"))
	b.Append(7000, []byte("c"), nil) // a tombstone
	b.Append(6000, nil, bytes.Repeat([]byte("long"), 40))
	batch, err := b.Build(nil, NewCodec(DefaultMaxDecompressed))
	if err != nil {
		t.Fatal(err)
	}
	return batch
}

func recordsOf(t *testing.T, batch []byte) (h BatchHeader, list []string) {
	t.Helper()
	if !CheckCRC(batch) {
		t.Fatal("CRC does not match")
	}
	records, err := NewCodec(DefaultMaxDecompressed).Records(batch)
	if err != nil {
		t.Fatal(err)
	}
	var r Record
	for records.Next(&r) {
		list = append(list, fmt.Sprintf("%d@%d %s=%s %v", r.Offset, r.Timestamp, r.Key, r.Value, r.Headers()))
	}
	if err := records.Err(); err != nil {
		t.Fatal(err)
	}
	return *records.Header(), list
}

func TestCompactionKeepsOffsetsAndTimestamps(t *testing.T) {
	for _, how := range []Compression{None, Gzip, Snappy, LZ4, Zstd} {
		for _, appendTime := range []int64{0, 8000} {
			batch := compactable(t, how, appendTime)
			was, all := recordsOf(t, batch)
			for mask := range 1 << 4 {
				c := NewCodec(DefaultMaxDecompressed)
				i := -1
				out, kept, err := c.Compact([]byte("before"), batch, Compaction{Horizon: 90_000_000, Retain: func(*Record) bool {
					i++
					return mask>>i&1 == 1
				}})
				if err != nil {
					t.Fatal(err)
				}
				var want []string
				largest := int64(-1)
				for i, ts := range []int64{5000, 4000, 7000, 6000} {
					if mask>>i&1 == 1 {
						want = append(want, all[i])
						largest = max(largest, ts)
					}
				}
				if appendTime != 0 {
					largest = appendTime
				}
				if kept != len(want) {
					t.Fatalf("%s, mask %04b: kept %d", how, mask, kept)
				}
				if kept == 0 {
					if out != nil {
						t.Fatalf("a batch without records")
					}
					continue
				}
				out = bytes.TrimPrefix(out, []byte("before"))
				h, got := recordsOf(t, out)
				if fmt.Sprint(got) != fmt.Sprint(want) {
					t.Fatalf("%s, mask %04b: %v, want %v", how, mask, got, want)
				}
				horizon, marked := h.DeleteHorizon()
				if tombstone := mask&4 != 0; marked != tombstone || marked && horizon != 90_000_000 {
					t.Errorf("%s, mask %04b: horizon %d, %v", how, mask, horizon, marked)
				}
				if h.BaseOffset != was.BaseOffset || h.LastOffset() != was.LastOffset() || h.LeaderEpoch != 7 || h.MaxTimestamp != largest ||
					h.ProducerID != 9 || h.ProducerEpoch != 2 || h.BaseSequence != 40 || h.LastSequence() != 43 || h.Compression() != how || h.TimestampType() != was.TimestampType() {
					t.Errorf("%s, mask %04b: header %+v", how, mask, h)
				}
				// The horizon stays what it is.
				again, _, err := c.Compact(nil, out, Compaction{Horizon: 1, Mark: marked, Retain: func(*Record) bool { return true }})
				if err != nil || !bytes.Equal(again, out) {
					t.Errorf("%s, mask %04b: compacting again changes the batch: %v", how, mask, err)
				}
			}
		}
	}
}

func TestWhatStaysAsItIsIsNotCopied(t *testing.T) {
	b := NewBuilder(BatchOptions{})
	b.Append(1, []byte("k"), []byte("v"))
	batch, _ := b.Build(nil, nil)
	out, kept, err := NewCodec(1<<20).Compact(nil, batch, Compaction{Retain: func(*Record) bool { return true }})
	if err != nil || kept != 1 || &out[0] != &batch[0] {
		t.Errorf("kept %d, %v", kept, err)
	}
}

func TestMarkerGetsAHorizonWhenAsked(t *testing.T) {
	marker := BuildEndMarker(3, 1, EndMarker{Commit: true, CoordinatorEpoch: 5}, 77)
	out, _, err := NewCodec(1<<20).Compact(nil, marker, Compaction{Horizon: 500, Mark: true, Retain: func(*Record) bool { return true }})
	if err != nil {
		t.Fatal(err)
	}
	h, _ := recordsOf(t, out)
	if horizon, marked := h.DeleteHorizon(); !marked || horizon != 500 {
		t.Errorf("horizon %d, %v", horizon, marked)
	}
	if m, ok, err := ReadEndMarker(&h, out); err != nil || !ok || m != (EndMarker{true, 5}) {
		t.Errorf("%+v, %v, %v", m, ok, err)
	}
}

func TestEmptiedBatchesKeepTheirPlace(t *testing.T) {
	batch := compactable(t, Zstd, 0)
	was, _ := recordsOf(t, batch)
	emptied, list := recordsOf(t, AppendEmptied(nil, &was))
	if len(list) > 0 || emptied.LastOffset() != 103 || emptied.LastSequence() != 43 || emptied.ProducerID != 9 || emptied.ProducerEpoch != 2 ||
		emptied.LeaderEpoch != 7 || emptied.MaxTimestamp != 7000 || emptied.Compression() != None {
		t.Errorf("emptied: %+v", emptied)
	}
	placeholder, list := recordsOf(t, AppendPlaceholder(nil, &was))
	if len(list) > 0 || placeholder.BaseOffset != 100 || placeholder.LastOffset() != 103 || placeholder.HasProducer() || placeholder.LeaderEpoch != 7 {
		t.Errorf("placeholder: %+v", placeholder)
	}
}

func FuzzCompact(f *testing.F) {
	b := NewBuilder(BatchOptions{})
	b.Append(1, []byte("k"), nil)
	b.Append(2, []byte("k"), []byte("v"))
	seed, _ := b.Build(nil, nil)
	f.Add(seed, uint8(3))
	f.Fuzz(func(t *testing.T, batch []byte, mask uint8) {
		i := 0
		out, _, err := NewCodec(1<<20).Compact(nil, batch, Compaction{Horizon: 1 << 40, Retain: func(*Record) bool {
			i++
			return mask>>(i%8)&1 == 1
		}})
		if err == nil && out != nil {
			if _, err := NewCodec(1 << 20).Records(out); err != nil {
				t.Fatalf("what was made cannot be read: %v", err)
			}
		}
	})
}
