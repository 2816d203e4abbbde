package broker

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/replica"
	"odradek/broker/storage"
	"odradek/broker/wire"
)

// Fetch (key 1, versions 4-17). Consumers read below the high watermark, followers to
// the log end. The answer waits until min bytes are there, an error is, or max wait is
// over; record bytes go from the log to the connection as segments, without a copy here
// where the log can name a region of its file. A batch larger than the limits is still
// returned whole if it is the first (KIP-74). Fetches of the metadata log go to the
// quorum (quorum_wire.go).
func handleFetch(n *Node, r *request) {
	req := r.msg.(*kmsg.FetchRequest)
	if isQuorumFetch(r.header.Version, req) {
		handleQuorumFetch(n, r)
		return
	}
	resp := kmsg.NewPtrFetchResponse()
	if n.wrongCluster(req.ClusterID) {
		resp.ErrorCode = kerr.InconsistentClusterID.Code
		r.reply(resp)
		return
	}
	op := &fetchOp{n: n, r: r, resp: resp, minBytes: int(req.MinBytes), maxBytes: int(req.MaxBytes)}
	if !op.openSession(req) {
		r.reply(resp)
		return
	}
	replicaID := wire.NodeID(req.ReplicaID)
	if r.header.Version >= 15 {
		replicaID = wire.NodeID(req.ReplicaState.ID)
	}
	op.isReplica = replicaID >= 0
	if !op.isReplica {
		replicaID = wire.NoNode
		op.maxBytes = min(op.maxBytes, n.cfg.FetchMaxBytes)
	}
	now := int64(n.env.Clock.Now())
	for _, w := range op.wanted(req) {
		op.add(now, w, replica.FetchRequest{
			Replica: replicaID, BrokerEpoch: wire.BrokerEpoch(req.ReplicaState.Epoch),
			CurrentLeaderEpoch: wire.LeaderEpoch(w.CurrentLeaderEpoch), Offset: wire.Offset(w.FetchOffset),
			LastFetchedEpoch: wire.LeaderEpoch(w.LastFetchedEpoch), LogStart: wire.Offset(w.LogStartOffset),
		})
	}
	op.deadline = n.env.Clock.Now().Add(time.Duration(max(req.MaxWaitMillis, 0)) * time.Millisecond)
	op.gather(0)
}

// fetchOp is a Fetch request being answered.
type fetchOp struct {
	n         *Node
	r         *request
	resp      *kmsg.FetchResponse
	isReplica bool
	minBytes  int
	maxBytes  int
	deadline  env.Time

	parts []fetchPart
	// budget is what is left of maxBytes while gathering.
	budget    int
	size      int
	urgent    bool // an error or a divergence: do not wait
	gathering bool
	again     bool // something changed while gathering
	parked    bool
	done      bool
	timer     env.Timer
}

// fetchPart is one partition of it.
type fetchPart struct {
	topic  int // index in the response
	p      *partition
	req    replica.FetchRequest
	limit  int // bytes
	out    kmsg.FetchResponseTopicPartition
	failed bool
	res    storage.ReadResult
}

// wantedPartition is a partition that the request, or its session, asks for.
type wantedPartition struct {
	topic   string
	topicID wire.UUID
	kmsg.FetchRequestTopicPartition
}

// openSession deals with fetch sessions (KIP-227). This broker keeps none: a client
// that asks for one is told so by session id 0, and goes on with full requests.
func (op *fetchOp) openSession(req *kmsg.FetchRequest) bool {
	if op.r.header.Version >= 7 && req.SessionID != 0 {
		op.resp.ErrorCode = kerr.FetchSessionIDNotFound.Code
		return false
	}
	return true
}

func (op *fetchOp) wanted(req *kmsg.FetchRequest) []wantedPartition {
	var ws []wantedPartition
	for i := range req.Topics {
		t := &req.Topics[i]
		for j := range t.Partitions {
			ws = append(ws, wantedPartition{t.Topic, t.TopicID, t.Partitions[j]})
		}
	}
	return ws
}

