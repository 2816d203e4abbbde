package broker

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"odradek/broker/config"
	"odradek/broker/env"
	"odradek/broker/metadata"
	"odradek/broker/replica"
	"odradek/broker/storage"
	"odradek/broker/wire"
)

// partition is this broker's replica of one partition: its log, and the decider of
// the role it has. While a role ends or begins it has none, and answers
// NOT_LEADER_OR_FOLLOWER.
type partition struct {
	n     *Node
	tp    wire.TopicPartition
	id    wire.TopicIDPartition
	meta  *metadata.Partition // as the metadata has it now
	topic config.Topic
	// leaderThrottled and followerThrottled: its replication counts for the throttles.
	leaderThrottled, followerThrottled bool

	log *storage.Log // nil while it is being opened or after it failed to
	err error        // why there is no usable log
	// opening are requests to go on with once the log is open or has failed to.
	opening []func()

	leader   *replica.Leader
	follower *replica.Follower
	// fetchedAs is what the last fetch session that had the partition was told for.
	fetchedAs fetchedAs
	isrSize   int // of the ISR as the leader knows it
	// hw is the high watermark that the last role knew, for the next one.
	hw wire.Offset

	// acks are the acks=all produces that wait for the high watermark, by offset.
	// Those that were given up meanwhile go when they are more than the others.
	acks    []*produced
	givenUp int
	// validations are the produced batches that are being checked, and those behind them.
	validations []*validation
	// markers wait for the high watermark as well, verifications for a transaction
	// coordinator.
	markers       []parkedMarker
	verifications []*verifying
	// coordination is the groups or transactions of a leader of an internal topic.
	coordination *coordination
	// fetches wait for this partition to have more to read.
	fetches []*fetchOp

	// deletions are the DeleteRecords that wait for the replicas.
	deletions []*deletion
	cleaning  cleaningState

	timer   env.Timer // for the leader's deadline
	timerAt int64
	cutting bool // a truncation is under way
	probed  probed
	gone    bool // deleted, or closed with the node
}

func (p *partition) now() int64 { return int64(p.n.env.Clock.Now()) }

// opened takes the partition's log, or why there is none, and goes on with what
// waited for that.
func (p *partition) opened(l *storage.Log, err error) {
	p.take(l, err)
	waiting := p.opening
	p.opening = nil
	for _, goOn := range waiting {
		goOn()
	}
}

// aboutToLead reports whether the metadata says that this broker leads, and only the
// log is not open yet: the files of a new partition take some time on a busy disk.
func (p *partition) aboutToLead() bool {
	return p.log == nil && p.err == nil && !p.gone && p.meta.Leader == p.n.cfg.NodeID
}

func (p *partition) take(l *storage.Log, err error) {
	if err != nil {
		p.offline(err)
		return
	}
	p.log = l
	l.SetConfig(storageConfig(&p.topic)) // it may have changed since the log was asked for
	p.hw = min(max(p.n.store.HighWatermark(p.tp), l.LogStartOffset()), l.LogEndOffset())
	p.probe()
	p.assume()
}

// offline follows an error of the log: the replica is out of service until the node
// restarts. The leader's silence has it removed from the ISR; if it leads itself, the
// controller must elect another.
func (p *partition) offline(err error) {
	if p.err != nil || p.gone {
		return
	}
	p.err = err
	p.n.env.Trace.Event(env.Error, "log-offline", env.S("partition", p.tp.String()), env.Err(err))
	p.resign(kerr.KafkaStorageError.Code)
	if p.follower != nil {
		p.follower.OnStorageError()
	}
	p.n.logFailed(p, err)
}

