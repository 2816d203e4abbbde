package raft_test

import (
	"encoding/binary"
	"fmt"
	"slices"

	"odradek/broker/raft"
	"odradek/broker/wire"
)

// disk is a log and what is beside it.
type disk struct {
	start     wire.Offset
	records   []record // from start on
	quorum    raft.QuorumState
	snapshots map[raft.OffsetAndEpoch]snapshot
	partial   []byte
}

type record struct {
	epoch wire.LeaderEpoch
	base  wire.Offset // of its batch
	value uint64
	chain uint64 // hash of the log up to this record
}

// snapshot is the state up to a record: the hash of the log.
type snapshot struct{ chain uint64 }

const snapshotSize = 20

func (s snapshot) bytes() []byte {
	return binary.BigEndian.AppendUint64(make([]byte, snapshotSize-8, snapshotSize), s.chain)
}

type diskOp struct {
	apply func(d *disk)
	done  func()
}

func (d disk) clone() disk {
	d.records = slices.Clone(d.records)
	snapshots := map[raft.OffsetAndEpoch]snapshot{}
	for id, s := range d.snapshots {
		snapshots[id] = s
	}
	d.snapshots = snapshots
	d.partial = slices.Clone(d.partial)
	return d
}

func (d *disk) end() wire.Offset { return d.start + wire.Offset(len(d.records)) }

// chainAt is the hash of the log before offset; ok is false if it is not known.
func (d *disk) chainAt(offset wire.Offset) (uint64, bool) {
	if offset == 0 {
		return 0, true
	}
	if offset > d.start && offset <= d.end() {
		return d.records[offset-d.start-1].chain, true
	}
	for id, s := range d.snapshots {
		if id.Offset == offset {
			return s.chain, true
		}
	}
	return 0, false
}

func (d *disk) append(base wire.Offset, rs []record) {
	if base != d.end() {
		panic(fmt.Sprintf("append at %d to a log that ends at %d", base, d.end()))
	}
	d.records = append(d.records, rs...)
}

func (d *disk) truncate(to wire.Offset) { d.records = d.records[:to-d.start] }

// record encoding on the simulated wire: offset, epoch, base, value, chain.
const recordBytes = 40

func appendRecord(b []byte, offset wire.Offset, r record) []byte {
	for _, v := range []uint64{uint64(offset), uint64(r.epoch), uint64(r.base), r.value, r.chain} {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	return b
}

func decodeRecords(b []byte) []record {
	var rs []record
	for ; len(b) > 0; b = b[recordBytes:] {
		rs = append(rs, record{
			epoch: wire.LeaderEpoch(binary.BigEndian.Uint64(b[8:])),
			base:  wire.Offset(binary.BigEndian.Uint64(b[16:])),
			value: binary.BigEndian.Uint64(b[24:]),
			chain: binary.BigEndian.Uint64(b[32:]),
		})
	}
	return rs
}

func describe(b []byte) []raft.Batch {
	var out []raft.Batch
	for ; len(b) > 0; b = b[recordBytes:] {
		offset := wire.Offset(binary.BigEndian.Uint64(b))
		r := decodeRecords(b[:recordBytes])[0]
		if r.base == offset || len(out) == 0 {
			out = append(out, raft.Batch{BaseOffset: offset, Epoch: r.epoch})
		}
		out[len(out)-1].LastOffset = offset
	}
	return out
}

func mix(a, b, c uint64) uint64 {
	h := a
	for _, v := range []uint64{b, c} {
		h = (h ^ v) * 0x9E3779B97F4A7C15
		h ^= h >> 29
	}
	return h
}
