package broker

import (
	"slices"
	"strconv"
	"time"

	"odradek/broker/env"
	"odradek/broker/wire"
)

// throttle bounds the bytes per second of replication that may take its time (KIP-73):
// of the partitions that the topic's throttled replicas name, to and from replicas that
// are not in the ISR. One that is in it is never held back, since it would drop out, nor is
// any when nothing is owed: a batch is sent whole and paid for afterwards.
type throttle struct {
	// paid is when the bytes so far are paid for. What was not used is forfeited after
	// throttleBurst.
	paid env.Time
	held bool // the last time it was asked it said no
}

// throttleBurst is how much unused time counts.
const throttleBurst = time.Second

// open reports whether more may be sent at rate bytes per second.
func (t *throttle) open(now env.Time) bool { return t.paid <= now }

// took pays for n bytes.
func (t *throttle) took(now env.Time, rate int64, n int) {
	t.paid = max(t.paid, now.Add(-throttleBurst)) + env.Time(int64(n)*int64(time.Second)/max(rate, 1))
}

// hold says no, and that it does when it begins to.
func (t *throttle) hold(n *Node, side string) {
	if !t.held {
		t.held = true
		n.env.Trace.Event(env.Info, "replication-throttled", env.S("side", side))
	}
}

// throttled reports whether a topic's list of throttled replicas ("*", or
// partition:broker pairs) has a partition's replica on a broker.
func throttled(list []string, partition int32, broker wire.NodeID) bool {
	if len(list) == 0 {
		return false
	}
	return list[0] == "*" || slices.Contains(list, strconv.Itoa(int(partition))+":"+strconv.Itoa(int(broker)))
}

// throttleOf finds out, after a change of the topic's config, which of the partition's
// replication counts.
func (p *partition) throttleOf() {
	self := p.n.cfg.NodeID
	p.leaderThrottled = throttled(p.topic.LeaderThrottledReplicas, p.tp.Partition, self)
	p.followerThrottled = throttled(p.topic.FollowerThrottledReplicas, p.tp.Partition, self)
}

// atEase reports whether the high watermark does not wait for a follower: one that the
// controller is being asked to let into the ISR counts already.
func (p *partition) atEase(follower wire.NodeID) bool {
	return !slices.Contains(p.leader.Snapshot().MaximalISR, follower)
}

// holdBackTo reports whether a follower has to wait for records of the partition.
func (p *partition) holdBackTo(follower wire.NodeID) bool {
	if !p.leaderThrottled || !p.atEase(follower) {
		return false
	}
	if p.n.leaderThrottle.open(p.n.env.Clock.Now()) {
		p.n.leaderThrottle.held = false
		return false
	}
	p.n.leaderThrottle.hold(p.n, "leader")
	return true
}

// sentTo pays for records sent to a follower.
func (p *partition) sentTo(follower wire.NodeID, bytes int) {
	if p.leaderThrottled && bytes > 0 && p.leader != nil && p.atEase(follower) {
		p.n.leaderThrottle.took(p.n.env.Clock.Now(), p.n.cfg.LeaderThrottledRate, bytes)
	}
}

// fetchAfter is when the partition may be fetched again as far as the throttle is
// concerned; 0 is now.
func (p *partition) fetchAfter() env.Time {
	if !p.followerThrottled || slices.Contains(p.meta.ISR, p.n.cfg.NodeID) {
		return 0
	}
	if p.n.followerThrottle.open(p.n.env.Clock.Now()) {
		p.n.followerThrottle.held = false
		return 0
	}
	p.n.followerThrottle.hold(p.n, "follower")
	return p.n.followerThrottle.paid
}

// receivedFrom pays for records fetched.
func (p *partition) receivedFrom(bytes int) {
	if p.followerThrottled && bytes > 0 && !slices.Contains(p.meta.ISR, p.n.cfg.NodeID) {
		p.n.followerThrottle.took(p.n.env.Clock.Now(), p.n.cfg.FollowerThrottledRate, bytes)
	}
}
