package client_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/sim"
	"odradek/workloads/client"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/consumer"
	"odradek/workloads/client/group"
	"odradek/workloads/client/producer"
)

// coming is a test in which members of a group come and go while records are written.
type coming struct {
	*simulated
	seed uint64
	cfg  group.Config
	// read counts how often each value was processed.
	read map[string]int
	// owner of each partition, by what members were told; violations are two at a time.
	owner      map[wire.TopicPartition]string
	violations []string
	counts     map[client.GroupEvent]int
	commits    map[attempt.Outcome]int
	members    int
	// live are the members that are there, by name.
	live map[string]*live
}

// live is a member that may be frozen, on its own machine.
type live struct {
	c    *client.GroupConsumer
	book *overseer
}

// freeze stops a member for longer than its session.
func (s *coming) freeze() {
	names := slices.Sorted(maps.Keys(s.live))
	if len(names) == 0 {
		return
	}
	m := s.live[names[s.rng.IntN(len(names))]]
	m.c.Freeze()
	m.book.release() // it does not know, but its partitions may have other owners soon
	m.book.frozen, m.book.suspect = true, true
	s.k.After(time.Duration(5+s.rng.IntN(8))*time.Second, sim.World, s.k.Kind("test-heal"), func() {
		m.c.Thaw()
		m.book.frozen = false
		s.k.After(5*time.Second, sim.World, s.k.Kind("test-heal"), func() { m.book.suspect = false })
	})
}

// overseer keeps the books of one member.
type overseer struct {
	client.NopObserver
	*coming
	name   string
	frozen bool
	// suspect: it was frozen lately, and may act on answers from before.
	suspect bool
}

func (w *overseer) Group(i client.GroupInfo) {
	w.counts[i.Event]++
	if testing.Verbose() {
		w.t.Logf("%10v %s %s %s/%d %v owned %v %v", time.Duration(i.At), w.name, i.Event, i.Member.ID, i.Generation, i.Partitions, i.Owned, i.Err)
	}
	switch i.Event {
	case client.GroupAssigned:
		if w.frozen {
			w.t.Errorf("seed %d: %s takes %v while it is frozen", w.seed, w.name, i.Partitions)
		}
		if w.suspect {
			return
		}
		for _, tp := range i.Partitions {
			if o := w.owner[tp]; o != "" && o != w.name {
				w.violations = append(w.violations, fmt.Sprintf("seed %d: %s is assigned to %s and to %s", w.seed, tp, o, w.name))
			}
			w.owner[tp] = w.name
		}
	case client.GroupRevoked, client.GroupLost:
		for _, tp := range i.Partitions {
			if w.owner[tp] == w.name {
				delete(w.owner, tp)
			}
		}
	case client.GroupFenced, client.GroupLeft, client.GroupFailed:
		// From here on others may have what it holds.
		w.release()
		w.suspect = false
	case client.CommitReturned:
		w.commits[i.Commit.Outcome]++
	}
}

func (w *overseer) release() {
	maps.DeleteFunc(w.owner, func(_ wire.TopicPartition, o string) bool { return o == w.name })
}

// listener commits what is given up.
type listener struct {
	client.NopListener
	c         *client.GroupConsumer
	processed group.Offsets
}

func (l *listener) OnRevoked(t *env.Task, tps []wire.TopicPartition) {
	offsets := make(group.Offsets)
	for _, tp := range tps {
		if o, ok := l.processed[tp]; ok {
			offsets[tp] = o
		}
		delete(l.processed, tp)
	}
	l.c.Commit(t, offsets)
}

func (l *listener) OnLost(_ *env.Task, tps []wire.TopicPartition) {
	for _, tp := range tps {
		delete(l.processed, tp)
	}
}

// member runs one member for a number of polls, or until the test is over, and then
// leaves or crashes.
func (s *coming) member(name, instance string, polls int, leave bool, over *bool) {
	s.members++
	host := s.c.NewClient(name)
	host.Start(func(e env.Env) {
		w := &overseer{coming: s, name: name}
		cfg := client.DefaultConfig(name, s.c.Addrs()...)
		cfg.Observer, cfg.RequestTimeout = w, 3*time.Second
		cl := client.New(&e, cfg)
		ccfg := consumer.DefaultConfig()
		ccfg.Reset, ccfg.MaxPollRecords = consumer.ResetEarliest, 10
		gcfg := s.cfg
		gcfg.Instance = instance
		l := &listener{processed: make(group.Offsets)}
		c := cl.NewGroupConsumer(ccfg, gcfg, l)
		l.c = c
		c.Subscribe("a")
		s.live[name] = &live{c, w}
		e.Tasks.Go(func(task *env.Task) {
			for i := 0; i < polls && !*over; i++ {
				recs, events, err := c.Poll(task, 200*time.Millisecond)
				if err != nil {
					s.t.Errorf("seed %d: %s: %v", s.seed, name, err)
					break
				}
				for _, ev := range events {
					if ev.Stopped {
						s.t.Errorf("seed %d: %s: %+v", s.seed, name, ev)
					}
				}
				for _, r := range recs {
					s.read[string(r.Value)]++
					l.processed[r.TopicPartition] = group.Offset{Offset: r.Offset + 1, LeaderEpoch: r.Epoch}
				}
				if i%5 == 4 {
					c.CommitAsync(maps.Clone(l.processed), nil)
				}
			}
			if leave {
				c.Leave(task)
			} else {
				c.Close()
			}
			w.release()
			delete(s.live, name)
			s.members--
		})
	})
}

