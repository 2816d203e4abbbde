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
	resp := kmsg.NewPtrFetchResponse()
	if n.wrongCluster(req.ClusterID) {
		resp.ErrorCode = kerr.InconsistentClusterID.Code
		r.reply(resp)
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
	session, kafkaErr := n.sessions.Begin(now, sessionRequest(r.header.Version, req, replicaID))
	if kafkaErr != nil {
		resp.ErrorCode = kafkaErr.Code
		r.reply(resp)
		return
	}
	op := &fetchOp{
		n: n, r: r, resp: resp, session: session, isReplica: replicaID != wire.NoNode, committed: req.IsolationLevel == 1 && replicaID == wire.NoNode,
		minBytes: int(req.MinBytes), maxBytes: min(int(req.MaxBytes), n.cfg.FetchMaxBytes),
		parts:    make([]fetchPart, session.Len()),
		deadline: n.env.Clock.Now().Add(time.Duration(max(req.MaxWaitMillis, 0)) * time.Millisecond),
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

// sessionRequest is the request as the sessions see it.
func sessionRequest(version int16, req *kmsg.FetchRequest, replicaID wire.NodeID) fetchsession.Request {
	out := fetchsession.Request{
		SessionID: req.SessionID, Epoch: req.SessionEpoch, TopicIDs: version >= 13, Follower: replicaID != wire.NoNode,
	}
	if version < 7 {
		out.SessionID, out.Epoch = 0, fetchsession.NoSession
	}
	count := 0
	for i := range req.Topics {
		count += len(req.Topics[i].Partitions)
	}
	out.Partitions = make([]fetchsession.Partition, 0, count)
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
		op.r.replyFetch(op.resp, nil)
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
	op.r.replyFetch(op.resp, records)
	clear(records) // keep the space, not the records
	scratch.records = records
}

// fetchScratch is space that one answer after the other uses.
type fetchScratch struct {
	results []fetchsession.Result
	records []recordSet
	sizes   []int
}

// recordSet is the records of one partition in a Fetch response.
type recordSet struct {
	segs []env.Segment
	size int
}

// replyFetch answers with records that are sent from where they are.
func (r *request) replyFetch(resp *kmsg.FetchResponse, records []recordSet) {
	if r.gone() {
		return
	}
	resp.SetVersion(r.header.Version)
	sizes := r.conn.n.fetchScratch.sizes[:0]
	for i := range records {
		sizes = append(sizes, records[i].size)
	}
	r.conn.n.fetchScratch.sizes = sizes
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
	r.send(segs)
}