// assume takes the role that the metadata says, once the log is at rest: a leader
// epoch starts at a log end that no write under way can move.
func (p *partition) assume() {
	if p.log == nil || p.err != nil || p.gone {
		return
	}
	m := p.meta
	if m.Leader == p.n.cfg.NodeID {
		if p.leader != nil && p.leader.LeaderEpoch() == m.LeaderEpoch {
			p.apply(p.leader.OnMetadata(p.now(), replicaPartition(m)))
			return
		}
		p.resign(kerr.NotLeaderForPartition.Code)
		p.unfollow()
		if p.busy() {
			return // advanced, or the truncation's end, comes back here
		}
		p.lead()
		return
	}
	if p.leader != nil {
		p.resign(kerr.NotLeaderForPartition.Code)
	}
	if p.follower == nil {
		if p.busy() {
			return
		}
		p.follow()
	}
	p.n.fetchers.act(p, p.follower.OnLeader(p.now(), m.Leader, m.LeaderEpoch))
	p.n.fetchers.poke(m.Leader)
}

// busy reports whether something is still being written or cut.
func (p *partition) busy() bool {
	return p.log.NextOffset() != p.log.LogEndOffset() || p.cutting
}

func (p *partition) lead() {
	m := p.meta
	p.log.AssignEpochStart(m.LeaderEpoch)
	start := replica.LeaderStart{
		Self: p.n.cfg.NodeID, BrokerEpoch: p.n.brokerEpoch, Partition: replicaPartition(m),
		MinISR: p.topic.MinInSyncReplicas, Brokers: make(map[wire.NodeID]replica.BrokerState),
		LogStart: p.log.LogStartOffset(), LogEnd: p.log.LogEndOffset(), Flushed: p.log.FlushedOffset(),
		HighWatermark: p.hw,
	}
	for _, id := range m.Replicas {
		start.Brokers[id] = p.n.brokerState(id)
	}
	p.n.env.Trace.Event(env.Detail, "became-leader", env.S("partition", p.tp.String()),
		env.I("epoch", m.LeaderEpoch), env.I("end", start.LogEnd), env.I("hw", p.hw))
	p.n.replicas.changes.led++
	p.isrSize = len(m.ISR)
	c := p.replicaConfig()
	var change replica.LeaderChange
	p.leader, change = replica.NewLeader(p.now(), c, p.log, start)
	p.apply(change)
	p.coordinate()
}

func (p *partition) follow() {
	p.follower = replica.NewFollower(p.replicaConfig(), p.log, replica.FollowerStart{
		LogStart: p.log.LogStartOffset(), LogEnd: p.log.LogEndOffset(), HighWatermark: p.hw,
	})
	p.n.env.Trace.Event(env.Debug, "became-follower", env.S("partition", p.tp.String()),
		env.I("epoch", p.meta.LeaderEpoch), env.I("leader", p.meta.Leader))
}

func (p *partition) replicaConfig() replica.Config {
	c := p.n.replicaConfig
	c.CountFlushed = p.countFlushed()
	return c
}

// countFlushed reports whether every record is flushed before it counts as replicated.
func (p *partition) countFlushed() bool { return p.topic.FlushMessages == 1 }

// reconfigure follows a change of the topic's config.
func (p *partition) reconfigure(c config.Topic) {
	p.topic = c
	p.throttleOf()
	if p.log == nil {
		return
	}
	p.log.SetConfig(storageConfig(&p.topic))
	if p.leader != nil {
		p.apply(p.leader.OnMinISR(p.now(), c.MinInSyncReplicas))
		p.apply(p.leader.OnCountFlushed(p.now(), p.countFlushed()))
	}
	if p.countFlushed() && p.err == nil {
		// What was appended before waits for a sync that no append has asked for.
		p.log.Flush(func(error) {}) // the log reports itself when it goes offline
	}
}

// unfollow ends following.
func (p *partition) unfollow() {
	if p.follower != nil {
		p.hw = p.follower.HighWatermark()
		p.follower.Stop()
		p.follower = nil
		p.probe()
	}
}

// resign ends leading: whoever waits is told.
func (p *partition) resign(code int16) {
	if p.leader == nil {
		return
	}
	p.hw = p.leader.HighWatermark()
	p.n.replicas.changes.resigned++
	p.n.env.Trace.Event(env.Detail, "resigned", env.S("partition", p.tp.String()), env.I("epoch", p.leader.LeaderEpoch()))
	p.leader = nil
	p.probe()
	p.uncoordinate()
	p.refuseWaiting(code)
	p.failDeletions(code)
	p.wakeFetches(true)
}

