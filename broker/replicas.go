package broker

import (
	"slices"
	"strconv"

	"odradek/broker/config"
	"odradek/broker/env"
	"odradek/broker/metadata"
	"odradek/broker/replica"
	"odradek/broker/storage"
	"odradek/broker/wire"
)

// replicas is every partition that this broker holds, kept as the metadata says.
type replicas struct {
	n    *Node
	byTP map[wire.TopicPartition]*partition
	// list is the same, sorted, for whatever goes over all of them.
	list []*partition
	// recovered are logs found at the start whose partition the metadata has not
	// claimed yet; what is left once the broker has caught up is stray.
	recovered map[wire.TopicPartition]recoveredLog
	// busy are partitions being created or deleted on disk; a change that comes
	// meanwhile waits.
	busy map[wire.TopicPartition]bool
	// open is set by activate.
	open bool
	// changes is what has happened since report.
	changes replicaChanges
}

// replicaChanges counts what happens to partitions. A broker has thousands, and they mostly
// change together.
type replicaChanges struct{ led, resigned, shrunk, expanded, truncated, strays int }

// report sums up for people what each partition tells as [env.Detail].
func (rs *replicas) report() {
	c := rs.changes
	if c == (replicaChanges{}) {
		return
	}
	rs.changes = replicaChanges{}
	rs.n.env.Trace.Event(env.Info, "partitions-changed", env.I("became-leader", c.led), env.I("resigned", c.resigned),
		env.I("isr-shrunk", c.shrunk), env.I("isr-expanded", c.expanded), env.I("truncated", c.truncated), env.I("stray", c.strays))
}

type recoveredLog struct {
	id  wire.UUID
	log *storage.Log
	err error
}

func newReplicas(n *Node) *replicas {
	return &replicas{n: n, byTP: make(map[wire.TopicPartition]*partition),
		recovered: make(map[wire.TopicPartition]recoveredLog), busy: make(map[wire.TopicPartition]bool)}
}

// recover opens the logs that the data directory has. Their configs come with the
// metadata later.
func (rs *replicas) recover(t *env.Task) {
	ids := make(map[wire.TopicPartition]wire.UUID)
	var tps []wire.TopicPartition
	for _, p := range rs.n.store.Partitions() {
		if p.TopicPartition != metadataPartition {
			tps = append(tps, p.TopicPartition)
			ids[p.TopicPartition] = p.TopicID
		}
	}
	rs.n.store.OpenLogs(t, tps,
		func(tp wire.TopicPartition) (storage.Config, storage.Observer) {
			return storageConfig(&rs.n.cfg.TopicDefaults), rs.observer(storage.Partition{TopicPartition: tp, TopicID: ids[tp]})
		},
		func(tp wire.TopicPartition, l *storage.Log, err error) {
			if err != nil {
				rs.n.env.Trace.Event(env.Error, "log-not-recovered", env.S("partition", tp.String()), env.Err(err))
			}
			rs.n.probeOpened(storage.Partition{TopicPartition: tp, TopicID: ids[tp]}, l)
			rs.recovered[tp] = recoveredLog{ids[tp], l, err}
		})
}

// activate takes up what the metadata places here. Only after this life of the broker
// has been registered and its registration replayed: the controller takes a replica that
// may have lost its tail out of every ISR then, and what the metadata said before may
// still name it leader. It would lead with less than it had acknowledged (KIP-966).
func (rs *replicas) activate() {
	rs.open = true
	for _, topic := range rs.n.image.Topics() {
		for _, m := range topic.Partitions {
			rs.reconcile(m.TopicPartition())
		}
	}
	rs.removeStrays()
}

// observer finds the partition by name when something happens to its log, because
// logs are opened before their partitions are known.
func (rs *replicas) observer(log storage.Partition) storage.Observer {
	tp := log.TopicPartition
	return rs.n.watch(log, storage.Observer{
		Advanced: func(l *storage.Log) {
			if p := rs.byTP[tp]; p != nil && p.log == l {
				p.advanced()
			}
		},
		WentOffline: func(l *storage.Log, err error) {
			if p := rs.byTP[tp]; p != nil && p.log == l {
				p.offline(err)
			}
		},
	})
}

