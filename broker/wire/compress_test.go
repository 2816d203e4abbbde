package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

// genText is bytes that compress, with some that do not.
func genText(t *rapid.T) []byte {
	var b []byte
	for range rapid.IntRange(0, 30).Draw(t, "pieces") {
		piece := rapid.SliceOfN(rapid.Byte(), 0, 50).Draw(t, "piece")
		b = append(b, bytes.Repeat(piece, rapid.IntRange(1, 200).Draw(t, "times"))...)
	}
	return b
}

func TestDecompressUndoesCompress(t *testing.T) {
	codec := NewCodec(4 << 20)
	rapid.Check(t, func(t *rapid.T) {
		text := genText(t)
		for _, how := range allCodecs {
			small, err := codec.Compress([]byte("x"), how, text)
			if err != nil {
				t.Fatal(err)
			}
			back, err := codec.Decompress([]byte("y"), how, small[1:])
			if err != nil {
				t.Fatalf("%v: %v", how, err)
			}
			if !bytes.Equal(back[1:], text) || back[0] != 'y' {
				t.Fatalf("%v: %d bytes became %d", how, len(text), len(back)-1)
			}
		}
	})
}

func TestCompressionDoesNotDependOnHistory(t *testing.T) {
	used := NewCodec(4 << 20)
	rapid.Check(t, func(t *rapid.T) {
		text := genText(t)
		for _, how := range allCodecs {
			a, err := used.Compress(nil, how, text)
			if err != nil {
				t.Fatal(err)
			}
			b, err := NewCodec(4<<20).Compress(nil, how, text)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(a, b) {
				t.Fatalf("%v: a used codec gives other bytes than a new one", how)
			}
		}
	})
}

func TestDecompressStopsAtItsLimit(t *testing.T) {
	bomb := make([]byte, 10<<20)
	for _, how := range allCodecs {
		small, err := NewCodec(1).Compress(nil, how, bomb)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := NewCodec(len(bomb)).Decompress(nil, how, small); err != nil {
			t.Errorf("%v: at the limit: %v", how, err)
		}
		c := NewCodec(256 << 10)
		var out []byte
		out, err = c.Decompress(nil, how, small)
		if !errors.Is(err, ErrTooLarge) {
			t.Errorf("%v: beyond the limit: %v", how, err)
		}
		if cap(out) > 2<<20 {
			t.Errorf("%v: took %d bytes to refuse more than %d", how, cap(out), 256<<10)
		}
		// The codec is still good.
		if _, err := c.Decompress(nil, how, mustCompress(t, how, []byte("fine"))); err != nil {
			t.Errorf("%v: after a refusal: %v", how, err)
		}
	}
}

func mustCompress(t testing.TB, how Compression, b []byte) []byte {
	out, err := NewCodec(1<<20).Compress(nil, how, b)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestGarbageIsAnError(t *testing.T) {
	codec := NewCodec(1 << 20)
	rapid.Check(t, func(t *rapid.T) {
		how := rapid.SampledFrom(allCodecs[1:]).Draw(t, "codec")
		good, err := codec.Compress(nil, how, genText(t))
		if err != nil {
			t.Fatal(err)
		}
		if len(good) == 0 {
			return
		}
		bad := bytes.Clone(good)
		bad[rapid.IntRange(0, len(bad)-1).Draw(t, "at")] ^= byte(rapid.IntRange(1, 255).Draw(t, "bits"))
		bad = bad[:rapid.IntRange(0, len(bad)).Draw(t, "length")]
		_, err = codec.Decompress(nil, how, bad) // may succeed; must not panic or grow without end
		if err != nil && !errors.Is(err, ErrInvalidRecord) && !errors.Is(err, ErrTooLarge) {
			t.Fatalf("%v: untyped error %v", how, err)
		}
	})
}

func TestUnknownCodecIsRefused(t *testing.T) {
	c := NewCodec(10)
	if _, err := c.Compress(nil, 5, nil); !errors.Is(err, ErrUnsupportedCompression) {
		t.Error(err)
	}
	if _, err := c.Decompress(nil, 7, nil); !errors.Is(err, ErrUnsupportedCompression) {
		t.Error(err)
	}
}

func TestSnappyIsWrittenInBlocksOfXerial(t *testing.T) {
	out := mustCompress(t, Snappy, make([]byte, 70<<10))
	if !bytes.HasPrefix(out, []byte("\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01")) {
		t.Fatalf("starts with %q", out[:16])
	}
	blocks := 0
	for rest := out[16:]; len(rest) > 0; blocks++ {
		n := binary.BigEndian.Uint32(rest)
		rest = rest[4+n:]
	}
	if blocks != 3 {
		t.Fatalf("%d blocks of at most 32 KiB for 70 KiB", blocks)
	}
}

func TestTinySnappyBlockCannotClaimALargeOutput(t *testing.T) {
	block := binary.AppendUvarint(nil, 1<<20) // and nothing of that mebibyte
	out, err := NewCodec(8<<20).Decompress(nil, Snappy, block)
	if !errors.Is(err, ErrInvalidRecord) || cap(out) > 0 {
		t.Fatalf("%v, %d bytes taken", err, cap(out))
	}
}

func TestCompressionNames(t *testing.T) {
	for _, name := range []string{"producer", "gzip", "snappy", "lz4", "zstd"} {
		c, err := ParseCompression(name)
		if err != nil || c.String() != name {
			t.Errorf("%s: %v, %v", name, c, err)
		}
	}
	if c, err := ParseCompression("uncompressed"); c != None || err != nil {
		t.Error(c, err)
	}
	if _, err := ParseCompression("lzma"); err == nil {
		t.Error("lzma was accepted")
	}
}
