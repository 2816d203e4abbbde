package broker

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/config"
	"odradek/broker/env"
	"odradek/broker/wire"
)

// unknownPartition is the code for a topic or partition that this broker does not have.
var (
	unknownPartition = kerr.UnknownTopicOrPartition.Code
	notLeader        = kerr.NotLeaderForPartition.Code
)

// Produce (key 0, versions 3-12; 0-2 are advertised for librdkafka's sake and refused
// with UNSUPPORTED_VERSION). Each partition is judged on its own; the answer waits for
// all of them, at most the request's time-out, after which those still waiting for
// replicas are REQUEST_TIMED_OUT: their records may or may not survive. With acks=0
// there is no answer; an error then closes the connection, which is the only way to
// tell the client that its metadata is stale.
//
// Requests of one connection are appended in their order but not one after the other:
// the next may be appended before this one is acknowledged. Kafka waits.
func handleProduce(n *Node, r *request) {
	req := r.msg.(*kmsg.ProduceRequest)
	op := &produceOp{n: n, r: r, acks: req.Acks, resp: kmsg.NewPtrProduceResponse()}
	refuse := int16(0)
	switch {
	case req.Acks < -1 || req.Acks > 1:
		refuse = kerr.InvalidRequiredAcks.Code
	case req.TransactionID != nil:
		refuse = kerr.InvalidTxnState.Code // there is no coordinator to have begun it
	}
	for i := range req.Topics {
		t := &req.Topics[i]
		rt := kmsg.NewProduceResponseTopic()
		rt.Topic, rt.TopicID = t.Topic, t.TopicID
		rt.Partitions = make([]kmsg.ProduceResponseTopicPartition, len(t.Partitions))
		for j := range rt.Partitions {
			rt.Partitions[j] = kmsg.NewProduceResponseTopicPartition()
			rt.Partitions[j].Partition = t.Partitions[j].Partition
			op.open++
		}
		op.resp.Topics = append(op.resp.Topics, rt)
	}
	op.open++ // held until every partition is under way
	for i := range req.Topics {
		t := &req.Topics[i]
		for j := range t.Partitions {
			out := &op.resp.Topics[i].Partitions[j]
			if refuse != 0 {
				op.set(out, appendError(refuse, ""))
				continue
			}
			p := n.replicas.lookup(t.Topic, t.Partitions[j].Partition)
			if p == nil {
				op.set(out, appendError(unknownPartition, ""))
				continue
			}
			if req.Acks == -1 {
				op.parked = append(op.parked, parkedAppend{p, out})
			}
			p.append(r.header.Version, req.Acks, t.Partitions[j].Records, func(res appendResult) { op.set(out, res) })
		}
	}
	op.release()
	if !op.answered && req.Acks == -1 {
		op.timer = n.env.Clock.After(time.Duration(max(req.TimeoutMillis, 0))*time.Millisecond, op.expire)
	}
}

// produceOp is a Produce request whose partitions are under way.
type produceOp struct {
	n        *Node
	r        *request
	acks     int16
	resp     *kmsg.ProduceResponse
	open     int // partitions without a result, plus one while the request is being read
	failed   bool
	answered bool
	timer    env.Timer
	parked   []parkedAppend
}

type parkedAppend struct {
	p   *partition
	out *kmsg.ProduceResponseTopicPartition
}

func (op *produceOp) set(out *kmsg.ProduceResponseTopicPartition, res appendResult) {
	if op.answered {
		return // the time-out was faster
	}
	out.BaseOffset, out.LogAppendTime, out.LogStartOffset = int64(res.base), res.appendTime, int64(res.logStart)
	out.ErrorCode = res.code
	if res.message != "" {
		out.ErrorMessage = kmsg.StringPtr(res.message)
	}
	for _, bad := range res.records {
		e := kmsg.NewProduceResponseTopicPartitionErrorRecord()
		e.RelativeOffset = bad.Index
		if bad.Message != "" {
			e.ErrorMessage = kmsg.StringPtr(bad.Message)
		}
		out.ErrorRecords = append(out.ErrorRecords, e)
	}
	if res.code != 0 {
		op.failed = true
	}
	for i := range op.parked {
		if op.parked[i].out == out {
			op.parked[i].out = nil
		}
	}
	op.release()
}

func (op *produceOp) release() {
	if op.open--; op.open > 0 {
		return
	}
	op.answer()
}

// expire answers for the partitions that still wait.
func (op *produceOp) expire() {
	op.timer = nil
	for _, w := range op.parked {
		if w.out != nil {
			w.out.BaseOffset, w.out.LogAppendTime, w.out.LogStartOffset = -1, -1, -1
			w.out.ErrorCode = kerr.RequestTimedOut.Code
			op.failed = true
		}
	}
	op.answer()
}

func (op *produceOp) answer() {
	if op.answered {
		return
	}
	op.answered = true
	if op.timer != nil {
		op.timer.Stop()
	}
	switch {
	case op.acks != 0:
		op.r.reply(op.resp)
	case op.failed:
		op.r.hangUp("produce with acks=0 failed")
	default:
		op.r.noReply()
	}
	// A partition may wait for its replicas long after the time-out; it must not keep
	// the records in memory.
	op.r = nil
}

// produceRules is what a topic and a request version demand of a batch.
func (n *Node) produceRules(version int16, c *config.Topic) *wire.ProduceRules {
	rules := &n.rules
	*rules = wire.ProduceRules{
		RequestVersion: version, MaxBytes: c.MaxMessageBytes, Compacted: c.Compact(),
		Now: n.wallMillis(), BeforeMax: c.MessageTimestampBeforeMax, AfterMax: c.MessageTimestampAfterMax,
		Compression: topicCompression(c.CompressionType),
	}
	if c.LogAppendTime() {
		rules.TimestampType = wire.LogAppendTime
	}
	return rules
}

func topicCompression(name string) wire.Compression {
	c, err := wire.ParseCompression(name)
	if err != nil {
		return wire.ProducerCompression
	}
	return c
}
