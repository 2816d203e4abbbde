package load

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
)

// member of a group.
type member struct {
	g    *group
	cl   *kgo.Client
	done chan struct{} // closed when it polls no more

	assigned int // partitions that it has; the group's mutex guards it
}

// join adds a member to the group. If it is paused, it gets partitions and fetches nothing
// until [group.resume].
func (g *group) join(ctx context.Context, paused bool) error {
	m := &member{g: g, done: make(chan struct{})}
	count := func(sign int) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, of map[string][]int32) {
			for _, partitions := range of {
				m.assign(sign * len(partitions))
			}
		}
	}
	// Kafka's consumer commits all that was polled before it gives partitions up; of what
	// it could not commit, the next one's duplicates tell.
	revoked := func(ctx context.Context, cl *kgo.Client, of map[string][]int32) {
		if err := cl.CommitUncommittedOffsets(ctx); err != nil {
			g.trouble(err)
		}
		count(-1)(ctx, cl, of)
	}
	// Before it joins: it may be assigned partitions at once.
	g.mu.Lock()
	g.members = append(g.members, m)
	g.mu.Unlock()
	opts := append(g.r.clientOptions(), g.r.consumerOptions...)
	opts = append(opts, g.r.memberOptions...)
	opts = append(opts,
		kgo.ConsumerGroup(g.name), kgo.ConsumeTopics(g.topic),
		// The topic is new: from its start nothing is missed, whoever is first.
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.GreedyAutoCommit(),
		kgo.OnPartitionsAssigned(count(1)), kgo.OnPartitionsRevoked(revoked), kgo.OnPartitionsLost(count(-1)),
	)
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.members = slices.DeleteFunc(g.members, func(o *member) bool { return o == m })
		return fmt.Errorf("consumer: %w", err)
	}
	if paused {
		cl.PauseFetchTopics(g.topic)
	}
	m.cl = cl
	g.r.consuming.Go(func() {
		defer close(m.done)
		if err := m.poll(ctx); err != nil {
			g.r.fail(err)
		}
	})
	return nil
}

// resume lets paused members fetch.
func (g *group) resume() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, m := range g.members {
		m.cl.ResumeFetchTopics(g.topic)
	}
}

func (m *member) poll(ctx context.Context) error {
	for {
		fetches := m.cl.PollFetches(ctx)
		now := m.g.r.clock.now()
		if fetches.IsClientClosed() || ctx.Err() != nil {
			return nil
		}
		var failed error
		fetches.EachError(func(topic string, partition int32, err error) {
			var lost *kgo.ErrDataLoss
			var session *kgo.ErrGroupSession
			switch {
			case errors.As(err, &lost): // which the accounting finds
			case errors.As(err, &session): // which is tried again
				m.g.trouble(err)
			default:
				failed = errors.Join(failed, fmt.Errorf("consuming %s-%d: %w", topic, partition, err))
			}
		})
		if failed != nil {
			return failed
		}
		if err := m.g.receive(now, fetches.EachRecord); err != nil {
			return err
		}
	}
}

// leave takes the newest member out of the group, after it has said so.
func (g *group) leave(ctx context.Context) {
	g.mu.Lock()
	last := len(g.members) - 1
	m := g.members[last]
	g.members = g.members[:last]
	g.mu.Unlock()
	_ = m.cl.LeaveGroupContext(ctx) // who could not say so is found to be gone
	m.cl.Close()
	<-m.done
}

// leaveAll ends the group.
func (g *group) leaveAll(ctx context.Context) {
	for range g.size() {
		g.leave(ctx)
	}
}
