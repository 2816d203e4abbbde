package broker

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/coordinator"
)

// FindCoordinator (key 10, versions 0-6; KIP-98, KIP-699). The coordinator of a group or
// a transactional id is the leader of its partition of the internal topic. The topic is
// created when it is first needed; until it has a leader that clients can reach the
// answer is COORDINATOR_NOT_AVAILABLE, which they retry, with a message that says what is
// missing. From version 4 on several keys are asked for at once. A type of coordinator
// that does not exist is INVALID_REQUEST; version 6 knows that of share groups, which
// this broker does not have: COORDINATOR_NOT_AVAILABLE.
//
// Deviations: the message of a success is null, where Kafka says "NONE".
func handleFindCoordinator(n *Node, r *request) {
	req := r.msg.(*kmsg.FindCoordinatorRequest)
	resp := kmsg.NewPtrFindCoordinatorResponse()
	if r.header.Version < 4 {
		c := n.findCoordinator(req.CoordinatorType, req.CoordinatorKey, r.header.Version)
		resp.NodeID, resp.Host, resp.Port = c.NodeID, c.Host, c.Port
		resp.ErrorCode, resp.ErrorMessage = c.ErrorCode, c.ErrorMessage
		r.reply(resp)
		return
	}
	for _, key := range req.CoordinatorKeys {
		resp.Coordinators = append(resp.Coordinators, n.findCoordinator(req.CoordinatorType, key, r.header.Version))
	}
	r.reply(resp)
}

func (n *Node) findCoordinator(kind int8, key string, version int16) kmsg.FindCoordinatorResponseCoordinator {
	c := kmsg.NewFindCoordinatorResponseCoordinator()
	c.Key, c.NodeID, c.Port = key, -1, -1
	refuse := func(code *kerr.Error, why string) kmsg.FindCoordinatorResponseCoordinator {
		c.ErrorCode, c.ErrorMessage = code.Code, &why
		return c
	}
	switch {
	case kind < 0 || kind > 2 || kind == 2 && version < 6:
		return refuse(kerr.InvalidRequest, fmt.Sprintf("there are no coordinators of type %d", kind))
	case int(kind) >= len(n.coordinators.kinds) || n.coordinators.kinds[kind].machine == nil:
		return refuse(kerr.CoordinatorNotAvailable, fmt.Sprintf("this broker has no coordinators of type %d", kind))
	}
	k := &n.coordinators.kinds[kind]
	t := n.image.Topic(k.topic)
	if t == nil {
		return refuse(kerr.CoordinatorNotAvailable, n.coordinators.create(k))
	}
	p := t.Partitions[coordinator.PartitionFor(key, int32(len(t.Partitions)))]
	b := n.image.Broker(p.Leader)
	if b == nil || b.Fenced {
		return refuse(kerr.CoordinatorNotAvailable, fmt.Sprintf("%s has no leader", p.TopicPartition()))
	}
	e, ok := n.clientEndpoint(b)
	if !ok {
		return refuse(kerr.CoordinatorNotAvailable, fmt.Sprintf("the leader of %s has no listener for clients", p.TopicPartition()))
	}
	c.NodeID, c.Host, c.Port = int32(b.ID), e.Host, int32(e.Port)
	return c
}
