package broker

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
)

// OffsetForLeaderEpoch (key 23, versions 2-4; KIP-101, KIP-279, KIP-320): the largest
// leader epoch up to the one asked for, and where it ends. An epoch from the future
// has end offset -1.
func handleOffsetForLeaderEpoch(n *Node, r *request) {
	req := r.msg.(*kmsg.OffsetForLeaderEpochRequest)
	resp := kmsg.NewPtrOffsetForLeaderEpochResponse()
	for i := range req.Topics {
		t := &req.Topics[i]
		rt := kmsg.NewOffsetForLeaderEpochResponseTopic()
		rt.Topic = t.Topic
		for _, q := range t.Partitions {
			out := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
			out.Partition, out.LeaderEpoch, out.EndOffset = q.Partition, -1, -1
			p := n.replicas.lookup(t.Topic, q.Partition)
			switch {
			case p == nil && n.image.Partition(t.Topic, q.Partition) != nil:
				out.ErrorCode = kerr.NotLeaderForPartition.Code
			case p == nil:
				out.ErrorCode = unknownPartition
			case p.notLeading() != 0:
				out.ErrorCode = p.notLeading()
			default:
				end, kafkaErr := p.leader.OffsetForLeaderEpoch(wire.LeaderEpoch(q.CurrentLeaderEpoch), wire.LeaderEpoch(q.LeaderEpoch))
				if kafkaErr != nil {
					out.ErrorCode = kafkaErr.Code
					break
				}
				out.LeaderEpoch, out.EndOffset = int32(end.Epoch), int64(end.End)
			}
			rt.Partitions = append(rt.Partitions, out)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	r.reply(resp)
}
