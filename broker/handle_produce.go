package broker

import (
	"bytes"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/config"
	"odradek/broker/env"
	"odradek/broker/wire"
)

// unknownPartition is the code for a topic or partition that does not exist, notLeader
// that for one that another broker leads, invalidTopic that for an illegal name.
var (
	unknownPartition = kerr.UnknownTopicOrPartition.Code
	notLeader        = kerr.NotLeaderForPartition.Code
	invalidTopic     = kerr.InvalidTopicException.Code
)

// Produce (key 0, versions 3-12; 0-2 are advertised for librdkafka's sake and refused
// with UNSUPPORTED_VERSION). Each partition is judged on its own; the answer waits for
// all of them, at most the request's time-out, after which those still waiting for
// replicas are REQUEST_TIMED_OUT: their records may or may not survive. With acks=0
// there is no answer; an error then closes the connection, which is the only way to
// tell the client that its metadata is stale. From version 8 on, records at fault are
// named (KIP-467); from version 10 on, an outdated client is told the leader (KIP-951).
// A batch of an idempotent producer that is in the log already is acknowledged like its
// first copy, once that is replicated. A transactional batch that may be the first of its
// transaction waits until the transaction coordinator has confirmed the transaction, or
// from version 12 on added the partition to it (KIP-890, verification.go).
//
// Deviations: requests of one connection are appended in their order but not one after
// the other: the next may be appended before this one is acknowledged. Kafka waits. A
// partition that a request names twice is appended to twice, where Kafka drops one of
// them. Internal topics are closed to every client, also to those that call themselves
// __admin_client. A transactional batch without a transactional id is refused by itself,
// in Kafka with the whole request. Package producers has the rules for producers.
func handleProduce(n *Node, r *request) {
	req := r.msg.(*kmsg.ProduceRequest)
	op := newProduceOp(n, r, req)
	r.waiter = op
	op.open++ // held until every partition is under way
	terms := appendTerms{version: r.header.Version, acks: req.Acks, transactionalID: req.TransactionID}
	k := 0
	for i := range req.Topics {
		t := &req.Topics[i]
		for j := range t.Partitions {
			part := &op.parts[k]
			k++
			p, code := n.leading(t.Topic, t.Partitions[j].Partition)
			switch {
			case req.Acks < -1 || req.Acks > 1:
				code = kerr.InvalidRequiredAcks.Code
			case internalTopic(t.Topic):
				code = kerr.InvalidTopicException.Code
			}
			if code != 0 {
				part.finish(appendError(code, ""))
				continue
			}
			part.p = p
			p.append(terms, n.ownRecords(t.Partitions[j].Records, r.size), part)
		}
	}
	op.release()
	if op.r != nil && req.Acks == -1 {
		op.timer = n.env.Clock.After(time.Duration(max(req.TimeoutMillis, 0))*time.Millisecond, op.expire)
	}
}

// ownRecords is a partition's records, from a frame of so many bytes, as the log may keep them: in
// its memory for readers at the tail a small part of a large frame would keep the rest of it too.
func (n *Node) ownRecords(records []byte, frame int) []byte {
	if frame <= connChunk || len(records) >= frame/4 {
		return records
	}
	n.env.CPU.Charge(env.OpCopy, len(records))
	return bytes.Clone(records)
}

// produceOp is a Produce request whose partitions are under way.
type produceOp struct {
	n      *Node
	r      *request // nil once it is answered or given up
	acks   int16
	resp   kmsg.ProduceResponse
	parts  []produced
	open   int // partitions without a result, plus one while the request is being read
	failed bool
	timer  env.Timer

	// What these point to for the one partition that most requests are for, so that all of it
	// is one piece of memory.
	topics     [1]kmsg.ProduceResponseTopic
	partitions [1]kmsg.ProduceResponseTopicPartition
	one        [1]produced
	frame      [128]byte
}

// produced is one partition of it. It may wait in the partition's acks, and outlive
// the request in the log's queue: it must not keep the records in memory.
type produced struct {
	op       *produceOp
	out      *kmsg.ProduceResponseTopicPartition
	p        *partition // nil if it was refused
	required wire.Offset
	res      appendResult // to be told once the high watermark reaches required
	parked   bool         // in the partition's acks
	done     bool
}

