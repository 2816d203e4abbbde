package reference

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

// frameOf is a whole frame around a payload.
func frameOf(payload []byte) []byte {
	f := append(make([]byte, frameHeader), payload...)
	seal(f)
	return f
}

// receiveAll takes frames until an error, and returns them as they came.
func receiveAll(r *receiver) (all []byte, err error) {
	for {
		frames, err := r.next()
		if err != nil {
			return all, err
		}
		all = append(all, frames...)
	}
}

func TestFramesSurviveAnyCuttingOfTheStream(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var stream []byte
		var payloads [][]byte
		for range rapid.IntRange(0, 20).Draw(t, "frames") {
			n := rapid.SampledFrom([]int{0, 1, 100, 5000, gulp - frameHeader, gulp, gulp + 1}).Draw(t, "size")
			payloads = append(payloads, noise(n))
			stream = append(stream, frameOf(payloads[len(payloads)-1])...)
		}
		cuts := rapid.SampledFrom([]int{1, 7, 8, 9, 4096, gulp - 1, 2 * gulp}).Draw(t, "bytes a read")
		if len(stream) > 1<<16 {
			cuts = max(cuts, 4096)
		}
		var back [][]byte
		r := newReceiver(&cutter{stream, cuts})
		for {
			frames, err := r.next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			each(frames, func(payload []byte) { back = append(back, bytes.Clone(payload)) })
		}
		if len(back) != len(payloads) {
			t.Fatalf("%d frames, sent %d", len(back), len(payloads))
		}
		for i := range back {
			if !bytes.Equal(back[i], payloads[i]) {
				t.Fatalf("frame %d of %d bytes came as another of %d", i, len(payloads[i]), len(back[i]))
			}
		}
	})
}

// cutter reads a few bytes at a time.
type cutter struct {
	left []byte
	most int
}

func (c *cutter) Read(p []byte) (int, error) {
	if len(c.left) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), c.most)], c.left)
	c.left = c.left[n:]
	return n, nil
}

func TestEveryFlippedBitOfAFrameIsNoticed(t *testing.T) {
	good, next := frameOf(noise(40)), frameOf([]byte("next"))
	for bit := range 8 * len(good) {
		bad := bytes.Clone(good)
		bad[bit/8] ^= 1 << (bit % 8)
		stream := append(append(bytes.Clone(next), bad...), next...)
		all, err := receiveAll(newReceiver(bytes.NewReader(stream)))
		// A longer length may also have the stream end within the frame.
		if !errors.Is(err, errCorrupt) && err != io.ErrUnexpectedEOF {
			t.Fatalf("bit %d: %v", bit, err)
		}
		if !bytes.Equal(all, next) {
			t.Fatalf("bit %d: %d bytes were taken, want the frame in front alone", bit, len(all))
		}
	}
}

func TestAStreamThatEndsWithinAFrameIsNoEnd(t *testing.T) {
	f := frameOf([]byte("payload"))
	for n := 1; n < len(f); n++ {
		if all, err := receiveAll(newReceiver(iotest.OneByteReader(bytes.NewReader(f[:n])))); err != io.ErrUnexpectedEOF || len(all) > 0 {
			t.Errorf("%d bytes: %v and %d bytes of frames", n, err, len(all))
		}
	}
}

func BenchmarkReceive(b *testing.B) {
	for _, size := range sizes {
		b.Run(sizeName(size), func(b *testing.B) {
			f := frameOf(noise(size))
			r := newReceiver(&endless{frame: f})
			b.SetBytes(int64(len(f)))
			b.ReportAllocs()
			for got := 0; b.Loop(); got -= len(f) {
				for got < len(f) {
					frames, err := r.next()
					if err != nil {
						b.Fatal(err)
					}
					got += len(frames)
				}
			}
		})
	}
}

// endless is a stream of one frame, again and again.
type endless struct {
	frame []byte
	at    int
}

func (e *endless) Read(p []byte) (n int, err error) {
	for n < len(p) {
		m := copy(p[n:], e.frame[e.at:])
		n += m
		e.at = (e.at + m) % len(e.frame)
	}
	return n, nil
}
