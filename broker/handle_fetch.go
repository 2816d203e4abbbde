package broker

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/fetchsession"
	"odradek/broker/replica"
	"odradek/broker/wire"
)

// Fetch (key 1, versions 4-18). Consumers read below the high watermark or, of committed
// records only, the last stable offset, with a list of the aborted transactions among what
// they get; followers read to the log end. The answer waits until min bytes are there, an error is, or max wait is
// over (fetch.go). A batch larger than the limits is still returned whole if it is the
// first (KIP-74). Sessions (KIP-227) are package fetchsession's. From version 16 on, an
// outdated client is told the leader (KIP-951). Fetches of the metadata log go to the
// quorum (quorum_wire.go).
//
// Deviations: followers do not serve consumers (KIP-392); the rack id is ignored. A
// partition named twice is fetched once, as in Kafka, from where it was named last.
func handleFetch(n *Node, r *request) {
	req := r.msg.(*kmsg.FetchRequest)
	if isQuorumFetch(r.header.Version, req) {
		handleQuorumFetch(n, r)
		return
	}
	if n.wrongCluster(req.ClusterID) {
		refuseFetch(r, kerr.InconsistentClusterID)
		return
	}
	replicaID := wire.NodeID(req.ReplicaID)
	if r.header.Version >= 15 {
		replicaID = wire.NodeID(req.ReplicaState.ID)
	}
	if replicaID < 0 {
		replicaID = wire.NoNode
	}
	// A consumer would be told that its topic is unknown. Followers know better, and must not
	// be kept: their one connection has other partitions' fetches to carry.
	if replicaID == wire.NoNode && n.holdEarly(r, handleFetch) {
		return
	}
	now := int64(n.env.Clock.Now())
	asked := n.fetchScratch.asked(r.header.Version, req, replicaID)
	session, kafkaErr := n.sessions.Begin(now, asked)
	if kafkaErr != nil {
		refuseFetch(r, kafkaErr)
		return
	}
	op := &fetchOp{
		n: n, r: r, session: session, isReplica: replicaID != wire.NoNode, committed: req.IsolationLevel == 1 && replicaID == wire.NoNode,
		minBytes: int(req.MinBytes), maxBytes: min(int(req.MaxBytes), n.cfg.FetchMaxBytes),
		deadline: n.env.Clock.Now().Add(time.Duration(max(req.MaxWaitMillis, 0)) * time.Millisecond),
	}
	op.resp.Default()
	if op.parts = op.one[:]; session.Len() != 1 {
		op.parts = make([]fetchPart, session.Len())
	}
	r.waiter = op
	for i := range op.parts {
		w := session.Partition(i)
		op.begin(now, &op.parts[i], w, replica.FetchRequest{
			Replica: replicaID, BrokerEpoch: wire.BrokerEpoch(req.ReplicaState.Epoch),
			CurrentLeaderEpoch: w.CurrentLeaderEpoch, Offset: w.FetchOffset,
			LastFetchedEpoch: w.LastFetchedEpoch, LogStart: w.LogStart,
		})
	}
	op.gather(0)
}

func refuseFetch(r *request, why *kerr.Error) {
	resp := kmsg.NewPtrFetchResponse()
	resp.ErrorCode = why.Code
	r.reply(resp)
}

// asked is the request as the sessions see it. Its partitions are in space that the next
// request uses again.
func (scratch *fetchScratch) asked(version int16, req *kmsg.FetchRequest, replicaID wire.NodeID) fetchsession.Request {
	out := fetchsession.Request{
		SessionID: req.SessionID, Epoch: req.SessionEpoch, TopicIDs: version >= 13, Follower: replicaID != wire.NoNode,
	}
	if version < 7 {
		out.SessionID, out.Epoch = 0, fetchsession.NoSession
	}
	out.Partitions = scratch.partitions[:0]
	for i := range req.Topics {
		t := &req.Topics[i]
		for j := range t.Partitions {
			p := &t.Partitions[j]
			out.Partitions = append(out.Partitions, fetchsession.Partition{
				Key:         fetchsession.Key{Topic: t.Topic, TopicID: t.TopicID, Partition: p.Partition},
				FetchOffset: wire.Offset(p.FetchOffset), CurrentLeaderEpoch: wire.LeaderEpoch(p.CurrentLeaderEpoch),
				LastFetchedEpoch: max(wire.LeaderEpoch(p.LastFetchedEpoch), wire.NoLeaderEpoch),
				LogStart:         wire.Offset(p.LogStartOffset), MaxBytes: p.PartitionMaxBytes,
			})
		}
	}
	if scratch.partitions = out.Partitions; len(out.Partitions) > scratchPartitions {
		scratch.partitions = nil
	}
	for i := range req.ForgottenTopics {
		t := &req.ForgottenTopics[i]
		for _, p := range t.Partitions {
			out.Forgotten = append(out.Forgotten, fetchsession.Key{Topic: t.Topic, TopicID: t.TopicID, Partition: p})
		}
	}
	return out
}

