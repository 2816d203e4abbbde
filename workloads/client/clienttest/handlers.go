package clienttest

import (
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
)

func hostPort(addr string) (string, int32) {
	host, port, _ := strings.Cut(addr, ":")
	n, _ := strconv.Atoi(port)
	return host, int32(n)
}

func (c *Cluster) metadata(req *kmsg.MetadataRequest, f Fault) kmsg.Response {
	resp := kmsg.NewPtrMetadataResponse()
	resp.ControllerID = int32(c.Controller)
	for id := wire.NodeID(1); int(id) <= len(c.nodes); id++ {
		b := kmsg.NewMetadataResponseBroker()
		b.NodeID = int32(id)
		b.Host, b.Port = hostPort(c.nodes[id].addr)
		resp.Brokers = append(resp.Brokers, b)
	}
	for _, rt := range req.Topics {
		mt := kmsg.NewMetadataResponseTopic()
		mt.Topic = rt.Topic
		t := c.topics[*rt.Topic]
		switch {
		case f.Code != 0:
			mt.ErrorCode = f.Code
		case t == nil:
			mt.ErrorCode = kerr.UnknownTopicOrPartition.Code
		default:
			mt.TopicID = t.ID
			for i, p := range t.Partitions {
				mp := kmsg.NewMetadataResponseTopicPartition()
				mp.Partition, mp.Leader, mp.LeaderEpoch = int32(i), int32(p.Leader), int32(p.Epoch)
				if p.Leader == wire.NoNode {
					mp.ErrorCode = kerr.LeaderNotAvailable.Code
				}
				mp.Replicas, mp.ISR = []int32{int32(p.Leader)}, []int32{int32(p.Leader)}
				mt.Partitions = append(mt.Partitions, mp)
			}
		}
		resp.Topics = append(resp.Topics, mt)
	}
	return resp
}

// lookup finds a partition and checks that the node leads it in the epoch (-1: any).
func (c *Cluster) lookup(node wire.NodeID, topic string, partition int32, epoch int32) (*Partition, int16) {
	p := c.Partition(wire.TopicPartition{Topic: topic, Partition: partition})
	switch {
	case p == nil:
		return nil, kerr.UnknownTopicOrPartition.Code
	case epoch >= 0 && wire.LeaderEpoch(epoch) < p.Epoch:
		return nil, kerr.FencedLeaderEpoch.Code
	case epoch >= 0 && wire.LeaderEpoch(epoch) > p.Epoch:
		return nil, kerr.UnknownLeaderEpoch.Code
	case p.Leader != node:
		return nil, kerr.NotLeaderForPartition.Code
	}
	return p, 0
}

func (c *Cluster) produce(node wire.NodeID, req *kmsg.ProduceRequest, f Fault) kmsg.Response {
	resp := kmsg.NewPtrProduceResponse()
	for _, rt := range req.Topics {
		pt := kmsg.NewProduceResponseTopic()
		pt.Topic, pt.TopicID = rt.Topic, rt.TopicID
		if t := c.topicByID(rt.TopicID); req.Version >= 13 && t != nil {
			rt.Topic = t.Name
		}
		for _, rp := range rt.Partitions {
			pp := kmsg.NewProduceResponseTopicPartition()
			pp.Partition, pp.BaseOffset = rp.Partition, -1
			p, code := c.lookup(node, rt.Topic, rp.Partition, -1)
			if code == 0 && !f.Skip {
				if !wire.CheckCRC(rp.Records) {
					panic("clienttest: the client sent a batch with a wrong CRC")
				}
				pp.LogStartOffset = int64(p.LogStart)
				code, pp.BaseOffset = c.append(req, wire.TopicPartition{Topic: rt.Topic, Partition: rp.Partition}, p, rp.Records)
			}
			if f.Code != 0 {
				code, pp.BaseOffset = f.Code, -1
			}
			pp.ErrorCode = code
			pt.Partitions = append(pt.Partitions, pp)
		}
		resp.Topics = append(resp.Topics, pt)
	}
	return resp
}

// append stores a produced batch, once if its producer is idempotent.
func (c *Cluster) append(req *kmsg.ProduceRequest, tp wire.TopicPartition, p *Partition, b []byte) (code int16, base int64) {
	h, err := wire.ReadBatchHeader(b)
	if err != nil {
		panic(err)
	}
	code, at := p.check(&h)
	if code != 0 || at != wire.NoOffset {
		return code, int64(at)
	}
	if code := c.verify(req, tp, &h); code != 0 {
		return code, -1
	}
	return 0, int64(p.Append(b))
}

// fetch answers once there are bytes, an error, or no time left.
func (s *session) fetch(req *kmsg.FetchRequest, f Fault, until int64, reply func(kmsg.Response)) {
	c := s.cluster
	resp := kmsg.NewPtrFetchResponse()
	size, failed := 0, false
	var empty []*Partition
	for _, rt := range req.Topics {
		ft := kmsg.NewFetchResponseTopic()
		ft.Topic, ft.TopicID = rt.Topic, rt.TopicID
		if t := c.topicByID(rt.TopicID); req.Version >= 13 && t != nil {
			rt.Topic = t.Name
		}
		for _, rp := range rt.Partitions {
			fp := kmsg.NewFetchResponseTopicPartition()
			fp.Partition = rp.Partition
			p, code := c.lookup(s.node.id, rt.Topic, rp.Partition, rp.CurrentLeaderEpoch)
			if f.Code != 0 {
				code = f.Code
			}
			if code == 0 {
				code = c.readLog(p, &rp, int(req.MaxBytes)-size, req.IsolationLevel == 1, &fp)
			}
			fp.ErrorCode = code
			failed = failed || code != 0 || fp.DivergingEpoch.EndOffset >= 0
			size += len(fp.RecordBatches)
			if p != nil {
				empty = append(empty, p)
			}
			ft.Partitions = append(ft.Partitions, fp)
		}
		resp.Topics = append(resp.Topics, ft)
	}
	now := c.World.now
	if failed || size >= int(req.MinBytes) || now >= until {
		reply(resp)
		return
	}
	again := false
	retry := func() {
		if !again && !s.ended {
			again = true
			s.fetch(req, f, until, reply)
		}
	}
	c.World.After(time.Duration(until-now), retry)
	for _, p := range empty {
		p.parked = append(p.parked, retry)
	}
}

