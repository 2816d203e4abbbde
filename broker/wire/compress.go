package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Compression is the codec of a batch's records (the low three bits of its
// attributes).
type Compression int8

const (
	None   Compression = 0
	Gzip   Compression = 1
	Snappy Compression = 2
	LZ4    Compression = 3
	Zstd   Compression = 4
	// ProducerCompression, as a topic's compression.type, keeps whatever codec
	// the producer chose. It never occurs in a batch.
	ProducerCompression Compression = -1
)

var compressionNames = [...]string{"none", "gzip", "snappy", "lz4", "zstd"}

// String is the name used in topic configurations (there "none" is written
// "uncompressed").
func (c Compression) String() string {
	if c == ProducerCompression {
		return "producer"
	}
	if int(c) < len(compressionNames) && c >= 0 {
		return compressionNames[c]
	}
	return fmt.Sprintf("compression(%d)", int8(c))
}

// ParseCompression reads a topic's compression.type: producer, uncompressed,
// gzip, snappy, lz4 or zstd ("none", as producers write it, is accepted too).
func ParseCompression(s string) (Compression, error) {
	switch s {
	case "producer":
		return ProducerCompression, nil
	case "uncompressed":
		return None, nil
	}
	for c, name := range compressionNames {
		if s == name {
			return Compression(c), nil
		}
	}
	return 0, fmt.Errorf("%q is not a compression type", s)
}

// ErrTooLarge means that something is larger than a limit allows.
var ErrTooLarge = errors.New("too large")

// ErrUnsupportedCompression means codec bits that name no codec, or one that the
// request's version may not use.
var ErrUnsupportedCompression = errors.New("unsupported compression")

// Codec compresses and decompresses. It keeps encoders, decoders and buffers for
// reuse, so a node owns one (or one per place that runs at the same time): it is
// not safe for concurrent use. What it makes of given bytes depends on nothing
// else, so that a simulation repeats.
type Codec struct {
	limit   int
	scratch []byte // the records last decompressed by Records and Validate

	source bytes.Reader
	sink   bytes.Buffer
	gzipR  *gzip.Reader
	gzipW  *gzip.Writer
	lz4R   *lz4.Reader
	lz4W   *lz4.Writer
	zstdR  *zstd.Decoder
	zstdW  *zstd.Encoder
}

// DefaultMaxDecompressed bounds what one batch may decompress to, in bytes. It is
// far above any honest batch: max.message.bytes bounds the compressed size, and
// its default is 1 MiB.
const DefaultMaxDecompressed = 128 << 20

// keepScratch is the largest buffer that a codec keeps between uses, so that one
// huge batch does not cost its memory for ever.
const keepScratch = 4 << 20

// NewCodec returns a codec that refuses to decompress to more than limit bytes
// (> 0).
func NewCodec(limit int) *Codec {
	if limit <= 0 {
		panic("wire: a codec needs a positive limit")
	}
	return &Codec{limit: limit}
}

// Compress appends src, compressed as a batch's records are, to dst. Snappy is
// written in the framing of xerial's snappy-java, as Java clients expect.
func (c *Codec) Compress(dst []byte, how Compression, src []byte) ([]byte, error) {
	switch how {
	case None:
		return append(dst, src...), nil
	case Gzip:
		if c.gzipW == nil {
			c.gzipW = gzip.NewWriter(nil)
		}
		c.sink.Reset()
		c.gzipW.Reset(&c.sink)
		return c.compressStream(dst, c.gzipW, src)
	case Snappy:
		return appendXerial(dst, src), nil
	case LZ4:
		if c.lz4W == nil {
			c.lz4W = lz4.NewWriter(nil)
			// As Kafka writes it: blocks of 64 KiB, no checksum over the content
			// (the batch has its own).
			err := c.lz4W.Apply(lz4.ConcurrencyOption(1), lz4.BlockSizeOption(lz4.Block64Kb), lz4.ChecksumOption(false))
			if err != nil {
				return dst, err
			}
		}
		c.sink.Reset()
		c.lz4W.Reset(&c.sink)
		return c.compressStream(dst, c.lz4W, src)
	case Zstd:
		if c.zstdW == nil {
			w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(128<<10), zstd.WithZeroFrames(true))
			if err != nil {
				return dst, err
			}
			c.zstdW = w
		}
		return c.zstdW.EncodeAll(src, dst), nil
	}
	return dst, fmt.Errorf("%w: %v", ErrUnsupportedCompression, how)
}

