package controller

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/metadata"
	"odradek/broker/wire"
)

// alterReassignments answers AlterPartitionReassignments (45), versions 0 to 1:
// partitions move to other replicas, or, without replicas, stop doing so (KIP-455).
// From version 1 on a client may forbid a change of the number of replicas
// (KIP-860). Deviation: a goal that replaces another one still counts replicas of
// the first as "adding" if they were; Kafka forgets that they have to catch up.
func (c *Controller) alterReassignments(req *kmsg.AlterPartitionAssignmentsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.AlterPartitionAssignmentsResponse)
	allowFactor := req.Version < 1 || req.AllowReplicationFactorChange
	resp.AllowReplicationFactorChange = allowFactor
	for _, topic := range req.Topics {
		rt := kmsg.NewAlterPartitionAssignmentsResponseTopic()
		rt.Topic = topic.Topic
		for _, asked := range topic.Partitions {
			rp := kmsg.NewAlterPartitionAssignmentsResponseTopicPartition()
			rp.Partition = asked.Partition
			if bad := c.alterReassignment(topic.Topic, asked, allowFactor); bad != nil {
				rp.ErrorCode, rp.ErrorMessage = bad.code.Code, &bad.text
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

func (c *Controller) alterReassignment(topic string, asked kmsg.AlterPartitionAssignmentsRequestTopicPartition, allowFactor bool) *refusal {
	p := c.pending.Partition(topic, asked.Partition)
	if p == nil {
		return refusef(kerr.UnknownTopicOrPartition, "Unable to find partition %s:%d.", topic, asked.Partition)
	}
	ch := c.changeOf(p)
	if asked.Replicas == nil {
		if !reassigning(p) {
			return refuseWith(kerr.NoReassignmentInProgress)
		}
		if bad := ch.cancelReassignment(); bad != nil {
			return bad
		}
		c.apply(ch)
		return nil
	}
	target := nodeIDs(asked.Replicas)
	if bad := c.checkAssignment(target, len(target)); bad != nil {
		return bad
	}
	if factor := len(original(p)); !allowFactor && len(target) != factor {
		return refusef(kerr.InvalidReplicationFactor, "The replication factor is changed from %d to %d", factor, len(target))
	}
	ch.reassign(target)
	c.apply(ch)
	return nil
}

// listReassignments answers ListPartitionReassignments (46), version 0: what is
// being moved, of all partitions or of those named.
func (c *Controller) listReassignments(req *kmsg.ListPartitionReassignmentsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.ListPartitionReassignmentsResponse)
	list := func(topic string, partitions []*metadata.Partition) {
		rt := kmsg.NewListPartitionReassignmentsResponseTopic()
		rt.Topic = topic
		for _, p := range partitions {
			if p != nil && reassigning(p) {
				rp := kmsg.NewListPartitionReassignmentsResponseTopicPartition()
				rp.Partition = p.Index
				rp.Replicas, rp.AddingReplicas, rp.RemovingReplicas = int32s(p.Replicas), int32s(p.Adding), int32s(p.Removing)
				rt.Partitions = append(rt.Partitions, rp)
			}
		}
		if len(rt.Partitions) > 0 {
			resp.Topics = append(resp.Topics, rt)
		}
	}
	if req.Topics == nil {
		for _, t := range c.pending.Topics() {
			list(t.Name, t.Partitions)
		}
		return resp
	}
	for _, topic := range req.Topics {
		partitions := make([]*metadata.Partition, 0, len(topic.Partitions))
		for _, index := range topic.Partitions {
			partitions = append(partitions, c.pending.Partition(topic.Topic, index))
		}
		list(topic.Topic, partitions)
	}
	return resp
}

func int32s(ids []wire.NodeID) []int32 {
	plain := make([]int32, len(ids))
	for i, id := range ids {
		plain[i] = int32(id)
	}
	return plain
}
