package broker

import (
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/coordinator"
	"odradek/broker/env"
	"odradek/broker/storage"
	"odradek/broker/wire"
)

// CoordinatorState is one shard on this node, for checkers and for people.
type CoordinatorState struct {
	wire.TopicPartition
	Epoch wire.LeaderEpoch // the coordinator epoch
	// Active says that it is loaded, and decides.
	Active bool
	// Machine is its state, not to be modified nor kept across turns of the loop.
	Machine coordinator.Machine
}

// Coordinators lists the shards that are led here, by topic and partition.
func (n *Node) Coordinators() []CoordinatorState {
	out := make([]CoordinatorState, 0, len(n.coordinators.list))
	for _, c := range n.coordinators.list {
		out = append(out, CoordinatorState{c.p.tp, c.epoch, c.shard.Active(), c.shard.Machine()})
	}
	return out
}

// coordination is a partition of an internal topic that is led here, with the shard of
// groups or transactions that lives in it. It begins and ends with the partition's
// leader; after a failure to load or to append another one takes its place.
type coordination struct {
	n     *Node
	p     *partition
	kind  *coordinatorKind
	epoch wire.LeaderEpoch // the coordinator epoch
	shard *coordinator.Shard
	over  bool

	waiting map[coordinator.Token]func(kmsg.Response)
	marking map[coordinator.Token]func(*kerr.Error)
	timer   env.Timer
	timerAt int64
}

// coordinate makes the partition's new leader a coordinator, if the topic is one of
// theirs.
func (p *partition) coordinate() {
	kind := p.n.coordinators.kindOf(p.tp.Topic)
	if kind == nil {
		return
	}
	c := &coordination{n: p.n, p: p, kind: kind, epoch: p.leader.LeaderEpoch(),
		shard:   coordinator.New(kind.machine(), coordinator.Config{CommitTimeout: ms(p.n.cfg.OffsetsCommitTimeoutMs)}),
		waiting: make(map[coordinator.Token]func(kmsg.Response)), marking: make(map[coordinator.Token]func(*kerr.Error)),
	}
	p.coordination = c
	cs := p.n.coordinators
	i, _ := slices.BinarySearchFunc(cs.list, p.tp, func(c *coordination, tp wire.TopicPartition) int { return c.p.tp.Compare(tp) })
	cs.list = slices.Insert(cs.list, i, c)
	c.begin()
}

// uncoordinate ends the shard, if there is one: whoever waits has to look for the next
// coordinator.
func (p *partition) uncoordinate() {
	c := p.coordination
	if c == nil {
		return
	}
	p.coordination = nil
	c.over = true
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
	c.n.coordinators.list = slices.DeleteFunc(c.n.coordinators.list, func(o *coordination) bool { return o == c })
	level := env.Debug
	if c.shard.Active() && p.log.LogEndOffset() > p.log.LogStartOffset() {
		level = env.Info // somebody may miss it
	}
	c.n.env.Trace.Event(level, "coordinator-unloaded", env.S("partition", p.tp.String()), env.I("epoch", c.epoch))
	if c.kind.unloaded != nil {
		c.kind.unloaded(c)
	}
	c.answer(c.shard.Unload(kerr.NotCoordinator))
}

// failed follows an append that did not happen, or a load: the state in memory is not the
// log's. It is loaded anew, if this replica still leads.
func (c *coordination) failed(what string, err error) {
	if c.over {
		return
	}
	c.n.env.Trace.Event(env.Warn, what, env.S("partition", c.p.tp.String()), env.I("epoch", c.epoch), env.Err(err))
	p := c.p
	p.uncoordinate()
	if p.leader != nil {
		p.coordinate()
	}
}

func (c *coordination) moment() coordinator.Moment {
	return coordinator.Moment{
		Now: c.p.now(), Wall: c.n.wallMillis(), Image: c.n.image, NextOffset: c.p.log.NextOffset(),
	}
}

// ask has the shard decide a request; done gets the answer.
func (c *coordination) ask(from sender, req kmsg.Request, done func(kmsg.Response)) {
	if tx, ok := req.(*kmsg.TxnOffsetCommitRequest); ok {
		c.askInTransaction(from, tx, done)
		return
	}
	c.decide(from, req, done)
}

func (c *coordination) decide(from sender, req kmsg.Request, done func(kmsg.Response)) {
	token := c.n.coordinators.token()
	c.waiting[token] = done
	c.run(c.shard.Handle(c.moment(), coordinator.Request{Token: token, ClientID: from.clientID, ClientHost: from.host, Msg: req}))
}