// add takes a partition in, and lets its leader know of a follower's fetch.
func (op *fetchOp) add(now int64, w wantedPartition, req replica.FetchRequest) {
	part := fetchPart{req: req, limit: int(w.PartitionMaxBytes), out: kmsg.NewFetchResponseTopicPartition()}
	part.out.Partition = w.Partition
	byID := op.r.header.Version >= 13
	if k := len(op.resp.Topics); k == 0 || byID && op.resp.Topics[k-1].TopicID != w.topicID || !byID && op.resp.Topics[k-1].Topic != w.topic {
		t := kmsg.NewFetchResponseTopic()
		t.Topic, t.TopicID = w.topic, w.topicID
		op.resp.Topics = append(op.resp.Topics, t)
	}
	part.topic = len(op.resp.Topics) - 1
	name := w.topic
	if byID {
		t := op.n.image.TopicByID(w.topicID)
		if t == nil {
			part.fail(kerr.UnknownTopicID.Code)
			op.parts = append(op.parts, part)
			return
		}
		name = t.Name
	}
	part.p = op.n.replicas.lookup(name, w.Partition)
	switch {
	case part.p == nil && op.n.image.Partition(name, w.Partition) != nil:
		part.fail(kerr.NotLeaderForPartition.Code)
	case part.p == nil:
		part.fail(unknownPartition)
	case part.p.notLeading() != 0:
		part.fail(part.p.notLeading())
	case req.Replica != wire.NoNode:
		p := part.p
		_, change := p.leader.OnFetch(now, req)
		p.apply(change)
	}
	op.parts = append(op.parts, part)
}

func (part *fetchPart) fail(code int16) {
	part.failed = true
	part.out.ErrorCode = code
	part.out.HighWatermark, part.out.LastStableOffset, part.out.LogStartOffset = -1, -1, -1
}

// gather judges and reads the partitions from the i-th on, as far as the budget goes,
// and then decides whether to answer.
func (op *fetchOp) gather(i int) {
	if i == 0 {
		op.gathering, op.again = true, false
		op.budget, op.size, op.urgent = op.maxBytes, 0, false
	}
	for ; i < len(op.parts); i++ {
		part := &op.parts[i]
		part.res = storage.ReadResult{}
		req, ok := op.judge(part)
		if !ok {
			continue
		}
		res, ok, err := part.p.log.TryRead(req)
		if !ok {
			next := i + 1
			part.p.log.Read(req, func(res storage.ReadResult, err error) {
				op.took(part, res, err)
				op.gather(next)
			})
			return
		}
		op.took(part, res, err)
	}
	op.gathering = false
	op.decide()
}

// judge asks the leader about a partition; ok says that there is something to read.
func (op *fetchOp) judge(part *fetchPart) (storage.ReadRequest, bool) {
	if !part.failed {
		if code := part.p.notLeading(); code != 0 {
			part.fail(code)
		}
	}
	if part.failed {
		op.urgent = true
		return storage.ReadRequest{}, false
	}
	a := part.p.leader.Answer(part.req)
	part.out.HighWatermark, part.out.LastStableOffset = int64(a.HighWatermark), int64(a.HighWatermark)
	part.out.LogStartOffset = int64(a.LogStart)
	part.out.ErrorCode = 0
	if a.Err != nil {
		op.urgent = true
		part.out.ErrorCode = a.Err.Code
		if a.Err != kerr.OffsetOutOfRange {
			part.out.HighWatermark, part.out.LastStableOffset = -1, -1
		}
		return storage.ReadRequest{}, false
	}
	if a.Diverging != replica.NoEpochEnd {
		op.urgent = true
		part.out.DivergingEpoch.Epoch, part.out.DivergingEpoch.EndOffset = int32(a.Diverging.Epoch), int64(a.Diverging.End)
		return storage.ReadRequest{}, false
	}
	limit := min(part.limit, op.budget)
	if a.Limit <= part.req.Offset || limit <= 0 && op.size > 0 {
		return storage.ReadRequest{}, false
	}
	return storage.ReadRequest{From: part.req.Offset, UpTo: a.Limit, MaxBytes: limit, MinOneBatch: op.size == 0}, true
}