// readLog fills one partition of a fetch response.
func (c *Cluster) readLog(p *Partition, rp *kmsg.FetchRequestTopicPartition, room int, committed bool, fp *kmsg.FetchResponseTopicPartition) int16 {
	fp.HighWatermark, fp.LastStableOffset, fp.LogStartOffset = int64(p.HighWatermark), int64(p.LastStable()), int64(p.LogStart)
	limit := p.HighWatermark
	if committed {
		limit = p.LastStable()
	}
	from := wire.Offset(rp.FetchOffset)
	if rp.LastFetchedEpoch >= 0 {
		epoch, end := p.EpochEnd(wire.LeaderEpoch(rp.LastFetchedEpoch))
		if epoch < wire.LeaderEpoch(rp.LastFetchedEpoch) || end < from {
			fp.DivergingEpoch.Epoch, fp.DivergingEpoch.EndOffset = int32(epoch), int64(max(end, 0))
			return 0
		}
	}
	if from < p.LogStart || from > p.End() {
		return kerr.OffsetOutOfRange.Code
	}
	room = min(room, int(rp.PartitionMaxBytes))
	end := from
	for _, b := range p.Batches {
		if b.Header.NextOffset() <= from || b.Header.NextOffset() > limit {
			continue
		}
		if len(fp.RecordBatches) > 0 && len(fp.RecordBatches)+len(b.Bytes) > room {
			break
		}
		fp.RecordBatches = append(fp.RecordBatches, b.Bytes...)
		end = b.Header.NextOffset()
	}
	if committed {
		fp.AbortedTransactions = []kmsg.FetchResponseTopicPartitionAbortedTransaction{}
		for _, a := range p.abortedIn(from, end) {
			at := kmsg.NewFetchResponseTopicPartitionAbortedTransaction()
			at.ProducerID, at.FirstOffset = a.producer, int64(a.first)
			fp.AbortedTransactions = append(fp.AbortedTransactions, at)
		}
	}
	return 0
}

func (c *Cluster) listOffsets(node wire.NodeID, req *kmsg.ListOffsetsRequest, f Fault) kmsg.Response {
	resp := kmsg.NewPtrListOffsetsResponse()
	for _, rt := range req.Topics {
		lt := kmsg.NewListOffsetsResponseTopic()
		lt.Topic = rt.Topic
		for _, rp := range rt.Partitions {
			lp := kmsg.NewListOffsetsResponseTopicPartition()
			lp.Partition, lp.Offset, lp.LeaderEpoch, lp.Timestamp = rp.Partition, -1, -1, -1
			p, code := c.lookup(node, rt.Topic, rp.Partition, rp.CurrentLeaderEpoch)
			switch {
			case f.Code != 0:
				code = f.Code
			case code != 0:
			case rp.Timestamp == -1 && req.IsolationLevel == 1:
				lp.Offset, lp.LeaderEpoch = int64(p.LastStable()), int32(p.Epoch)
			case rp.Timestamp == -1:
				lp.Offset, lp.LeaderEpoch = int64(p.HighWatermark), int32(p.Epoch)
			case rp.Timestamp == -2:
				lp.Offset = int64(p.LogStart)
			default:
				for _, b := range p.Batches {
					if b.Header.MaxTimestamp >= rp.Timestamp {
						lp.Offset, lp.Timestamp = int64(b.Header.BaseOffset), b.Header.MaxTimestamp
						lp.LeaderEpoch = int32(b.Header.LeaderEpoch)
						break
					}
				}
			}
			lp.ErrorCode = code
			lt.Partitions = append(lt.Partitions, lp)
		}
		resp.Topics = append(resp.Topics, lt)
	}
	return resp
}

func (c *Cluster) offsetsForEpochs(node wire.NodeID, req *kmsg.OffsetForLeaderEpochRequest, f Fault) kmsg.Response {
	resp := kmsg.NewPtrOffsetForLeaderEpochResponse()
	for _, rt := range req.Topics {
		ot := kmsg.NewOffsetForLeaderEpochResponseTopic()
		ot.Topic = rt.Topic
		for _, rp := range rt.Partitions {
			op := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
			op.Partition, op.LeaderEpoch, op.EndOffset = rp.Partition, -1, -1
			p, code := c.lookup(node, rt.Topic, rp.Partition, rp.CurrentLeaderEpoch)
			if f.Code != 0 {
				code = f.Code
			}
			if code == 0 {
				epoch, end := p.EpochEnd(wire.LeaderEpoch(rp.LeaderEpoch))
				op.LeaderEpoch, op.EndOffset = int32(epoch), int64(end)
			}
			op.ErrorCode = code
			ot.Partitions = append(ot.Partitions, op)
		}
		resp.Topics = append(resp.Topics, ot)
	}
	return resp
}
