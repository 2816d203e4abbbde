package txn

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/coordinator"
	"odradek/workloads/client/producer"
)

// concurrentBackoff is how long to wait when the previous transaction of the id is still
// being completed, which takes a moment only.
const concurrentBackoff = 20 * time.Millisecond

// OnResponse takes the answer to a request of this core.
func (c *Core) OnResponse(now int64, id attempt.ID, resp kmsg.Response) {
	if f := c.lookups[id]; f != nil {
		delete(c.lookups, id)
		f.OnResponse(now, resp.(*kmsg.FindCoordinatorResponse))
		c.found(f)
		return
	}
	fl := c.flying
	if fl == nil || fl.id != id {
		panic("txn: an answer to no request of mine")
	}
	c.flying = nil
	var code int16
	switch resp := resp.(type) {
	case *kmsg.InitProducerIDResponse:
		code = resp.ErrorCode
	case *kmsg.AddPartitionsToTxnResponse:
		code = c.readAdded(resp)
	case *kmsg.AddOffsetsToTxnResponse:
		code = resp.ErrorCode
	case *kmsg.TxnOffsetCommitResponse:
		code = c.readCommitted(fl.op, resp)
	case *kmsg.EndTxnResponse:
		code = resp.ErrorCode
	}
	at := fl.at
	at.Done, at.Code, at.Outcome = now, code, attempt.Unknown
	switch {
	case code == 0:
		at.Outcome = attempt.OK
	case certainly(code) && (fl.step != commitOffsets || len(fl.op.left) == len(fl.op.offsets)):
		at.Outcome = attempt.Failed
	}
	c.record(fl, at)
	if c.state == Fatal {
		return
	}
	err := attempt.NewCodeError(code, nil)
	switch v := judge(code); v {
	case done:
		c.failures, c.notBefore = 0, 0
		c.succeed(fl, resp)
	case again, moved:
		if v == moved || fl.step == commitOffsets && code == kerr.RequestTimedOut.Code {
			fl.finder.Lost(at.Node)
		}
		c.retry(now)
		if code == kerr.ConcurrentTransactions.Code && fl.step == addPartitions && len(c.added) == 0 {
			c.notBefore = min(c.notBefore, now+int64(concurrentBackoff))
		}
	case abort:
		c.failures, c.notBefore = 0, 0
		c.skipEnd = c.skipEnd || code == kerr.InvalidProducerIDMapping.Code
		c.refuse(fl, err)
	case fence:
		c.fenced(err)
	case dead:
		c.die(err)
	}
}

// OnFailure tells that a request ended without a usable answer; err is one of package
// attempt's.
func (c *Core) OnFailure(now int64, id attempt.ID, err error) {
	c.meta.RequestUpdate()
	if f := c.lookups[id]; f != nil {
		delete(c.lookups, id)
		f.OnFailure(now)
		return
	}
	fl := c.flying
	if fl == nil || fl.id != id {
		panic("txn: a request ended twice")
	}
	c.flying = nil
	at := fl.at
	at.Done, at.Err, at.Outcome = now, err, attempt.OutcomeOf(err)
	c.record(fl, at)
	if at.Outcome == attempt.Failed && !fl.sentBefore {
		// Nothing of the kind was ever sent, so there is nothing to find out.
		switch fl.step {
		case addPartitions:
			c.addingSent = false
		case addOffsets, commitOffsets:
			fl.op.unsure = false
		}
	}
	if c.state == Fatal {
		return
	}
	if errors.Is(err, attempt.ErrVersion) {
		c.die(err)
		return
	}
	fl.finder.Lost(at.Node)
	c.retry(now)
}

// found draws the conclusions from the end of a lookup.
func (c *Core) found(f *coordinator.Finder) {
	err := f.Err()
	switch {
	case err == nil || c.state == Fatal:
	case f == c.finder:
		c.die(err)
	default:
		if c.offsets != nil && c.groups[c.offsets.group.ID] == f {
			c.offsets.left = nil
		}
		c.mustAbort(err)
	}
}

func (c *Core) retry(now int64) {
	c.failures++
	c.notBefore = now + int64(c.cfg.Backoff.After(c.failures, c.rng))
}

