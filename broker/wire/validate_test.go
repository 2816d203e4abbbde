package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
)

func build(t testing.TB, opts BatchOptions, records ...testRecord) []byte {
	t.Helper()
	b := NewBuilder(opts)
	for _, r := range records {
		b.AppendAt(r.Delta, r.Timestamp, r.Key, r.Value, r.Headers...)
	}
	out, err := b.Build(nil, NewCodec(16<<20))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// withAttributes is a copy of batch b with other attributes.
func withAttributes(b []byte, attrs uint16) []byte {
	c := slices.Clone(b)
	binary.BigEndian.PutUint16(c[offsetAttributes:], attrs)
	SetCRC(c)
	return c
}

func TestProducedBatchesThatKafkaRefuses(t *testing.T) {
	const now = 1_700_000_001_000
	good := fixtureBatch(t, "none")
	keyless := build(t, BatchOptions{}, testRecord{Key: []byte("k"), Timestamp: now}, testRecord{Delta: 1, Timestamp: now}, testRecord{Delta: 2, Timestamp: now})
	gap := build(t, BatchOptions{}, testRecord{Timestamp: now}, testRecord{Delta: 2, Timestamp: now})
	binary.BigEndian.PutUint32(gap[offsetLastOffsetDelta:], 1)
	SetCRC(gap)
	stale := build(t, BatchOptions{}, testRecord{Timestamp: now - 100}, testRecord{Delta: 1, Timestamp: now - 101}, testRecord{Delta: 2, Timestamp: now + 50}, testRecord{Delta: 3, Timestamp: now + 51}, testRecord{Delta: 4, Timestamp: NoTimestamp})
	ancient := build(t, BatchOptions{}, testRecord{Timestamp: math.MinInt64})
	mixed := build(t, BatchOptions{}, testRecord{Timestamp: now}, testRecord{Delta: 1, Timestamp: now + 9999, Key: []byte("k")})
	control := build(t, BatchOptions{Control: true}, testRecord{})
	garbled := slices.Clone(fixtureBatch(t, "lz4"))
	garbled[BatchHeaderSize+20] ^= 0xff
	SetCRC(garbled)
	baseOffset := slices.Clone(good)
	SetBaseOffset(baseOffset, 1)
	flip := func(at int) []byte { c := slices.Clone(good); c[at] ^= 1; return c }
	loud := slices.Clone(good)
	loud[offsetMagic] = 1

	tests := []struct {
		name    string
		batch   []byte
		rules   func(*ProduceRules)
		code    *kerr.Error
		cause   error
		records []int32
	}{
		{"nothing", nil, nil, kerr.InvalidRecord, nil, nil},
		{"old magic", loud, nil, kerr.InvalidRecord, nil, nil},
		{"cut off", good[:len(good)-1], nil, kerr.InvalidRecord, ErrShortBatch, nil},
		{"impossible length", changedLength(good, 10), nil, kerr.CorruptMessage, ErrCorruptBatch, nil},
		{"two batches", slices.Concat(good, good), nil, kerr.InvalidRecord, nil, nil},
		{"bytes behind it", append(slices.Clone(good), 0), nil, kerr.InvalidRecord, nil, nil},
		{"wrong checksum", flip(len(good) - 1), nil, kerr.CorruptMessage, ErrCorruptBatch, nil},
		{"base offset", baseOffset, nil, kerr.InvalidRecord, nil, nil},
		{"control", control, nil, kerr.InvalidRecord, nil, nil},
		{"no records", changed(changed(good, offsetCount, 0), offsetLastOffsetDelta, -1), nil, kerr.InvalidRecord, nil, nil},
		{"count differs from span", changed(good, offsetCount, 2), nil, kerr.InvalidRecord, nil, nil},
		{"fewer records than declared", changed(changed(good, offsetCount, 4), offsetLastOffsetDelta, 3), nil, kerr.InvalidRecord, ErrInvalidRecord, nil},
		{"more records than declared", changed(changed(good, offsetCount, 2), offsetLastOffsetDelta, 1), nil, kerr.InvalidRecord, ErrInvalidRecord, nil},
		{"negative sequence", changed(good, offsetBaseSequence, -1), nil, kerr.InvalidRecord, nil, nil},
		{"offsets with a gap", gap, nil, kerr.InvalidRecord, nil, []int32{1}},
		{"too large", good, func(r *ProduceRules) { r.MaxBytes = len(good) - 1 }, kerr.MessageTooLarge, ErrTooLarge, nil},
		{"too large after recompression", fixtureBatch(t, "zstd"), func(r *ProduceRules) { r.MaxBytes, r.Compression = 200, None }, kerr.MessageTooLarge, ErrTooLarge, nil},
		{"zstd in an old request", fixtureBatch(t, "zstd"), func(r *ProduceRules) { r.RequestVersion = 6 }, kerr.UnsupportedCompressionType, nil, nil},
		{"codec 5", withAttributes(good, 5), nil, kerr.UnsupportedCompressionType, ErrUnsupportedCompression, nil},
		{"does not decompress", garbled, nil, kerr.InvalidRecord, ErrInvalidRecord, nil},
		{"compressed records not compressed", withAttributes(good, uint16(Gzip)), nil, kerr.InvalidRecord, ErrInvalidRecord, nil},
		{"no key in a compacted topic", keyless, func(r *ProduceRules) { r.Compacted = true }, kerr.InvalidRecord, nil, []int32{1, 2}},
		{"timestamps out of the window", stale, func(r *ProduceRules) { r.BeforeMax, r.AfterMax = 100, 50 }, kerr.InvalidTimestamp, nil, []int32{1, 3}},
		{"timestamp that would wrap", ancient, func(r *ProduceRules) { r.BeforeMax = math.MaxInt64 - 1 }, kerr.InvalidTimestamp, nil, []int32{0}},
		{"timestamp wins over key", mixed, func(r *ProduceRules) { r.Compacted, r.AfterMax = true, 100 }, kerr.InvalidTimestamp, nil, []int32{0, 1}},
		{"claims append time", withAttributes(good, attrLogAppendTime), nil, kerr.InvalidTimestamp, nil, []int32{0, 1, 2}},
	}
	codec := NewCodec(1 << 20)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			rules := looseRules()
			if test.rules != nil {
				test.rules(rules)
			}
			_, batch, err := codec.Validate(slices.Clone(test.batch), rules)
			var be *BatchError
			if !errors.As(err, &be) || batch != nil {
				t.Fatalf("accepted: %v", err)
			}
			if be.Code != test.code {
				t.Errorf("code %v, want %v (%s)", be.Code.Message, test.code.Message, be.Message)
			}
			if test.cause != nil && !errors.Is(err, test.cause) {
				t.Errorf("%v does not wrap %v", err, test.cause)
			}
			var indexes []int32
			for _, r := range be.Records {
				indexes = append(indexes, r.Index)
				if r.Message == "" {
					t.Error("a record error without message")
				}
			}
			if d := cmp.Diff(test.records, indexes); d != "" {
				t.Errorf("records at fault: %s", d)
			}
		})
	}
}

