package txn

import (
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/cluster"
	"odradek/workloads/client/coordinator"
	"odradek/workloads/client/producer"
)

// step is a kind of request.
type step uint8

const (
	nothing step = iota
	initialise
	addPartitions
	addOffsets
	commitOffsets
	endTransaction
)

// flying is the request under way.
type flying struct {
	id     attempt.ID
	step   step
	finder *coordinator.Finder
	at     attempt.Attempt
	// op is the one that offsets belong to.
	op *Operation
	// sentBefore: the same may have reached the coordinator in an earlier attempt.
	sentBefore bool
}

// Poll moves time forward and gives the requests to send now.
func (c *Core) Poll(now int64) []attempt.Request {
	c.deadline = cluster.Never
	c.Notice()
	var reqs []attempt.Request
	if s := c.next(); s != nothing {
		finder := c.finder
		if s == commitOffsets {
			finder = c.groups[c.offsets.group.ID]
		}
		switch node, ok := finder.Node(); {
		case !ok:
			finder.Want()
		case c.notBefore > now:
			c.until(c.notBefore)
		default:
			reqs = append(reqs, c.request(now, s, finder, node))
		}
	}
	reqs = c.lookup(now, c.finder, reqs)
	for _, group := range slices.Sorted(maps.Keys(c.groups)) {
		reqs = c.lookup(now, c.groups[group], reqs)
	}
	return reqs
}

// until notes a time at which Poll must run again.
func (c *Core) until(t int64) { c.deadline = min(c.deadline, t) }

func (c *Core) lookup(now int64, f *coordinator.Finder, reqs []attempt.Request) []attempt.Request {
	if c.state == Fatal {
		return reqs
	}
	if req, ok := f.Poll(now, c.id+1); ok {
		c.id++
		c.lookups[c.id] = f
		reqs = append(reqs, req)
	}
	c.until(f.Deadline())
	return reqs
}

// Notice draws the conclusions from records that were not appended.
func (c *Core) Notice() {
	for _, f := range c.prod.Faults() {
		switch f.Code {
		case kerr.ProducerFenced.Code:
			c.fenced(f.Err)
		case kerr.TransactionalIDAuthorizationFailed.Code, kerr.ClusterAuthorizationFailed.Code,
			kerr.UnsupportedVersion.Code:
			c.die(f.Err)
		default:
			// Also INVALID_PRODUCER_EPOCH: whether the producer was fenced is for the
			// coordinator to say, when the transaction is aborted (KIP-588).
			if f.Code == kerr.InvalidProducerIDMapping.Code {
				c.skipEnd = true
			}
			c.mustAbort(f.Err)
		}
	}
}

// next is the request to make, if none is under way. One at a time: their order matters.
func (c *Core) next() step {
	if c.flying != nil {
		return nothing
	}
	aborting := c.state == Aborting
	switch c.state {
	case Initialising:
		return initialise
	case InTransaction, Committing, Aborting:
	default:
		return nothing
	}
	if aborting && !c.addingSent {
		c.adding = nil
	}
	if aborting {
		c.wanted = nil
	}
	if len(c.adding) == 0 && len(c.wanted) > 0 {
		c.adding, c.wanted = c.wanted, nil
	}
	if len(c.adding) > 0 {
		return addPartitions
	}
	// Offsets that may have been sent must be known to be there, or not, before the end.
	if o := c.offsets; o != nil && (!o.Done || o.unsure && aborting) && len(o.left) > 0 {
		if !c.second && !o.joined {
			return addOffsets
		}
		return commitOffsets
	}
	if c.state == InTransaction || c.prod.Unanswered() {
		return nothing
	}
	if !c.started || c.skipEnd {
		c.complete()
		if c.state == Initialising {
			return initialise
		}
		return nothing
	}
	return endTransaction
}