// record keeps how an attempt ended, with the operation that it belongs to.
func (c *Core) record(fl *flying, at attempt.Attempt) {
	var op *Operation
	switch fl.step {
	case commitOffsets:
		op = fl.op
	case endTransaction:
		op = c.ending
	}
	if op == nil {
		return
	}
	as := op.End.Attempts
	if i := slices.IndexFunc(as, func(a attempt.Attempt) bool { return a.ID == at.ID }); i >= 0 {
		as[i] = at
	}
}

// rank orders the codes of one answer: the highest decides.
func rank(code int16) int {
	switch {
	case code == kerr.OperationNotAttempted.Code:
		return 1 // because of the others
	case code == 0:
		return 0
	}
	return 1 + int(judge(code))
}

// readAdded gives the code of an answer to AddPartitionsToTxn, which adds all or nothing.
func (c *Core) readAdded(resp *kmsg.AddPartitionsToTxnResponse) int16 {
	worst, seen := int16(0), 0
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			seen++
			if rank(p.ErrorCode) > rank(worst) {
				worst = p.ErrorCode
			}
		}
	}
	if worst == 0 && seen < len(c.adding) {
		return kerr.UnknownServerError.Code
	}
	return worst
}

// readCommitted takes off what was committed, and gives the code of the rest.
func (c *Core) readCommitted(o *Operation, resp *kmsg.TxnOffsetCommitResponse) int16 {
	worst := int16(0)
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			tp := wire.TopicPartition{Topic: t.Topic, Partition: p.Partition}
			if p.ErrorCode == 0 {
				o.left = slices.DeleteFunc(o.left, func(l wire.TopicPartition) bool { return l == tp })
			}
			if rank(p.ErrorCode) > rank(worst) {
				worst = p.ErrorCode
			}
		}
	}
	if worst == 0 && len(o.left) > 0 {
		return kerr.UnknownServerError.Code
	}
	return worst
}

// succeed goes on after a request that was carried out.
func (c *Core) succeed(fl *flying, resp kmsg.Response) {
	switch fl.step {
	case initialise:
		r := resp.(*kmsg.InitProducerIDResponse)
		c.bump, c.skipEnd = false, false
		c.adopt(producer.Session{ID: r.ProducerID, Epoch: r.ProducerEpoch})
		c.enter(Ready)
		c.initialising.finish(attempt.OK, nil)
		c.ending.finish(attempt.OK, nil)
	case addPartitions:
		for _, tp := range c.adding {
			c.added[tp] = true
		}
		c.adding, c.addingSent = nil, false
		c.started = true
	case addOffsets:
		fl.op.joined, fl.op.unsure = true, false
		c.started = true
	case commitOffsets:
		fl.op.unsure = false
		fl.op.finish(attempt.OK, nil)
	case endTransaction:
		if r := resp.(*kmsg.EndTxnResponse); r.Version >= 5 && r.ProducerID >= 0 {
			c.adopt(producer.Session{ID: r.ProducerID, Epoch: r.ProducerEpoch})
		}
		c.complete()
	}
}

// refuse goes on after a request that was refused in a way which an abort mends.
func (c *Core) refuse(fl *flying, err error) {
	switch fl.step {
	case initialise:
		c.die(err)
		return
	case addPartitions:
		c.adding, c.addingSent = nil, false
	case addOffsets, commitOffsets:
		fl.op.left, fl.op.unsure = nil, false
	case endTransaction:
		if c.state == Aborting {
			c.die(fmt.Errorf("the transaction cannot even be aborted: %w", err))
			return
		}
	}
	c.mustAbort(err)
}

// complete ends the transaction here, after it was ended at the coordinator or if that
// does not know of it.
func (c *Core) complete() {
	clear(c.added)
	c.wanted, c.adding, c.addingSent = nil, nil, false
	c.offsets = nil
	c.started = false
	c.cause = nil
	if c.bump || c.latest && !c.second {
		// The second protocol must not begin with an epoch of the first.
		c.enter(Initialising)
		return
	}
	c.skipEnd = false
	c.enter(Ready)
	c.ending.finish(attempt.OK, nil)
}
