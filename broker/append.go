package broker

import (
	"errors"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"odradek/broker/coordinator"
	"odradek/broker/env"
	"odradek/broker/producers"
	"odradek/broker/storage"
	"odradek/broker/wire"
)

// appendResult is what a produce learns about its batch.
type appendResult struct {
	base       wire.Offset
	appendTime int64 // ms, -1 unless message.timestamp.type=LogAppendTime
	logStart   wire.Offset
	code       int16
	message    string
	records    []wire.RecordError
}

func appendError(code int16, message string) appendResult {
	return appendResult{base: wire.NoOffset, appendTime: -1, logStart: wire.NoOffset, code: code, message: message}
}

// appendTerms are those of a Produce request.
type appendTerms struct {
	version, acks   int16
	transactionalID *string
}

// append validates (validation.go) and appends a produced batch. part gets the result, perhaps at
// once: with acks 0 and 1 after the write, with acks=all after the high watermark
// passed the batch. The first batch of a transaction is appended once the transaction
// coordinator has confirmed it, and those of its producer that follow meanwhile after it.
func (p *partition) append(terms appendTerms, b []byte, part *produced) {
	if terms.acks == -1 {
		if kafkaErr := p.leader.CheckProduce(); kafkaErr != nil {
			p.log.NoteRefused(b)
			part.finish(appendError(kafkaErr.Code, ""))
			return
		}
	}
	p.validate(terms, b, part)
}

// write appends a produced batch that is valid.
func (p *partition) write(batch []byte, acks int16, rules producers.Rules, part *produced) {
	leader := p.leader
	p.log.Append(batch, storage.AppendOptions{Epoch: leader.LeaderEpoch(), Rules: rules}, func(res storage.AppendResult, err error) {
		switch {
		case part.done: // timed out, or the client has gone
			return
		case err != nil:
			part.finish(p.refusal(err))
			return
		case p.leader != leader:
			// Written, but by a leader whose epoch is over: the next one may cut it off.
			part.finish(appendError(notLeader, ""))
			return
		}
		part.res = appendResult{base: res.BaseOffset, appendTime: res.AppendTime, logStart: p.log.LogStartOffset()}
		if acks != -1 {
			part.finish(part.res)
			return
		}
		part.required = res.NextOffset
		if p.acknowledge(part) {
			return // a duplicate, or replicated before it was flushed
		}
		part.parked = true
		i := len(p.acks)
		for i > 0 && p.acks[i-1].required > part.required { // a duplicate
			i--
		}
		p.acks = slices.Insert(p.acks, i, part)
	})
}

// release answers whoever waits for an offset that the high watermark has reached.
func (p *partition) release() {
	k := 0
	for ; k < len(p.acks); k++ {
		part := p.acks[k]
		if part.done {
			p.givenUp--
			continue
		}
		if !p.acknowledge(part) {
			break
		}
	}
	p.acks = slices.Delete(p.acks, 0, k)
	for p.leader != nil && len(p.markers) > 0 && p.leader.HighWatermark() >= p.markers[0].required {
		m := p.markers[0]
		p.markers = p.markers[1:]
		m.done(0)
	}
}

// acknowledge answers an acks=all produce if the high watermark has reached its end.
func (p *partition) acknowledge(part *produced) bool {
	reached, kafkaErr := p.leader.Acked(part.required)
	if !reached {
		return false
	}
	if kafkaErr != nil {
		part.res = appendError(kafkaErr.Code, "")
	} else {
		p.probeAcked(part.required)
	}
	part.finish(part.res)
	return true
}

// forget lets go of a produce that does not wait any more.
func (p *partition) forget(part *produced) {
	for _, v := range p.verifications {
		v.waiting = slices.DeleteFunc(v.waiting, func(u unverified) bool { return u.part == part })
	}
	if !part.parked {
		return
	}
	if p.givenUp++; 2*p.givenUp > len(p.acks) {
		p.acks = slices.DeleteFunc(p.acks, func(w *produced) bool { return w.done })
		p.givenUp = 0
	}
}

// refuseWaiting ends every wait for the high watermark, when the leadership is over.
func (p *partition) refuseWaiting(code int16) {
	acks, markers := p.acks, p.markers
	p.acks, p.givenUp, p.markers = nil, 0, nil
	for _, part := range acks {
		part.finish(appendError(code, ""))
	}
	for _, m := range markers {
		m.done(code)
	}
}

// parkedMarker is a marker that waits for the high watermark.
type parkedMarker struct {
	required wire.Offset
	done     func(code int16)
}

// appendMarker appends the end of a transaction, as this partition's leader, and tells done
// when the high watermark has passed it, or Kafka's error: INVALID_PRODUCER_EPOCH,
// TRANSACTION_COORDINATOR_FENCED, NOT_LEADER_OR_FOLLOWER, KAFKA_STORAGE_ERROR. There is no
// time-out: whoever waits may stop to listen. Not for partitions with a coordinator, whose
// shard must see the marker.
func (p *partition) appendMarker(m coordinator.Marker, transactionVersion int8, done func(code int16)) {
	if code := p.notLeading(); code != 0 {
		done(code)
		return
	}
	leader := p.leader
	end := wire.EndMarker{Commit: m.Commit, CoordinatorEpoch: m.CoordinatorEpoch}
	batch := wire.BuildEndMarker(m.ProducerID, m.Epoch, end, p.n.wallMillis())
	p.n.env.CPU.Charge(env.OpCRC, len(batch))
	rules := producers.Rules{Origin: producers.Coordinator, TransactionVersion: transactionVersion}
	p.log.Append(batch, storage.AppendOptions{Epoch: leader.LeaderEpoch(), Rules: rules}, func(res storage.AppendResult, err error) {
		switch {
		case err != nil:
			done(p.refusal(err).code)
		case p.leader != leader:
			done(notLeader)
		default:
			p.markers = append(p.markers, parkedMarker{res.NextOffset, done})
			p.release() // it may be replicated before it is flushed
		}
	})
}

// refusal is what a producer is told of an error of the log.
func (p *partition) refusal(err error) appendResult {
	var refused *producers.Refusal
	if errors.As(err, &refused) {
		return appendError(refused.Code.Code, refused.Message)
	}
	return appendError(p.storageCode(err), "")
}

func (p *partition) storageCode(err error) int16 {
	var invalid *storage.InvalidBatchError
	var stale *storage.StaleEpochError
	switch {
	case errors.As(err, &invalid):
		return kerr.CorruptMessage.Code
	case errors.As(err, &stale), errors.Is(err, storage.ErrClosed), errors.Is(err, storage.ErrTruncating):
		return kerr.NotLeaderForPartition.Code
	}
	return kerr.KafkaStorageError.Code
}
