package controller

import (
	"odradek/broker/config"
	"odradek/broker/metadata"
	"odradek/broker/wire"
)

// Sweeps change every partition that an event concerns. They go over all
// partitions: an index by broker would have to be kept in step with the image,
// and a look at 10,000 partitions takes less than a millisecond.

// each calls f for every partition for which it is meant, by topic and index.
// f may change that partition.
func (c *Controller) each(meant func(*metadata.Partition) bool, f func(*metadata.Partition)) {
	for _, t := range c.pending.Topics() {
		for _, p := range t.Partitions {
			if meant(p) {
				f(p)
			}
		}
	}
}

// removeFromISRs takes a broker that is stopping or silent out of every ISR. It
// may stay, or become, eligible.
func (c *Controller) removeFromISRs(id wire.NodeID) {
	c.each(func(p *metadata.Partition) bool { return p.InISR(id) || p.Leader == id }, func(p *metadata.Partition) {
		ch := c.changeOf(p)
		ch.isr, ch.leaving = minus(p.ISR, []wire.NodeID{id}), id
		c.apply(ch)
	})
}

// removeLostReplicas takes a broker that stopped uncleanly, or is gone for good,
// out of every ISR and ELR.
func (c *Controller) removeLostReplicas(id wire.NodeID) {
	c.each(func(p *metadata.Partition) bool { return p.InISR(id) || p.InELR(id) || p.Leader == id }, func(p *metadata.Partition) {
		ch := c.changeOf(p)
		ch.isr, ch.lost = minus(p.ISR, []wire.NodeID{id}), id
		c.apply(ch)
	})
}

// electForLeaderless gives partitions without a leader one if they can have it
// now.
func (c *Controller) electForLeaderless() {
	c.each(leaderless, func(p *metadata.Partition) { c.apply(c.changeOf(p)) })
}

func leaderless(p *metadata.Partition) bool { return p.Leader == wire.NoNode }

// electPreferredLeaders moves leadership to preferred replicas where they are in
// sync.
func (c *Controller) electPreferredLeaders() {
	c.each(func(p *metadata.Partition) bool { return p.Leader != p.PreferredLeader() }, func(p *metadata.Partition) {
		ch := c.changeOf(p)
		ch.election = preferPreferred
		c.apply(ch)
	})
}

// electUncleanLeaders gives leaderless partitions of topics that allow it a leader
// outside ISR and ELR. It differs from electForLeaderless in nothing: changeOf
// reads the topic's config. It exists for the time when that config changed.
func (c *Controller) electUncleanLeaders() { c.electForLeaderless() }

// clearEligible drops ELRs that a lower min.insync.replicas makes unnecessary.
func (c *Controller) clearEligible() {
	c.each(func(p *metadata.Partition) bool { return len(p.ELR) > 0 }, func(p *metadata.Partition) { c.apply(c.changeOf(p)) })
}

// leads reports whether a broker leads any partition.
func (c *Controller) leads(id wire.NodeID) bool {
	for _, t := range c.pending.Topics() {
		for _, p := range t.Partitions {
			if p.Leader == id {
				return true
			}
		}
	}
	return false
}

// topicLayers are the configs of a topic as the controller sees them. The dynamic
// configs of single brokers play no part: they cannot hold for a whole partition.
func (c *Controller) topicLayers(topic string) *config.Layers {
	return &config.Layers{
		Topic:   c.pending.ConfigValues(metadata.Resource{Type: metadata.TopicResource, Name: topic}),
		Cluster: c.pending.ConfigValues(metadata.Resource{Type: metadata.BrokerResource}),
		Static:  c.cfg.Static,
	}
}