// compressStream runs src through w, which writes to c.sink.
func (c *Codec) compressStream(dst []byte, w io.WriteCloser, src []byte) ([]byte, error) {
	if _, err := w.Write(src); err != nil {
		return dst, err
	}
	if err := w.Close(); err != nil {
		return dst, err
	}
	dst = append(dst, c.sink.Bytes()...)
	if c.sink.Cap() > keepScratch {
		c.sink = bytes.Buffer{}
	}
	return dst, nil
}

// Decompress appends the records compressed in src to dst. Bytes that do not
// decode are [ErrInvalidRecord]; more than the codec's limit is
// [ErrTooLarge]; an unknown codec is [ErrUnsupportedCompression]. For [None] it
// copies. On an error dst may hold part of the output.
func (c *Codec) Decompress(dst []byte, how Compression, src []byte) ([]byte, error) {
	switch how {
	case None:
		if len(src) > c.limit {
			return dst, c.tooLarge()
		}
		return append(dst, src...), nil
	case Gzip:
		c.source.Reset(src)
		var err error
		if c.gzipR == nil {
			c.gzipR, err = gzip.NewReader(&c.source)
		} else {
			err = c.gzipR.Reset(&c.source)
		}
		if err != nil {
			c.gzipR = nil
			return dst, badCompression(how, err)
		}
		return c.decompressStream(dst, how, c.gzipR)
	case Snappy:
		return c.decompressSnappy(dst, src)
	case LZ4:
		c.source.Reset(src)
		if c.lz4R == nil {
			c.lz4R = lz4.NewReader(&c.source)
			if err := c.lz4R.Apply(lz4.ConcurrencyOption(1)); err != nil {
				return dst, err
			}
		} else {
			c.lz4R.Reset(&c.source)
		}
		return c.decompressStream(dst, how, c.lz4R)
	case Zstd:
		return c.decompressZstd(dst, src)
	}
	return dst, fmt.Errorf("%w: %v", ErrUnsupportedCompression, how)
}

func (c *Codec) decompressZstd(dst, src []byte) ([]byte, error) {
	if c.zstdR == nil {
		r, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(uint64(c.limit)))
		if err != nil {
			return dst, err
		}
		c.zstdR = r
	}
	out, err := c.zstdR.DecodeAll(src, dst)
	switch {
	case errors.Is(err, zstd.ErrDecoderSizeExceeded), errors.Is(err, zstd.ErrWindowSizeExceeded):
		return dst, c.tooLarge()
	case err != nil:
		return dst, badCompression(Zstd, err)
	}
	return out, nil
}

// decompressStream appends all of r to dst, up to the limit.
func (c *Codec) decompressStream(dst []byte, how Compression, r io.Reader) ([]byte, error) {
	start := len(dst)
	for {
		if len(dst) == cap(dst) {
			dst = append(dst, 0)[:len(dst)]
		}
		// One byte beyond the limit is enough to know.
		room := dst[len(dst):min(cap(dst), start+c.limit+1)]
		n, err := r.Read(room)
		dst = dst[:len(dst)+n]
		if len(dst)-start > c.limit {
			return dst, c.tooLarge()
		}
		if err == io.EOF {
			return dst, nil
		}
		if err != nil {
			return dst, badCompression(how, err)
		}
	}
}

func (c *Codec) tooLarge() error {
	return fmt.Errorf("%w: more than %d bytes when decompressed", ErrTooLarge, c.limit)
}

func badCompression(how Compression, err error) error {
	return fmt.Errorf("%w: %v: %v", ErrInvalidRecord, how, err)
}
