package simulated

import "encoding/binary"

// frames follows a stream of Kafka's frames: a length of 4 bytes, then, in a request, its
// API in 2.
type frames struct {
	head [6]byte
	have int
	rest int // bytes of the frame that are still to come
}

// follow calls begun with the API of each frame that begins in the bytes; of answers it
// means nothing.
func (f *frames) follow(b []byte, begun func(api int16)) {
	for len(b) > 0 {
		if f.rest > 0 {
			n := min(f.rest, len(b))
			f.rest -= n
			b = b[n:]
			continue
		}
		n := copy(f.head[f.have:], b)
		f.have += n
		b = b[n:]
		if f.have == len(f.head) {
			// The least frame has a correlation id, and so more than the 2 bytes.
			f.rest = int(binary.BigEndian.Uint32(f.head[:])) - 2
			f.have = 0
			begun(int16(binary.BigEndian.Uint16(f.head[4:])))
		}
	}
}
