package storage

import (
	"crypto/md5"
	"encoding/binary"

	"odradek/broker/wire"
)

// keyMap has the latest offset of every key in a part of the log. It knows keys by their
// hash, of 16 bytes, so that its size does not depend on theirs; two keys that had the same
// would be taken for one, which has a chance of 1 in 2^128. Open addressing: an entry takes
// [keyBytes] and nothing else.
type keyMap struct {
	slots []keySlot
	used  int
}

type keySlot struct {
	hash [md5.Size]byte
	// after is the offset after the record, so that 0 is free.
	after wire.Offset
}

// keyBytes is the memory that an entry takes.
const keyBytes = md5.Size + 8

// newKeyMap returns a map with room for n keys, nine tenths full then.
func newKeyMap(n int) *keyMap { return &keyMap{slots: make([]keySlot, n+n/9+2)} }

// put notes the offset of a key's record, which is above those that it had before.
func (m *keyMap) put(key []byte, o wire.Offset) {
	if m.used >= len(m.slots)-len(m.slots)/10-1 {
		m.grow()
	}
	hash := md5.Sum(key)
	s := m.find(&hash)
	if s.after == 0 {
		s.hash = hash
		m.used++
	}
	s.after = o + 1
}

// get returns the offset of a key's latest record, or wire.NoOffset.
func (m *keyMap) get(key []byte) wire.Offset {
	hash := md5.Sum(key)
	return m.find(&hash).after - 1
}

// find is the slot that has the hash, or the free one where it belongs.
func (m *keyMap) find(hash *[md5.Size]byte) *keySlot {
	n := uint64(len(m.slots))
	for i := binary.LittleEndian.Uint64(hash[:]) % n; ; i++ {
		if i == n {
			i = 0
		}
		if s := &m.slots[i]; s.after == 0 || s.hash == *hash {
			return s
		}
	}
}

// grow makes room for a batch with more keys than the map was meant for: without that one
// nothing could ever be compacted.
func (m *keyMap) grow() {
	old := m.slots
	m.slots = make([]keySlot, 2*len(old)+8)
	for i := range old {
		if old[i].after != 0 {
			*m.find(&old[i].hash) = old[i]
		}
	}
}
