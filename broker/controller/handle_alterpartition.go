package controller

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/failpoint"
	"odradek/broker/metadata"
	"odradek/broker/wire"
)

// alterPartition answers AlterPartition (56), versions 2 to 3: a leader changes
// the ISR of its partitions or ends their recovery (KIP-497, KIP-704).
//
// Version 3 carries the broker epoch of every new ISR member, so that a replica
// which restarted meanwhile is not taken for its earlier self (KIP-903).
func (c *Controller) alterPartition(req *kmsg.AlterPartitionRequest) kmsg.Response {
	if _, code := c.registered(req.BrokerID, req.BrokerEpoch); code != nil {
		return refuse(req, code)
	}
	resp := req.ResponseKind().(*kmsg.AlterPartitionResponse)
	for _, topic := range req.Topics {
		rt := kmsg.NewAlterPartitionResponseTopic()
		rt.TopidID = topic.TopicID
		for _, asked := range topic.Partitions {
			rt.Partitions = append(rt.Partitions, c.alterOnePartition(req, topic.TopicID, asked))
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

func (c *Controller) alterOnePartition(req *kmsg.AlterPartitionRequest, topic wire.UUID, asked kmsg.AlterPartitionRequestTopicPartition) kmsg.AlterPartitionResponseTopicPartition {
	rp := kmsg.NewAlterPartitionResponseTopicPartition()
	rp.Partition = asked.Partition
	isr, epochs := newISR(req.Version, asked)
	if code := c.checkAlterPartition(wire.NodeID(req.BrokerID), topic, asked, isr, epochs); code != nil {
		rp.ErrorCode = code.Code
		return rp
	}
	p := c.pending.PartitionByID(topic, asked.Partition)
	ch := c.changeOf(p)
	ch.isr, ch.recovery = isr, metadata.LeaderRecoveryState(asked.LeaderRecoveryState)
	c.apply(ch)
	p = c.pending.PartitionByID(topic, asked.Partition)
	if p.Leader != wire.NodeID(req.BrokerID) {
		// The new ISR completed a reassignment that removes the leader. It must learn
		// of it from the metadata: an answer would make it think that it still leads.
		rp.ErrorCode = kerr.NewLeaderElected.Code
		return rp
	}
	rp.LeaderID, rp.LeaderEpoch = int32(p.Leader), int32(p.LeaderEpoch)
	rp.PartitionEpoch = int32(p.Epoch)
	rp.LeaderRecoveryState = int8(p.RecoveryState)
	for _, id := range p.ISR {
		rp.ISR = append(rp.ISR, int32(id))
	}
	return rp
}

// newISR reads the ISR that is asked for, and the broker epoch of each member, -1
// if it is not known.
func newISR(version int16, asked kmsg.AlterPartitionRequestTopicPartition) ([]wire.NodeID, []wire.BrokerEpoch) {
	isr, epochs := []wire.NodeID{}, []wire.BrokerEpoch{}
	if version >= 3 {
		for _, m := range asked.NewEpochISR {
			isr, epochs = append(isr, wire.NodeID(m.BrokerID)), append(epochs, wire.BrokerEpoch(m.BrokerEpoch))
		}
		return isr, epochs
	}
	for _, id := range asked.NewISR {
		isr, epochs = append(isr, wire.NodeID(id)), append(epochs, wire.NoBrokerEpoch)
	}
	return isr, epochs
}

// checkAlterPartition returns why a change is refused, or nil. The order of checks
// is Kafka's: which error a stale leader sees decides what it does next.
func (c *Controller) checkAlterPartition(from wire.NodeID, topic wire.UUID, asked kmsg.AlterPartitionRequestTopicPartition, isr []wire.NodeID, epochs []wire.BrokerEpoch) *kerr.Error {
	if c.pending.TopicByID(topic) == nil {
		return kerr.UnknownTopicID
	}
	p := c.pending.PartitionByID(topic, asked.Partition)
	if p == nil {
		return kerr.UnknownTopicOrPartition
	}
	leaderEpoch, partitionEpoch := wire.LeaderEpoch(asked.LeaderEpoch), wire.PartitionEpoch(asked.PartitionEpoch)
	recovery := metadata.LeaderRecoveryState(asked.LeaderRecoveryState)
	switch {
	case leaderEpoch > p.LeaderEpoch || partitionEpoch > p.Epoch:
		// The leader knows more than we: we are no longer the controller (KAFKA-14154).
		return kerr.NotController
	case leaderEpoch < p.LeaderEpoch:
		return kerr.FencedLeaderEpoch
	case p.Leader != from:
		return kerr.InvalidRequest
	case partitionEpoch < p.Epoch:
		return kerr.InvalidUpdateVersion
	case recovery != metadata.Recovered && recovery != metadata.Recovering:
		return kerr.InvalidRequest
	case !validISR(isr, p):
		return kerr.InvalidRequest
	case recovery == metadata.Recovering && (len(isr) > 1 || p.RecoveryState == metadata.Recovered):
		return kerr.InvalidRequest
	case !c.eligibleForISR(isr, epochs) && !c.cfg.Fail.On(failpoint.ZooFencedReplicaJoins):
		return kerr.IneligibleReplica
	}
	return nil
}

// validISR reports whether an ISR has distinct members, all of them replicas, and
// among them the leader.
func validISR(isr []wire.NodeID, p *metadata.Partition) bool {
	for i, id := range isr {
		if !p.HasReplica(id) || slices.Contains(isr[:i], id) {
			return false
		}
	}
	return slices.Contains(isr, p.Leader)
}

// eligibleForISR refuses brokers that are unknown, fenced, stopping (KIP-841) or of
// another registration than the leader thinks (KIP-903).
func (c *Controller) eligibleForISR(isr []wire.NodeID, epochs []wire.BrokerEpoch) bool {
	for i, id := range isr {
		b := c.pending.Broker(id)
		if !b.Active() || epochs[i] != wire.NoBrokerEpoch && epochs[i] != b.Epoch {
			return false
		}
	}
	return true
}
