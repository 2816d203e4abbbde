package wire

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"
)

var allCodecs = []Compression{None, Gzip, Snappy, LZ4, Zstd}

type testRecord struct {
	Delta      int32
	Timestamp  int64
	Key, Value []byte
	Headers    []Header
}

func genBytes(t *rapid.T, label string) []byte {
	if rapid.Bool().Draw(t, label+" null") {
		return nil
	}
	return rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, label)
}

func genRecords(t *rapid.T, gaps bool) []testRecord {
	var rs []testRecord
	next := int32(0)
	for range rapid.IntRange(1, 20).Draw(t, "records") {
		if gaps {
			next += rapid.Int32Range(0, 200).Draw(t, "gap")
		}
		r := testRecord{Delta: next, Timestamp: rapid.Int64Range(-1, 1<<44).Draw(t, "timestamp"), Key: genBytes(t, "key"), Value: genBytes(t, "value")}
		for range rapid.IntRange(0, 3).Draw(t, "headers") {
			r.Headers = append(r.Headers, Header{rapid.StringN(0, 8, 8).Draw(t, "header"), genBytes(t, "header value")})
		}
		rs = append(rs, r)
		next++
	}
	return rs
}

func genOptions(t *rapid.T) BatchOptions {
	o := BatchOptions{
		BaseOffset:    Offset(rapid.Int64Range(0, 1<<50).Draw(t, "base")),
		LeaderEpoch:   LeaderEpoch(rapid.Int32Range(-1, 100).Draw(t, "epoch")),
		Compression:   rapid.SampledFrom(allCodecs).Draw(t, "codec"),
		Transactional: rapid.Bool().Draw(t, "transactional"),
		Control:       rapid.Bool().Draw(t, "control"),
	}
	if rapid.Bool().Draw(t, "producer") {
		o.Producer = &Producer{rapid.Int64Range(0, 1<<40).Draw(t, "pid"), rapid.Int16Range(0, 100).Draw(t, "pepoch"), rapid.Int32Range(0, 1<<31-1).Draw(t, "seq")}
	}
	return o
}

func readAll(t interface{ Fatal(...any) }, c *Codec, batch []byte) (*BatchHeader, []testRecord) {
	recs, err := c.Records(batch)
	if err != nil {
		t.Fatal(err)
	}
	var out []testRecord
	var r Record
	for recs.Next(&r) {
		out = append(out, testRecord{r.OffsetDelta, r.Timestamp, bytes.Clone(r.Key), bytes.Clone(r.Value), r.Headers()})
	}
	if recs.Err() != nil {
		t.Fatal(recs.Err())
	}
	return recs.Header(), out
}

func TestWhatIsBuiltIsRead(t *testing.T) {
	codec := NewCodec(1 << 20)
	rapid.Check(t, func(t *rapid.T) {
		opts, want := genOptions(t), genRecords(t, true)
		b := NewBuilder(opts)
		maxTS := NoTimestamp
		for _, r := range want {
			if r.Delta == int32(b.NextOffset()-opts.BaseOffset) {
				size := b.SizeWith(r.Timestamp, r.Key, r.Value, r.Headers...)
				b.Append(r.Timestamp, r.Key, r.Value, r.Headers...)
				if b.Size() != size {
					t.Fatalf("SizeWith %d, Size %d", size, b.Size())
				}
			} else {
				b.AppendAt(r.Delta, r.Timestamp, r.Key, r.Value, r.Headers...)
			}
			maxTS = max(maxTS, r.Timestamp)
		}
		batch, err := b.Build([]byte("prefix"), codec)
		if err != nil {
			t.Fatal(err)
		}
		batch = batch[len("prefix"):]
		if opts.Compression == None && len(batch) != b.Size() {
			t.Fatalf("Size %d, built %d", b.Size(), len(batch))
		}
		if !CheckCRC(batch) {
			t.Fatal("wrong CRC")
		}
		h, got := readAll(t, codec, batch)
		if d := cmp.Diff(want, got); d != "" {
			t.Fatal(d)
		}
		if h.NextOffset() != b.NextOffset() || h.MaxTimestamp != maxTS || b.MaxTimestamp() != maxTS || int(h.Count) != b.Count() ||
			h.Transactional() != opts.Transactional || h.Control() != opts.Control || h.LeaderEpoch != opts.LeaderEpoch ||
			h.HasProducer() != (opts.Producer != nil) {
			t.Fatalf("header %+v of %+v", h, opts)
		}
		// kmsg, which knows nothing of this package, agrees.
		var kb kmsg.RecordBatch
		if err := kb.ReadFrom(batch); err != nil {
			t.Fatal(err)
		}
		if kb.CRC != int32(h.CRC) || kb.NumRecords != h.Count || kb.LastOffsetDelta != h.LastOffsetDelta || kb.ProducerID != h.ProducerID {
			t.Fatalf("kmsg reads %+v, we %+v", kb, h)
		}
	})
}