// tell hands the machine an input of its own kind. It is dropped unless the shard is
// active.
func (c *coordination) tell(input any) {
	if !c.over {
		c.run(c.shard.Handle(c.moment(), coordinator.Request{Msg: input}))
	}
}

func (cs *coordinators) token() coordinator.Token {
	cs.lastToken++
	return cs.lastToken
}

// committed follows the high watermark.
func (c *coordination) committed() {
	c.run(c.shard.Committed(c.p.leader.HighWatermark()))
}

// metadataChanged tells every shard of a new image.
func (cs *coordinators) metadataChanged() {
	for _, c := range slices.Clone(cs.list) {
		if !c.over && c.shard.Active() {
			c.run(c.shard.MetadataChanged(c.moment()))
		}
	}
}

// run does what the shard wants done.
func (c *coordination) run(out coordinator.Output) {
	var failed error
	for i := range out.Batches {
		if failed = c.append(&out.Batches[i]); failed != nil {
			break
		}
	}
	c.answer(out)
	for _, e := range out.Effects {
		if c.over {
			return // what is left is the next coordinator's
		}
		c.kind.effect(c, e)
	}
	if failed != nil {
		c.failed("coordinator-append-failed", failed)
		return
	}
	c.arm()
}

// answer sends the answers that may leave. What they set off may reach the shard again.
func (c *coordination) answer(out coordinator.Output) {
	for _, r := range out.Replies {
		done := c.waiting[r.Token]
		delete(c.waiting, r.Token)
		done(r.Response)
	}
	for _, m := range out.Marked {
		done := c.marking[m.Token]
		delete(c.marking, m.Token)
		done(m.Err)
	}
}

// append writes a batch to the log. An error means that it was not even queued.
func (c *coordination) append(b *coordinator.Batch) error {
	bytes, records, err := c.n.encodeOwn(b)
	if err != nil {
		return err
	}
	next := c.p.log.NextOffset() + records
	c.p.appendOwn(bytes, func(err error) {
		if err != nil {
			c.failed("coordinator-append-failed", err)
		}
	})
	if c.p.log.NextOffset() != next {
		return fmt.Errorf("the log of %s did not take a batch", c.p.tp)
	}
	return nil
}

// appendOwn appends a batch that this node has made, as the leader. done follows when it is
// written, with an error if it is not; it has not been replicated then.
func (p *partition) appendOwn(batch []byte, done func(error)) {
	p.n.env.CPU.Charge(env.OpCRC, len(batch))
	p.log.Append(batch, storage.AppendOptions{Epoch: p.leader.LeaderEpoch()}, func(_ storage.AppendResult, err error) { done(err) })
}

// encodeOwn is a coordinator's batch in bytes, and how many offsets it takes. A batch of a
// transaction has no sequence number: the coordinator's own order is enough.
func (n *Node) encodeOwn(b *coordinator.Batch) ([]byte, wire.Offset, error) {
	now := n.wallMillis()
	if m := b.Marker; m != nil {
		end := wire.EndMarker{Commit: m.Commit, CoordinatorEpoch: m.CoordinatorEpoch}
		return wire.BuildEndMarker(m.ProducerID, m.Epoch, end, now), 1, nil
	}
	opts := wire.BatchOptions{}
	if t := b.Transaction; t != nil {
		opts.Producer = &wire.Producer{ID: t.ProducerID, Epoch: t.Epoch, Sequence: wire.NoSequence}
		opts.Transactional = true
	}
	builder := wire.NewBuilder(opts)
	for _, r := range b.Records {
		builder.Append(now, r.Key, r.Value)
	}
	bytes, err := builder.Build(nil, n.codec)
	return bytes, wire.Offset(builder.Count()), err
}

// arm sets the timer for the shard's deadline, unless it is set for sooner.
func (c *coordination) arm() {
	if c.over {
		return
	}
	at := c.shard.Deadline()
	if at == coordinator.Never || c.timer != nil && c.timerAt <= at {
		return
	}
	if c.timer != nil {
		c.timer.Stop()
	}
	c.timerAt = at
	c.timer = c.n.env.Clock.After(time.Duration(at-c.p.now()), func() {
		c.timer = nil
		if !c.over && !c.n.stopped {
			c.run(c.shard.Tick(c.moment()))
		}
	})
}
