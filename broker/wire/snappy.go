package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/klauspost/compress/s2"
)

// Kafka's snappy is usually not one raw block but the stream format of xerial's
// snappy-java: this header with two version numbers, then blocks, each a length
// and a raw block. Some clients (librdkafka, franz-go) send one raw block; a
// raw block cannot begin with the magic: after the length that its first two
// bytes spell, it would copy from output that does not exist yet.
var xerialMagic = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

const (
	xerialHeaderSize = 16
	xerialBlockSize  = 32 << 10 // what snappy-java writes, before compression
)

func appendXerial(dst, src []byte) []byte {
	dst = append(dst, xerialMagic...)
	dst = binary.BigEndian.AppendUint32(dst, 1) // version
	dst = binary.BigEndian.AppendUint32(dst, 1) // lowest compatible version
	for len(src) > 0 {
		block := src[:min(len(src), xerialBlockSize)]
		src = src[len(block):]
		at := len(dst)
		need := 4 + s2.MaxEncodedLen(len(block))
		dst = append(dst, make([]byte, need)...)
		n := len(s2.EncodeSnappy(dst[at+4:], block))
		binary.BigEndian.PutUint32(dst[at:], uint32(n))
		dst = dst[:at+4+n]
	}
	return dst
}

func (c *Codec) decompressSnappy(dst, src []byte) ([]byte, error) {
	start := len(dst)
	if !bytes.HasPrefix(src, xerialMagic) {
		return c.appendSnappyBlock(dst, start, src)
	}
	if len(src) < xerialHeaderSize {
		return dst, badCompression(Snappy, fmt.Errorf("stream header cut off"))
	}
	src = src[xerialHeaderSize:]
	for len(src) > 0 {
		if len(src) < 4 {
			return dst, badCompression(Snappy, fmt.Errorf("block length cut off"))
		}
		n := binary.BigEndian.Uint32(src)
		src = src[4:]
		if uint64(n) > uint64(len(src)) {
			return dst, badCompression(Snappy, fmt.Errorf("block of %d bytes cut off", n))
		}
		var err error
		if dst, err = c.appendSnappyBlock(dst, start, src[:n]); err != nil {
			return dst, err
		}
		src = src[n:]
	}
	return dst, nil
}

// appendSnappyBlock decodes one raw block; the output began at start.
func (c *Codec) appendSnappyBlock(dst []byte, start int, block []byte) ([]byte, error) {
	n, err := s2.DecodedLen(block)
	if err != nil {
		return dst, badCompression(Snappy, err)
	}
	if n > c.limit-(len(dst)-start) {
		return dst, c.tooLarge()
	}
	// A block cannot expand by more than 64 bytes for each 3 of a copy, so a
	// declared length beyond that is a lie; do not allocate for it.
	if n > 64*len(block) {
		return dst, badCompression(Snappy, fmt.Errorf("%d bytes cannot come from a block of %d", n, len(block)))
	}
	at := len(dst)
	dst = append(dst, make([]byte, n)...)
	if _, err := s2.Decode(dst[at:at+n:at+n], block); err != nil {
		return dst[:at], badCompression(Snappy, err)
	}
	return dst, nil
}
