package wire

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// EndMarker is what ends a producer's transaction in a partition: the one record of a
// control batch (KIP-98).
type EndMarker struct {
	Commit bool
	// CoordinatorEpoch is the leader epoch of the transaction coordinator that decided.
	CoordinatorEpoch int32
}

// BuildEndMarker makes the control batch of a marker. timestamp is in milliseconds.
func BuildEndMarker(producerID int64, epoch int16, m EndMarker, timestamp int64) []byte {
	key, value := kmsg.NewControlRecordKey(), kmsg.NewEndTxnMarker()
	key.Type = kmsg.ControlRecordKeyTypeAbort
	if m.Commit {
		key.Type = kmsg.ControlRecordKeyTypeCommit
	}
	value.CoordinatorEpoch = m.CoordinatorEpoch
	b := NewBuilder(BatchOptions{
		Producer: &Producer{ID: producerID, Epoch: epoch, Sequence: NoSequence}, Transactional: true, Control: true,
	})
	b.Append(timestamp, key.AppendTo(nil), value.AppendTo(nil))
	batch, err := b.Build(nil, nil)
	if err != nil {
		panic("wire: an uncompressed batch cannot be built: " + err.Error())
	}
	return batch
}

// ReadEndMarker reads the marker of a whole batch; ok is false if the batch is no end of a
// transaction: one with data, another kind of control batch, or a marker that compaction
// has emptied. The error wraps [ErrInvalidRecord].
func ReadEndMarker(h *BatchHeader, batch []byte) (m EndMarker, ok bool, err error) {
	if !h.Control() || !h.HasProducer() || h.Count == 0 {
		return m, false, nil
	}
	if h.Compression() != None {
		return m, false, fmt.Errorf("%w: compressed control batch", ErrInvalidRecord)
	}
	var rec Record
	if _, _, err = readRecord(batch[BatchHeaderSize:], &rec); err != nil {
		return m, false, err
	}
	var key kmsg.ControlRecordKey
	if err := key.ReadFrom(rec.Key); err != nil {
		return m, false, fmt.Errorf("%w: key of a control record: %v", ErrInvalidRecord, err)
	}
	if key.Type != kmsg.ControlRecordKeyTypeAbort && key.Type != kmsg.ControlRecordKeyTypeCommit {
		return m, false, nil
	}
	var value kmsg.EndTxnMarker
	if err := value.ReadFrom(rec.Value); err != nil {
		return m, false, fmt.Errorf("%w: end of a transaction: %v", ErrInvalidRecord, err)
	}
	return EndMarker{Commit: key.Type == kmsg.ControlRecordKeyTypeCommit, CoordinatorEpoch: value.CoordinatorEpoch}, true, nil
}
