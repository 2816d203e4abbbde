package client

import (
	"errors"
	"fmt"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/workloads/client/consumer"
	"odradek/workloads/client/group"
)

// waitingCommit is a commit whose result somebody, or nobody (nil), waits for.
type waitingCommit struct {
	done func(group.Commit)
	auto bool
}

// Commit commits offsets, as the member that the consumer is at the moment, and waits for
// the result. What may pass is tried again until Config.Timeout.
func (g *GroupConsumer) Commit(t *env.Task, offsets group.Offsets) group.Commit {
	return env.Await(t, func(done func(group.Commit)) { g.commit(offsets, group.Retry, waitingCommit{done: done}) })
}

// CommitAsync commits offsets with a single attempt; done, if not nil, gets the result on a
// later turn of the loop.
func (g *GroupConsumer) CommitAsync(offsets group.Offsets, done func(group.Commit)) group.CommitID {
	return g.commit(offsets, group.Once, waitingCommit{done: done})
}

func (g *GroupConsumer) commit(offsets group.Offsets, effort group.Effort, w waitingCommit) group.CommitID {
	id := g.member.Commit(g.net.now(), offsets, effort)
	g.commits[id] = w
	g.observe(GroupInfo{
		Event: CommitInvoked, Member: g.member.Member(), Owned: g.member.Owned(), Auto: w.auto,
		Commit: &group.Commit{ID: id, Offsets: offsets},
	})
	g.wakeResults()
	return id
}

// wakeResults makes results be handed out. A closed network has no turns; then the core
// ends everything at once.
func (g *GroupConsumer) wakeResults() {
	if g.net.closed {
		g.member.Close()
		g.net.env.Clock.After(0, g.results)
		return
	}
	g.net.kick()
}

// Consumed are the positions after what Poll has returned so far, of all partitions that
// have one: what to commit once that is processed.
func (g *GroupConsumer) Consumed() group.Offsets {
	offsets := make(group.Offsets)
	for _, tp := range g.core.Assignment() {
		if p, ok := g.core.Position(tp); ok {
			offsets[tp] = group.Offset{Offset: p.Offset, LeaderEpoch: p.Epoch}
		}
	}
	return offsets
}

// Committed reads the group's committed offsets. Partitions without one are left out.
func (g *GroupConsumer) Committed(t *env.Task, tps []wire.TopicPartition) (group.Offsets, error) {
	f := env.Await(t, func(done func(group.Fetched)) {
		g.fetches[g.member.Fetch(g.net.now(), tps)] = done
		g.wakeResults()
	})
	for _, tp := range tps {
		if err := f.Refused[tp]; err != nil {
			return f.Offsets, fmt.Errorf("%s: %w", tp, err)
		}
	}
	return f.Offsets, f.Err
}

// autoCommit commits by itself if that is due.
func (g *GroupConsumer) autoCommit() {
	now := g.net.now()
	if now < g.autoAt {
		return
	}
	g.autoAt = now + int64(g.cfg.AutoCommitInterval)
	if offsets := g.Consumed(); len(offsets) > 0 {
		g.commit(offsets, group.Once, waitingCommit{auto: true})
	}
}

// commitAll commits by itself before partitions are given up. Whether that worked does
// not matter: they are given up all the same, and whoever gets them reads again.
func (g *GroupConsumer) commitAll(t *env.Task) {
	offsets := g.Consumed()
	if len(offsets) == 0 {
		return
	}
	env.Await(t, func(done func(group.Commit)) {
		g.commit(offsets, group.Insist, waitingCommit{done: done, auto: true})
	})
}

// startAwaiting reads committed offsets for partitions that await their position. The
// listener may still seek.
func (g *GroupConsumer) startAwaiting(now int64) {
	if g.starting != 0 || g.telling || g.member.Err() != nil {
		return
	}
	if tps := g.core.Awaiting(); len(tps) > 0 {
		g.starting = g.member.Fetch(now, tps)
		g.net.again = true
	}
}

// start gives partitions their positions. A result that was asked for before the
// assignment changed is not used: whoever had a partition in between has committed more.
func (g *GroupConsumer) start(f *group.Fetched) {
	g.starting = 0
	if f.Err != nil && errors.Is(f.Err, group.ErrTimeout) {
		return // and ask again
	}
	for _, tp := range g.core.Awaiting() {
		o, committed := f.Offsets[tp]
		switch {
		case f.Err != nil:
			g.core.Refuse(tp, f.Err)
		case f.Refused[tp] != nil:
			g.core.Refuse(tp, f.Refused[tp])
		default:
			g.core.Start(tp, consumer.Position{Offset: o.Offset, Epoch: o.LeaderEpoch}, committed)
		}
	}
	g.net.again = true
}

// results hands out what has ended.
func (g *GroupConsumer) results() {
	g.observeMembership()
	for _, k := range g.member.Commits() {
		w := g.commits[k.ID]
		delete(g.commits, k.ID)
		g.observe(GroupInfo{
			Event: CommitReturned, Member: g.member.Member(), Owned: g.member.Owned(), Auto: w.auto, Commit: &k,
		})
		if w.done != nil {
			w.done(k)
		}
	}
	for _, f := range g.member.Fetches() {
		if f.ID == g.starting {
			g.start(&f)
			continue
		}
		if done := g.fetches[f.ID]; done != nil {
			delete(g.fetches, f.ID)
			done(f)
		}
	}
}
