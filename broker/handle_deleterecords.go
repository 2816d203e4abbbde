package broker

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/wire"
)

// DeleteRecords (key 21, versions 0-2) raises the log start of partitions that this broker
// leads, to an offset up to the high watermark, or to the high watermark itself (-1). The
// answer waits until every live replica has raised its own, which it learns from its
// fetches, and has the low watermark: the smallest of them. Raising it to where it is, or
// lower, changes nothing and succeeds. Errors, each of one partition: OFFSET_OUT_OF_RANGE,
// POLICY_VIOLATION if cleanup.policy is compact alone (the deleted records could be the
// last of their key), INVALID_TOPIC_EXCEPTION for an internal topic, REQUEST_TIMED_OUT with
// the low watermark at that moment: the log start has been raised, and the followers will
// learn of it; UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER, KAFKA_STORAGE_ERROR.
//
// Deviations: the new log start is durable here before the answer; Kafka's is with the next
// checkpoint.
func handleDeleteRecords(n *Node, r *request) {
	req := r.msg.(*kmsg.DeleteRecordsRequest)
	op := &deleteOp{n: n, r: r, resp: kmsg.NewPtrDeleteRecordsResponse(), open: 1}
	r.waiter = op
	for i := range req.Topics {
		rt := kmsg.NewDeleteRecordsResponseTopic()
		rt.Topic = req.Topics[i].Topic
		rt.Partitions = make([]kmsg.DeleteRecordsResponseTopicPartition, len(req.Topics[i].Partitions))
		op.resp.Topics = append(op.resp.Topics, rt)
	}
	for i := range req.Topics {
		t := &req.Topics[i]
		for j := range t.Partitions {
			out := &op.resp.Topics[i].Partitions[j]
			*out = kmsg.NewDeleteRecordsResponseTopicPartition()
			out.Partition, out.LowWatermark = t.Partitions[j].Partition, int64(wire.NoOffset)
			op.open++
			op.list = append(op.list, &deletion{op: op, out: out})
			n.deleteRecords(t.Topic, wire.Offset(t.Partitions[j].Offset), op.list[len(op.list)-1])
		}
	}
	if op.open > 1 {
		op.timer = n.env.Clock.After(time.Duration(max(req.TimeoutMillis, 0))*time.Millisecond, op.expire)
	}
	op.release()
}

// deleteOp is a DeleteRecords request whose partitions are under way.
type deleteOp struct {
	n     *Node
	r     *request // nil once it is answered or given up
	resp  *kmsg.DeleteRecordsResponse
	list  []*deletion
	open  int // partitions without a result, plus one while the request is being read
	timer env.Timer
}

// deletion is one partition of it. Once the records are deleted here it waits in the
// partition's deletions for the followers.
type deletion struct {
	op   *deleteOp
	out  *kmsg.DeleteRecordsResponseTopicPartition
	p    *partition
	upTo wire.Offset
	done bool
}

// deleteRecords raises the log start of one partition.
func (n *Node) deleteRecords(topic string, to wire.Offset, d *deletion) {
	if internalTopic(topic) {
		d.finish(wire.NoOffset, invalidTopic)
		return
	}
	p, code := n.leading(topic, d.out.Partition)
	if code != 0 {
		d.finish(wire.NoOffset, code)
		return
	}
	hw := p.leader.HighWatermark()
	if to == wire.NoOffset {
		to = hw
	}
	switch {
	case p.topic.Compact() && !p.topic.Delete():
		d.finish(wire.NoOffset, kerr.PolicyViolation.Code)
		return
	case to < 0 || to > hw:
		d.finish(wire.NoOffset, kerr.OffsetOutOfRange.Code)
		return
	}
	d.p, d.upTo = p, to
	leader := p.leader
	p.log.DeleteRecords(to, func(err error) {
		switch {
		case err != nil:
			d.finish(wire.NoOffset, p.storageCode(err))
			return
		case p.leader != leader:
			d.finish(wire.NoOffset, notLeader)
			return
		}
		p.n.env.Trace.Event(env.Info, "records-deleted", env.S("partition", p.tp.String()), env.I("log-start", p.log.LogStartOffset()))
		if !d.done {
			p.deletions = append(p.deletions, d)
		}
		p.logStartMoved() // which looks at the deletions
	})
	// Nobody may be told of records below the new start any more.
	p.logStartMoved()
}

// releaseDeletions answers the deletions that all live replicas have followed.
func (p *partition) releaseDeletions() {
	if len(p.deletions) == 0 || p.leader == nil {
		return
	}
	low := p.leader.LowWatermark()
	var reached []*deletion
	p.deletions = slices.DeleteFunc(p.deletions, func(d *deletion) bool {
		if d.upTo <= low {
			reached = append(reached, d)
		}
		return d.upTo <= low
	})
	for _, d := range reached {
		d.finish(low, 0)
	}
}

// failDeletions answers the deletions that nobody will follow any more: the next leader
// may not have learned of them.
func (p *partition) failDeletions(code int16) {
	waiting := p.deletions
	p.deletions = nil
	for _, d := range waiting {
		d.finish(wire.NoOffset, code)
	}
}

// finish takes the partition's result.
func (d *deletion) finish(low wire.Offset, code int16) {
	if d.done {
		return
	}
	d.done = true
	d.out.LowWatermark, d.out.ErrorCode = int64(low), code
	d.op.release()
}

func (op *deleteOp) release() {
	if op.open--; op.open > 0 || op.r == nil {
		return
	}
	r := op.r
	op.abandon()
	r.reply(op.resp)
}

// expire answers without those that still wait.
func (op *deleteOp) expire() {
	op.timer = nil
	for _, d := range op.list {
		if d.done {
			continue
		}
		low := wire.NoOffset
		if d.p != nil && d.p.leader != nil {
			low = d.p.leader.LowWatermark()
		}
		d.forget()
		d.finish(low, kerr.RequestTimedOut.Code)
	}
}

// forget takes the deletion out of its partition.
func (d *deletion) forget() {
	if d.p != nil {
		d.p.deletions = slices.DeleteFunc(d.p.deletions, func(o *deletion) bool { return o == d })
	}
}

// abandon lets go of everything that the request waits for.
func (op *deleteOp) abandon() {
	op.r = nil
	if op.timer != nil {
		op.timer.Stop()
		op.timer = nil
	}
	for _, d := range op.list {
		d.done = true
		d.forget()
	}
}