func newProduceOp(n *Node, r *request, req *kmsg.ProduceRequest) *produceOp {
	op := &produceOp{n: n, r: r, acks: req.Acks}
	op.resp.Default()
	for i := range req.Topics {
		op.open += len(req.Topics[i].Partitions)
	}
	op.parts, op.resp.Topics = op.one[:], op.topics[:]
	single := op.open == 1 && len(req.Topics) == 1
	if !single {
		op.parts = make([]produced, op.open)
		op.resp.Topics = make([]kmsg.ProduceResponseTopic, len(req.Topics))
	}
	k := 0
	for i := range req.Topics {
		t := &req.Topics[i]
		rt := &op.resp.Topics[i]
		rt.Topic, rt.TopicID = t.Topic, t.TopicID
		rt.Partitions = op.partitions[:]
		if !single {
			rt.Partitions = make([]kmsg.ProduceResponseTopicPartition, len(t.Partitions))
		}
		for j := range rt.Partitions {
			rt.Partitions[j] = kmsg.NewProduceResponseTopicPartition()
			rt.Partitions[j].Partition = t.Partitions[j].Partition
			op.parts[k] = produced{op: op, out: &rt.Partitions[j]}
			k++
		}
	}
	return op
}

// finish takes the partition's result.
func (part *produced) finish(res appendResult) {
	op := part.op
	if part.done || op.r == nil {
		return // the time-out was faster, or the client has gone
	}
	part.done = true
	part.set(res)
	op.release()
}

func (part *produced) set(res appendResult) {
	out := part.out
	out.BaseOffset, out.LogAppendTime, out.LogStartOffset = int64(res.base), res.appendTime, int64(res.logStart)
	out.ErrorCode = res.code
	if res.code == 0 {
		return
	}
	part.op.failed = true
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
}

func (op *produceOp) release() {
	if op.open--; op.open == 0 && op.r != nil {
		op.answer()
	}
}

// expire answers for the partitions that still wait.
func (op *produceOp) expire() {
	op.timer = nil
	for i := range op.parts {
		if part := &op.parts[i]; !part.done {
			part.set(appendError(kerr.RequestTimedOut.Code, ""))
		}
	}
	op.answer()
}

func (op *produceOp) answer() {
	r := op.end()
	switch {
	case op.acks != 0:
		op.hint(r.header.Version)
		op.resp.Version = r.header.Version
		r.replyFrame(wire.AppendProduceResponse(op.frame[:0], r.header.CorrelationID, &op.resp))
	case op.failed:
		r.hangUp("produce with acks=0 failed")
	default:
		r.noReply()
	}
}

// abandon gives the request up: its client has gone.
func (op *produceOp) abandon() {
	if op.r != nil {
		op.end()
	}
}

// end lets go of whatever waits.
func (op *produceOp) end() *request {
	r := op.r
	op.r = nil
	if op.timer != nil {
		op.timer.Stop()
	}
	for i := range op.parts {
		if part := &op.parts[i]; !part.done {
			part.done = true
			if part.p != nil {
				part.p.forget(part)
			}
		}
	}
	return r
}

// hint names the leaders of partitions that were refused for not being led here.
func (op *produceOp) hint(version int16) {
	if !op.failed || version < 10 {
		return
	}
	var hints leaderHints
	for i := range op.resp.Topics {
		t := &op.resp.Topics[i]
		for j := range t.Partitions {
			if out := &t.Partitions[j]; hinted(out.ErrorCode) {
				out.CurrentLeader.LeaderID, out.CurrentLeader.LeaderEpoch = hints.leader(op.n.image.Partition(t.Topic, out.Partition))
			}
		}
	}
	for _, e := range hints.endpoints(op.n) {
		b := kmsg.NewProduceResponseBroker()
		b.NodeID, b.Host, b.Port, b.Rack = e.id, e.host, e.port, e.rack
		op.resp.Brokers = append(op.resp.Brokers, b)
	}
}

// refuseOldProduce answers a Produce of versions 0 to 2, whose message sets have
// formats from before record batches.
func refuseOldProduce(r *request) {
	req := r.msg.(*kmsg.ProduceRequest)
	if req.Acks == 0 {
		r.hangUp("produce version with old message formats")
		return
	}
	op := newProduceOp(r.conn.n, r, req)
	for i := range op.parts {
		op.parts[i].set(appendError(kerr.UnsupportedVersion.Code, ""))
	}
	r.reply(&op.resp)
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
