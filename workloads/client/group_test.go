package client_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/workloads/client"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/clienttest"
	"odradek/workloads/client/consumer"
	"odradek/workloads/client/group"
	"odradek/workloads/client/producer"
)

// ear is a listener that writes down what it hears.
type ear struct {
	heard []string
	// revoked runs in OnRevoked.
	revoked func(t *env.Task, tps []wire.TopicPartition)
}

func (e *ear) OnAssigned(_ *env.Task, tps []wire.TopicPartition) {
	e.heard = append(e.heard, fmt.Sprint("assigned ", tps))
}

func (e *ear) OnLost(_ *env.Task, tps []wire.TopicPartition) {
	e.heard = append(e.heard, fmt.Sprint("lost ", tps))
}

func (e *ear) OnRevoked(t *env.Task, tps []wire.TopicPartition) {
	e.heard = append(e.heard, fmt.Sprint("revoked ", tps))
	if e.revoked != nil {
		e.revoked(t, tps)
	}
}

func (e *ear) take() []string {
	heard := e.heard
	e.heard = nil
	return heard
}

func earliest() consumer.Config {
	cfg := consumer.DefaultConfig()
	cfg.Reset = consumer.ResetEarliest
	return cfg
}

func quick(protocol group.Protocol, assignors ...group.Assignor) group.Config {
	cfg := group.DefaultConfig("g")
	cfg.Protocol, cfg.Assignors = protocol, assignors
	cfg.SessionTimeout, cfg.HeartbeatInterval, cfg.MaxPollInterval = 3*time.Second, 500*time.Millisecond, 10*time.Second
	return cfg
}

// both runs a test with members of either protocol.
func both(t *testing.T, fn func(t *testing.T, cfg group.Config)) {
	for _, cfg := range []group.Config{quick(group.Classic, group.Range), quick(group.Consumer)} {
		t.Run(cfg.Protocol.String(), func(t *testing.T) { fn(t, cfg) })
	}
}

// pollUntil polls until the condition holds, and gives the values read.
func pollUntil(t *testing.T, task *env.Task, c *client.GroupConsumer, what string, done func() bool) []string {
	var values []string
	for range 300 {
		if done() {
			return values
		}
		recs, _, err := c.Poll(task, 100*time.Millisecond)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		for _, r := range recs {
			values = append(values, string(r.Value))
		}
	}
	t.Fatalf("%s: not within 300 polls", what)
	return nil
}

// polls is a condition that holds after so many polls.
func polls(n int) func() bool {
	return func() bool { n--; return n < 0 }
}

// join makes a member subscribed to a, and polls until it has so many partitions.
func (r *rig) join(task *env.Task, ccfg consumer.Config, cfg group.Config, l client.Listener, partitions int) *client.GroupConsumer {
	c := r.client.NewGroupConsumer(ccfg, cfg, l)
	c.Subscribe("a")
	pollUntil(r.t, task, c, "joining", func() bool { return len(c.Assignment()) == partitions })
	return c
}

// rejoin polls until a member that has not heard yet that it is none is one again.
func rejoin(t *testing.T, task *env.Task, c *client.GroupConsumer, partitions int) {
	heard := polls(20)
	pollUntil(t, task, c, "joining again", func() bool { return heard() && len(c.Assignment()) == partitions })
}

func (r *rig) fill(task *env.Task, tp wire.TopicPartition, n int) {
	p := r.client.NewProducer(producer.DefaultConfig())
	for i := range n {
		p.Send(task, record(tp.Topic, tp.Partition, fmt.Sprint(i)))
	}
	p.Close()
}

