package controller

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/metadata"
	"odradek/broker/wire"
)

// Election types of the protocol (KIP-460).
const (
	electPreferred = 0
	electUnclean   = 1
)

// electLeaders answers ElectLeaders (43), versions 0 to 2: preferred replicas get
// leadership back, or leaderless partitions get a leader outside ISR and ELR,
// which loses data. Without topics it means all partitions, and those that need no
// election are left out of the response.
func (c *Controller) electLeaders(req *kmsg.ElectLeadersRequest) kmsg.Response {
	if req.ElectionType != electPreferred && req.ElectionType != electUnclean {
		return refuse(req, kerr.InvalidRequest)
	}
	resp := req.ResponseKind().(*kmsg.ElectLeadersResponse)
	if req.Topics == nil {
		for _, t := range c.pending.Topics() {
			rt := kmsg.NewElectLeadersResponseTopic()
			rt.Topic = t.Name
			for _, p := range t.Partitions {
				if bad := c.electLeader(p, req.ElectionType); bad == nil || bad.code != kerr.ElectionNotNeeded {
					rt.Partitions = append(rt.Partitions, electLeadersResult(p.Index, bad))
				}
			}
			if len(rt.Partitions) > 0 {
				resp.Topics = append(resp.Topics, rt)
			}
		}
		return resp
	}
	for _, topic := range req.Topics {
		rt := kmsg.NewElectLeadersResponseTopic()
		rt.Topic = topic.Topic
		for _, index := range topic.Partitions {
			p := c.pending.Partition(topic.Topic, index)
			if p == nil {
				rt.Partitions = append(rt.Partitions, electLeadersResult(index,
					refusef(kerr.UnknownTopicOrPartition, "No such partition as %s-%d", topic.Topic, index)))
				continue
			}
			rt.Partitions = append(rt.Partitions, electLeadersResult(index, c.electLeader(p, req.ElectionType)))
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

func (c *Controller) electLeader(p *metadata.Partition, kind int8) *refusal {
	if kind == electPreferred && p.Leader == p.PreferredLeader() || kind == electUnclean && p.Leader != wire.NoNode {
		return refuseWith(kerr.ElectionNotNeeded)
	}
	ch := c.changeOf(p)
	ch.election = preferPreferred
	if kind == electUnclean {
		ch.election = allowUnclean
	}
	switch {
	case c.apply(ch):
		return nil
	case kind == electPreferred:
		return refuseWith(kerr.PreferredLeaderNotAvailable)
	default:
		return refuseWith(kerr.EligibleLeadersNotAvailable)
	}
}

func electLeadersResult(index int32, bad *refusal) kmsg.ElectLeadersResponseTopicPartition {
	result := kmsg.NewElectLeadersResponseTopicPartition()
	result.Partition = index
	if bad != nil {
		result.ErrorCode, result.ErrorMessage = bad.code.Code, &bad.text
	}
	return result
}