func newComing(t *testing.T, seed uint64, cfg group.Config) *coming {
	return &coming{
		simulated: simulate(t, seed, map[string]string{
			"group.initial.rebalance.delay.ms":         "300",
			"group.consumer.session.timeout.ms":        "6000",
			"group.consumer.heartbeat.interval.ms":     "1000",
			"group.consumer.min.session.timeout.ms":    "6000",
			"group.consumer.min.heartbeat.interval.ms": "1000",
		}), seed: seed, cfg: cfg,
		read: make(map[string]int), owner: make(map[wire.TopicPartition]string),
		live: make(map[string]*live), counts: make(map[client.GroupEvent]int), commits: make(map[attempt.Outcome]int),
	}
}

// run lets members come and go, with trouble or without, and sees that every record is
// processed.
func (s *coming) run(trouble bool) {
	const records, partitions = 300, 6
	over, acked := false, []string{}
	s.user("c1", func(task *env.Task, cl *client.Client) {
		createTopic(s.t, task, cl, "a", partitions)
		if s.cfg.Protocol == group.Consumer {
			if err := cl.NewAdmin().UpdateFeature(task, "group.version", 1); err != nil {
				s.t.Error(err)
			}
			s.sleep(task, time.Second) // until every broker tells new connections
		}
		for i := range 3 {
			instance := ""
			if i == 0 {
				instance = "i0"
			}
			s.member(fmt.Sprint("m", i), instance, 1<<30, true, &over)
		}
		p := cl.NewProducer(producer.DefaultConfig())
		for i := range records {
			p.SendAsync(record("a", int32(i%partitions), fmt.Sprint(i)), func(r producer.Result) {
				if r.Outcome == attempt.OK {
					acked = append(acked, fmt.Sprint(i))
				}
			})
			s.sleep(task, 50*time.Millisecond)
			if i%60 == 30 {
				// Somebody comes, stays a while, and leaves or crashes.
				s.member(fmt.Sprint("v", i), "", 10+s.rng.IntN(40), s.rng.IntN(2) == 0, &over)
			}
		}
		p.Flush(task)
		s.calm = true
		s.awaitReading(task, acked)
		over = true
	})
	var mischief func()
	if trouble {
		mischief = func() {
			switch {
			case len(acked) == 0:
			case s.rng.IntN(12) == 0:
				s.freeze()
			default:
				s.lossy("m0", "m1", "m2")
			}
		}
	}
	s.until(10*time.Minute, mischief, func() bool { return over && s.members == 0 })
	s.judge(acked)
}

// awaitReading waits until every acknowledged record was processed, or for two minutes.
func (s *coming) awaitReading(task *env.Task, acked []string) {
	for range 600 {
		if !slices.ContainsFunc(acked, func(v string) bool { return s.read[v] == 0 }) {
			return
		}
		s.sleep(task, 200*time.Millisecond)
	}
}

// judge sees that every acknowledged record was processed, and no partition had two owners.
func (s *coming) judge(acked []string) {
	for _, v := range s.violations {
		s.t.Error(v)
	}
	if len(acked) == 0 {
		s.t.Errorf("seed %d: nothing was acknowledged", s.seed)
	}
	for _, v := range acked {
		if s.read[v] == 0 {
			s.t.Errorf("seed %d: %s was acknowledged and never read", s.seed, v)
		}
	}
}

func shortSessions(protocol group.Protocol, assignors ...group.Assignor) group.Config {
	cfg := group.DefaultConfig("g")
	cfg.Protocol = protocol
	cfg.Assignors = assignors
	cfg.SessionTimeout, cfg.HeartbeatInterval = 6*time.Second, time.Second
	cfg.MaxPollInterval = 10 * time.Second
	return cfg
}

func TestClassicMembersComeAndGo(t *testing.T) {
	for _, a := range []group.Assignor{group.Range, group.RoundRobin, group.Sticky, group.CooperativeSticky} {
		t.Run(a.Name(), func(t *testing.T) {
			s := newComing(t, 1, shortSessions(group.Classic, a))
			s.run(false)
		})
	}
}

func TestConsumerProtocolMembersComeAndGo(t *testing.T) {
	newComing(t, 1, shortSessions(group.Consumer)).run(false)
}

func TestConsumerProtocolInTrouble(t *testing.T) {
	for seed := range uint64(6) {
		newComing(t, seed, shortSessions(group.Consumer)).run(true)
		if t.Failed() {
			return
		}
	}
}

// TestGroupsInTrouble: whatever breaks, every record is processed, and no partition has two
// owners that both count themselves in, but for those that were fenced.
func TestGroupsInTrouble(t *testing.T) {
	seeds := uint64(10)
	if testing.Short() {
		seeds = 6
	}
	counts, commits := make(map[client.GroupEvent]int), make(map[attempt.Outcome]int)
	for seed := range seeds {
		cfg := shortSessions(group.Classic, []group.Assignor{group.Range, group.Sticky, group.CooperativeSticky}[seed%3])
		cfg.AutoCommit, cfg.AutoCommitInterval = seed%2 == 0, time.Second
		s := newComing(t, seed, cfg)
		s.run(true)
		for e, n := range s.counts {
			counts[e] += n
		}
		for o, n := range s.commits {
			commits[o] += n
		}
		if t.Failed() {
			return
		}
	}
	for _, e := range []client.GroupEvent{client.GroupFenced, client.GroupLost, client.GroupLeft, client.GroupRevoked} {
		if counts[e] < 3 {
			t.Errorf("only %d members were %s", counts[e], e)
		}
	}
	if commits[attempt.Unknown] < 10 || commits[attempt.OK] < 100 {
		t.Errorf("commits ended %v", commits)
	}
}