// metadata follows a change of the partition in the metadata.
func (p *partition) metadata(m *metadata.Partition) {
	old := p.meta
	p.meta = m
	p.assume()
	// A leader that goes on has not heard yet of the brokers of replicas that were added.
	for _, id := range m.Replicas {
		if p.leader != nil && !old.HasReplica(id) {
			p.apply(p.leader.OnBrokerState(p.now(), id, p.n.brokerState(id)))
		}
	}
}

// advanced follows the log when more is written or durable.
func (p *partition) advanced() {
	if p.leader == nil {
		if p.follower == nil {
			p.assume() // the last write of the previous role is done
		}
		return
	}
	p.apply(p.leader.OnAppended(p.now(), p.log.LogEndOffset()))
	if p.leader != nil {
		p.apply(p.leader.OnFlushed(p.now(), p.log.FlushedOffset()))
	}
	p.wakeFetches(false)
}

// apply acts on what an input changed in the leader.
func (p *partition) apply(c replica.LeaderChange) {
	p.probe()
	if c.ISR {
		kind, count, size := "isr-expanded", &p.n.replicas.changes.expanded, len(p.leader.Snapshot().Partition.ISR)
		if size < p.isrSize {
			kind, count = "isr-shrunk", &p.n.replicas.changes.shrunk
		}
		*count++
		p.isrSize = size
		p.n.env.Trace.Event(env.Detail, kind, env.S("partition", p.tp.String()), env.I("size", int32(size)))
	}
	if c.HighWatermark || c.ISR {
		p.release()
		p.wakeFetches(false)
	}
	p.releaseDeletions()
	if c.HighWatermark && p.coordination != nil {
		p.coordination.committed()
	}
	if c.Propose != nil {
		p.n.alterISR.propose(p, *c.Propose)
	}
	p.arm()
}

// arm sets the timer for the leader's deadline, unless it is set for sooner: the
// deadline mostly moves away, with every fetch.
func (p *partition) arm() {
	if p.leader == nil {
		return
	}
	at := p.leader.Deadline()
	if at == replica.Never || p.timer != nil && p.timerAt <= at {
		return
	}
	if p.timer != nil {
		p.timer.Stop()
	}
	p.timerAt = at
	p.timer = p.n.env.Clock.After(time.Duration(at-p.now()), func() {
		p.timer = nil
		if p.leader != nil {
			p.apply(p.leader.Tick(p.now()))
		}
	})
}

// wakeFetches lets the waiting fetches look again. all is for a change that ends
// every wait; otherwise only those look for which there is something new.
func (p *partition) wakeFetches(all bool) {
	// Whoever wakes up leaves the list.
	var one [1]*fetchOp
	waiting := one[:]
	if len(p.fetches) != 1 {
		waiting = slices.Clone(p.fetches)
	} else {
		one[0] = p.fetches[0]
	}
	for _, f := range waiting {
		if all || f.hasNews(p) {
			f.wake()
		}
	}
}

// notLeading is the error for a request that only the leader serves, or 0.
func (p *partition) notLeading() int16 {
	switch {
	case p.err != nil:
		return kerr.KafkaStorageError.Code
	case p.leader == nil:
		return kerr.NotLeaderForPartition.Code
	}
	return 0
}

// highWatermark is the one this replica knows.
func (p *partition) highWatermark() wire.Offset {
	switch {
	case p.leader != nil:
		return p.leader.HighWatermark()
	case p.follower != nil:
		return p.follower.HighWatermark()
	}
	return p.hw
}

// lastStableOffset is the offset below which everything is decided, as far as this replica
// knows.
func (p *partition) lastStableOffset() wire.Offset { return p.log.LastStableOffset(p.highWatermark()) }

func replicaPartition(m *metadata.Partition) replica.Partition {
	return replica.Partition{LeaderEpoch: m.LeaderEpoch, PartitionEpoch: m.Epoch, Replicas: m.Replicas, ISR: m.ISR, ELR: m.ELR}
}
