package broker

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/coordinator"
	"odradek/broker/metadata"
)

// FindCoordinator (key 10, versions 0-6; KIP-98, KIP-699). The coordinator of a group or
// a transactional id is the leader of its partition of the internal topic. The topic is
// created when it is first needed; until it has a leader that clients can reach the
// answer is COORDINATOR_NOT_AVAILABLE, which they retry, with a message that says what is
// missing. From version 4 on several keys are asked for at once. A type of coordinator
// that does not exist is INVALID_REQUEST; version 6 knows that of share groups, which
// this broker does not have: COORDINATOR_NOT_AVAILABLE.
//
// Deviations: the message of a success is null, where Kafka says "NONE". A key that is named
// again is answered once, and a message is told with the first key that it is for: else the
// answer could be many times as long as the request.
func handleFindCoordinator(n *Node, r *request) {
	req := r.msg.(*kmsg.FindCoordinatorRequest)
	resp := kmsg.NewPtrFindCoordinatorResponse()
	find := n.coordinatorFinder(req.CoordinatorType, r.header.Version)
	if r.header.Version < 4 {
		c := find(req.CoordinatorKey)
		resp.NodeID, resp.Host, resp.Port = c.NodeID, c.Host, c.Port
		resp.ErrorCode, resp.ErrorMessage = c.ErrorCode, c.ErrorMessage
		r.reply(resp)
		return
	}
	for _, key := range distinct(req.CoordinatorKeys, itself) {
		resp.Coordinators = append(resp.Coordinators, find(key))
	}
	r.reply(resp)
}

type foundCoordinator = kmsg.FindCoordinatorResponseCoordinator

// coordinatorFinder finds the coordinators of a type. It looks up each partition of the
// internal topic once, however many keys are asked for.
func (n *Node) coordinatorFinder(kind int8, version int16) func(key string) foundCoordinator {
	switch {
	case kind < 0 || kind > 2 || kind == 2 && version < 6:
		return noCoordinator(kerr.InvalidRequest, "there are no coordinators of type %d", kind).of
	case int(kind) >= len(n.coordinators.kinds) || n.coordinators.kinds[kind].machine == nil:
		return noCoordinator(kerr.CoordinatorNotAvailable, "this broker has no coordinators of type %d", kind).of
	}
	k := &n.coordinators.kinds[kind]
	t := n.image.Topic(k.topic)
	if t == nil {
		return noCoordinator(kerr.CoordinatorNotAvailable, "%s", n.coordinators.create(k)).of
	}
	leaders := make([]*coordinatorAnswer, len(t.Partitions))
	return func(key string) foundCoordinator {
		i := coordinator.PartitionFor(key, int32(len(leaders)))
		if leaders[i] == nil {
			leaders[i] = n.coordinatorOf(t.Partitions[i])
		}
		return leaders[i].of(key)
	}
}

// coordinatorOf is the coordinator of all keys in a partition.
func (n *Node) coordinatorOf(p *metadata.Partition) *coordinatorAnswer {
	b := n.image.Broker(p.Leader)
	if b == nil || b.Fenced {
		return noCoordinator(kerr.CoordinatorNotAvailable, "%s has no leader", p.TopicPartition())
	}
	e, ok := n.clientEndpoint(b)
	if !ok {
		return noCoordinator(kerr.CoordinatorNotAvailable, "the leader of %s has no listener for clients", p.TopicPartition())
	}
	return &coordinatorAnswer{foundCoordinator{NodeID: int32(b.ID), Host: e.Host, Port: int32(e.Port)}}
}

// coordinatorAnswer is what differs between keys by nothing else than the key.
type coordinatorAnswer struct{ foundCoordinator }

func noCoordinator(code *kerr.Error, why string, args ...any) *coordinatorAnswer {
	why = fmt.Sprintf(why, args...)
	return &coordinatorAnswer{foundCoordinator{NodeID: -1, Port: -1, ErrorCode: code.Code, ErrorMessage: &why}}
}

func (a *coordinatorAnswer) of(key string) foundCoordinator {
	c := a.foundCoordinator
	c.Key, a.ErrorMessage = key, nil
	return c
}
