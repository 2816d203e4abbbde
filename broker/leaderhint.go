package broker

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"odradek/broker/metadata"
	"odradek/broker/wire"
)

// leading finds a partition that this node leads, or the error for a request that
// only its leader serves: NOT_LEADER_OR_FOLLOWER if the partition exists elsewhere,
// or here in another role, KAFKA_STORAGE_ERROR, UNKNOWN_TOPIC_OR_PARTITION.
func (n *Node) leading(topic string, index int32) (*partition, int16) {
	p := n.replicas.lookup(topic, index)
	switch {
	case p == nil && n.image.Partition(topic, index) != nil:
		return nil, notLeader
	case p == nil:
		return nil, unknownPartition
	}
	return p, p.notLeading()
}

// leaderHints tells clients that were refused for their outdated metadata where the
// leaders are, so that they need not ask (KIP-951).
type leaderHints struct {
	nodes []wire.NodeID // of the leaders named so far
}

// hinted reports whether an error is answered with the leader.
func hinted(code int16) bool {
	return code == notLeader || code == kerr.FencedLeaderEpoch.Code
}

// leader is the leader of a partition and its epoch as the metadata has them; -1 if
// there is none.
func (h *leaderHints) leader(m *metadata.Partition) (id, epoch int32) {
	if m == nil {
		return int32(wire.NoNode), int32(wire.NoLeaderEpoch)
	}
	if m.Leader != wire.NoNode && !slices.Contains(h.nodes, m.Leader) {
		h.nodes = append(h.nodes, m.Leader)
	}
	return int32(m.Leader), int32(m.LeaderEpoch)
}

// nodeEndpoint is where clients reach a leader.
type nodeEndpoint struct {
	id   int32
	host string
	port int32
	rack *string
}

// endpoints are those of the leaders named, as far as they are alive.
func (h *leaderHints) endpoints(n *Node) []nodeEndpoint {
	var out []nodeEndpoint
	for _, id := range h.nodes {
		b := n.image.Broker(id)
		if b == nil || b.Fenced {
			continue
		}
		if e, ok := n.clientEndpoint(b); ok {
			out = append(out, nodeEndpoint{int32(id), e.Host, int32(e.Port), rackOf(b)})
		}
	}
	return out
}

// rackOf is a broker's rack as the protocol has it, null for none.
func rackOf(b *metadata.Broker) *string {
	if b.Rack == "" {
		return nil
	}
	return &b.Rack
}