func TestRecompressedBatchKeepsItsRecords(t *testing.T) {
	codec := NewCodec(1 << 20)
	for from := range clientCodecs {
		batch := fixtureBatch(t, from)
		before, want := readAll(t, codec, batch)
		for _, to := range allCodecs {
			again, err := codec.Recompress(batch, to)
			if err != nil {
				t.Fatal(err)
			}
			h, got := readAll(t, codec, again)
			if h.Compression() != to || !CheckCRC(again) || h.ProducerID != before.ProducerID || h.MaxTimestamp != before.MaxTimestamp {
				t.Fatalf("%s to %v: header %+v", from, to, h)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Fatalf("%s to %v: %s", from, to, d)
			}
		}
	}
}

func TestOffsetsAndEpochAreOutsideTheCRC(t *testing.T) {
	batch := slices.Clone(fixtureBatch(t, "none"))
	SetBaseOffset(batch, 1<<40)
	SetLeaderEpoch(batch, 17)
	h, err := ReadBatchHeader(batch)
	if err != nil || h.BaseOffset != 1<<40 || h.LastOffset() != 1<<40+2 || h.LeaderEpoch != 17 || !CheckCRC(batch) {
		t.Fatalf("%+v, %v, CRC right: %v", h, err, CheckCRC(batch))
	}
}

func TestLogAppendTimeReplacesAllTimestamps(t *testing.T) {
	batch := slices.Clone(fixtureBatch(t, "zstd"))
	SetLogAppendTime(batch, 99)
	if !CheckCRC(batch) {
		t.Fatal("wrong CRC")
	}
	h, recs := readAll(t, NewCodec(1<<20), batch)
	if h.TimestampType() != LogAppendTime || h.MaxTimestamp != 99 {
		t.Fatalf("%+v", h)
	}
	for _, r := range recs {
		if r.Timestamp != 99 {
			t.Fatalf("timestamp %d", r.Timestamp)
		}
	}
}

func TestEveryFlippedBitOutsideOffsetLengthAndEpochIsSeen(t *testing.T) {
	batch := slices.Clone(fixtureBatch(t, "none"))
	for i := offsetCRC; i < len(batch); i++ {
		batch[i] ^= 4
		if CheckCRC(batch) {
			t.Fatalf("byte %d changed and the CRC is still right", i)
		}
		batch[i] ^= 4
	}
}

func TestBatchesStopAtATruncatedLastOne(t *testing.T) {
	one := fixtureBatch(t, "none")
	buf := slices.Concat(one, one, one)
	for cut := range buf {
		for _, mode := range []Truncated{AllowTruncated, RefuseTruncated} {
			var err error
			n := 0
			for h, batch := range Batches(buf[:cut], mode, &err) {
				if h.Size() != len(one) || !bytes.Equal(batch, one) {
					t.Fatalf("cut at %d: batch %d differs", cut, n)
				}
				n++
			}
			if n != cut/len(one) {
				t.Fatalf("cut at %d: %d batches", cut, n)
			}
			short := cut%len(one) != 0 && mode == RefuseTruncated
			if short != errors.Is(err, ErrShortBatch) || !short && err != nil {
				t.Fatalf("cut at %d, %v: %v", cut, mode, err)
			}
		}
	}
	bad := slices.Clone(buf)
	bad[len(one)+offsetMagic] = 1
	var err error
	for range Batches(bad, AllowTruncated, &err) {
	}
	if !errors.Is(err, ErrCorruptBatch) {
		t.Fatalf("magic 1: %v", err)
	}
}

func TestRecordsRefuseWhatDoesNotFit(t *testing.T) {
	batch := fixtureBatch(t, "none")
	for name, b := range map[string][]byte{
		"more declared":     changed(batch, offsetCount, 4),
		"fewer declared":    changed(batch, offsetCount, 2),
		"negative declared": changed(batch, offsetCount, -1),
	} {
		recs, err := NewCodec(1 << 20).Records(b)
		var r Record
		for err == nil && recs.Next(&r) {
		}
		if err == nil {
			err = recs.Err()
		}
		if !errors.Is(err, ErrInvalidRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSequenceNumbersWrapToZero(t *testing.T) {
	for _, c := range []struct{ seq, n, want int32 }{
		{0, 5, 5}, {1<<31 - 1, 0, 1<<31 - 1}, {1<<31 - 1, 1, 0}, {1<<31 - 2, 5, 3}, {NoSequence, 3, NoSequence},
	} {
		if got := AddSequence(c.seq, c.n); got != c.want {
			t.Errorf("%d + %d = %d, want %d", c.seq, c.n, got, c.want)
		}
	}
}

func TestSetProducerIsWhatTheBuilderWouldHaveWritten(t *testing.T) {
	build := func(opts BatchOptions) []byte {
		b := NewBuilder(opts)
		b.Append(5, []byte("k"), []byte("v"))
		out, err := b.Build(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	p := Producer{ID: 1<<40 + 7, Epoch: 3, Sequence: 1<<31 - 1}
	for _, transactional := range []bool{false, true} {
		// What was there before, from an attempt under another epoch, goes.
		b := build(BatchOptions{Producer: &Producer{1, 2, 3}, Transactional: !transactional})
		SetProducer(b, p, transactional)
		if want := build(BatchOptions{Producer: &p, Transactional: transactional}); !bytes.Equal(b, want) {
			t.Errorf("transactional %v: %x, want %x", transactional, b, want)
		}
	}
}
