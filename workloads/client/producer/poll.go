package producer

import (
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/cluster"
)

// Request is a Produce to be sent, or InitProducerId, which has no batches.
type Request struct {
	attempt.Request
	// Batches in it, in the order of the message.
	Batches []BatchAttempt
}

// BatchAttempt is one batch of a request: when the request is made, or how it ended.
type BatchAttempt struct {
	wire.TopicPartition
	// Tokens of the records in log order; not to be modified.
	Tokens  []Token
	Attempt attempt.Attempt
	// BaseOffset of the first record; NoOffset if it is not known.
	BaseOffset wire.Offset
	// Identity of an idempotent producer's batch, else nil. Not to be modified.
	Identity *wire.Producer
	// Transaction is the number of the one that the batch belongs to, 0 for none.
	Transaction int
}

// Poll moves time forward and gives the requests to send now.
func (c *Core) Poll(now int64) []Request {
	c.deadline = cluster.Never
	if c.closed {
		return nil
	}
	c.expire(now)
	c.settle()
	c.admitWaiting(now)
	if req, ok := c.askIdentity(now); ok {
		return append(c.drain(now), req)
	}
	return c.drain(now)
}

// until notes a time at which Poll must run again.
func (c *Core) until(t int64) { c.deadline = min(c.deadline, t) }

// expire ends what has waited too long.
func (c *Core) expire(now int64) {
	block := int64(c.cfg.MaxBlock)
	expired := 0
	for expired < len(c.waiting) && c.waiting[expired].since+block <= now {
		w := &c.waiting[expired]
		err := ErrBlockTimeout
		if t, ok := c.meta.Topic(w.record.Topic); ok && t.Code == 0 && int(w.record.Partition) >= len(t.Partitions) {
			err = ErrNoSuchPartition
		}
		c.reject(w.token, &w.record, err)
		expired++
	}
	c.waiting = slices.Delete(c.waiting, 0, expired)

	delivery := int64(c.cfg.DeliveryTimeout)
	for _, p := range c.acc.parts {
		p.queue = slices.DeleteFunc(p.queue, func(b *batch) bool {
			if b.created+delivery > now {
				c.until(b.created + delivery)
				return false
			}
			c.giveUp(b, ErrDeliveryTimeout)
			return true
		})
	}
	if len(c.requests) == 0 {
		return
	}
	// Also under way: the result does not wait for an answer that may never come.
	for _, id := range slices.Sorted(maps.Keys(c.requests)) {
		for _, b := range c.requests[id].batches {
			switch {
			case b.answered:
			case b.created+delivery > now:
				c.until(b.created + delivery)
			default:
				c.giveUp(b, ErrDeliveryTimeout)
			}
		}
	}
}

// admitWaiting lets in what waited, in order.
func (c *Core) admitWaiting(now int64) {
	n := 0
	for n < len(c.waiting) && c.admit(now, &c.waiting[n].record, c.waiting[n].token) {
		n++
	}
	c.waiting = slices.Delete(c.waiting, 0, n)
	if len(c.waiting) > 0 {
		c.until(c.waiting[0].since + int64(c.cfg.MaxBlock))
	}
}

// hurry: nothing lingers while memory is short, nor what is being flushed.
func (c *Core) hurry(b *batch) bool {
	return len(c.waiting) > 0 || b.tokens[0] <= c.flushTo
}

// drain makes requests of what is ready, by node.
func (c *Core) drain(now int64) []Request {
	ready := c.readyByNode(now)
	if ready == nil {
		return nil
	}
	var reqs []Request
	for _, node := range slices.Sorted(maps.Keys(ready)) {
		parts := ready[node]
		for c.inFlight[node] < c.cfg.MaxInFlight && len(parts) > 0 {
			reqs = append(reqs, c.request(now, node, parts))
			parts = c.still(now, parts)
		}
	}
	return reqs
}

