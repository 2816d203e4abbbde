package replica

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"odradek/broker/wire"
)

// controller is a model of the controller, for one partition: enough of KIP-497,
// 841, 903 and 966 to judge the deciders by.
type controller struct {
	part      Partition
	leader    wire.NodeID
	brokers   map[wire.NodeID]BrokerState
	minISR    int
	lastEpoch wire.BrokerEpoch
	removing  []wire.NodeID // replicas that leave with the end of a reassignment
}

// bump is called for every change of the partition.
func (c *controller) bump() { c.part.PartitionEpoch++ }

// setISR installs an ISR and draws the ELR from it (KIP-966).
func (c *controller) setISR(isr []wire.NodeID, unclean wire.NodeID) {
	elr := append(slices.Clone(c.part.ELR), c.part.ISR...)
	elr = slices.DeleteFunc(elr, func(id wire.NodeID) bool { return slices.Contains(isr, id) || id == unclean })
	slices.Sort(elr)
	elr = slices.Compact(elr)
	if len(isr) >= c.minISR {
		elr = nil
	}
	slices.Sort(isr)
	c.part.ISR, c.part.ELR = isr, elr
	c.bump()
}

func without(ids []wire.NodeID, id wire.NodeID) []wire.NodeID {
	return slices.DeleteFunc(slices.Clone(ids), func(o wire.NodeID) bool { return o == id })
}

// register admits a new incarnation; after an unclean shutdown it is no longer
// trusted to hold what was committed.
func (c *controller) register(id wire.NodeID, unclean bool) wire.BrokerEpoch {
	c.lastEpoch++
	c.brokers[id] = BrokerState{Epoch: c.lastEpoch}
	if unclean && (slices.Contains(c.part.ISR, id) || slices.Contains(c.part.ELR, id)) {
		c.setISR(without(c.part.ISR, id), id)
	}
	if unclean && c.leader == id {
		c.setLeader(wire.NoNode)
	}
	return c.lastEpoch
}

func (c *controller) fence(id wire.NodeID) {
	b := c.brokers[id]
	b.Fenced = true
	c.brokers[id] = b
	if slices.Contains(c.part.ISR, id) {
		c.setISR(without(c.part.ISR, id), wire.NoNode)
	}
	if c.leader == id {
		c.setLeader(wire.NoNode)
	}
}

func (c *controller) setLeader(id wire.NodeID) {
	c.leader = id
	c.part.LeaderEpoch++
	c.bump()
}

// reassign starts a reassignment (KIP-455).
func (c *controller) reassign(to []wire.NodeID) {
	c.removing = nil
	for _, id := range c.part.Replicas {
		if !slices.Contains(to, id) {
			c.removing = append(c.removing, id)
		}
	}
	c.part.Replicas = slices.Concat(to, c.removing)
	c.bump()
	c.complete()
}

// complete ends a reassignment once the ISR has every replica that stays. The leader
// epoch rises with it, whoever leads.
func (c *controller) complete() {
	var stay, isr []wire.NodeID
	for _, id := range c.part.Replicas {
		if slices.Contains(c.removing, id) {
			continue
		}
		if !slices.Contains(c.part.ISR, id) {
			return
		}
		stay, isr = append(stay, id), append(isr, id)
	}
	if len(c.removing) == 0 {
		return
	}
	c.part.Replicas, c.removing = stay, nil
	slices.Sort(isr)
	c.part.ISR = isr
	if !slices.Contains(stay, c.leader) {
		c.leader = stay[0]
	}
	c.part.LeaderEpoch++
}

// electable reports whether electing the replica is clean.
func (c *controller) electable(id wire.NodeID) bool {
	return !c.brokers[id].Fenced && (slices.Contains(c.part.ISR, id) || slices.Contains(c.part.ELR, id))
}

func (c *controller) elect(id wire.NodeID) {
	switch {
	case !c.electable(id):
		c.part.ISR, c.part.ELR = []wire.NodeID{id}, nil
	case !slices.Contains(c.part.ISR, id):
		c.setISR(append(slices.Clone(c.part.ISR), id), wire.NoNode)
	}
	c.setLeader(id)
}

func (c *controller) alter(from wire.NodeID, req AlterPartition) AlterPartitionResult {
	fail := func(e *kerr.Error) AlterPartitionResult { return AlterPartitionResult{Err: e} }
	switch {
	case req.LeaderEpoch > c.part.LeaderEpoch || req.PartitionEpoch > c.part.PartitionEpoch:
		return fail(kerr.NotController)
	case req.LeaderEpoch < c.part.LeaderEpoch || from != c.leader:
		return fail(kerr.FencedLeaderEpoch)
	case req.PartitionEpoch < c.part.PartitionEpoch:
		return fail(kerr.InvalidUpdateVersion)
	}
	var isr []wire.NodeID
	for _, m := range req.ISR {
		b := c.brokers[m.Node]
		if b.Fenced || b.ShuttingDown || m.Epoch != wire.NoBrokerEpoch && m.Epoch != b.Epoch {
			return fail(kerr.IneligibleReplica)
		}
		isr = append(isr, m.Node)
	}
	if !slices.Equal(isr, c.part.ISR) {
		c.setISR(isr, wire.NoNode)
	}
	if c.complete(); c.leader != from {
		return fail(kerr.NewLeaderElected)
	}
	return AlterPartitionResult{LeaderEpoch: c.part.LeaderEpoch, PartitionEpoch: c.part.PartitionEpoch, ISR: slices.Clone(c.part.ISR)}
}
