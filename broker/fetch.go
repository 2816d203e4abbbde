package broker

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/fetchsession"
	"odradek/broker/replica"
	"odradek/broker/storage"
)

// fetchOp is a Fetch request being answered. It gathers what there is to read; if that
// is too little it waits in its partitions' fetches, and gathers again when one of them
// has more:
//
//	gathering -> answered   enough, an error, or max wait is over
//	gathering -> parked     too little
//	parked -> gathering     news of a partition, or max wait is over
//	any -> done             answered, or the connection closed
type fetchOp struct {
	n         *Node
	r         *request
	resp      kmsg.FetchResponse
	session   *fetchsession.Fetch
	isReplica bool
	committed bool // isolation level read_committed
	minBytes  int
	maxBytes  int
	deadline  env.Time

	parts []fetchPart // in the session's order
	// budget is what is left of maxBytes while gathering.
	budget    int
	size      int
	urgent    bool // an error or a divergence: do not wait
	gathering bool
	again     bool // something changed while gathering
	parked    bool
	done      bool
	timer     env.Timer

	// What parts and the answer's segments point to in the common case, so that all of it is
	// one piece of memory.
	one   [1]fetchPart
	space [4]env.Segment
}

// fetchPart is one partition of it.
type fetchPart struct {
	topic  string // its name, also where it was asked for by id; "" if unknown
	p      *partition
	req    replica.FetchRequest
	limit  int // bytes
	out    kmsg.FetchResponseTopicPartition
	failed bool
	res    storage.ReadResult
	space  [2]env.Segment // backs the segments of res as far as it goes
}

// begin takes a partition in, and lets its leader know of a follower's fetch.
func (op *fetchOp) begin(now int64, part *fetchPart, w fetchsession.Partition, req replica.FetchRequest) {
	part.req, part.limit, part.out = req, int(w.MaxBytes), kmsg.NewFetchResponseTopicPartition()
	part.out.Partition = w.Key.Partition
	part.topic = w.Topic
	if op.r.header.Version >= 13 {
		t := op.n.image.TopicByID(w.TopicID)
		if t == nil {
			part.fail(kerr.UnknownTopicID.Code)
			return
		}
		part.topic = t.Name
	}
	var code int16
	part.p, code = op.n.leading(part.topic, w.Key.Partition)
	switch {
	case code != 0:
		part.fail(code)
	case op.r.header.Version >= 13 && part.p.id.TopicID != w.TopicID:
		// This replica is still the deleted topic's of the same name.
		part.fail(notLeader)
	case op.isReplica:
		_, change := part.p.leader.OnFetch(now, req)
		part.p.apply(change)
	}
}

func (part *fetchPart) fail(code int16) {
	part.failed = true
	part.res = storage.ReadResult{}
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
	for ; i < len(op.parts) && !op.done; i++ {
		part := &op.parts[i]
		part.res = storage.ReadResult{}
		req, ok := op.judge(part)
		if !ok {
			continue
		}
		res, ok, err := part.p.log.TryRead(req)
		if !ok && err == nil {
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
	stable := part.p.log.LastStableOffset(a.HighWatermark)
	part.out.HighWatermark, part.out.LastStableOffset = int64(a.HighWatermark), int64(stable)
	part.out.LogStartOffset = int64(a.LogStart)
	part.out.ErrorCode = 0
	if op.committed {
		part.out.AbortedTransactions = []kmsg.FetchResponseTopicPartitionAbortedTransaction{}
	}
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
	if op.isReplica && part.p.holdBackTo(part.req.Replica) {
		return storage.ReadRequest{}, false
	}
	limit, upTo := min(part.limit, op.budget), a.Limit
	if op.committed {
		upTo = min(upTo, stable)
	}
	if upTo <= part.req.Offset || limit <= 0 && op.size > 0 {
		return storage.ReadRequest{}, false
	}
	return storage.ReadRequest{From: part.req.Offset, UpTo: upTo, MaxBytes: limit, MinOneBatch: op.size == 0, Space: part.space[:0]}, true
}

func (op *fetchOp) took(part *fetchPart, res storage.ReadResult, err error) {
	if err != nil {
		code := part.p.notLeading()
		if code == 0 {
			code = part.p.readCode(err)
		}
		part.fail(code)
		op.urgent = true
		return
	}
	part.res = res
	if op.isReplica {
		part.p.sentTo(part.req.Replica, res.Size)
	}
	if op.committed && res.Size > 0 {
		part.addAborted()
	}
	op.size += res.Size
	op.budget -= res.Size
}

// addAborted lists the aborted transactions that have records in what was read.
func (part *fetchPart) addAborted() {
	for _, a := range part.p.log.AbortedTransactions(part.req.Offset, part.res.NextOffset) {
		t := kmsg.NewFetchResponseTopicPartitionAbortedTransaction()
		t.ProducerID, t.FirstOffset = a.ProducerID, int64(a.FirstOffset)
		part.out.AbortedTransactions = append(part.out.AbortedTransactions, t)
	}
}

// decide answers, or parks the request until something changes.
func (op *fetchOp) decide() {
	if op.done {
		return
	}
	now := op.n.env.Clock.Now()
	if op.urgent || op.size >= op.minBytes || len(op.parts) == 0 || now >= op.deadline {
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
		if p := op.parts[i].p; p != nil {
			p.fetches = append(p.fetches, op)
		}
	}
	op.timer = op.n.env.Clock.After(op.deadline.Sub(now), func() {
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
		switch {
		case op.isReplica:
			end = p.leader.LogEnd()
		case op.committed:
			end = p.log.LastStableOffset(end)
		}
		return end > part.req.Offset && end > part.res.NextOffset
	}
	return false
}

// wake has a parked request look again.
func (op *fetchOp) wake() {
	switch {
	case op.done:
	case op.gathering:
		op.again = true
	default:
		op.gather(0)
	}
}

// abandon takes the request out of everything that it waits for.
func (op *fetchOp) abandon() {
	op.done = true
	if op.timer != nil {
		op.timer.Stop()
	}
	if !op.parked {
		return
	}
	op.parked = false
	for i := range op.parts {
		if p := op.parts[i].p; p != nil {
			p.fetches = slices.DeleteFunc(p.fetches, func(f *fetchOp) bool { return f == op })
		}
	}
}

func (p *partition) readCode(err error) int16 {
	if asOutOfRange(err) {
		return kerr.OffsetOutOfRange.Code
	}
	return p.storageCode(err)
}