// answer sends what was gathered, as far as the session says that the client needs it.
func (op *fetchOp) answer() {
	op.abandon() // nothing waits any more
	scratch := &op.n.fetchScratch
	scratch.results = scratch.results[:0]
	for i := range op.parts {
		part := &op.parts[i]
		scratch.results = append(scratch.results, fetchsession.Result{
			Err: part.out.ErrorCode, HighWatermark: wire.Offset(part.out.HighWatermark), LogStart: wire.Offset(part.out.LogStartOffset),
			RecordBytes: part.res.Size, Special: part.out.DivergingEpoch.Epoch >= 0 || part.out.DivergingEpoch.EndOffset >= 0,
		})
	}
	said := op.session.Respond(int64(op.n.env.Clock.Now()), scratch.results)
	if said.Err != nil {
		op.resp.ErrorCode = said.Err.Code
		op.r.replyFetch(&op.resp, nil, nil)
		return
	}
	op.resp.SessionID = said.SessionID
	records := scratch.records[:0]
	var hints leaderHints
	for _, i := range said.Include {
		part, key := &op.parts[i], op.session.Partition(i).Key
		if op.r.header.Version >= 16 && hinted(part.out.ErrorCode) {
			m := op.n.image.Partition(part.topic, key.Partition)
			part.out.CurrentLeader.LeaderID, part.out.CurrentLeader.LeaderEpoch = hints.leader(m)
		}
		k := len(op.resp.Topics)
		if k == 0 || op.resp.Topics[k-1].TopicID != key.TopicID || op.resp.Topics[k-1].Topic != key.Topic {
			t := kmsg.NewFetchResponseTopic()
			t.Topic, t.TopicID = key.Topic, key.TopicID
			if k == 0 {
				t.Partitions = scratch.answered[:0]
				op.resp.Topics = scratch.topics[:0]
			}
			op.resp.Topics = append(op.resp.Topics, t)
			k++
		}
		t := &op.resp.Topics[k-1]
		t.Partitions = append(t.Partitions, part.out)
		records = append(records, recordSet{part.res.Segments, part.res.Size})
	}
	for _, e := range hints.endpoints(op.n) {
		b := kmsg.NewFetchResponseBroker()
		b.NodeID, b.Host, b.Port, b.Rack = e.id, e.host, e.port, e.rack
		op.resp.Brokers = append(op.resp.Brokers, b)
	}
	op.r.replyFetch(&op.resp, records, op.space[:0])
	scratch.keep(op.resp.Topics, records)
	op.resp.Topics = nil
}

// fetchScratch is space that one request and answer after the other uses. What a fetch that
// waits needs is not in it.
type fetchScratch struct {
	partitions []fetchsession.Partition
	results    []fetchsession.Result
	records    []recordSet
	sizes      []int
	encoder    wire.FetchEncoder
	topics     []kmsg.FetchResponseTopic
	answered   []kmsg.FetchResponseTopicPartition // of the first of the topics
}

// scratchPartitions bounds what is kept from one fetch to the next.
const scratchPartitions = 1024

// keep takes the space of an answer back, without what it points to.
func (s *fetchScratch) keep(topics []kmsg.FetchResponseTopic, records []recordSet) {
	if len(records) > scratchPartitions || len(s.results) > scratchPartitions {
		*s = fetchScratch{}
		return
	}
	clear(records)
	s.records = records[:0]
	if len(topics) > 0 {
		s.answered = topics[0].Partitions
		clear(s.answered)
		clear(topics)
		s.topics = topics
	}
}

// recordSet is the records of one partition in a Fetch response.
type recordSet struct {
	segs []env.Segment
	size int
}

// replyFetch answers with records that are sent from where they are. segs is space for the
// answer's segments.
func (r *request) replyFetch(resp *kmsg.FetchResponse, records []recordSet, segs []env.Segment) {
	if r.gone() {
		return
	}
	resp.SetVersion(r.header.Version)
	scratch := &r.conn.n.fetchScratch
	scratch.sizes = scratch.sizes[:0]
	for i := range records {
		scratch.sizes = append(scratch.sizes, records[i].size)
	}
	for _, part := range scratch.encoder.Encode(r.header.CorrelationID, resp, scratch.sizes) {
		if len(part.Bytes) > 0 {
			segs = append(segs, env.Segment{Bytes: part.Bytes})
		}
		if part.Records >= 0 {
			segs = append(segs, records[part.Records].segs...)
		}
	}
	r.send(segs)
}