func TestAMemberReadsFromTheCommittedOffset(t *testing.T) {
	both(t, func(t *testing.T, cfg group.Config) {
		r := newRig(t, 1, 2)
		r.cluster.AddTopic("a", 2)
		r.script(time.Minute, func(task *env.Task) {
			r.fill(task, a0, 10)
			e := &ear{}
			c := r.client.NewGroupConsumer(earliest(), cfg, e)
			c.Subscribe("a")
			values := pollUntil(t, task, c, "the first", polls(20))
			if len(values) != 10 {
				t.Errorf("read %v", values)
			}
			consumed := c.Consumed()
			if consumed[a0].Offset != 10 {
				t.Errorf("consumed %v", consumed)
			}
			if k := c.Commit(task, group.Offsets{a0: {Offset: 7, LeaderEpoch: 0, Metadata: "half"}}); k.Outcome != attempt.OK || k.Err != nil {
				t.Errorf("%+v", k)
			}
			got, err := c.Committed(task, []wire.TopicPartition{a0, a1})
			if diff := cmp.Diff(group.Offsets{a0: {Offset: 7, Metadata: "half"}}, got); err != nil || diff != "" {
				t.Errorf("%v\n%s", err, diff)
			}
			m := c.Metadata()
			if m.ID != "g" || m.Member == "" || m.Generation < 1 {
				t.Errorf("metadata %+v", m)
			}
			c.Leave(task)
			if diff := cmp.Diff([]string{"assigned [a-0 a-1]", "revoked [a-0 a-1]"}, e.take()); diff != "" {
				t.Error(diff)
			}
			if ids := r.cluster.Group("g").Members(); len(ids) > 0 {
				t.Errorf("left, and %v are members", ids)
			}
			if _, _, err := c.Poll(task, time.Second); !errors.Is(err, group.ErrClosed) {
				t.Errorf("a poll after leaving: %v", err)
			}
			// The next member goes on where it was committed.
			c = r.client.NewGroupConsumer(earliest(), cfg, nil)
			c.Subscribe("a")
			values = pollUntil(t, task, c, "the second", polls(20))
			if diff := cmp.Diff([]string{"7", "8", "9"}, values); diff != "" {
				t.Error(diff)
			}
		})
	})
}

func TestTwoMembersShare(t *testing.T) {
	both(t, func(t *testing.T, cfg group.Config) {
		r := newRig(t, 1, 2)
		r.cluster.AddTopic("a", 4)
		var first, second *client.GroupConsumer
		e, over := &ear{}, false
		e.revoked = func(task *env.Task, tps []wire.TopicPartition) {
			// The listener may take its time and commit; the other member does not get
			// the partitions before it returns.
			task.Sleep(r.env.Clock, time.Second)
			if k := first.Commit(task, group.Offsets{tps[0]: {Offset: 3}}); k.Outcome != attempt.OK {
				t.Errorf("a commit before %v are given up: %+v", tps, k)
			}
			if slices.ContainsFunc(second.Assignment(), func(tp wire.TopicPartition) bool { return slices.Contains(tps, tp) }) {
				t.Errorf("%v are given away before the listener returns", tps)
			}
		}
		r.env.Tasks.Go(func(task *env.Task) {
			first = r.join(task, earliest(), cfg, e, 4)
			for !over {
				first.Poll(task, 100*time.Millisecond)
			}
			first.Leave(task)
		})
		r.script(time.Minute, func(task *env.Task) {
			task.Sleep(r.env.Clock, 2*time.Second)
			second = r.client.NewGroupConsumer(earliest(), cfg, nil)
			second.Subscribe("a")
			pollUntil(t, task, second, "the second", func() bool { return len(second.Assignment()) == 2 })
			task.Sleep(r.env.Clock, time.Second)
			if all := slices.Concat(first.Assignment(), second.Assignment()); len(all) != 4 {
				t.Errorf("%v and %v", first.Assignment(), second.Assignment())
			}
			over = true
			pollUntil(t, task, second, "the second alone", func() bool { return len(second.Assignment()) == 4 })
		})
	})
}

func TestAnExpelledMemberLosesItsPartitionsAndJoinsAgain(t *testing.T) {
	both(t, func(t *testing.T, cfg group.Config) {
		r := newRig(t, 1, 2)
		r.cluster.AddTopic("a", 2)
		r.script(time.Minute, func(task *env.Task) {
			e := &ear{}
			c := r.join(task, earliest(), cfg, e, 2)
			r.cluster.Group("g").Expel(c.Metadata().Member)
			if k := c.Commit(task, group.Offsets{a0: {Offset: 1}}); k.Outcome != attempt.Failed || !errors.Is(k.Err, kerr.UnknownMemberID) {
				t.Errorf("a commit of an expelled member: %+v", k)
			}
			rejoin(t, task, c, 2)
			if diff := cmp.Diff([]string{"assigned [a-0 a-1]", "lost [a-0 a-1]", "assigned [a-0 a-1]"}, e.take()); diff != "" {
				t.Error(diff)
			}
		})
	})
}