func (op *fetchOp) took(part *fetchPart, res storage.ReadResult, err error) {
	if err != nil {
		if part.p.notLeading() != 0 {
			part.fail(part.p.notLeading())
		} else {
			part.fail(part.p.readCode(err))
		}
		op.urgent = true
		return
	}
	part.res = res
	op.size += res.Size
	op.budget -= res.Size
}

// decide answers, or parks the request until something changes.
func (op *fetchOp) decide() {
	if op.done {
		return
	}
	if op.urgent || op.size >= op.minBytes || len(op.parts) == 0 || op.n.env.Clock.Now() >= op.deadline {
		op.answer()
		return
	}
	if op.again {
		op.gather(0)
		return
	}
	if op.parked {
		return
	}
	op.parked = true
	for i := range op.parts {
		if p := op.parts[i].p; p != nil && !slices.Contains(p.fetches, op) {
			p.fetches = append(p.fetches, op)
		}
	}
	op.timer = op.n.env.Clock.After(op.deadline.Sub(op.n.env.Clock.Now()), func() {
		op.timer = nil
		op.wake()
	})
}

// hasNews reports whether there is more to read of a partition than when it was last
// gathered.
func (op *fetchOp) hasNews(p *partition) bool {
	for i := range op.parts {
		part := &op.parts[i]
		if part.p != p || p.leader == nil {
			continue
		}
		end := p.leader.HighWatermark()
		if op.isReplica {
			end = p.leader.LogEnd()
		}
		if end > part.req.Offset && end > part.res.NextOffset {
			return true
		}
	}
	return false
}

// wake has a parked request look again.
func (op *fetchOp) wake() {
	if op.done {
		return
	}
	if op.gathering {
		op.again = true
		return
	}
	if op.r.conn != nil && op.r.conn.closed {
		op.finish()
		return
	}
	op.gather(0)
}

func (op *fetchOp) finish() {
	op.done = true
	if op.timer != nil {
		op.timer.Stop()
	}
	if !op.parked {
		return
	}
	for i := range op.parts {
		if p := op.parts[i].p; p != nil {
			p.fetches = slices.DeleteFunc(p.fetches, func(f *fetchOp) bool { return f == op })
		}
	}
}

func (op *fetchOp) answer() {
	op.finish()
	records := make([]recordSet, 0, len(op.parts))
	for i := range op.parts {
		part := &op.parts[i]
		if part.failed {
			part.res = storage.ReadResult{}
		}
		t := &op.resp.Topics[part.topic]
		t.Partitions = append(t.Partitions, part.out)
		records = append(records, recordSet{part.res.Segments, part.res.Size})
	}
	op.r.replyFetch(op.resp, records)
}

func (p *partition) readCode(err error) int16 {
	if asOutOfRange(err) {
		return kerr.OffsetOutOfRange.Code
	}
	return p.storageCode(err)
}

// recordSet is the records of one partition in a Fetch response.
type recordSet struct {
	segs []env.Segment
	size int
}

// replyFetch answers with records that are sent from where they are.
func (r *request) replyFetch(resp *kmsg.FetchResponse, records []recordSet) {
	resp.SetVersion(r.header.Version)
	sizes := make([]int, len(records))
	for i := range records {
		sizes[i] = records[i].size
	}
	parts := wire.EncodeFetchResponse(r.header.CorrelationID, resp, sizes)
	segs := make([]env.Segment, 0, 2*len(parts))
	for _, part := range parts {
		if len(part.Bytes) > 0 {
			segs = append(segs, env.Segment{Bytes: part.Bytes})
		}
		if part.Records >= 0 {
			segs = append(segs, records[part.Records].segs...)
		}
	}
	if r.conn.closed {
		r.answered = true
		return
	}
	r.send(segs)
}