// follow brings the replicas in line with a change of the metadata.
func (rs *replicas) follow(d *metadata.Delta) {
	if !rs.n.cfg.IsBroker() {
		return
	}
	for _, b := range d.Brokers() {
		state := rs.n.brokerState(b.ID)
		for _, p := range rs.list {
			if p.leader != nil && p.meta.HasReplica(b.ID) {
				p.apply(p.leader.OnBrokerState(p.now(), b.ID, state))
			}
		}
	}
	for _, r := range d.Configs() {
		switch {
		case r.Type == metadata.TopicResource:
			if t := d.Image().Topic(r.Name); t != nil {
				rs.reconfigure(t)
			}
		case r.Type == metadata.BrokerResource && (r.Name == "" || r.Name == strconv.Itoa(int(rs.n.cfg.NodeID))):
			rs.n.reconfigure()
			for _, t := range d.Image().Topics() {
				rs.reconfigure(t)
			}
		}
	}
	for _, c := range d.PartitionsOf(rs.n.cfg.NodeID) {
		rs.reconcile(wire.TopicPartition{Topic: c.Topic, Partition: c.ID.Partition})
	}
}

func (rs *replicas) reconfigure(t *metadata.Topic) {
	c := rs.n.topicConfig(t.Name)
	for _, m := range t.Partitions {
		if p := rs.byTP[m.TopicPartition()]; p != nil {
			p.reconfigure(c)
		}
	}
}

// reconcile makes one partition what the metadata says of it now.
func (rs *replicas) reconcile(tp wire.TopicPartition) {
	if !rs.open || rs.busy[tp] || rs.n.stopped {
		return
	}
	m := rs.n.image.Partition(tp.Topic, tp.Partition)
	if m != nil && !m.HasReplica(rs.n.cfg.NodeID) {
		m = nil
	}
	p := rs.byTP[tp]
	switch {
	case p != nil && (m == nil || m.TopicID != p.id.TopicID):
		rs.remove(p)
	case p != nil:
		p.metadata(m)
	case m != nil:
		rs.add(tp, m)
	}
}

// add takes up a partition, with the log that was recovered for it or a new one.
func (rs *replicas) add(tp wire.TopicPartition, m *metadata.Partition) {
	p := &partition{n: rs.n, tp: tp, id: m.TopicIDPartition(), meta: m, topic: rs.n.topicConfig(tp.Topic)}
	p.throttleOf()
	if rec, ok := rs.recovered[tp]; ok {
		if rec.id != m.TopicID {
			// The topic was deleted and created again while this broker was away.
			delete(rs.recovered, tp)
			rs.drop(storage.Partition{TopicPartition: tp, TopicID: rec.id})
			return
		}
		delete(rs.recovered, tp)
		rs.insert(p)
		p.opened(rec.log, rec.err)
		return
	}
	rs.insert(p)
	rs.busy[tp] = true
	rs.n.store.CreatePartition(p.storageName(), storageConfig(&p.topic), rs.observer(p.storageName()),
		func(l *storage.Log, err error) {
			delete(rs.busy, tp)
			rs.n.probeOpened(p.storageName(), l)
			p.opened(l, err)
			rs.reconcile(tp)
		})
}

func (rs *replicas) insert(p *partition) {
	rs.byTP[p.tp] = p
	i, _ := slices.BinarySearchFunc(rs.list, p.tp, func(q *partition, tp wire.TopicPartition) int { return q.tp.Compare(tp) })
	rs.list = slices.Insert(rs.list, i, p)
}

// remove gives up a partition that was deleted or moved elsewhere. Whoever waits for one
// that was moved is to try again there: some clients take UNKNOWN_TOPIC_OR_PARTITION for
// the end of the topic.
func (rs *replicas) remove(p *partition) {
	code := unknownPartition
	if rs.n.image.PartitionByID(p.id.TopicID, p.id.Partition) != nil {
		code = notLeader
	}
	p.resign(code)
	p.unfollow()
	p.gone = true
	delete(rs.byTP, p.tp)
	rs.list = slices.DeleteFunc(rs.list, func(q *partition) bool { return q == p })
	rs.drop(p.storageName())
}