// A process that stands still for longer than its session believes what it believed, and
// learns better when it goes on.
func TestAFrozenMemberIsAZombie(t *testing.T) {
	both(t, func(t *testing.T, cfg group.Config) {
		r := newRig(t, 1, 2)
		r.cluster.AddTopic("a", 1)
		r.script(time.Minute, func(task *env.Task) {
			e := &ear{}
			zombie := r.join(task, earliest(), cfg, e, 1)
			zombie.Freeze()
			sent := len(r.cluster.Group("g").Members())
			other := r.join(task, earliest(), cfg, nil, 1)
			if sent != 1 || len(zombie.Assignment()) != 1 || len(e.heard) != 1 {
				t.Errorf("a frozen member learned something: %v, %v", zombie.Assignment(), e.heard)
			}
			// A poll under way while it is frozen ends after the thaw.
			start := r.env.Clock.Now()
			r.env.Clock.After(2*time.Second, zombie.Thaw)
			zombie.Poll(task, 100*time.Millisecond)
			if took := r.env.Clock.Now().Sub(start); took < 2*time.Second {
				t.Errorf("a frozen poll took %v", took)
			}
			other.Leave(task)
			rejoin(t, task, zombie, 1)
			if diff := cmp.Diff([]string{"assigned [a-0]", "lost [a-0]", "assigned [a-0]"}, e.take()); diff != "" {
				t.Error(diff)
			}
		})
	})
}

func TestAScriptThatDoesNotPollLeaves(t *testing.T) {
	both(t, func(t *testing.T, cfg group.Config) {
		r := newRig(t, 1, 1)
		r.cluster.AddTopic("a", 1)
		r.script(time.Minute, func(task *env.Task) {
			e := &ear{}
			c := r.join(task, earliest(), cfg, e, 1)
			// Within the interval the heart goes on beating.
			task.Sleep(r.env.Clock, 9*time.Second)
			if ids := r.cluster.Group("g").Members(); len(ids) != 1 {
				t.Errorf("members %v before the time is up", ids)
			}
			task.Sleep(r.env.Clock, 2*time.Second)
			if ids := r.cluster.Group("g").Members(); len(ids) != 0 {
				t.Errorf("members %v after it", ids)
			}
			rejoin(t, task, c, 1)
			if diff := cmp.Diff([]string{"assigned [a-0]", "lost [a-0]", "assigned [a-0]"}, e.take()); diff != "" {
				t.Error(diff)
			}
		})
	})
}

// A member that always finds records, and never waits for any, takes part in rebalances all
// the same.
func TestABusyMemberRebalances(t *testing.T) {
	both(t, func(t *testing.T, cfg group.Config) {
		r := newRig(t, 1, 1)
		r.cluster.AddTopic("a", 2)
		r.script(time.Minute, func(task *env.Task) {
			r.fill(task, a0, 1000)
			r.fill(task, a1, 1000)
			ccfg := earliest()
			ccfg.MaxPollRecords = 1
			e := &ear{}
			busy := r.client.NewGroupConsumer(ccfg, cfg, e)
			busy.Subscribe("a")
			other := r.client.NewGroupConsumer(ccfg, cfg, nil)
			read := 0
			for i := range 600 {
				if i == 100 {
					other.Subscribe("a")
					r.env.Tasks.Go(func(task *env.Task) {
						for {
							other.Poll(task, 100*time.Millisecond)
							task.Sleep(r.env.Clock, 10*time.Millisecond)
						}
					})
				}
				recs, _, _ := busy.Poll(task, 0)
				read += len(recs)
				task.Sleep(r.env.Clock, 10*time.Millisecond)
			}
			if len(busy.Assignment()) != 1 || len(other.Assignment()) != 1 {
				t.Errorf("%v and %v", busy.Assignment(), other.Assignment())
			}
			if read < 400 {
				t.Errorf("read %d records in 600 polls", read)
			}
		})
	})
}

// A fenced member's metadata still name it: offsets sent with them in a transaction are
// refused. Nobody's would be taken.
func TestMetadataOfAFencedMember(t *testing.T) {
	both(t, func(t *testing.T, cfg group.Config) {
		r := newRig(t, 1, 1)
		r.cluster.AddTopic("a", 1)
		r.script(time.Minute, func(task *env.Task) {
			c := r.client.NewGroupConsumer(earliest(), cfg, nil)
			if m := c.Metadata(); m.Generation != -1 || m.Member != "" {
				t.Errorf("before joining: %+v", m)
			}
			c.Subscribe("a")
			pollUntil(t, task, c, "joining", func() bool { return len(c.Assignment()) == 1 })
			was := c.Metadata()
			r.cluster.Group("g").Expel(was.Member)
			pollUntil(t, task, c, "being fenced", func() bool { return len(c.Assignment()) == 0 })
			if m := c.Metadata(); m != was || m.Member == "" {
				t.Errorf("%+v, was %+v", m, was)
			}
		})
	})
}