func changedLength(b []byte, n int32) []byte {
	c := slices.Clone(b)
	binary.BigEndian.PutUint32(c[offsetLength:], uint32(n))
	return c
}

func TestBombsAreRefused(t *testing.T) {
	bomb := build(t, BatchOptions{Compression: Zstd}, testRecord{Value: make([]byte, 8<<20)})
	if len(bomb) > 10<<10 {
		t.Fatalf("the bomb has %d bytes", len(bomb))
	}
	_, _, err := NewCodec(1<<20).Validate(bomb, looseRules())
	var be *BatchError
	if !errors.As(err, &be) || be.Code != kerr.MessageTooLarge {
		t.Fatal(err)
	}
}

func TestManyRecordsAtFaultMakeAShortAnswer(t *testing.T) {
	b := NewBuilder(BatchOptions{})
	for range 5000 {
		b.Append(1_700_000_000_000, nil, nil)
	}
	batch, _ := b.Build(nil, nil)
	rules := looseRules()
	rules.Compacted = true
	_, _, err := NewCodec(1<<20).Validate(batch, rules)
	var be *BatchError
	if !errors.As(err, &be) || len(be.Records) != maxRecordErrors {
		t.Fatal(err)
	}
}

func TestAcceptedBatchIsStoredAsItCame(t *testing.T) {
	for name := range clientCodecs {
		b := fixtureBatch(t, name)
		before := bytes.Clone(b)
		h, stored, err := NewCodec(1<<20).Validate(b, looseRules())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !bytes.Equal(stored, before) || &stored[0] != &b[0] {
			t.Errorf("%s: the batch was changed or copied", name)
		}
		if h.Count != 3 || h.MaxTimestamp != 1_700_000_000_005 {
			t.Errorf("%s: header %+v", name, h)
		}
	}
}

func TestTopicDecidesTimestampsAndCodec(t *testing.T) {
	for from := range clientCodecs {
		for _, to := range append([]Compression{ProducerCompression}, allCodecs...) {
			for _, tt := range []TimestampType{CreateTime, LogAppendTime} {
				codec := NewCodec(1 << 20)
				b := slices.Clone(fixtureBatch(t, from))
				_, want := readAll(t, codec, b)
				rules := looseRules()
				rules.TimestampType, rules.Compression = tt, to
				h, stored, err := codec.Validate(b, rules)
				if err != nil {
					t.Fatalf("%s to %v: %v", from, to, err)
				}
				stored2, err := ReadBatchHeader(stored)
				if err != nil || stored2 != h || !CheckCRC(stored) {
					t.Fatalf("%s to %v: returned header %+v, stored %+v, CRC right: %v", from, to, h, stored2, CheckCRC(stored))
				}
				if to != ProducerCompression && h.Compression() != to || to == ProducerCompression && h.Compression().String() != from {
					t.Fatalf("%s to %v: codec %v", from, to, h.Compression())
				}
				if h.TimestampType() != tt {
					t.Fatalf("timestamp type %v, want %v", h.TimestampType(), tt)
				}
				_, got := readAll(t, codec, stored)
				if tt == LogAppendTime {
					for i := range want {
						want[i].Timestamp = rules.Now
					}
				}
				if d := cmp.Diff(want, got); d != "" {
					t.Fatalf("%s to %v: %s", from, to, d)
				}
			}
		}
	}
}

