package broker

import (
	"cmp"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/metadata"
	"odradek/broker/wire"
)

// DescribeTopicPartitions (key 75, version 0; KIP-966): topics page by page, with their
// eligible leader replicas. Topics come sorted by name, all of them if the request names
// none; the cursor says which partition to begin with, inclusive. A page has at most
// max.request.partition.size.limit partitions. There are no ACLs: authorized operations
// are reported as unknown.
func handleDescribeTopicPartitions(n *Node, r *request) {
	req := r.msg.(*kmsg.DescribeTopicPartitionsRequest)
	resp := kmsg.NewPtrDescribeTopicPartitionsResponse()
	left := n.cfg.MaxRequestPartitions
	if req.ResponsePartitionLimit > 0 {
		left = min(left, int(req.ResponsePartitionLimit))
	}
	from := kmsg.DescribeTopicPartitionsRequestCursor{}
	if req.Cursor != nil {
		from = *req.Cursor
	}
	for _, name := range n.topicsToDescribe(req) {
		if name < from.Topic {
			continue
		}
		first := int32(0)
		if name == from.Topic {
			first = max(from.Partition, 0)
		}
		if left == 0 {
			resp.NextCursor = &kmsg.DescribeTopicPartitionsResponseNextCursor{Topic: name, Partition: first}
			break
		}
		rt := kmsg.NewDescribeTopicPartitionsResponseTopic()
		rt.Topic = &name
		t := n.image.Topic(name)
		if t == nil {
			if rt.ErrorCode = unknownPartition; wire.ValidateTopicName(name) != nil {
				rt.ErrorCode = invalidTopic
			}
			left-- // so that an answer of nothing but errors is bounded too
			resp.Topics = append(resp.Topics, rt)
			continue
		}
		rt.TopicID, rt.IsInternal = t.ID, internalTopic(name)
		for _, p := range t.Partitions {
			if p.Index < first {
				continue
			}
			if left == 0 {
				resp.NextCursor = &kmsg.DescribeTopicPartitionsResponseNextCursor{Topic: name, Partition: p.Index}
				break
			}
			left--
			rt.Partitions = append(rt.Partitions, n.describePartition(p))
		}
		resp.Topics = append(resp.Topics, rt)
		if resp.NextCursor != nil {
			break
		}
	}
	r.reply(resp)
}

// topicsToDescribe are names, sorted, each once.
func (n *Node) topicsToDescribe(req *kmsg.DescribeTopicPartitionsRequest) []string {
	var names []string
	if len(req.Topics) == 0 {
		for _, t := range n.image.Topics() {
			names = append(names, t.Name)
		}
		return names
	}
	for i := range req.Topics {
		names = append(names, req.Topics[i].Topic)
	}
	slices.SortFunc(names, cmp.Compare[string])
	return slices.Compact(names)
}

func (n *Node) describePartition(p *metadata.Partition) kmsg.DescribeTopicPartitionsResponseTopicPartition {
	out := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
	out.Partition, out.LeaderID, out.LeaderEpoch = p.Index, int32(p.Leader), int32(p.LeaderEpoch)
	out.Replicas, out.ISR = nodeIDs(p.Replicas), nodeIDs(p.ISR)
	out.EligibleLeaderReplicas, out.LastKnownELR = nodeIDs(p.ELR), nodeIDs(p.LastKnownELR)
	out.OfflineReplicas, out.ErrorCode = n.offlineReplicas(p), n.leaderError(p)
	return out
}