func TestCommitsFollowTheCoordinator(t *testing.T) {
	both(t, func(t *testing.T, cfg group.Config) {
		cfg.Timeout = 5 * time.Second
		r := newRig(t, 1, 3)
		r.cluster.AddTopic("a", 1)
		r.script(2*time.Minute, func(task *env.Task) {
			c := r.join(task, earliest(), cfg, nil, 1)
			r.cluster.Coordinate("g", 2)
			if k := c.Commit(task, group.Offsets{a0: {Offset: 1}}); k.Outcome != attempt.OK || len(k.Attempts) != 2 {
				t.Errorf("after a move: %+v", k)
			}
			// An answer that is lost leaves the attempt open; the next one settles it.
			cut := true
			r.cluster.Inject = func(_ wire.NodeID, req kmsg.Request) clienttest.Fault {
				if _, ok := req.(*kmsg.OffsetCommitRequest); ok && cut {
					cut = false
					return clienttest.Fault{Cut: true}
				}
				return clienttest.Fault{}
			}
			k := c.Commit(task, group.Offsets{a0: {Offset: 2}})
			if k.Outcome != attempt.OK || len(k.Attempts) != 2 || k.Attempts[0].Outcome != attempt.Unknown {
				t.Errorf("after a lost answer: %+v", k)
			}
			// Without a second attempt it stays open.
			cut = true
			k = env.Await(task, func(done func(group.Commit)) { c.CommitAsync(group.Offsets{a0: {Offset: 3}}, done) })
			if k.Outcome != attempt.Unknown || r.cluster.Group("g").Offsets[a0].Offset != 3 {
				t.Errorf("%+v, committed %v", k, r.cluster.Group("g").Offsets)
			}
			// Nobody answers.
			cut = true
			r.cluster.Inject = func(_ wire.NodeID, req kmsg.Request) clienttest.Fault {
				if _, ok := req.(*kmsg.OffsetCommitRequest); ok {
					return clienttest.Fault{Code: kerr.CoordinatorLoadInProgress.Code, Skip: true}
				}
				return clienttest.Fault{}
			}
			k = c.Commit(task, group.Offsets{a0: {Offset: 4}})
			if k.Outcome != attempt.Failed || !errors.Is(k.Err, group.ErrTimeout) || !errors.Is(k.Err, kerr.CoordinatorLoadInProgress) {
				t.Errorf("nothing but refusals: %v after %d attempts: %v", k.Outcome, len(k.Attempts), k.Err)
			}
		})
	})
}

func TestAutomaticCommits(t *testing.T) {
	both(t, func(t *testing.T, cfg group.Config) {
		cfg.AutoCommit, cfg.AutoCommitInterval = true, 5*time.Second
		r := newRig(t, 1, 1)
		r.cluster.AddTopic("a", 2)
		g := r.cluster.Group("g")
		r.script(2*time.Minute, func(task *env.Task) {
			r.fill(task, a0, 10)
			ccfg := earliest()
			ccfg.MaxPollRecords = 4
			c := r.client.NewGroupConsumer(ccfg, cfg, nil)
			c.Subscribe("a")
			pollUntil(t, task, c, "reading", func() bool { return c.Consumed()[a0].Offset == 4 })
			if len(g.Offsets) > 0 {
				t.Errorf("committed %v at once", g.Offsets)
			}
			pollUntil(t, task, c, "the interval", func() bool { return g.Offsets[a0].Offset == 10 })
			r.fill(task, a0, 3)
			pollUntil(t, task, c, "reading more", func() bool { return c.Consumed()[a0].Offset == 13 })
			// Before partitions are given up.
			other := r.client.NewGroupConsumer(ccfg, cfg, nil)
			other.Subscribe("a")
			over := false
			r.env.Tasks.Go(func(task *env.Task) {
				for !over {
					other.Poll(task, 100*time.Millisecond)
				}
				other.Close()
			})
			pollUntil(t, task, c, "sharing", func() bool { return len(c.Assignment()) == 1 })
			if o := g.Offsets[a0].Offset; o != 13 {
				t.Errorf("gave up at 13, committed %d", o)
			}
			over = true
			pollUntil(t, task, c, "the crash of the other", func() bool { return len(c.Assignment()) == 2 })
			r.fill(task, a0, 2)
			pollUntil(t, task, c, "reading more", func() bool { return c.Consumed()[a0].Offset == 15 })
			c.Leave(task)
			if o := g.Offsets[a0].Offset; o != 15 {
				t.Errorf("left at 15, committed %d", o)
			}
		})
	})
}

