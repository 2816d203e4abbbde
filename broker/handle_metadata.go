package broker

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/metadata"
	"odradek/broker/wire"
)

// Metadata (key 3, versions 0-13). Versions 0 to 3 imply that missing topics may be
// created. Topics may be asked for by id from version 10 on (KIP-516). Fenced
// brokers are not shown. The controller id is the active controller if it is also
// a broker, else any live broker, which forwards; Kafka always does the latter.
// There are no ACLs: authorized operations are reported as unknown.
func handleMetadata(n *Node, r *request) {
	req := r.msg.(*kmsg.MetadataRequest)
	v := r.header.Version
	resp := kmsg.NewPtrMetadataResponse()
	for _, b := range n.image.Brokers() {
		if e, ok := n.clientEndpoint(b); ok && !b.Fenced {
			mb := kmsg.NewMetadataResponseBroker()
			mb.NodeID, mb.Host, mb.Port = int32(b.ID), e.Host, int32(e.Port)
			if b.Rack != "" {
				mb.Rack = kmsg.StringPtr(b.Rack)
			}
			resp.Brokers = append(resp.Brokers, mb)
		}
	}
	resp.ClusterID = kmsg.StringPtr(n.clusterID)
	resp.ControllerID = int32(n.controllerForClients())

	// Version 0 says "all topics" with an empty list, later ones with a null.
	if req.Topics == nil || v == 0 && len(req.Topics) == 0 {
		for _, t := range n.image.Topics() {
			resp.Topics = append(resp.Topics, n.describeTopic(t, v))
		}
		r.reply(resp)
		return
	}
	var missing []string
	for _, want := range req.Topics {
		var t *metadata.Topic
		mt := kmsg.NewMetadataResponseTopic()
		mt.Topic, mt.TopicID = want.Topic, want.TopicID
		switch {
		case want.Topic != nil:
			if t = n.image.Topic(*want.Topic); t == nil {
				mt.ErrorCode = kerr.UnknownTopicOrPartition.Code
				if wire.ValidateTopicName(*want.Topic) != nil {
					mt.ErrorCode = kerr.InvalidTopicException.Code
				} else if n.cfg.AutoCreateTopics && (v < 4 || req.AllowAutoTopicCreation) {
					mt.ErrorCode = kerr.LeaderNotAvailable.Code
					missing = append(missing, *want.Topic)
				}
			}
		case v >= 10:
			if t = n.image.TopicByID(want.TopicID); t == nil {
				mt.ErrorCode = kerr.UnknownTopicID.Code
			}
		default:
			mt.ErrorCode = kerr.InvalidTopicException.Code
		}
		if t != nil {
			mt = n.describeTopic(t, v)
		}
		resp.Topics = append(resp.Topics, mt)
	}
	if len(missing) > 0 {
		// The client asks again: LEADER_NOT_AVAILABLE is retriable.
		n.autoCreate(missing)
	}
	r.reply(resp)
}

func (n *Node) describeTopic(t *metadata.Topic, version int16) kmsg.MetadataResponseTopic {
	mt := kmsg.NewMetadataResponseTopic()
	mt.Topic, mt.TopicID = kmsg.StringPtr(t.Name), t.ID
	mt.IsInternal = internalTopic(t.Name)
	mt.Partitions = make([]kmsg.MetadataResponseTopicPartition, 0, len(t.Partitions))
	for _, p := range t.Partitions {
		mp := kmsg.NewMetadataResponseTopicPartition()
		mp.Partition, mp.Leader, mp.LeaderEpoch = p.Index, int32(p.Leader), int32(p.LeaderEpoch)
		mp.Replicas, mp.ISR = nodeIDs(p.Replicas), nodeIDs(p.ISR)
		for _, id := range p.Replicas {
			if b := n.image.Broker(id); b == nil || b.Fenced {
				mp.OfflineReplicas = append(mp.OfflineReplicas, int32(id))
			}
		}
		if p.Leader == wire.NoNode {
			mp.ErrorCode = kerr.LeaderNotAvailable.Code
		} else if b := n.image.Broker(p.Leader); b == nil {
			mp.ErrorCode = kerr.LeaderNotAvailable.Code
		}
		mt.Partitions = append(mt.Partitions, mp)
	}
	return mt
}

func internalTopic(name string) bool {
	return name == "__consumer_offsets" || name == "__transaction_state"
}

func nodeIDs(ids []wire.NodeID) []int32 {
	out := make([]int32, len(ids))
	for i, id := range ids {
		out[i] = int32(id)
	}
	return out
}

// clientEndpoint is where clients and other nodes reach a broker.
func (n *Node) clientEndpoint(b *metadata.Broker) (metadata.Endpoint, bool) {
	return b.Endpoint(listenerName)
}

// controllerForClients names a live broker to which changes of the metadata can be
// sent.
func (n *Node) controllerForClients() wire.NodeID {
	active := n.activeController()
	if b := n.image.Broker(active); b != nil && !b.Fenced {
		return active
	}
	for _, b := range n.image.Brokers() {
		if !b.Fenced {
			return b.ID
		}
	}
	return wire.NoNode
}