// request books and makes the message of a step.
func (c *Core) request(now int64, s step, f *coordinator.Finder, node wire.NodeID) attempt.Request {
	c.id++
	c.flying = &flying{id: c.id, step: s, finder: f, op: c.offsets, at: attempt.Attempt{
		ID: c.id, Node: node, LeaderEpoch: wire.NoLeaderEpoch, Sent: now,
	}}
	req := attempt.Request{ID: c.id, Node: node}
	switch s {
	case initialise:
		req.Msg, req.MaxVersion = c.initProducerID(), 5
		if c.session != producer.NoSession {
			req.MinVersion = 3
		}
	case addPartitions:
		c.flying.sentBefore, c.addingSent = c.addingSent, true
		req.Msg, req.MaxVersion = c.addPartitions(), 3 // later ones are for brokers
	case addOffsets:
		c.flying.sentBefore, c.offsets.unsure = c.offsets.unsure, true
		req.Msg, req.MaxVersion = c.addOffsets(), 4
	case commitOffsets:
		c.flying.sentBefore, c.offsets.unsure = c.offsets.unsure, true
		req.Msg, req.MaxVersion = c.commitOffsets(), 4
		if c.offsets.group.Generation >= 0 || c.offsets.group.Member != "" {
			req.MinVersion = 3 // KIP-447
		}
		if c.second {
			req.MinVersion, req.MaxVersion = 5, 5
			c.started = true
		}
		c.offsets.End.Attempts = append(c.offsets.End.Attempts, c.flying.at)
	case endTransaction:
		req.Msg, req.MaxVersion = c.endTransaction(), 4
		if c.second {
			req.MinVersion, req.MaxVersion = 5, 5
		}
		c.ending.End.Attempts = append(c.ending.End.Attempts, c.flying.at)
		if c.ending.commit {
			c.commits = c.ending.End.Attempts
		}
	}
	return req
}

func (c *Core) initProducerID() kmsg.Request {
	msg := kmsg.NewPtrInitProducerIDRequest()
	msg.TransactionalID = &c.cfg.TransactionalID
	msg.TransactionTimeoutMillis = int32(c.cfg.Timeout / time.Millisecond)
	msg.ProducerID, msg.ProducerEpoch = c.session.ID, c.session.Epoch
	return msg
}

func (c *Core) addPartitions() kmsg.Request {
	msg := kmsg.NewPtrAddPartitionsToTxnRequest()
	msg.TransactionalID, msg.ProducerID, msg.ProducerEpoch = c.cfg.TransactionalID, c.session.ID, c.session.Epoch
	tps := slices.SortedFunc(slices.Values(c.adding), wire.TopicPartition.Compare)
	for _, tp := range tps {
		if n := len(msg.Topics); n == 0 || msg.Topics[n-1].Topic != tp.Topic {
			t := kmsg.NewAddPartitionsToTxnRequestTopic()
			t.Topic = tp.Topic
			msg.Topics = append(msg.Topics, t)
		}
		t := &msg.Topics[len(msg.Topics)-1]
		t.Partitions = append(t.Partitions, tp.Partition)
	}
	return msg
}

func (c *Core) addOffsets() kmsg.Request {
	msg := kmsg.NewPtrAddOffsetsToTxnRequest()
	msg.TransactionalID, msg.ProducerID, msg.ProducerEpoch = c.cfg.TransactionalID, c.session.ID, c.session.Epoch
	msg.Group = c.offsets.group.ID
	return msg
}

func (c *Core) commitOffsets() kmsg.Request {
	o := c.offsets
	msg := kmsg.NewPtrTxnOffsetCommitRequest()
	msg.TransactionalID, msg.ProducerID, msg.ProducerEpoch = c.cfg.TransactionalID, c.session.ID, c.session.Epoch
	msg.Group, msg.Generation, msg.MemberID = o.group.ID, o.group.Generation, o.group.Member
	if o.group.Instance != "" {
		msg.InstanceID = &o.group.Instance
	}
	for _, tp := range o.left {
		if n := len(msg.Topics); n == 0 || msg.Topics[n-1].Topic != tp.Topic {
			t := kmsg.NewTxnOffsetCommitRequestTopic()
			t.Topic = tp.Topic
			msg.Topics = append(msg.Topics, t)
		}
		t := &msg.Topics[len(msg.Topics)-1]
		off := o.offsets[tp]
		p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
		p.Partition, p.Offset, p.LeaderEpoch, p.Metadata = tp.Partition, int64(off.Offset), int32(off.LeaderEpoch), &off.Metadata
		t.Partitions = append(t.Partitions, p)
	}
	return msg
}

func (c *Core) endTransaction() kmsg.Request {
	msg := kmsg.NewPtrEndTxnRequest()
	msg.TransactionalID, msg.ProducerID, msg.ProducerEpoch = c.cfg.TransactionalID, c.session.ID, c.session.Epoch
	msg.Commit = c.ending.commit
	return msg
}
