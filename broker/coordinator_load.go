package broker

import (
	"fmt"
	"time"

	"odradek/broker/coordinator"
	"odradek/broker/env"
	"odradek/broker/storage"
	"odradek/broker/wire"
)

// A shard is active only once every record up to the end of its log has been replayed
// into it. A load that cannot be completed is abandoned as a whole: a coordinator that
// had missed a record would deny offsets that were committed (KAFKA-16030). While
// loading, requests are COORDINATOR_LOAD_IN_PROGRESS.

// loadRetry is the pause after a load that failed.
const loadRetry = time.Second

// begin loads the shard and starts it.
func (c *coordination) begin() {
	c.n.env.Tasks.Go(func(t *env.Task) {
		t.Sleep(c.n.env.Clock, 0) // not inside the partition's change of role
		began := c.n.env.Clock.Now()
		records, err := c.load(t)
		if err != nil && !c.over && !c.n.stopped {
			c.n.env.Trace.Event(env.Warn, "coordinator-load-failed", env.S("partition", c.p.tp.String()), env.Err(err))
			t.Sleep(c.n.env.Clock, loadRetry)
			c.restart()
			return
		}
		if c.over || c.n.stopped {
			return // the leadership ended meanwhile
		}
		level := env.Debug
		if records > 0 {
			level = env.Detail
		}
		c.n.env.Trace.Event(level, "coordinator-loaded", env.S("partition", c.p.tp.String()), env.I("epoch", c.epoch),
			env.I("records", records), env.I("us", int64(c.n.env.Clock.Now().Sub(began)/time.Microsecond)))
		c.run(c.shard.Start(c.moment(), int32(c.epoch)))
		if !c.over {
			c.committed()
		}
	})
}

// restart begins a new load in a new shard: this one has seen part of the log.
func (c *coordination) restart() {
	if c.over || c.n.stopped {
		return
	}
	p := c.p
	p.uncoordinate()
	p.coordinate()
}

// load replays the log from its start to its end.
func (c *coordination) load(t *env.Task) (records int64, err error) {
	for next := wire.Offset(0); !c.over && !c.n.stopped; {
		log := c.p.log
		if log.NextOffset() != log.LogEndOffset() {
			// Appends of the shard before this one, which failed, are still under way.
			t.Sleep(c.n.env.Clock, 10*time.Millisecond)
			continue
		}
		next = max(next, log.LogStartOffset())
		if next >= log.LogEndOffset() {
			break
		}
		req := storage.ReadRequest{From: next, UpTo: log.LogEndOffset(), MaxBytes: c.kind.loadBuffer, MinOneBatch: true}
		var batches []byte
		var res storage.ReadResult
		t.Suspend(func(wake func()) {
			log.ReadBatches(req, func(b []byte, r storage.ReadResult, e error) {
				batches, res, err = b, r, e
				wake()
			})
		})
		if err != nil || c.over {
			return records, err
		}
		if res.Size == 0 {
			break // compaction left nothing from here to the end
		}
		n, err := c.replay(batches)
		if err != nil {
			return records, err
		}
		records, next = records+n, res.NextOffset
	}
	return records, nil
}

// replay loads a run of whole batches.
func (c *coordination) replay(batches []byte) (records int64, err error) {
	c.n.env.CPU.Charge(env.OpCRC, len(batches))
	var bad error
	for h, b := range wire.Batches(batches, wire.RefuseTruncated, &bad) {
		if !wire.CheckCRC(b) {
			return records, fmt.Errorf("batch at offset %d: %w", h.BaseOffset, wire.ErrCorruptBatch)
		}
		n, err := c.replayBatch(&h, b)
		records += n
		if err != nil {
			return records, fmt.Errorf("batch at offset %d: %w", h.BaseOffset, err)
		}
	}
	return records, bad
}

func (c *coordination) replayBatch(h *wire.BatchHeader, b []byte) (n int64, err error) {
	if h.Control() {
		end, ok, err := wire.ReadEndMarker(h, b)
		if ok {
			m := coordinator.Marker{Commit: end.Commit, CoordinatorEpoch: end.CoordinatorEpoch}
			m.ProducerID, m.Epoch = h.ProducerID, h.ProducerEpoch
			c.shard.LoadMarker(m, h.LastOffset())
			n = 1
		}
		return n, err
	}
	var transaction *coordinator.Transaction
	if h.Transactional() {
		transaction = &coordinator.Transaction{ProducerID: h.ProducerID, Epoch: h.ProducerEpoch}
	}
	records, err := c.n.codec.Records(b)
	if err != nil {
		return 0, err
	}
	var r wire.Record
	for records.Next(&r) {
		n++
		// A copy: the buffer is the codec's, or much larger than what the machine keeps.
		both := append(append(make([]byte, 0, len(r.Key)+len(r.Value)), r.Key...), r.Value...)
		e := coordinator.Entry{Offset: r.Offset, Timestamp: r.Timestamp, Transaction: transaction}
		if r.Key != nil {
			e.Key = both[:len(r.Key):len(r.Key)]
		}
		if r.Value != nil {
			e.Value = both[len(r.Key):]
		}
		c.shard.Load(e)
	}
	return n, records.Err()
}
