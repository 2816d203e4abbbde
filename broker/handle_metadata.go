package broker

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/metadata"
	"odradek/broker/wire"
)

// Metadata (key 3, versions 0-13). Versions 0 to 3 imply that missing topics may be
// created; that they are being created is LEADER_NOT_AVAILABLE, which clients retry.
// From version 12 on topics may be asked for by id (KIP-516); if one is, names count for
// nothing. Fenced brokers are not shown. The controller id is the active controller if
// it is also a broker, else any live broker, which forwards; Kafka always does the
// latter. There are no ACLs: authorized operations are reported as unknown.
//
// A topic asked for twice is answered once. Deviations: version 0 shows replicas on dead
// brokers too.
func handleMetadata(n *Node, r *request) {
	req := r.msg.(*kmsg.MetadataRequest)
	v := r.header.Version
	resp := kmsg.NewPtrMetadataResponse()
	for _, b := range n.image.Brokers() {
		if e, ok := n.clientEndpoint(b); ok && !b.Fenced {
			mb := kmsg.NewMetadataResponseBroker()
			mb.NodeID, mb.Host, mb.Port, mb.Rack = int32(b.ID), e.Host, int32(e.Port), rackOf(b)
			resp.Brokers = append(resp.Brokers, mb)
		}
	}
	resp.ClusterID = kmsg.StringPtr(n.clusterID)
	resp.ControllerID = int32(n.controllerForClients())
	switch {
	// Version 0 says "all topics" with an empty list, later ones with a null.
	case req.Topics == nil || v == 0 && len(req.Topics) == 0:
		resp.Topics = make([]kmsg.MetadataResponseTopic, 0, len(n.image.Topics()))
		for _, t := range n.image.Topics() {
			resp.Topics = append(resp.Topics, n.describeTopic(t))
		}
	case v >= 12 && slices.ContainsFunc(req.Topics, func(t kmsg.MetadataRequestTopic) bool { return t.TopicID != [16]byte{} }):
		resp.Topics = n.topicsByID(req.Topics)
	default:
		resp.Topics = n.topicsByName(req, v)
	}
	r.reply(resp)
}

func (n *Node) topicsByID(asked []kmsg.MetadataRequestTopic) []kmsg.MetadataResponseTopic {
	var out []kmsg.MetadataResponseTopic
	seen := make(map[wire.UUID]bool, len(asked))
	for _, want := range asked {
		if seen[want.TopicID] || want.TopicID == [16]byte{} {
			continue
		}
		seen[want.TopicID] = true
		if t := n.image.TopicByID(want.TopicID); t != nil {
			out = append(out, n.describeTopic(t))
			continue
		}
		mt := kmsg.NewMetadataResponseTopic()
		mt.TopicID, mt.ErrorCode = want.TopicID, kerr.UnknownTopicID.Code
		out = append(out, mt)
	}
	return out
}

func (n *Node) topicsByName(req *kmsg.MetadataRequest, version int16) []kmsg.MetadataResponseTopic {
	var out []kmsg.MetadataResponseTopic
	var missing []string
	seen := make(map[string]bool, len(req.Topics))
	for _, want := range req.Topics {
		name := ""
		if want.Topic != nil {
			name = *want.Topic
		}
		if seen[name] {
			continue
		}
		seen[name] = true
		t := n.image.Topic(name)
		mt := kmsg.NewMetadataResponseTopic()
		mt.Topic = &name
		switch {
		case want.Topic == nil || want.TopicID != [16]byte{}:
			// Versions 10 and 11 have the fields, but not the meaning; later ones get
			// here with neither a name nor an id.
			mt.TopicID, mt.ErrorCode = want.TopicID, kerr.InvalidRequest.Code
		case t != nil:
			mt = n.describeTopic(t)
		case wire.ValidateTopicName(name) != nil:
			mt.ErrorCode = invalidTopic
		case n.cfg.AutoCreateTopics && (version < 4 || req.AllowAutoTopicCreation):
			mt.ErrorCode = kerr.LeaderNotAvailable.Code
			missing = append(missing, name)
		default:
			mt.ErrorCode = unknownPartition
		}
		out = append(out, mt)
	}
	if len(missing) > 0 {
		n.autoCreate(missing)
	}
	return out
}

func (n *Node) describeTopic(t *metadata.Topic) kmsg.MetadataResponseTopic {
	mt := kmsg.NewMetadataResponseTopic()
	mt.Topic, mt.TopicID = kmsg.StringPtr(t.Name), t.ID
	mt.IsInternal = internalTopic(t.Name)
	mt.Partitions = make([]kmsg.MetadataResponseTopicPartition, 0, len(t.Partitions))
	for _, p := range t.Partitions {
		mp := kmsg.NewMetadataResponseTopicPartition()
		mp.Partition, mp.Leader, mp.LeaderEpoch = p.Index, int32(p.Leader), int32(p.LeaderEpoch)
		mp.Replicas, mp.ISR = nodeIDs(p.Replicas), nodeIDs(p.ISR)
		mp.OfflineReplicas, mp.ErrorCode = n.offlineReplicas(p), n.leaderError(p)
		mt.Partitions = append(mt.Partitions, mp)
	}
	return mt
}

// offlineReplicas are those on brokers that are not alive.
func (n *Node) offlineReplicas(p *metadata.Partition) []int32 {
	var out []int32
	for _, id := range p.Replicas {
		if b := n.image.Broker(id); b == nil || b.Fenced {
			out = append(out, int32(id))
		}
	}
	return out
}

// leaderError is LEADER_NOT_AVAILABLE if the partition has no leader that clients can
// reach.
func (n *Node) leaderError(p *metadata.Partition) int16 {
	if n.image.Broker(p.Leader) == nil {
		return kerr.LeaderNotAvailable.Code
	}
	return 0
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
