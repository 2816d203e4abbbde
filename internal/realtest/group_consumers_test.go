package realtest_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// group is what the members of a consumer group were given, by record.
type group struct {
	mu   sync.Mutex
	seen map[string]int
}

func (g *group) count() (records, copies int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, n := range g.seen {
		copies += n
	}
	return len(g.seen), copies
}

// member consumes until it is told to stop, and leaves the group then.
func (g *group) member(t *testing.T, addr string) (stop func()) {
	cl := client(t, addr, kgo.ConsumerGroup("workers"), kgo.ConsumeTopics("jobs"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.Balancers(kgo.CooperativeStickyBalancer()), kgo.HeartbeatInterval(200*time.Millisecond), kgo.SessionTimeout(10*time.Second),
		kgo.AutoCommitInterval(100*time.Millisecond), kgo.FetchMaxWait(300*time.Millisecond))
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		for ctx.Err() == nil {
			cl.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
				g.mu.Lock()
				g.seen[string(r.Value)]++
				g.mu.Unlock()
			})
		}
	})
	return func() {
		cancel()
		done.Wait()
		cl.Close() // commits and leaves
	}
}

// A group of franz-go consumers shares a topic, outlives a kill -9 of its coordinator
// without being given anything twice that it had committed, and hands over when a
// member leaves.
func TestGroupOfFranzGoConsumers(t *testing.T) {
	t.Parallel()
	dir, addr := t.TempDir(), freeAddrs(t, 1)[0]
	flags := []string{"--set", "group.initial.rebalance.delay.ms=100", "--set", "offsets.topic.num.partitions=5"}
	p := startOn(t, dir, addr, flags...)
	cl := client(t, addr)
	adm := kadm.NewClient(cl)
	ctx := patience(t)
	if _, err := adm.CreateTopic(ctx, 6, 1, nil, "jobs"); err != nil {
		t.Fatal(err)
	}
	g := &group{seen: make(map[string]int)}
	stopA, stopB := g.member(t, addr), g.member(t, addr)
	members := func(n int) error {
		d, err := adm.DescribeGroups(ctx, "workers")
		if err == nil {
			err = d.Error()
		}
		if err != nil {
			return err
		}
		if w := d["workers"]; w.State != "Stable" || len(w.Members) != n || !w.AssignedPartitions().Lookup("jobs", 5) {
			return fmt.Errorf("group %s with %d members", w.State, len(w.Members))
		}
		return nil
	}
	if err := eventually(t, func() error { return members(2) }); err != nil {
		t.Fatal(err)
	}
	consumed := func(want int) func() error {
		return func() error {
			lags, err := adm.Lag(ctx, "workers")
			if err != nil {
				return err
			}
			if lag := lags["workers"].Lag.Total(); lag != 0 {
				return fmt.Errorf("lag %d", lag)
			}
			if got, _ := g.count(); got != want {
				return fmt.Errorf("%d records of %d", got, want)
			}
			return nil
		}
	}
	produce(t, cl, "jobs", numbers("before", 600)...)
	if err := eventually(t, consumed(600)); err != nil {
		t.Fatal(err)
	}
	p.Kill()
	startOn(t, dir, addr, flags...)
	produce(t, cl, "jobs", numbers("after", 600)...)
	if err := eventually(t, consumed(1200)); err != nil {
		t.Fatal(err)
	}
	stopA()
	if err := eventually(t, func() error { return members(1) }); err != nil {
		t.Fatal(err)
	}
	produce(t, cl, "jobs", numbers("alone", 100)...)
	if err := eventually(t, consumed(1300)); err != nil {
		t.Fatal(err)
	}
	stopB()
	if records, copies := g.count(); records != copies {
		t.Errorf("%d records were given out %d times", records, copies)
	}
	deleted, err := adm.DeleteGroups(ctx, "workers")
	if err == nil {
		err = deleted.Error()
	}
	if err != nil {
		t.Errorf("deleting the group: %v", err)
	}
}
