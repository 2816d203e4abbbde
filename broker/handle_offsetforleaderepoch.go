package broker

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
)

// OffsetForLeaderEpoch (key 23, versions 2-4; KIP-101, KIP-279, KIP-320): the largest
// leader epoch up to the one asked for, and where it ends. An epoch from the future, or
// none (-1), has end offset -1.
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
			p, code := n.leading(t.Topic, q.Partition)
			if out.ErrorCode = code; code == 0 {
				end, kafkaErr := p.leader.OffsetForLeaderEpoch(wire.LeaderEpoch(q.CurrentLeaderEpoch), wire.LeaderEpoch(q.LeaderEpoch))
				switch {
				case kafkaErr != nil:
					out.ErrorCode = kafkaErr.Code
				case q.LeaderEpoch >= 0: // a client without an epoch asks for none
					out.LeaderEpoch, out.EndOffset = int32(end.Epoch), int64(end.End)
				}
			}
			rt.Partitions = append(rt.Partitions, out)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	r.reply(resp)
}