func TestWithoutACommittedOffsetThePolicyDecides(t *testing.T) {
	for reset, want := range map[consumer.Reset]consumer.EventKind{
		consumer.ResetNone: consumer.NoPosition, consumer.ResetLatest: consumer.WasReset, consumer.ResetEarliest: consumer.WasReset,
	} {
		r := newRig(t, 1, 1)
		r.cluster.AddTopic("a", 1)
		r.script(time.Minute, func(task *env.Task) {
			r.fill(task, a0, 3)
			cfg := consumer.DefaultConfig()
			cfg.Reset = reset
			c := r.client.NewGroupConsumer(cfg, quick(group.Classic, group.Range), nil)
			c.Subscribe("a")
			var events []consumer.Event
			for len(events) == 0 {
				_, events, _ = c.Poll(task, time.Second)
			}
			if events[0].Kind != want || c.Stopped(a0) != (reset == consumer.ResetNone) {
				t.Errorf("%v: %+v", reset, events)
			}
		})
	}
}

func TestTheListenerMaySeek(t *testing.T) {
	r := newRig(t, 1, 1)
	r.cluster.AddTopic("a", 1)
	r.cluster.Group("g").Offsets[a0] = clienttest.Committed{Offset: 5}
	r.script(time.Minute, func(task *env.Task) {
		r.fill(task, a0, 10)
		var c *client.GroupConsumer
		c = r.client.NewGroupConsumer(earliest(), quick(group.Classic, group.Range), seeker(func(tps []wire.TopicPartition) {
			c.Seek(tps[0], consumer.Position{Offset: 8, Epoch: wire.NoLeaderEpoch})
		}))
		c.Subscribe("a")
		values := pollUntil(t, task, c, "reading", polls(10))
		if diff := cmp.Diff([]string{"8", "9"}, values); diff != "" {
			t.Error(diff)
		}
	})
}

type seeker func(tps []wire.TopicPartition)

func (s seeker) OnAssigned(_ *env.Task, tps []wire.TopicPartition) { s(tps) }
func (seeker) OnRevoked(*env.Task, []wire.TopicPartition)          {}
func (seeker) OnLost(*env.Task, []wire.TopicPartition)             {}

func TestReadingCommittedWaitsForStableOffsets(t *testing.T) {
	both(t, func(t *testing.T, cfg group.Config) {
		r := newRig(t, 1, 1)
		r.cluster.AddTopic("a", 1)
		g := r.cluster.Group("g")
		g.Unstable = true
		g.Offsets[a0] = clienttest.Committed{Offset: 5}
		r.script(time.Minute, func(task *env.Task) {
			r.fill(task, a0, 10)
			ccfg := earliest()
			ccfg.ReadCommitted = true
			c := r.client.NewGroupConsumer(ccfg, cfg, nil)
			c.Subscribe("a")
			if values := pollUntil(t, task, c, "waiting", polls(20)); len(values) > 0 {
				t.Errorf("read %v before the offset is stable", values)
			}
			g.Unstable = false
			values := pollUntil(t, task, c, "reading", polls(20))
			if diff := cmp.Diff([]string{"5", "6", "7", "8", "9"}, values); diff != "" {
				t.Error(diff)
			}
		})
	})
}

