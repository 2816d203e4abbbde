package broker

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/raft"
	"odradek/broker/wire"
)

// DescribeQuorum (key 55, versions 0-2; KIP-595, KIP-836, KIP-853). Only the leader
// knows how far the others are; any other node forwards to it, and answers
// NOT_LEADER_OR_FOLLOWER with the leader it knows if that fails.
func handleDescribeQuorum(n *Node, r *request) {
	to := n.activeController()
	if r.via == nil && to != wire.NoNode && to != n.cfg.NodeID {
		n.forward(r, to, func() { r.reply(n.describeQuorum(r.msg.(*kmsg.DescribeQuorumRequest))) })
		return
	}
	r.reply(n.describeQuorum(r.msg.(*kmsg.DescribeQuorumRequest)))
}

func (n *Node) describeQuorum(req *kmsg.DescribeQuorumRequest) *kmsg.DescribeQuorumResponse {
	resp := kmsg.NewPtrDescribeQuorumResponse()
	for i := range req.Topics {
		rt := kmsg.NewDescribeQuorumResponseTopic()
		rt.Topic = req.Topics[i].Topic
		for _, q := range req.Topics[i].Partitions {
			rt.Partitions = append(rt.Partitions, n.describeQuorumOf(rt.Topic, q.Partition))
		}
		resp.Topics = append(resp.Topics, rt)
	}
	for _, v := range n.cfg.QuorumVoters {
		node := kmsg.NewDescribeQuorumResponseNode()
		node.NodeID = int32(v.ID)
		l := kmsg.NewDescribeQuorumResponseNodeListener()
		l.Name, l.Host, l.Port = listenerName, v.Host, uint16(v.Port)
		node.Listeners = append(node.Listeners, l)
		resp.Nodes = append(resp.Nodes, node)
	}
	return resp
}

func (n *Node) describeQuorumOf(topic string, partition int32) kmsg.DescribeQuorumResponseTopicPartition {
	p := kmsg.NewDescribeQuorumResponseTopicPartition()
	p.Partition = partition
	p.LeaderID, p.LeaderEpoch, p.HighWatermark = int32(n.quorum.leader.LeaderID), int32(n.quorum.leader.LeaderEpoch), -1
	if topic != metadataTopic || partition != 0 {
		p.ErrorCode = kerr.UnknownTopicOrPartition.Code
		return p
	}
	if n.quorum.leader.LeaderID != n.cfg.NodeID {
		p.ErrorCode = kerr.NotLeaderForPartition.Code
		return p
	}
	p.HighWatermark = int64(n.quorum.hw)
	voters, observers, _ := n.quorum.raft.Describe()
	p.CurrentVoters, p.Observers = n.replicaStates(voters), n.replicaStates(observers)
	return p
}

func (n *Node) replicaStates(states []raft.ReplicaState) []kmsg.DescribeQuorumResponseTopicPartitionReplicaState {
	out := make([]kmsg.DescribeQuorumResponseTopicPartitionReplicaState, 0, len(states))
	for _, s := range states {
		r := kmsg.NewDescribeQuorumResponseTopicPartitionReplicaState()
		r.ReplicaID, r.LogEndOffset = int32(s.ID), int64(s.LogEndOffset)
		r.LastFetchTimestamp, r.LastCaughtUpTimestamp = n.wallOf(s.LastFetch), n.wallOf(s.LastCaughtUp)
		out = append(out, r)
	}
	return out
}

// wallOf is the time of day, in ms, of an instant of the monotonic clock; -1 for never.
func (n *Node) wallOf(at int64) int64 {
	if at < 0 {
		return -1
	}
	return n.wallMillis() - (int64(n.env.Clock.Now())-at)/1_000_000
}
