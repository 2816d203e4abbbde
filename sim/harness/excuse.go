package harness

import (
	"fmt"
	"slices"
	"time"

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
}

type suspect struct {
	epoch     wire.BrokerEpoch // before the stop
	powerLoss bool
}

func newExcuses() *excuses {
	return &excuses{suspects: make(map[wire.TopicPartition]map[wire.NodeID]suspect)}
}

// dying takes note of an unclean stop.
func (x *excuses) dying(n *cluster.Node, powerLoss bool) {
	image, _ := newestImage(x.c)
	if image == nil {
		return
	}
	epoch := wire.NoBrokerEpoch
	if b := image.Broker(n.ID); b != nil {
		epoch = b.Epoch
	}
	for _, topic := range image.Topics() {
		min := topicMinISR(n, image, topic.Name)
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
			set[n.ID] = suspect{epoch: epoch, powerLoss: powerLoss || set[n.ID].powerLoss}
			lossy := slices.ContainsFunc(p.Replicas, func(id wire.NodeID) bool { return set[id].powerLoss })
			if len(set) >= min && lossy {
				x.list = append(x.list, history.Excuse{
					Rule: history.PowerLost, Topic: tp.Topic, Partition: tp.Partition, Until: int64(x.k.Now()) + int64(time.Hour),
					Reason: fmt.Sprintf("%d of %d replicas had stopped uncleanly and not caught up, one of them by power loss", len(set), len(p.Replicas)),
				})
			}
		}
	}
}

// leaderWindow is how long before and after a change of leader a record with acks=1 may
// be lost by it: before, because replication lags, after, because a leader that is cut
// off does not know yet.
const leaderWindow = 10 * time.Second

// leaderChanged allows the loss of records that only the old leader had.
func (x *excuses) leaderChanged(tp wire.TopicPartition, epoch wire.LeaderEpoch) {
	now := x.k.Now()
	x.list = append(x.list, history.Excuse{
		Rule: history.LeaderFailed, Topic: tp.Topic, Partition: tp.Partition,
		From: int64(now) - int64(leaderWindow), Until: int64(now) + int64(leaderWindow),
		Reason: fmt.Sprintf("the leader changed in epoch %d", epoch),
	})
}
