package consumer

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
)

// ErrNoWholeBatch: the broker sent only a part of a batch, so there is no progress.
// Since KIP-74 it must send the first batch whole.
var ErrNoWholeBatch = errors.New("no whole batch in the answer")

// fetched is what is left of the answer to a fetch for one partition.
type fetched struct {
	// rest are the batches not opened yet, end to end; the last may be cut off.
	rest []byte
	// records of the batch that is open, next after it is the position then.
	records []Record
	next    Position
	open    bool
	// some: a whole batch was seen.
	some bool
	// aborted transactions by first offset, and the producers whose aborted
	// transaction is open at this point (KIP-98).
	aborted   []kmsg.FetchResponseTopicPartitionAbortedTransaction
	aborting  map[int64]bool
	committed bool
}

func newFetched(rp *kmsg.FetchResponseTopicPartition) fetched {
	f := fetched{rest: rp.RecordBatches}
	if rp.AbortedTransactions != nil {
		f.committed = true
		f.aborting = make(map[int64]bool)
		f.aborted = slices.Clone(rp.AbortedTransactions)
		slices.SortFunc(f.aborted, func(a, b kmsg.FetchResponseTopicPartitionAbortedTransaction) int {
			return cmp.Or(cmp.Compare(a.FirstOffset, b.FirstOffset), cmp.Compare(a.ProducerID, b.ProducerID))
		})
	}
	return f
}

func (f *fetched) empty() bool { return !f.open && len(f.rest) == 0 }

// Take gives at most MaxPollRecords records, in log order within a partition, and the
// events since the last call. The positions move past what is given.
func (c *Core) Take() ([]Record, []Event) {
	var out []Record
	room := c.cfg.MaxPollRecords
	if room <= 0 {
		room = 500
	}
	for len(c.arrived) > 0 && len(out) < room {
		p := c.arrived[0]
		out = c.takeFrom(p, out, room)
		if p.data.empty() {
			c.arrived = c.arrived[1:]
		}
	}
	events := c.events
	c.events = nil
	return out, events
}

// HasData tells whether Take may give anything.
func (c *Core) HasData() bool { return len(c.events) > 0 || len(c.arrived) > 0 }

// takeFrom moves records of one partition to out until there are room of them or the
// data end.
func (c *Core) takeFrom(p *partition, out []Record, room int) []Record {
	f := &p.data
	for !f.empty() {
		if !f.open && !c.open(p) {
			break
		}
		n := min(room-len(out), len(f.records))
		out = append(out, f.records[:n]...)
		f.records = f.records[n:]
		if len(f.records) > 0 {
			// In the middle of a batch.
			p.pos, p.posRead = Position{Offset: f.records[0].Offset, Epoch: f.next.Epoch}, true
			break
		}
		// The batch may end with offsets that have no record (compaction): the position
		// goes past them all the same, or the next fetch would get them again.
		p.pos, p.posRead = f.next, true
		f.open, f.records = false, nil
		if len(out) == room {
			break
		}
	}
	return out
}

// open reads the next batch. It is false at the end of the data, or when the partition
// was stopped because they are corrupt.
func (c *Core) open(p *partition) bool {
	f := &p.data
	h, batch, rest, err := wire.NextBatch(f.rest)
	switch {
	case errors.Is(err, wire.ErrShortBatch):
		if f.some {
			p.data = fetched{}
		} else {
			c.stop(p, Corrupt, p.pos, ErrNoWholeBatch)
		}
		return false
	case err == nil && c.cfg.CheckCRC && !wire.CheckCRC(batch):
		err = wire.ErrCorruptBatch
	}
	if err != nil {
		c.stop(p, Corrupt, p.pos, err)
		return false
	}
	f.some = true
	f.rest = rest
	f.open = true
	f.records = nil
	f.next = Position{Offset: max(h.NextOffset(), p.pos.Offset), Epoch: h.LeaderEpoch}
	if f.skip(&h) && !h.Control() {
		return true
	}
	if err := c.read(p, &h, batch); err != nil {
		c.stop(p, Corrupt, p.pos, err)
		return false
	}
	return true
}

// skip tells whether the batch belongs to an aborted transaction.
func (f *fetched) skip(h *wire.BatchHeader) bool {
	if !f.committed || !h.HasProducer() {
		return false
	}
	for len(f.aborted) > 0 && wire.Offset(f.aborted[0].FirstOffset) <= h.LastOffset() {
		f.aborting[f.aborted[0].ProducerID] = true
		f.aborted = f.aborted[1:]
	}
	return h.Transactional() && f.aborting[h.ProducerID]
}

// read decodes a batch's records from the position on. Control batches have none for
// the user.
func (c *Core) read(p *partition, h *wire.BatchHeader, batch []byte) error {
	f := &p.data
	recs, err := c.codec.Records(batch)
	if err != nil {
		return err
	}
	// Decompressed bytes are in the codec's buffer, which the next batch overwrites.
	own := func(b []byte) []byte { return b }
	if h.Compression() != wire.None {
		own = bytes.Clone
	}
	var r wire.Record
	for recs.Next(&r) {
		if h.Control() {
			if abortMarker(r.Key) {
				delete(f.aborting, h.ProducerID)
			}
			continue
		}
		if r.Offset < p.pos.Offset {
			continue // the batch begins before the position
		}
		out := Record{
			TopicPartition: p.TopicPartition, Offset: r.Offset, Epoch: h.LeaderEpoch, Timestamp: r.Timestamp,
			Key: own(r.Key), Value: own(r.Value),
		}
		if r.NumHeaders > 0 {
			out.Headers = r.Headers()
			for i := range out.Headers {
				out.Headers[i].Value = own(out.Headers[i].Value)
			}
		}
		f.records = append(f.records, out)
	}
	return recs.Err()
}

// abortMarker reads the key of a control record: version and type, where type 0 aborts
// a transaction and 1 commits it.
func abortMarker(key []byte) bool {
	return len(key) >= 4 && binary.BigEndian.Uint16(key[2:]) == 0
}
