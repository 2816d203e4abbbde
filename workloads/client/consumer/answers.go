package consumer

import (
	"errors"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
	"odradek/workloads/client/attempt"
)

// ErrNoOffset: no record has that timestamp or a later one.
var ErrNoOffset = errors.New("no offset for the timestamp")

// OnResponse takes the answer to a request of this core.
func (c *Core) OnResponse(now int64, id attempt.ID, resp kmsg.Response) {
	r := c.end(id)
	switch resp := resp.(type) {
	case *kmsg.ListOffsetsResponse:
		c.onListOffsets(now, r, resp)
	case *kmsg.OffsetForLeaderEpochResponse:
		c.onOffsetsForEpochs(now, r, resp)
	case *kmsg.FetchResponse:
		c.onFetch(now, r, resp)
	default:
		panic("consumer: an answer to no request of mine")
	}
}

// OnFailure tells that a request ended without a usable answer; err is one of package
// attempt's.
func (c *Core) OnFailure(now int64, id attempt.ID, err error) {
	r := c.end(id)
	c.meta.RequestUpdate()
	for i := range r.asked {
		p := r.asked[i].current()
		if p == nil {
			continue
		}
		if errors.Is(err, attempt.ErrVersion) && p.state == validating {
			// The broker is too old to be asked about epochs: as Java, go on without.
			p.enter(fetching)
			continue
		}
		c.retryLater(now, p)
	}
}

// end takes a request off the books.
func (c *Core) end(id attempt.ID) *request {
	r := c.requests[id]
	if r == nil {
		panic("consumer: a request ended twice")
	}
	delete(c.requests, id)
	if r.fetch {
		delete(c.fetchingFrom, r.node)
	}
	for i := range r.asked {
		if p := r.asked[i].part; p.pending == id {
			p.pending = 0
		}
	}
	return r
}

// current is the partition if it still wants the answer, else nil.
func (a *asked) current() *partition {
	if a.part.life != a.life {
		return nil
	}
	return a.part
}

// each pairs what was asked with what was answered, found by find; what the answer
// leaves out is retried.
func each[T any](c *Core, now int64, r *request, find func(*asked) *T, take func(*partition, *T)) {
	for i := range r.asked {
		p := r.asked[i].current()
		if p == nil {
			continue
		}
		if answer := find(&r.asked[i]); answer != nil {
			take(p, answer)
		} else {
			c.retryLater(now, p)
		}
	}
}

// refused handles an error code of any answer: retry with newer metadata, or stop.
func (c *Core) refused(now int64, p *partition, code int16) {
	class := attempt.Classify(code)
	if !class.Retriable && code != kerr.UnknownServerError.Code {
		c.stop(p, Refused, nowhere, attempt.NewCodeError(code, nil))
		return
	}
	c.meta.RequestUpdate()
	c.retryLater(now, p)
}

func (c *Core) onListOffsets(now int64, r *request, resp *kmsg.ListOffsetsResponse) {
	find := func(a *asked) *kmsg.ListOffsetsResponseTopicPartition {
		for i := range resp.Topics {
			if resp.Topics[i].Topic != a.part.Topic {
				continue
			}
			ps := resp.Topics[i].Partitions
			if j := slices.IndexFunc(ps, func(p kmsg.ListOffsetsResponseTopicPartition) bool { return p.Partition == a.part.Partition }); j >= 0 {
				return &ps[j]
			}
		}
		return nil
	}
	each(c, now, r, find, func(p *partition, rp *kmsg.ListOffsetsResponseTopicPartition) {
		switch {
		case rp.ErrorCode != 0:
			c.refused(now, p, rp.ErrorCode)
		case rp.Offset < 0:
			c.stop(p, Refused, nowhere, ErrNoOffset)
		default:
			to := Position{Offset: wire.Offset(rp.Offset), Epoch: wire.LeaderEpoch(rp.LeaderEpoch)}
			leader, _ := c.meta.Partition(p.TopicPartition)
			p.seek(to, false)
			p.leaderEpoch = leader.Epoch // who has just answered
			c.events = append(c.events, Event{TopicPartition: p.TopicPartition, Kind: WasReset, From: nowhere, To: to})
		}
	})
}