// drop deletes a partition's directory.
func (rs *replicas) drop(log storage.Partition) {
	tp := log.TopicPartition
	rs.busy[tp] = true
	if probe := rs.n.opts.Probe; probe != nil {
		probe.LogDeleted(log)
	}
	rs.n.store.DeletePartition(tp, func(err error) {
		delete(rs.busy, tp)
		if err != nil {
			rs.n.env.Trace.Event(env.Warn, "partition-not-deleted", env.S("partition", tp.String()), env.Err(err))
		}
		rs.reconcile(tp)
	})
}

// removeStrays deletes the logs of partitions that the caught-up metadata does not
// know, or does not place here.
func (rs *replicas) removeStrays() {
	tps := make([]wire.TopicPartition, 0, len(rs.recovered))
	for tp := range rs.recovered { //odradek:unordered sorted below
		tps = append(tps, tp)
	}
	slices.SortFunc(tps, wire.TopicPartition.Compare)
	for _, tp := range tps {
		rs.changes.strays++
		rs.n.env.Trace.Event(env.Detail, "stray-partition", env.S("partition", tp.String()))
		rec := rs.recovered[tp]
		delete(rs.recovered, tp)
		rs.drop(storage.Partition{TopicPartition: tp, TopicID: rec.id})
	}
}

// lookup finds a partition by the name of its topic.
func (rs *replicas) lookup(topic string, index int32) *partition {
	return rs.byTP[wire.TopicPartition{Topic: topic, Partition: index}]
}

// checkpoint writes the high watermarks.
func (rs *replicas) checkpoint(done func(error)) {
	hws := make([]storage.PartitionOffset, 0, len(rs.list))
	for _, p := range rs.list {
		if p.log != nil {
			hws = append(hws, storage.PartitionOffset{TopicPartition: p.tp, Offset: p.highWatermark()})
		}
	}
	rs.n.store.CheckpointHighWatermarks(hws, done)
}

// retain applies retention to every partition.
func (rs *replicas) retain() {
	for _, p := range rs.list {
		if p.log == nil || p.err != nil || !p.topic.Delete() {
			continue
		}
		p.log.ApplyRetention(p.highWatermark(), func(int, error) { p.logStartMoved() }) // the log tells
	}
}

// expireProducers has every log forget producers that have been idle for long.
func (rs *replicas) expireProducers() {
	for _, p := range rs.list {
		if p.log != nil && p.err == nil {
			p.log.ExpireProducers(int64(rs.n.cfg.ProducerIDExpirationMs))
		}
	}
}

// logStartMoved tells the role that records at the beginning are gone.
func (p *partition) logStartMoved() {
	p.probe()
	switch {
	case p.err != nil:
	case p.leader != nil:
		p.apply(p.leader.OnLogStart(p.now(), p.log.LogStartOffset()))
	case p.follower != nil:
		p.follower.OnLogStart(p.log.LogStartOffset())
	}
}

// brokerState is what the metadata says about a broker, for a leader.
func (n *Node) brokerState(id wire.NodeID) replica.BrokerState {
	b := n.image.Broker(id)
	if b == nil {
		return replica.BrokerState{Epoch: wire.NoBrokerEpoch, Fenced: true}
	}
	return replica.BrokerState{Epoch: b.Epoch, Fenced: b.Fenced, ShuttingDown: b.InControlledShutdown}
}

// topicConfig is a topic's effective config.
func (n *Node) topicConfig(topic string) config.Topic {
	l := n.layers(topic)
	if l.Topic == nil && l.Broker == nil && l.Cluster == nil {
		return n.cfg.TopicDefaults // what the file says of topics
	}
	c, err := l.TopicConfig()
	if err != nil {
		// The controller validates configs, so this is a broker config that cannot go
		// with a topic's; the defaults are safe.
		n.env.Trace.Event(env.Warn, "bad-topic-config", env.S("topic", topic), env.Err(err))
		return n.cfg.TopicDefaults
	}
	return c
}

// reconfigure follows a change of the dynamic broker configs. Only those can be in it
// that may change while the broker runs, and whoever uses one reads it each time.
func (n *Node) reconfigure() {
	l := n.layers("")
	c, err := l.BrokerConfig()
	if err != nil {
		// The controller validates values, but not against this broker's file.
		n.env.Trace.Event(env.Warn, "bad-broker-config", env.Err(err))
		return
	}
	*n.cfg = *c
}