func (c *Core) readyByNode(now int64) map[wire.NodeID][]*partition {
	var byNode map[wire.NodeID][]*partition // nothing is ready mostly
	for _, p := range c.acc.parts {
		if len(p.queue) == 0 {
			continue
		}
		leader, _ := c.meta.Partition(p.TopicPartition)
		if leader.Leader == wire.NoNode {
			c.meta.RequestUpdate()
			continue
		}
		if c.isReady(now, p, leader) {
			if byNode == nil {
				byNode = make(map[wire.NodeID][]*partition)
			}
			byNode[leader.Leader] = append(byNode[leader.Leader], p)
		}
	}
	return byNode
}

func (c *Core) isReady(now int64, p *partition, leader cluster.Partition) bool {
	state, when := c.acc.ready(now, p, leader, c.hurry)
	if state == later {
		c.until(when)
	}
	return state == ready && c.allowed(p, p.queue[0])
}

// still gives the partitions that have another batch ready.
func (c *Core) still(now int64, parts []*partition) []*partition {
	var left []*partition
	for _, p := range parts {
		leader, _ := c.meta.Partition(p.TopicPartition)
		if c.isReady(now, p, leader) {
			left = append(left, p)
		}
	}
	return left
}

// request takes the first batch of as many partitions as fit into a request. It
// starts where the last one to the node stopped, so that the first partitions cannot
// starve the others.
func (c *Core) request(now int64, node wire.NodeID, parts []*partition) Request {
	c.id++
	req := &request{id: c.id, node: node, names: make(map[wire.UUID]string)}
	start := c.rotation[node] % len(parts)
	size := 0
	for i := range parts {
		p := parts[(start+i)%len(parts)]
		b := p.queue[0]
		c.acc.encode(b)
		if size > 0 && size+b.sendSize() > c.cfg.MaxRequestSize {
			break
		}
		size += b.sendSize()
		c.number(p, b)
		p.queue = slices.Delete(p.queue, 0, 1)
		p.inFlight++
		if c.cfg.Idempotent {
			p.nums.wire = append(p.nums.wire, b)
		}
		req.batches = append(req.batches, b)
		c.rotation[node] = start + i + 1
	}
	// Topics together, each partition once.
	slices.SortFunc(req.batches, func(a, b *batch) int { return a.part.Compare(b.part.TopicPartition) })
	c.requests[req.id] = req
	c.inFlight[node]++

	msg := kmsg.NewPtrProduceRequest()
	msg.Acks = int16(c.cfg.Acks)
	msg.TimeoutMillis = int32(c.cfg.RequestTimeout / time.Millisecond)
	out := Request{Request: attempt.Request{
		ID: req.id, Node: node, Msg: msg, MinVersion: 3, MaxVersion: 13, NoResponse: c.cfg.Acks == AcksNone,
	}}
	if c.cfg.Compression == wire.Zstd {
		out.MinVersion = 7 // KIP-110
	}
	if c.cfg.TransactionalID != "" {
		msg.TransactionID = &c.cfg.TransactionalID
	}
	if c.highest > 0 {
		out.MinVersion, out.MaxVersion = max(out.MinVersion, c.lowest), min(out.MaxVersion, c.highest)
	}
	for _, b := range req.batches {
		leader, _ := c.meta.Partition(b.part.TopicPartition)
		b.begin(now, req.id, leader)
		if n := len(msg.Topics); n == 0 || msg.Topics[n-1].Topic != b.part.Topic {
			t := kmsg.NewProduceRequestTopic()
			t.Topic = b.part.Topic
			if topic, ok := c.meta.Topic(b.part.Topic); ok {
				t.TopicID = topic.ID
				req.names[topic.ID] = topic.Name
			}
			if wire.UUID(t.TopicID).IsZero() {
				out.MaxVersion = min(out.MaxVersion, 12)
			}
			msg.Topics = append(msg.Topics, t)
		}
		t := &msg.Topics[len(msg.Topics)-1]
		p := kmsg.NewProduceRequestTopicPartition()
		p.Partition = b.part.Partition
		p.Records = b.encoded
		t.Partitions = append(t.Partitions, p)
		out.Batches = append(out.Batches, BatchAttempt{
			TopicPartition: b.part.TopicPartition, Tokens: b.tokens, Attempt: *b.last(), BaseOffset: wire.NoOffset,
			Identity: b.identity, Transaction: b.transaction,
		})
	}
	return out
}
