package broker

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/storage"
	"odradek/broker/wire"
)

// Timestamps with a meaning of their own.
const (
	listLatest        = -1
	listEarliest      = -2
	listMaxTimestamp  = -3 // KIP-734
	listEarliestLocal = -4 // KIP-405
	listLatestTiered  = -5 // KIP-1005
)

// lowestListOffsets is the version of ListOffsets in which a negative timestamp came.
var lowestListOffsets = map[int64]int16{listLatest: 1, listEarliest: 1, listMaxTimestamp: 7, listEarliestLocal: 8, listLatestTiered: 9}

// ListOffsets (key 2, versions 1-10). Latest is the high watermark for consumers, or the
// last stable offset for those that read only committed records, and is refused with OFFSET_NOT_AVAILABLE while a new leader might still be behind what an
// earlier one answered (KIP-207). A partition that is asked for twice is INVALID_REQUEST,
// a timestamp that the version does not know UNSUPPORTED_VERSION. There is no tiered storage: the earliest local offset
// is the earliest, and there is no tiered one.
//
// Deviations: a request for a partition whose log is just being created waits for that.
// Creating one syncs here and does not in Kafka, so that the metadata can be well ahead of
// the leader; sarama asks only twice and without a pause.
func handleListOffsets(n *Node, r *request) {
	req := r.msg.(*kmsg.ListOffsetsRequest)
	resp := kmsg.NewPtrListOffsetsResponse()
	type named struct {
		topic string
		index int32
	}
	times := make(map[named]int)
	for i := range req.Topics {
		for j := range req.Topics[i].Partitions {
			times[named{req.Topics[i].Topic, req.Topics[i].Partitions[j].Partition}]++
		}
	}
	open := 1
	release := func() {
		if open--; open == 0 {
			r.reply(resp)
		}
	}
	for i := range req.Topics {
		rt := kmsg.NewListOffsetsResponseTopic()
		rt.Topic = req.Topics[i].Topic
		rt.Partitions = make([]kmsg.ListOffsetsResponseTopicPartition, len(req.Topics[i].Partitions))
		resp.Topics = append(resp.Topics, rt)
	}
	for i := range req.Topics {
		t := &req.Topics[i]
		for j := range t.Partitions {
			out := &resp.Topics[i].Partitions[j]
			*out = kmsg.NewListOffsetsResponseTopicPartition()
			out.Partition = t.Partitions[j].Partition
			out.Timestamp, out.Offset, out.LeaderEpoch = -1, -1, -1
			ask := &t.Partitions[j]
			if times[named{t.Topic, ask.Partition}] > 1 {
				out.ErrorCode = kerr.InvalidRequest.Code
				continue
			}
			if low, known := lowestListOffsets[ask.Timestamp]; ask.Timestamp < 0 && (!known || r.header.Version < low) {
				out.ErrorCode = kerr.UnsupportedVersion.Code
				continue
			}
			open++
			n.listOffset(t.Topic, ask, wire.NodeID(req.ReplicaID), req.IsolationLevel == 1, func(found storage.TimestampOffset, code int16) {
				out.ErrorCode = code
				if code == 0 {
					out.Timestamp, out.Offset, out.LeaderEpoch = found.Timestamp, int64(found.Offset), int32(found.Epoch)
				}
				release()
			})
		}
	}
	release()
}

// listOffset answers for one partition, perhaps at once.
func (n *Node) listOffset(topic string, req *kmsg.ListOffsetsRequestTopicPartition, replicaID wire.NodeID, committed bool, done func(storage.TimestampOffset, int16)) {
	none := storage.TimestampOffset{Timestamp: -1, Offset: wire.NoOffset, Epoch: wire.NoLeaderEpoch}
	if p := n.replicas.lookup(topic, req.Partition); p != nil && p.aboutToLead() {
		p.opening = append(p.opening, func() { n.listOffset(topic, req, replicaID, committed, done) })
		return
	}
	p, code := n.leading(topic, req.Partition)
	if code != 0 {
		done(none, code)
		return
	}
	if req.CurrentLeaderEpoch >= 0 {
		if kafkaErr := p.leader.CheckLeaderEpoch(wire.LeaderEpoch(req.CurrentLeaderEpoch)); kafkaErr != nil {
			done(none, kafkaErr.Code)
			return
		}
	}
	if replicaID < 0 {
		replicaID = wire.NoNode
	}
	latest, kafkaErr := p.leader.LatestOffset(replicaID)
	if committed && kafkaErr == nil && replicaID == wire.NoNode {
		latest = p.lastStableOffset()
	}
	epoch := p.leader.LeaderEpoch()
	switch req.Timestamp {
	case listLatest:
		if kafkaErr != nil {
			done(none, kafkaErr.Code)
			return
		}
		done(storage.TimestampOffset{Timestamp: -1, Offset: latest, Epoch: epoch}, 0)
	case listEarliest, listEarliestLocal:
		first := p.log.LogStartOffset()
		done(storage.TimestampOffset{Timestamp: -1, Offset: first, Epoch: p.epochAt(first)}, 0)
	case listLatestTiered:
		done(none, 0)
	default:
		leader := p.leader
		found := func(at storage.TimestampOffset, err error) {
			switch {
			case err != nil:
				done(none, p.readCode(err))
			case p.leader != leader:
				done(none, kerr.NotLeaderForPartition.Code)
			case kafkaErr != nil && (at.Offset < 0 || at.Offset >= leader.HighWatermark()):
				// What lies above a high watermark that may be behind is not known yet.
				done(none, kafkaErr.Code)
			case at.Offset < 0 || at.Offset >= latest && replicaID == wire.NoNode:
				done(none, 0)
			default:
				done(at, 0)
			}
		}
		if req.Timestamp == listMaxTimestamp {
			p.log.OffsetOfMaxTimestamp(found)
		} else {
			p.log.OffsetForTimestamp(req.Timestamp, found)
		}
	}
}

// epochAt is the leader epoch of the record at an offset.
func (p *partition) epochAt(o wire.Offset) wire.LeaderEpoch {
	epoch := wire.NoLeaderEpoch
	for _, e := range p.log.Epochs() {
		if e.StartOffset > o {
			break
		}
		epoch = e.Epoch
	}
	return epoch
}

func asOutOfRange(err error) bool {
	var out *storage.OffsetOutOfRangeError
	return errors.As(err, &out)
}