func (c *Core) onOffsetsForEpochs(now int64, r *request, resp *kmsg.OffsetForLeaderEpochResponse) {
	find := func(a *asked) *kmsg.OffsetForLeaderEpochResponseTopicPartition {
		for i := range resp.Topics {
			if resp.Topics[i].Topic != a.part.Topic {
				continue
			}
			ps := resp.Topics[i].Partitions
			if j := slices.IndexFunc(ps, func(p kmsg.OffsetForLeaderEpochResponseTopicPartition) bool {
				return p.Partition == a.part.Partition
			}); j >= 0 {
				return &ps[j]
			}
		}
		return nil
	}
	each(c, now, r, find, func(p *partition, rp *kmsg.OffsetForLeaderEpochResponseTopicPartition) {
		if rp.ErrorCode != 0 {
			c.refused(now, p, rp.ErrorCode)
			return
		}
		c.compareLogs(p, Position{Offset: wire.Offset(rp.EndOffset), Epoch: wire.LeaderEpoch(rp.LeaderEpoch)})
	})
}

// compareLogs takes the leader's answer to "where does the epoch of my position end":
// the largest epoch it has that is not larger, and that epoch's end offset.
//
// Java compares only the offsets. That misses a log in which the epoch of a record
// which was read does not exist any more but an older epoch reaches further; so for
// such a position the epoch must match too. (An epoch in which nothing was written is
// rightly forgotten by later leaders, hence "of a record".)
func (c *Core) compareLogs(p *partition, end Position) {
	switch {
	case end.Offset < 0 || end.Epoch < 0:
		c.truncated(p, nowhere)
	case end.Offset < p.pos.Offset:
		c.truncated(p, end)
	case p.posRead && end.Epoch < p.pos.Epoch:
		c.truncated(p, nowhere)
	default:
		p.failures = 0
		p.enter(fetching)
	}
}

func (c *Core) onFetch(now int64, r *request, resp *kmsg.FetchResponse) {
	for i := range resp.Brokers {
		b := &resp.Brokers[i]
		c.meta.HintBroker(wire.NodeID(b.NodeID), b.Host, b.Port)
	}
	find := func(a *asked) *kmsg.FetchResponseTopicPartition {
		for i := range resp.Topics {
			t := &resp.Topics[i]
			if resp.Version >= 13 && t.TopicID != a.id || resp.Version < 13 && t.Topic != a.part.Topic {
				continue
			}
			if j := slices.IndexFunc(t.Partitions, func(p kmsg.FetchResponseTopicPartition) bool { return p.Partition == a.part.Partition }); j >= 0 {
				return &t.Partitions[j]
			}
		}
		return nil
	}
	each(c, now, r, find, func(p *partition, rp *kmsg.FetchResponseTopicPartition) {
		switch {
		case resp.ErrorCode != 0:
			c.refused(now, p, resp.ErrorCode)
		case rp.ErrorCode == kerr.OffsetOutOfRange.Code:
			c.outOfRange(p)
		case rp.ErrorCode != 0:
			l := rp.CurrentLeader
			c.meta.Hint(p.TopicPartition, wire.NodeID(l.LeaderID), wire.LeaderEpoch(l.LeaderEpoch))
			c.refused(now, p, rp.ErrorCode)
		case rp.DivergingEpoch.EndOffset >= 0:
			c.truncated(p, Position{
				Offset: min(wire.Offset(rp.DivergingEpoch.EndOffset), p.pos.Offset),
				Epoch:  wire.LeaderEpoch(rp.DivergingEpoch.Epoch),
			})
		default:
			c.arrive(p, rp)
		}
	})
}

func (c *Core) outOfRange(p *partition) {
	if c.cfg.Reset == ResetNone {
		c.stop(p, OutOfRange, nowhere, nil)
		return
	}
	c.events = append(c.events, Event{TopicPartition: p.TopicPartition, Kind: OutOfRange, From: p.pos, To: nowhere})
	p.reset(c.cfg.Reset, c.cfg.ResetTimestamp)
}

// arrive keeps fetched batches until they are taken.
func (c *Core) arrive(p *partition, rp *kmsg.FetchResponseTopicPartition) {
	p.failures = 0
	p.progress = Progress{
		HighWatermark: wire.Offset(rp.HighWatermark),
		LastStable:    wire.Offset(rp.LastStableOffset),
		LogStart:      wire.Offset(rp.LogStartOffset),
	}
	if len(rp.RecordBatches) == 0 {
		return
	}
	c.answers++
	p.served = c.answers
	p.data = newFetched(rp)
	if !slices.Contains(c.arrived, p) {
		c.arrived = append(c.arrived, p)
	}
}