func TestWrongMaxTimestampIsMended(t *testing.T) {
	b := slices.Clone(fixtureBatch(t, "lz4"))
	SetMaxTimestamp(b, 12)
	h, stored, err := NewCodec(1<<20).Validate(b, looseRules())
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := ReadBatchHeader(stored); got.MaxTimestamp != 1_700_000_000_005 || got != h || !CheckCRC(stored) {
		t.Fatalf("stored %+v, CRC right: %v", got, CheckCRC(stored))
	}
}

func TestUndefinedAttributesAreCleared(t *testing.T) {
	b := withAttributes(fixtureBatch(t, "none"), attrDeleteHorizon|0x100)
	h, stored, err := NewCodec(1<<20).Validate(b, looseRules())
	if err != nil || h.Attributes != 0 || !CheckCRC(stored) {
		t.Fatalf("%+v, %v", h, err)
	}
}

func TestValidatingAllocatesNothingPerRecord(t *testing.T) {
	for _, how := range allCodecs {
		allocs := func(records int) float64 {
			b := NewBuilder(BatchOptions{Compression: how})
			for range records {
				b.Append(1_700_000_000_000, []byte("key"), []byte("value"), Header{"h", []byte("v")})
			}
			codec := NewCodec(1 << 20)
			batch, err := b.Build(nil, codec)
			if err != nil {
				t.Fatal(err)
			}
			rules := looseRules()
			return testing.AllocsPerRun(20, func() {
				if _, _, err := codec.Validate(batch, rules); err != nil {
					t.Fatal(err)
				}
			})
		}
		// The zstd decoder keeps its state in a pool, which may be emptied in between and
		// is at random under the race detector: a few allocations, however many records.
		const perRecord = 0.01
		if few, many := allocs(2), allocs(3000); many-few > 3000*perRecord || how == None && many > 0 {
			t.Errorf("%v: %v allocations for 2 records, %v for 3000", how, few, many)
		}
	}
}

func FuzzValidate(f *testing.F) {
	for name := range clientCodecs {
		f.Add(fixtureBatch(f, name), false, int8(ProducerCompression))
	}
	f.Add(fixtureBatch(f, "zstd"), true, int8(LZ4))
	f.Fuzz(func(t *testing.T, b []byte, mend bool, to int8) {
		if h, err := ReadBatchHeader(b); mend && err == nil && h.Size() <= len(b) {
			SetCRC(b) // else nothing gets past the checksum
		}
		codec := NewCodec(1 << 20)
		rules := looseRules()
		rules.Compression = Compression(min(max(to, -1), 4))
		h, stored, err := codec.Validate(b, rules)
		if err != nil {
			var be *BatchError
			if !errors.As(err, &be) {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		if got, err := ReadBatchHeader(stored); err != nil || got != h || !CheckCRC(stored) {
			t.Fatalf("stored a batch that is not what was returned: %+v, %+v, %v", h, got, err)
		}
		recs, err := codec.Records(stored)
		if err != nil {
			t.Fatal(err)
		}
		var r Record
		n := int32(0)
		for ; recs.Next(&r); n++ {
			r.Headers()
		}
		if recs.Err() != nil || n != h.Count {
			t.Fatalf("%d records of %d: %v", n, h.Count, recs.Err())
		}
	})
}

// FuzzRecord holds the short way through a record against the long one.
func FuzzRecord(f *testing.F) {
	for name := range clientCodecs {
		b := fixtureBatch(f, name)
		f.Add(b[BatchHeaderSize:])
	}
	f.Add([]byte{12, 0, 0, 0, 1, 1, 0})            // nulls
	f.Add([]byte{12, 0, 0, 0, 0, 0, 0})            // empty
	f.Add([]byte{0x8e, 0, 0, 0, 0x80, 0, 1, 1, 0}) // longer numbers than need be
	f.Add([]byte{14, 0, 0, 0, 3, 1, 0, 0})         // a length of -2
	f.Add([]byte{20, 0, 1, 2, 1, 1, 2, 2, 'h', 1}) // a header
	f.Fuzz(func(t *testing.T, b []byte) {
		for range 100 {
			var short, long Record
			delta, end := readPlainRecord(b, &short)
			want, rest, err := readAnyRecord(b, &long)
			if end > 0 {
				if err != nil || delta != want || len(b)-end != len(rest) || !reflect.DeepEqual(short, long) {
					t.Fatalf("%x: short %d, %d, %+v; long %d, %d left, %+v, %v", b, delta, end, short, want, len(rest), long, err)
				}
			}
			if err != nil {
				return
			}
			b = rest
		}
	})
}
