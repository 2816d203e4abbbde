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
// now: from ISR or ELR, or from anywhere if their topic allows unclean elections.
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

// minISRs are the min.insync.replicas of all topics, in their order.
func (c *Controller) minISRs() []int64 {
	minima := make([]int64, len(c.pending.Topics()))
	for i, t := range c.pending.Topics() {
		minima[i] = c.topicLayers(t.Name).TopicInt("min.insync.replicas")
	}
	return minima
}

// followMinISR follows a change of min.insync.replicas; before are the minima
// before it.
//
// Where the minimum fell below the size of the ISR, the ELR is cleared. Where it
// rose, the partition epoch does too, with nothing else: a leader that has not
// replayed the new minimum still commits with fewer replicas, and must not be able
// to make the one it drops from the ISR eligible. Its AlterPartition fails until
// it has replayed this change, and with it the minimum.
func (c *Controller) followMinISR(before []int64) {
	for i, t := range c.pending.Topics() {
		rose := c.topicLayers(t.Name).TopicInt("min.insync.replicas") > before[i]
		for _, p := range t.Partitions {
			switch {
			case len(p.ELR) > 0 && c.apply(c.changeOf(p)):
			case rose:
				c.write(metadata.NewPartitionChange(p.TopicID, p.Index))
			}
		}
	}
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
