package load

import (
	"encoding/binary"
	"math/bits"
)

// header is how long the number and the due time at the start of each value are.
const header = 16

// id is the number of a record: its producer's, and its own among those of the producer.
type id struct {
	producer int
	number   int64
}

const numberBits = 40

// write puts a header into a value. Times are the run's, from 1 ns on.
func (i id) write(value []byte, due int64) {
	binary.BigEndian.PutUint64(value, uint64(i.producer)<<numberBits|uint64(i.number))
	binary.BigEndian.PutUint64(value[8:], uint64(due))
}

// read is what write has put there; false if the value is too short for it.
func read(value []byte) (i id, due int64, ok bool) {
	if len(value) < header {
		return id{}, 0, false
	}
	n := binary.BigEndian.Uint64(value)
	return id{int(n >> numberBits), int64(n & (1<<numberBits - 1))}, int64(binary.BigEndian.Uint64(value[8:])), true
}

// numbers is a set of numbers from 0 on, most of which are in it.
type numbers struct{ words []uint64 }

// add reports whether the number was not there yet.
func (s *numbers) add(n int64) bool {
	w := int(n / 64)
	for len(s.words) <= w {
		s.words = append(s.words, 0)
	}
	bit := uint64(1) << (n % 64)
	fresh := s.words[w]&bit == 0
	s.words[w] |= bit
	return fresh
}

// without is how many are in the set and not in the other.
func (s *numbers) without(o *numbers) int64 {
	var n int64
	for i, w := range s.words {
		if i < len(o.words) {
			w &^= o.words[i]
		}
		n += int64(bits.OnesCount64(w))
	}
	return n
}
