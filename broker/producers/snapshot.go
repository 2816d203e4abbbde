package producers

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"

	"odradek/broker/wire"
)

// Layout of a snapshot file (Kafka's ProducerStateManager), big endian: version int16, CRC-32C of
// what follows it, number of producers int32, and of each, with 46 bytes: id int64, epoch int16,
// last sequence int32, last offset int64, offset delta of the last batch int32, timestamp
// int64, coordinator epoch int32, first offset of the open transaction int64.
const (
	snapshotVersion = 1
	snapshotHeader  = 2 + 4 + 4
	snapshotEntry   = 8 + 2 + 4 + 8 + 4 + 8 + 4 + 8
)

// ErrBadSnapshot means bytes that are no whole snapshot.
var ErrBadSnapshot = errors.New("not a snapshot of producers")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Snapshot encodes the state, the same for the same state.
func (s *State) Snapshot() []byte {
	be := binary.BigEndian
	b := make([]byte, 0, snapshotHeader+len(s.producers)*snapshotEntry)
	b = be.AppendUint16(b, snapshotVersion)
	b = be.AppendUint32(b, 0)
	b = be.AppendUint32(b, uint32(len(s.producers)))
	ids := make([]int64, 0, len(s.producers))
	for id := range s.producers { //odradek:unordered sorted below
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		p := s.producers[id]
		last := Batch{FirstSequence: wire.NoSequence, LastSequence: wire.NoSequence, FirstOffset: wire.NoOffset, LastOffset: wire.NoOffset}
		if p.n > 0 {
			last = p.window[p.n-1]
		}
		b = be.AppendUint64(b, uint64(id))
		b = be.AppendUint16(b, uint16(p.epoch))
		b = be.AppendUint32(b, uint32(last.LastSequence))
		b = be.AppendUint64(b, uint64(last.LastOffset))
		b = be.AppendUint32(b, uint32(last.LastOffset-last.FirstOffset))
		b = be.AppendUint64(b, uint64(p.timestamp))
		b = be.AppendUint32(b, uint32(p.coordinatorEpoch))
		b = be.AppendUint64(b, uint64(p.start))
	}
	be.PutUint32(b[2:], crc32.Checksum(b[6:], castagnoli))
	return b
}

// Load makes an empty state what the snapshot says, which holds at offset end. The error
// wraps [ErrBadSnapshot], and nothing is changed then.
func (s *State) Load(b []byte, end wire.Offset) error {
	check(len(s.producers) == 0 && !s.known, "a snapshot is loaded into a state of %d producers", len(s.producers))
	be := binary.BigEndian
	if len(b) < snapshotHeader {
		return fmt.Errorf("%w: %d bytes", ErrBadSnapshot, len(b))
	}
	if v := be.Uint16(b); v != snapshotVersion {
		return fmt.Errorf("%w: version %d", ErrBadSnapshot, v)
	}
	if be.Uint32(b[2:]) != crc32.Checksum(b[6:], castagnoli) {
		return fmt.Errorf("%w: CRC does not match", ErrBadSnapshot)
	}
	n := int(int32(be.Uint32(b[6:])))
	if b = b[snapshotHeader:]; n < 0 || len(b) != n*snapshotEntry {
		return fmt.Errorf("%w: %d producers in %d bytes", ErrBadSnapshot, n, len(b))
	}
	loaded := make(map[int64]*producer, n)
	var ongoing []transaction
	for ; len(b) > 0; b = b[snapshotEntry:] {
		id := int64(be.Uint64(b))
		p := &producer{
			epoch: int16(be.Uint16(b[8:])), timestamp: int64(be.Uint64(b[26:])),
			coordinatorEpoch: int32(be.Uint32(b[34:])), start: max(wire.Offset(be.Uint64(b[38:])), wire.NoOffset),
		}
		sequence, offset, delta := int32(be.Uint32(b[10:])), wire.Offset(be.Uint64(b[14:])), int32(be.Uint32(b[22:]))
		if id < 0 || loaded[id] != nil || delta < 0 || offset >= end || p.start >= end || (offset >= 0 && offset < wire.Offset(delta)) {
			return fmt.Errorf("%w: producer %d with offset %d, delta %d, transaction from %d, at the end %d", ErrBadSnapshot, id, offset, delta, p.start, end)
		}
		if offset >= 0 {
			p.add(Batch{
				FirstSequence: firstSequence(sequence, delta), LastSequence: sequence,
				FirstOffset: offset - wire.Offset(delta), LastOffset: offset, Timestamp: p.timestamp,
			})
		}
		if p.start != wire.NoOffset {
			ongoing = append(ongoing, transaction{p.start, id})
		}
		loaded[id] = p
	}
	slices.SortFunc(ongoing, func(a, b transaction) int { return cmp.Compare(a.first, b.first) })
	for i := 1; i < len(ongoing); i++ {
		if ongoing[i].first == ongoing[i-1].first {
			return fmt.Errorf("%w: two transactions from offset %d", ErrBadSnapshot, ongoing[i].first)
		}
	}
	s.producers, s.ongoing, s.known = loaded, ongoing, n > 0
	return nil
}

// firstSequence is the sequence number delta records before last.
func firstSequence(last, delta int32) int32 {
	if last == wire.NoSequence {
		return wire.NoSequence
	}
	return (last - delta) & (1<<31 - 1)
}

// AbortedEntrySize is the size of an entry of a transaction index in bytes: version int16 (0),
// producer id, first offset, last offset, last stable offset int64, big endian.
const AbortedEntrySize = 2 + 4*8

// AppendTo encodes the entry.
func (a *AbortedTransaction) AppendTo(b []byte) []byte {
	be := binary.BigEndian
	b = be.AppendUint16(b, 0)
	b = be.AppendUint64(b, uint64(a.ProducerID))
	b = be.AppendUint64(b, uint64(a.FirstOffset))
	b = be.AppendUint64(b, uint64(a.LastOffset))
	return be.AppendUint64(b, uint64(a.LastStableOffset))
}

// DecodeAborted reads the entries of a transaction index whose markers lie in [base, next);
// ok is false if that is not what they are. There is no checksum: what a crash may have
// torn must be made again from the log.
func DecodeAborted(b []byte, base, next wire.Offset) (list []AbortedTransaction, ok bool) {
	if len(b)%AbortedEntrySize != 0 {
		return nil, false
	}
	be := binary.BigEndian
	list = make([]AbortedTransaction, 0, len(b)/AbortedEntrySize)
	for ; len(b) > 0; b = b[AbortedEntrySize:] {
		a := AbortedTransaction{
			ProducerID: int64(be.Uint64(b[2:])), FirstOffset: wire.Offset(be.Uint64(b[10:])),
			LastOffset: wire.Offset(be.Uint64(b[18:])), LastStableOffset: wire.Offset(be.Uint64(b[26:])),
		}
		if be.Uint16(b) != 0 || a.ProducerID < 0 || a.FirstOffset < 0 || a.FirstOffset >= a.LastOffset ||
			a.LastOffset < base || a.LastOffset >= next || a.LastStableOffset < 0 || a.LastStableOffset > a.LastOffset+1 {
			return nil, false
		}
		base = a.LastOffset + 1 // markers are in order
		list = append(list, a)
	}
	return list, true
}
