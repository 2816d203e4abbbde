package producer

import (
	"errors"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
	"odradek/workloads/client/attempt"
)

// OnResponse takes the answer to a request, or nil when a request without an answer
// (acks=0) was handed to the connection. It gives how each batch's attempt ended.
func (c *Core) OnResponse(now int64, id attempt.ID, answer kmsg.Response) []BatchAttempt {
	if id == c.identity.asking {
		c.onIdentity(now, answer.(*kmsg.InitProducerIDResponse), nil)
		return nil
	}
	req := c.end(id)
	if req == nil {
		return nil
	}
	var ended []BatchAttempt
	resp, _ := answer.(*kmsg.ProduceResponse)
	if resp != nil {
		for i := range resp.Brokers {
			b := &resp.Brokers[i]
			c.meta.HintBroker(wire.NodeID(b.NodeID), b.Host, b.Port)
		}
	}
	for _, b := range req.batches {
		switch rp := req.find(resp, b); {
		case resp == nil:
			ended = append(ended, c.ok(now, b, wire.NoOffset, -1))
		case rp == nil:
			ended = append(ended, c.fail(now, b, 0, attempt.ErrMalformed))
		case rp.ErrorCode == 0:
			ended = append(ended, c.ok(now, b, wire.Offset(rp.BaseOffset), rp.LogAppendTime))
		case rp.ErrorCode == kerr.DuplicateSequenceNumber.Code && b.numbered():
			// The broker has it, but has forgotten where.
			ended = append(ended, c.ok(now, b, wire.NoOffset, -1))
		default:
			l := rp.CurrentLeader
			c.meta.Hint(b.part.TopicPartition, wire.NodeID(l.LeaderID), wire.LeaderEpoch(l.LeaderEpoch))
			ended = append(ended, c.fail(now, b, rp.ErrorCode, attempt.NewCodeError(rp.ErrorCode, rp.ErrorMessage)))
		}
	}
	return ended
}

// OnFailure tells that a request ended without a usable answer; err is one of package
// attempt's.
func (c *Core) OnFailure(now int64, id attempt.ID, err error) []BatchAttempt {
	if id == c.identity.asking {
		c.onIdentity(now, nil, err)
		return nil
	}
	req := c.end(id)
	if req == nil {
		return nil
	}
	ended := make([]BatchAttempt, 0, len(req.batches))
	for _, b := range req.batches {
		ended = append(ended, c.fail(now, b, 0, err))
	}
	return ended
}

// end takes a request off the books; nil if the core was closed before.
func (c *Core) end(id attempt.ID) *request {
	req := c.requests[id]
	if req == nil {
		return nil
	}
	delete(c.requests, id)
	if c.inFlight[req.node]--; c.inFlight[req.node] == 0 {
		delete(c.inFlight, req.node)
	}
	for _, b := range req.batches {
		p := b.part
		p.inFlight--
		if i := slices.Index(p.nums.wire, b); i >= 0 {
			p.nums.wire = slices.Delete(p.nums.wire, i, i+1)
		}
	}
	return req
}

// find is the batch's part of the answer.
func (r *request) find(resp *kmsg.ProduceResponse, b *batch) *kmsg.ProduceResponseTopicPartition {
	if resp == nil {
		return nil
	}
	for i := range resp.Topics {
		t := &resp.Topics[i]
		name := t.Topic
		if resp.Version >= 13 {
			name = r.names[t.TopicID]
		}
		if name != b.part.Topic {
			continue
		}
		for j := range t.Partitions {
			if t.Partitions[j].Partition == b.part.Partition {
				return &t.Partitions[j]
			}
		}
	}
	return nil
}

func (b *batch) ended(base wire.Offset) BatchAttempt {
	return BatchAttempt{
		TopicPartition: b.part.TopicPartition, Tokens: b.tokens, Attempt: *b.last(), BaseOffset: base,
		Identity: b.identity, Transaction: b.transaction,
	}
}

func (c *Core) ok(now int64, b *batch, base wire.Offset, logAppendTime int64) BatchAttempt {
	a := b.last()
	a.Done, a.Outcome = now, attempt.OK
	b.part.acknowledge(b)
	if b.answered {
		return b.ended(base) // too late: the delivery time-out has passed
	}
	b.answered = true
	c.acc.release(b)
	for i, token := range b.tokens {
		r := Result{
			Token: token, Topic: b.part.Topic, Outcome: attempt.OK, Partition: b.part.Partition,
			Offset: wire.NoOffset, Timestamp: b.records[i].Timestamp, Attempts: b.attempts,
		}
		if base >= 0 {
			r.Offset = base + wire.Offset(i)
		}
		if logAppendTime >= 0 {
			r.Timestamp = logAppendTime
		}
		c.results = append(c.results, r)
	}
	return b.ended(base)
}

// fail ends an attempt and decides what follows: another attempt, a split, or the
// result.
func (c *Core) fail(now int64, b *batch, code int16, err error) BatchAttempt {
	class := attempt.Class{Outcome: attempt.OutcomeOf(err), Retriable: !errors.Is(err, attempt.ErrVersion), Refresh: true}
	if code != 0 {
		class = attempt.Classify(code)
	}
	a := b.last()
	a.Done, a.Outcome, a.Code = now, class.Outcome, code
	if code == 0 {
		a.Err = err
	}
	if class.Refresh {
		c.meta.RequestUpdate()
	}
	report := b.ended(wire.NoOffset)
	switch {
	case b.answered:
	case code == kerr.MessageTooLarge.Code && len(b.records) > 1 && (!b.numbered() || b.certain()):
		halves := c.acc.split(b)
		if b.numbered() {
			b.part.nums.sent++ // it counts as two from now on
			c.stamp(halves[0])
			c.stamp(halves[1])
		}
		b.part.requeue(halves[0], halves[1])
	case c.retriable(b, code, class) && c.mayRetry(now, b):
		b.notBefore = now + int64(c.cfg.Backoff.After(len(b.attempts), c.rng))
		b.part.requeue(b)
	default:
		c.giveUp(b, err)
	}
	return report
}

// giveUp ends a batch that is not OK, and draws the conclusions for those after it.
func (c *Core) giveUp(b *batch, err error) {
	c.answer(b, err)
	var code int16
	if coded := (*attempt.CodeError)(nil); errors.As(err, &coded) {
		code = coded.Code
	}
	c.fault(b.part.TopicPartition, code, err)
	switch {
	case !b.numbered():
	case !b.certain():
		b.part.lose(b)
	case c.cfg.TransactionalID == "":
		b.part.nums.rewind = true // its numbers will never be used
	}
}

func (c *Core) mayRetry(now int64, b *batch) bool {
	if b.created+int64(c.cfg.DeliveryTimeout) <= now {
		return false
	}
	return c.cfg.Retries < 0 || b.sentAttempts() <= c.cfg.Retries
}