func TestASecondMemberOfOneInstance(t *testing.T) {
	r := newRig(t, 1, 1)
	r.cluster.AddTopic("a", 1)
	cfg := quick(group.Classic, group.Range)
	cfg.Instance = "i"
	r.script(time.Minute, func(task *env.Task) {
		e := &ear{}
		first := r.join(task, earliest(), cfg, e, 1)
		r.join(task, earliest(), cfg, nil, 1)
		var err error
		for range 50 {
			if _, _, err = first.Poll(task, 100*time.Millisecond); err != nil {
				break
			}
		}
		if !errors.Is(err, group.ErrFencedInstance) {
			t.Errorf("the first goes on: %v, %v", err, first.Metadata())
		}
		if diff := cmp.Diff([]string{"assigned [a-0]", "lost [a-0]"}, e.take()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	both(t, func(t *testing.T, cfg group.Config) {
		r := newRig(t, 1, 1)
		r.cluster.AddTopic("a", 1)
		r.script(time.Minute, func(task *env.Task) {
			e := &ear{}
			c := r.join(task, earliest(), cfg, e, 1)
			e.take()
			r.cluster.Inject = func(_ wire.NodeID, req kmsg.Request) clienttest.Fault {
				_, commit := req.(*kmsg.OffsetCommitRequest)
				_, fetch := req.(*kmsg.OffsetFetchRequest)
				return clienttest.Fault{Silence: commit || fetch}
			}
			ended := make(map[string]error)
			c.CommitAsync(group.Offsets{a0: {Offset: 1}}, func(k group.Commit) {
				ended["commit"] = k.Err
				if k.Outcome != attempt.Unknown {
					t.Errorf("a commit under way ended %v", k.Outcome)
				}
			})
			r.env.Tasks.Go(func(task *env.Task) {
				_, ended["fetch"] = c.Committed(task, []wire.TopicPartition{a0})
			})
			r.env.Tasks.Go(func(task *env.Task) {
				_, _, ended["poll"] = c.Poll(task, time.Hour)
			})
			task.Sleep(r.env.Clock, 100*time.Millisecond)
			c.Close()
			c.Close()
			if len(ended) > 0 {
				t.Errorf("%v ended within Close", ended)
			}
			task.Sleep(r.env.Clock, time.Millisecond)
			for _, what := range []string{"commit", "fetch", "poll"} {
				if !errors.Is(ended[what], group.ErrClosed) {
					t.Errorf("%s: %v", what, ended[what])
				}
			}
			if k := c.Commit(task, group.Offsets{a0: {Offset: 1}}); k.Outcome != attempt.Failed || !errors.Is(k.Err, group.ErrClosed) {
				t.Errorf("a commit after Close: %+v", k)
			}
			// As a crash: nobody is told, and the session has to end.
			if len(e.heard) > 0 || len(r.cluster.Group("g").Members()) != 1 {
				t.Errorf("heard %v, members %v", e.heard, r.cluster.Group("g").Members())
			}
		})
	})
}

// recorder writes down what an observer sees of a group.
type recorder struct {
	client.NopObserver
	seen []string
}

func (r *recorder) Group(i client.GroupInfo) {
	line := i.Event.String()
	switch i.Event {
	case client.GroupAssigned, client.GroupRevoked, client.GroupLost:
		line += fmt.Sprint(i.Partitions, " owns ", i.Owned)
	case client.CommitInvoked, client.CommitReturned:
		line += fmt.Sprintf(" %d %v", i.Commit.ID, slices.Collect(maps.Values(i.Commit.Offsets)))
	}
	if i.Event == client.CommitReturned {
		line += " " + i.Commit.Outcome.String()
	}
	r.seen = append(r.seen, line)
}

func TestAnObserverSeesEverything(t *testing.T) {
	both(t, func(t *testing.T, cfg group.Config) {
		r := newRig(t, 1, 1)
		r.cluster.AddTopic("a", 1)
		rec := &recorder{}
		ccfg := client.DefaultConfig("user", r.cluster.Addrs()...)
		ccfg.Observer = rec
		cl := client.New(r.env, ccfg)
		r.script(time.Minute, func(task *env.Task) {
			c := cl.NewGroupConsumer(earliest(), cfg, nil)
			c.Subscribe("a")
			pollUntil(t, task, c, "joining", func() bool { return len(c.Assignment()) == 1 })
			c.Commit(task, group.Offsets{a0: {Offset: 1}})
			r.cluster.Group("g").Expel(c.Metadata().Member)
			pollUntil(t, task, c, "being lost", func() bool { return len(c.Assignment()) == 0 })
			pollUntil(t, task, c, "joining again", func() bool { return len(c.Assignment()) == 1 })
			c.Leave(task)
		})
		want := []string{
			"joined", "assigned[a-0] owns [a-0]", "commit-invoked 1 [{1 0 }]", "commit-returned 1 [{1 0 }] ok",
			"fenced", "lost[a-0] owns []", "joined", "assigned[a-0] owns [a-0]", "revoked[a-0] owns []", "left",
		}
		if diff := cmp.Diff(want, rec.seen); diff != "" {
			t.Error(diff)
		}
	})
}
