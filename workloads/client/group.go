package client

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/workloads/client/cluster"
	"odradek/workloads/client/consumer"
	"odradek/workloads/client/group"
	"odradek/workloads/client/txn"
)

// Listener hears of changes of a member's assignment. It is called within Poll or Leave, on
// their task, and may take its time (heartbeats go on, and max.poll.interval.ms runs) and
// use the consumer, except for Poll and Leave.
type Listener interface {
	// OnAssigned is called after partitions were added and before anything of them is
	// read. Where it does not seek, reading begins at the committed offset, or as the
	// reset policy says.
	OnAssigned(t *env.Task, tps []wire.TopicPartition)
	// OnRevoked is called before partitions are given up: what was processed can still
	// be committed.
	OnRevoked(t *env.Task, tps []wire.TopicPartition)
	// OnLost is called before partitions are dropped that may have another owner
	// already, so that it is too late to commit.
	OnLost(t *env.Task, tps []wire.TopicPartition)
}

// NopListener hears nothing; embed it to implement only some methods.
type NopListener struct{}

func (NopListener) OnAssigned(*env.Task, []wire.TopicPartition) {}
func (NopListener) OnRevoked(*env.Task, []wire.TopicPartition)  {}
func (NopListener) OnLost(*env.Task, []wire.TopicPartition)     {}

// GroupConsumer is a member of a consumer group: it reads the partitions that the group
// assigns to it, from the group's committed offsets on. One Poll, Leave or Close may be
// under way at a time; commits may come from any task.
type GroupConsumer struct {
	reader
	cfg      group.Config
	member   *group.Core
	listener Listener
	topics   []string // whose metadata are wanted, as of member.Topics
	// polling: a Poll or Leave is under way, maybe in the listener.
	polling bool
	// ready is what the Poll or Leave that sleeps waits for.
	ready func() bool
	// telling: the listener is being told of a change.
	telling bool
	// starting is the reading of committed offsets for partitions that await their
	// position, 0 for none.
	starting group.FetchID
	// commits and fetches that somebody waits for.
	commits map[group.CommitID]waitingCommit
	fetches map[group.FetchID]func(group.Fetched)
	// autoAt is when to commit by itself next, in ns.
	autoAt int64
	// frozen: see Freeze; held is what has come in since.
	frozen bool
	held   []func()
}

// NewGroupConsumer makes a member of a group. l may be nil.
func (c *Client) NewGroupConsumer(cfg consumer.Config, gc group.Config, l Listener) *GroupConsumer {
	if l == nil {
		l = NopListener{}
	}
	gc.RequireStable = gc.RequireStable || cfg.ReadCommitted
	n := c.network("group-consumer")
	g := &GroupConsumer{
		reader: reader{net: n, core: consumer.New(cfg, n.meta, n.rng), wakeAt: cluster.Never},
		cfg:    gc, listener: l,
		member:  group.New(gc, n.meta, n.rng),
		commits: make(map[group.CommitID]waitingCommit),
		fetches: make(map[group.FetchID]func(group.Fetched)),
		autoAt:  cluster.Never,
	}
	n.core = g
	if gc.AutoCommit {
		g.autoAt = n.now() + int64(gc.AutoCommitInterval)
	}
	c.closers = append(c.closers, g.Close)
	return g
}

// Subscribe replaces the topics, of which there must be one. The member joins, or asks for
// a rebalance, with the next Poll.
func (g *GroupConsumer) Subscribe(topics ...string) {
	if len(topics) == 0 {
		panic("client: a subscription to nothing; Leave ends one")
	}
	g.member.Subscribe(topics)
	g.net.kick()
}

// Poll takes part in rebalances, then waits at most maxWait for records or events and
// returns what is there, in log order within a partition. It takes longer where the
// listener does, or an automatic commit before partitions are given up. The assignment
// changes only within Poll and Leave. The error is that of a membership that has failed
// for good, or group.ErrClosed.
func (g *GroupConsumer) Poll(t *env.Task, maxWait time.Duration) ([]consumer.Record, []consumer.Event, error) {
	g.begin()
	defer func() { g.polling = false }()
	until := g.net.now() + int64(max(maxWait, 0))
	for !g.net.closed {
		if g.frozen {
			g.sleep(t, cluster.Never) // Thaw wakes it
			continue
		}
		if g.change(t) {
			continue
		}
		if err := g.member.Err(); err != nil {
			return nil, nil, err
		}
		g.autoCommit()
		records, events := g.core.Take()
		now := g.net.now()
		if len(records) > 0 || len(events) > 0 || now >= until {
			g.member.Polling(now, false)
			g.net.kick() // there is room for the next fetch
			return records, events, nil
		}
		g.ready = g.something
		g.sleep(t, min(until, g.autoAt))
	}
	return nil, nil, group.ErrClosed
}

// something tells whether a Poll that sleeps has something to look at.
func (g *GroupConsumer) something() bool {
	return g.core.HasData() || g.member.HasChange() || g.member.Err() != nil
}

// gone tells whether nothing is left to be done for a member that leaves.
func (g *GroupConsumer) gone() bool { return g.member.Over() && len(g.commits) == 0 }

func (g *GroupConsumer) begin() {
	if g.polling {
		panic("client: two polls of one consumer at the same time")
	}
	g.polling = true
	g.member.Polling(g.net.now(), true)
	g.net.kick()
}

