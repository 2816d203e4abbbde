package harness

import (
	"fmt"
	"math"
	"slices"
	"time"

	"odradek/broker/metadata"
	"odradek/broker/wire"
	"odradek/checker/history"
	"odradek/sim"
	"odradek/sim/cluster"
)

// excuses finds the losses that the faults explain.
//
// With min.insync.replicas = m an acknowledged record is on m replicas at least, and
// survives m-1 of them losing their tails (KIP-966). A broker cannot tell whether it was
// killed or lost power, so every stop that is not in good order counts against the m,
// from when it happens until the replica is in the ISR again. A loss is excused if m
// replicas of the partition were in that state together and one of them lost power,
// because only that really loses anything.
type excuses struct {
	k *sim.Kernel
	c *cluster.Cluster
	// suspects are the replicas that stopped uncleanly and have not caught up since.
	suspects map[wire.TopicPartition]map[wire.NodeID]suspect
	list     []history.Excuse
	// deposed are coordinators that were replaced and have not heard of it: the excuse, in
	// list, ends when they have.
	deposed []deposed
	// image is the newest metadata that was seen when a node died, up to applied: when all
	// nodes are down or starting, there is no other.
	image   *metadata.Image
	applied wire.Offset
	// excused, if set, is told of each excuse for a loss by crashes.
	excused func(tp wire.TopicPartition, topic wire.UUID)
}

type suspect struct {
	epoch     wire.BrokerEpoch // before the stop
	powerLoss bool
	flushed   wire.Offset // what survives a power loss
}

func newExcuses() *excuses {
	return &excuses{suspects: make(map[wire.TopicPartition]map[wire.NodeID]suspect)}
}

// dying takes note of an unclean stop.
func (x *excuses) dying(n *cluster.Node, powerLoss bool) {
	if image, applied := newestImage(x.c); image != nil && applied >= x.applied {
		x.image, x.applied = image, applied
	}
	image := x.image
	if image == nil {
		return
	}
	epoch := wire.NoBrokerEpoch
	if b := image.Broker(n.ID); b != nil {
		epoch = b.Epoch
	}
	flushed := make(map[wire.TopicPartition]wire.Offset)
	if n.Broker != nil {
		for _, s := range n.Broker.Replicas() {
			flushed[s.TopicPartition] = s.Flushed
		}
	}
	for _, topic := range image.Topics() {
		need := topicMinISR(n, image, topic.Name)
		for _, p := range topic.Partitions {
			if !p.HasReplica(n.ID) {
				continue
			}
			tp := p.TopicPartition()
			set := x.suspects[tp]
			if set == nil {
				set = make(map[wire.NodeID]suspect)
				x.suspects[tp] = set
			}
			for _, id := range p.Replicas {
				s, ok := set[id]
				b := image.Broker(id)
				if ok && b != nil && b.Epoch != s.epoch && p.InISR(id) {
					delete(set, id) // registered anew, and caught up
				}
			}
			now := suspect{epoch: epoch, powerLoss: powerLoss, flushed: flushed[tp]}
			if before, ok := set[n.ID]; ok && before.powerLoss {
				now.powerLoss, now.flushed = true, before.flushed
				if powerLoss {
					now.flushed = min(now.flushed, flushed[tp])
				}
			}
			set[n.ID] = now
			lossy := false
			from := wire.Offset(math.MaxInt64)
			for _, id := range p.Replicas {
				if s := set[id]; s.powerLoss {
					lossy, from = true, min(from, s.flushed)
				}
			}
			if len(set) >= need && lossy {
				x.list = append(x.list, history.Excuse{
					Rule: history.PowerLost, Topic: tp.Topic, Partition: tp.Partition, Until: int64(x.k.Now()), FromOffset: from,
					Reason: fmt.Sprintf("%d of %d replicas had stopped uncleanly and not caught up, one of them by power loss", len(set), len(p.Replicas)),
				})
				if x.excused != nil {
					x.excused(tp, p.TopicID)
				}
			}
		}
	}
}

// suspected reports whether a replica stopped uncleanly and is not known to have
// caught up since.
func (x *excuses) suspected(tp wire.TopicPartition, n wire.NodeID) bool {
	_, ok := x.suspects[tp][n]
	return ok
}

// zombieWindow is how long a leader that is cut off or paused may go on acknowledging
// acks=1 after it was replaced: longer than any fault of a plan.
const zombieWindow = 20 * time.Second

// deposed is a shard of which nodes in an older epoch than the newest are still coordinators.
type deposed struct {
	shard  wire.TopicPartition
	epoch  wire.LeaderEpoch
	excuse int
}

// stale reports whether a node still coordinates the shard in an older epoch.
func (d *deposed) stale(c *cluster.Cluster) bool {
	for _, n := range c.Nodes {
		if n.Broker == nil {
			continue
		}
		for _, s := range n.Broker.Coordinators() {
			if s.TopicPartition == d.shard && s.Epoch < d.epoch {
				return true
			}
		}
	}
	return false
}

// coordinatorChanged allows what a coordinator that does not know of its successor answers.
func (x *excuses) coordinatorChanged(shard wire.TopicPartition, epoch wire.LeaderEpoch) {
	d := deposed{shard: shard, epoch: epoch, excuse: len(x.list)}
	if shard.Topic != history.OffsetsTopic || !d.stale(x.c) {
		return
	}
	x.list = append(x.list, history.Excuse{
		Rule: history.Deposed, Topic: shard.Topic, Partition: shard.Partition, From: int64(x.k.Now()), Until: math.MaxInt64,
		Reason: fmt.Sprintf("the coordinator before epoch %d of %v had not heard that it was replaced", epoch, shard),
	})
	x.deposed = append(x.deposed, d)
}

// settle ends the excuses of coordinators that have heard of their successors by now.
func (x *excuses) settle() {
	x.deposed = slices.DeleteFunc(x.deposed, func(d deposed) bool {
		if d.stale(x.c) {
			return false
		}
		x.list[d.excuse].Until = int64(x.k.Now())
		return true
	})
}

// leaderChanged allows the loss of acks=1 records that the new leader, whose log ended
// at end when it was elected, does not have.
func (x *excuses) leaderChanged(tp wire.TopicPartition, epoch wire.LeaderEpoch, end wire.Offset) {
	x.list = append(x.list, history.Excuse{
		Rule: history.LeaderFailed, Topic: tp.Topic, Partition: tp.Partition,
		Until: int64(x.k.Now()) + int64(zombieWindow), FromOffset: end,
		Reason: fmt.Sprintf("the leader of epoch %d began at offset %d", epoch, end),
	})
}
