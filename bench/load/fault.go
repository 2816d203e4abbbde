package load

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"odradek/bench"
	"odradek/bench/target"
)

// outage is what follows when the leader of the first topic's partition 0 was killed.
type outage struct {
	killed int64
	over   atomic.Bool
}

// strike carries a fault out, and takes it back when its time is over.
func (r *run) strike(ctx context.Context, f bench.Fault) error {
	at := r.from.Load() + int64(f.At)
	if !r.sleepUntil(ctx, at) {
		return nil
	}
	back, err := r.begin(ctx, f)
	if err == nil && f.For > 0 && r.sleepUntil(ctx, at+int64(f.For)) {
		err = back()
	}
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("fault %s: %w", f.Kind, err)
	}
	return nil
}

// begin starts a fault and returns what ends it.
func (r *run) begin(ctx context.Context, f bench.Fault) (back func() error, err error) {
	switch f.Kind {
	case "kill-leader":
		return r.killLeader(ctx)
	case "add-consumer":
		r.mark(r.clock.now(), "a consumer joins each group")
		return func() error { return r.removeConsumers(ctx) }, r.addConsumers(ctx)
	case "remove-consumer":
		return func() error {
			r.mark(r.clock.now(), "a consumer joins each group again")
			return r.addConsumers(ctx)
		}, r.removeConsumers(ctx)
	}
	panic("fault " + f.Kind) // validated
}

func (r *run) killLeader(ctx context.Context) (back func() error, err error) {
	meta, err := r.adm.Metadata(ctx, r.topics[0])
	if err != nil {
		return nil, err
	}
	leader := meta.Topics[r.topics[0]].Partitions[0].Leader
	if leader < 0 {
		return nil, errors.New("the partition has no leader")
	}
	if err := r.sys.Kill(leader); err != nil {
		return nil, err
	}
	r.setDown(leader, true)
	killed := r.clock.now()
	r.mark(killed, "leader %d is killed", leader)
	r.outage.Store(&outage{killed: killed})
	return func() error {
		if err := r.sys.Restart(leader); err != nil {
			return err
		}
		r.setDown(leader, false)
		r.mark(r.clock.now(), "broker %d is back", leader)
		return nil
	}, nil
}

// acknowledged ends an outage with the first record of its partition that was sent in it.
func (r *run) acknowledged(s *slot) {
	o := r.outage.Load()
	if o == nil || o.over.Load() || s.sent < o.killed || s.record.Topic != r.topics[0] || s.record.Partition != 0 {
		return
	}
	if now := r.clock.now(); o.over.CompareAndSwap(false, true) {
		r.mark(now, "first acknowledgement after the kill: %.3f s", seconds(now-o.killed))
	}
}

func (r *run) addConsumers(ctx context.Context) error {
	for _, g := range r.groups {
		if err := g.join(ctx, false); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) removeConsumers(ctx context.Context) error {
	r.mark(r.clock.now(), "a consumer leaves each group")
	for _, g := range r.groups {
		g.leave(ctx)
	}
	return nil
}

func (r *run) setDown(node int32, down bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.down = slices.DeleteFunc(r.down, func(n int32) bool { return n == node }); down {
		r.down = append(r.down, node)
	}
}

// heal restarts what is still down: the system is used again.
func (r *run) heal() error {
	r.mu.Lock()
	down := slices.Clone(r.down)
	r.mu.Unlock()
	for _, node := range down {
		if err := r.sys.Restart(node); err != nil {
			return err
		}
		r.setDown(node, false)
	}
	return nil
}

// possible says early what a run would fail of in its middle.
func possible(sys target.System, s *bench.Scenario) error {
	for _, f := range s.Faults {
		switch {
		case f.Kind == "kill-leader" && errors.Is(sys.Kill(noNode), target.ErrUnsupported):
			return fmt.Errorf("fault %s: %s: %w", f.Kind, sys.Info().Name, target.ErrUnsupported)
		case f.Kind != "kill-leader" && s.Groups() == 0:
			return fmt.Errorf("fault %s: there are no consumers", f.Kind)
		}
	}
	return nil
}

// noNode is no broker's id.
const noNode = -1
