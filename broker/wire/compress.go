package wire

import "fmt"

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

// Codec compresses and decompresses. It keeps encoders, decoders and buffers for
// reuse, so a node owns one (or one per place that runs at the same time): it is
// not safe for concurrent use.
type Codec struct {
	limit int
}

// DefaultMaxDecompressed bounds what one batch may decompress to, in bytes. It is
// far above any honest batch: max.message.bytes bounds the compressed size, and
// its default is 1 MiB.
const DefaultMaxDecompressed = 128 << 20

// NewCodec returns a codec that refuses to decompress to more than limit bytes
// (> 0).
func NewCodec(limit int) *Codec { return &Codec{limit: limit} }

// Compress appends src, compressed as a batch's records are, to dst.
func (c *Codec) Compress(dst []byte, how Compression, src []byte) ([]byte, error) { return nil, nil }

// Decompress appends the records compressed in src to dst. Bytes that do not
// decode are [ErrInvalidRecord]; more than the codec's limit is
// [ErrTooLarge]; an unknown codec is [ErrUnsupportedCompression]. For [None] it
// copies.
func (c *Codec) Decompress(dst []byte, how Compression, src []byte) ([]byte, error) { return nil, nil }
