package reference

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// A frame is the length of its payload, the payload's CRC-32C, both big endian, and the
// payload. It is on disk as it was on the wire.
const frameHeader = 8

// maxFrame bounds what a length can make a receiver allocate.
const maxFrame = 64 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errCorrupt = errors.New("corrupt frame")

// seal fills the header of a frame whose payload is in place.
func seal(frame []byte) {
	payload := frame[frameHeader:]
	binary.BigEndian.PutUint32(frame, uint32(len(payload)))
	binary.BigEndian.PutUint32(frame[4:], crc32.Checksum(payload, castagnoli))
}

// gulp is how much is read at once at most, if no single frame is larger. Less than 512 KiB
// costs a third more CPU for small frames, in system calls.
const gulp = 1 << 20

// receiver takes whole frames from a stream. It checks bytes as they come, while they are
// near.
type receiver struct {
	from io.Reader
	buf  []byte
	// buf[:taken] was handed out, [:whole] is frames that were checked, [:summed] went
	// into sum, which is of the frame that begins at whole, [:end] was received.
	taken, whole, summed, end int
	sum                       uint32
}

func newReceiver(from io.Reader) *receiver {
	return &receiver{from: from, buf: make([]byte, gulp)}
}

// next waits for at least one frame and returns all that are there, which are valid until
// the next call. io.EOF is an end between two frames. Frames in front of a corrupt one are
// returned before its error.
func (r *receiver) next() ([]byte, error) {
	if r.taken > 0 {
		copy(r.buf, r.buf[r.taken:r.end])
		r.whole, r.summed, r.end = r.whole-r.taken, r.summed-r.taken, r.end-r.taken
		r.taken = 0
	}
	for {
		want, err := r.check()
		if r.whole > 0 {
			r.taken = r.whole
			return r.buf[:r.whole], nil // an error comes again
		}
		if err != nil {
			return nil, err
		}
		if want > len(r.buf) {
			r.buf = append(r.buf, make([]byte, want-len(r.buf))...)
		}
		// Never beyond a large frame: the rest would have to be moved.
		n, err := r.from.Read(r.buf[r.end:max(want, gulp)])
		r.end += n
		if n == 0 && err != nil {
			if err == io.EOF && r.end > 0 {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
}

// check sums what was received and not yet summed. It returns where the frame ends that
// begins at whole, 0 if that is not known.
func (r *receiver) check() (int, error) {
	for r.end-r.whole >= frameHeader {
		head := r.buf[r.whole:]
		n := int(binary.BigEndian.Uint32(head))
		if n > maxFrame {
			return 0, fmt.Errorf("%w: it claims %d bytes", errCorrupt, n)
		}
		if r.summed < r.whole+frameHeader {
			r.summed, r.sum = r.whole+frameHeader, 0
		}
		end := r.whole + frameHeader + n
		upto := min(r.end, end)
		r.sum = crc32.Update(r.sum, castagnoli, r.buf[r.summed:upto])
		r.summed = upto
		if upto < end {
			return end, nil
		}
		if want := binary.BigEndian.Uint32(head[4:]); r.sum != want {
			return 0, fmt.Errorf("%w: CRC-32C %08x, its header says %08x", errCorrupt, r.sum, want)
		}
		r.whole = end
	}
	return 0, nil
}

// each calls use with the payloads of whole frames, in order.
func each(frames []byte, use func(payload []byte)) {
	for len(frames) > 0 {
		n := frameHeader + int(binary.BigEndian.Uint32(frames))
		use(frames[frameHeader:n])
		frames = frames[n:]
	}
}