// change tells the listener of one change, and makes it. It reports whether there was one.
func (g *GroupConsumer) change(t *env.Task) bool {
	ch := g.member.Change()
	if ch == nil {
		return false
	}
	g.telling = true
	g.starting = 0
	// The listener's time counts as the script's own.
	g.member.Polling(g.net.now(), false)
	if ch.Kind == group.Assign {
		g.core.AssignAwaiting(g.member.Owned())
		g.observe(GroupInfo{Event: GroupAssigned, Member: ch.Member, Partitions: ch.Partitions, Owned: g.member.Owned()})
		g.listener.OnAssigned(t, ch.Partitions)
	} else {
		event := GroupLost
		if ch.Kind == group.Revoke {
			event = GroupRevoked
			if g.cfg.AutoCommit {
				g.commitAll(t)
			}
			g.listener.OnRevoked(t, ch.Partitions)
		} else {
			g.listener.OnLost(t, ch.Partitions)
		}
		if g.net.closed {
			return true
		}
		left := slices.DeleteFunc(g.core.Assignment(), func(tp wire.TopicPartition) bool {
			return slices.Contains(ch.Partitions, tp)
		})
		g.core.AssignAwaiting(left)
		g.observe(GroupInfo{Event: event, Member: ch.Member, Partitions: ch.Partitions, Owned: left})
	}
	if g.net.closed {
		return true
	}
	g.telling = false
	g.member.Changed(g.net.now())
	g.member.Polling(g.net.now(), true)
	g.net.kick()
	return true
}

// Assignment lists the partitions held, sorted.
func (g *GroupConsumer) Assignment() []wire.TopicPartition { return g.core.Assignment() }

// Metadata is what a transactional producer needs to send offsets on behalf of this
// member: the member as of the latest generation or epoch that it has joined, also when it
// was fenced since. Before it has joined there is none (generation -1, no member).
func (g *GroupConsumer) Metadata() txn.Group {
	m := g.member.Joined()
	return txn.Group{ID: m.Group, Generation: m.Generation, Member: m.ID, Instance: m.Instance}
}

// Freeze stops the member as a long pause of its process does: it sends nothing and learns
// nothing, and operations under way wait, while time passes. What it believed it still
// believes after Thaw.
func (g *GroupConsumer) Freeze() { g.frozen = true }

// Thaw lets a frozen member go on, with the answers that have come in meanwhile.
func (g *GroupConsumer) Thaw() {
	g.frozen = false
	g.net.env.Clock.After(0, func() {
		held := g.held
		g.held = nil
		for _, fn := range held {
			g.whenThawed(fn)
		}
		if !g.net.closed {
			g.wakeUp()
			g.net.turn()
		}
	})
}

// whenThawed runs fn now, or holds it while the member is frozen.
func (g *GroupConsumer) whenThawed(fn func()) {
	switch {
	case g.net.closed:
	case g.frozen:
		g.held = append(g.held, fn)
	default:
		fn()
	}
}

// Leave commits if that is automatic, gives up all partitions, leaves the group and closes
// the consumer. It takes no longer than Config.Timeout apart from the listener, and waits
// for commits under way.
func (g *GroupConsumer) Leave(t *env.Task) {
	g.begin()
	defer func() { g.polling = false }()
	if g.cfg.AutoCommit && !g.net.closed {
		g.commitAll(t)
	}
	until := g.net.now() + int64(g.cfg.Timeout)
	g.member.Leave(g.net.now())
	g.net.kick()
	for !g.net.closed {
		if g.frozen {
			g.sleep(t, cluster.Never) // Thaw wakes it
			continue
		}
		if g.change(t) {
			continue
		}
		if g.gone() || g.net.now() >= until {
			g.Close()
			return
		}
		g.ready = func() bool { return g.member.HasChange() || g.gone() }
		g.sleep(t, until)
	}
}

// Close ends the consumer as a crash does: it does not leave the group, the listener hears
// nothing, and pending operations end with group.ErrClosed on a later turn of the loop.
func (g *GroupConsumer) Close() {
	if g.net.closed {
		return
	}
	g.net.close()
	g.member.Close()
	g.net.env.Clock.After(0, func() {
		g.results()
		g.wakeUp()
	})
}

func (g *GroupConsumer) poll(now int64) {
	if g.frozen {
		return
	}
	if topics := g.member.Topics(); !slices.Equal(topics, g.topics) {
		g.topics = topics
		g.core.Keep(topics)
	}
	for _, req := range g.member.Poll(now) {
		timeout := max(req.Timeout, g.net.cfg.RequestTimeout)
		g.net.call(req.Request, timeout, func(resp kmsg.Response, err error) {
			g.whenThawed(func() {
				if err != nil {
					g.member.OnFailure(g.net.now(), req.ID, err)
					return
				}
				g.member.OnResponse(g.net.now(), req.ID, resp)
			})
		})
	}
	g.startAwaiting(now)
	for _, req := range g.core.Poll(now) {
		g.net.call(req, g.net.cfg.RequestTimeout, func(resp kmsg.Response, err error) {
			g.whenThawed(func() { g.answer(req.ID, resp, err) })
		})
	}
}

func (g *GroupConsumer) deliver(now int64) {
	if g.frozen {
		return
	}
	g.results()
	if g.wake != nil && (g.wakeAt <= now || g.ready()) {
		g.wakeUp()
	}
}

func (g *GroupConsumer) deadline() int64 {
	if g.frozen {
		return cluster.Never
	}
	return min(g.core.Deadline(), g.member.Deadline(), g.wakeAt)
}
