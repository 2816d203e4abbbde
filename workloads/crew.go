package workloads

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"time"

	"odradek/broker/env"
	"odradek/workloads/client"
	"odradek/workloads/client/consumer"
	"odradek/workloads/client/group"
)

// The parameters of crews, besides those of the feed that they read.
var crewDefaults = extend(feedDefaults, map[string]int{
	"protocol":           0,    // 0: classic; 1: consumer (KIP-848), where the cluster has it; 2: every second group
	"assignor":           4,    // 0 range, 1 round robin, 2 sticky, 3 cooperative sticky, 4 Java's default; of the consumer protocol the broker's
	"static":             0,    // 1: every second member is static; 2: all
	"commit":             0,    // 0: after each poll; 1: the same, without waiting; 2: automatic; 3: members differ
	"at-most-once":       0,    // 1: members commit before they process
	"session-timeout-ms": 1500, // of the classic protocol
	"heartbeat-ms":       300,  // of the classic protocol
	"max-poll-ms":        3000, // max.poll.interval.ms
	"auto-commit-ms":     500,  // auto.commit.interval.ms
	"fetch-bytes":        4096, // max.partition.fetch.bytes
	"process-us":         2000, // mean time to process what a poll gave
	"stay-ms":            0,    // mean time until something happens to a member; 0: nothing ever does
	"away-ms":            1000, // mean time until a member that has gone comes back
	"zombies":            0,    // 1: some come back while their old self, frozen, is still there
})

// crew is a group of members who read the topics of a feed.
type crew struct {
	*feed
	group    string
	size     int
	protocol group.Protocol
	// steady is how many members are there to stay, after they were told to stop.
	steady int
	// drained: nothing is left to be read, or it took too long, which why says.
	drained bool
	why     string
}

// users are the members, and somebody who looks after them.
func (w *crew) users() []User {
	users := []User{w.overseer()}
	for i := range w.size {
		name := fmt.Sprintf("%s-member-%d", w.group, i)
		users = append(users, User{Name: name, Run: func(t *env.Task, s *Site) { (&crewman{crew: w, number: i, name: name}).run(t, s) }})
	}
	return users
}

// crewman is one user: a member in one life after another, each a process.
type crewman struct {
	*crew
	number int
	name   string
	lives  int
	rng    *rand.Rand
	// zombies are earlier lives that have not ended yet.
	zombies int
}

// life is one process of a crewman.
type life struct {
	*crewman
	client   *client.Client
	consumer *client.GroupConsumer
	positions
	records *membership
	failed  bool
	// kept is what was committed last, for sure.
	kept group.Offsets
}

func (m *crewman) run(t *env.Task, s *Site) {
	rng := s.Env.Rand.Stream("workload/" + m.name)
	m.rng = rng // the loop's, and that of its lives
	between := func(mean string) time.Duration {
		return about(rng, max(m.duration(mean, time.Millisecond), 1))
	}
	for !m.drained {
		l := m.begin(s)
		stays := func() bool { return m.params["stay-ms"] == 0 || s.stopping() }
		until := s.Env.Clock.Now().Add(between("stay-ms"))
		l.work(t, func() bool { return stays() || s.Env.Clock.Now() >= until })
		if stays() && !l.failed {
			m.steady++
			l.work(t, func() bool { return m.drained })
			m.steady--
		}
		if l.failed {
			l.crash()
			s.sleep(t, time.Duration(1+m.rng.IntN(100))*time.Millisecond)
			continue
		}
		if m.drained {
			l.leave(t)
			break
		}
		switch k := rng.IntN(10); {
		case k < 3:
			l.leave(t)
		case k < 6:
			l.crash()
		case k < 8:
			l.consumer.Freeze()
			s.sleep(t, between("session-timeout-ms"))
			l.consumer.Thaw()
			if m.params["zombies"] != 0 && rng.IntN(2) == 0 {
				m.haunt(s, l, between("session-timeout-ms"))
			} else {
				l.work(t, func() bool { return rng.IntN(20) == 0 || s.stopping() })
				l.crash()
			}
		case m.params["zombies"] != 0:
			l.consumer.Freeze()
			m.haunt(s, l, between("session-timeout-ms"))
			continue // the next life begins at once
		default:
			// It processes for too long.
			s.sleep(t, between("max-poll-ms"))
			l.work(t, func() bool { return rng.IntN(20) == 0 || s.stopping() })
			l.leave(t)
		}
		if !s.stopping() {
			s.sleep(t, between("away-ms"))
		}
	}
	for m.zombies > 0 {
		s.sleep(t, 100*time.Millisecond)
	}
}

// haunt lets a frozen life go on after a while, without anybody who stops it, until it
// notices what has become of it.
func (m *crewman) haunt(s *Site, l *life, after time.Duration) {
	m.zombies++
	s.Env.Tasks.Go(func(t *env.Task) {
		s.sleep(t, after)
		l.consumer.Thaw()
		for polls := 0; polls < 10 && !l.failed && !s.stopping(); polls++ {
			l.turn(t)
		}
		l.crash()
		m.zombies--
	})
}

func (m *crewman) begin(s *Site) *life {
	m.lives++
	process := fmt.Sprintf("%s.%d", m.name, m.lives)
	cfg := m.groupConfig()
	l := &life{crewman: m, records: newMembership(s, process, &cfg)}
	l.client = s.client(process, m.requestTimeout(), l.records)
	l.consumer = l.client.NewGroupConsumer(m.consumerConfig(), cfg, nil)
	l.consumer.Subscribe(m.topics()...)
	l.positions = positions{reads{site: s, process: process, member: l.records.now}, l.consumer}
	return l
}

func (m *crewman) consumerConfig() consumer.Config {
	cfg := consumer.DefaultConfig()
	cfg.Reset = consumer.ResetEarliest
	cfg.FetchEpochs = m.number%2 == 1
	cfg.PartitionMaxBytes = max(m.params["fetch-bytes"], 1)
	cfg.MaxPollRecords = []int{7, 100}[m.number%2]
	// A fetch that waits for other partitions must not hold up one that is behind.
	cfg.MaxWait = min(100*time.Millisecond, m.requestTimeout()/2)
	return cfg
}

func (m *crewman) groupConfig() group.Config {
	cfg := group.DefaultConfig(m.group)
	cfg.Protocol = m.protocol
	if k := m.params["static"]; k == 2 || k == 1 && m.number%2 == 0 {
		cfg.Instance = fmt.Sprintf("%s-instance-%d", m.group, m.number)
	}
	cfg.SessionTimeout = max(m.duration("session-timeout-ms", time.Millisecond), 100*time.Millisecond)
	cfg.HeartbeatInterval = max(m.duration("heartbeat-ms", time.Millisecond), 10*time.Millisecond)
	cfg.MaxPollInterval = max(m.duration("max-poll-ms", time.Millisecond), 100*time.Millisecond)
	cfg.Timeout = 2 * m.requestTimeout()
	if m.protocol == group.Classic {
		switch m.params["assignor"] {
		case 0:
			cfg.Assignors = []group.Assignor{group.Range}
		case 1:
			cfg.Assignors = []group.Assignor{group.RoundRobin}
		case 2:
			cfg.Assignors = []group.Assignor{group.Sticky}
		case 3:
			cfg.Assignors = []group.Assignor{group.CooperativeSticky}
		}
	} else {
		cfg.RemoteAssignor = []string{"range", "uniform", "", "", ""}[min(m.params["assignor"], 4)]
	}
	cfg.AutoCommit = m.committing() == automatic
	cfg.AutoCommitInterval = max(m.duration("auto-commit-ms", time.Millisecond), 10*time.Millisecond)
	return cfg
}

// How a member commits.
const (
	waiting   = 0
	asyncly   = 1
	automatic = 2
)

func (m *crewman) committing() int {
	if k := m.params["commit"]; k <= automatic {
		return k
	}
	return m.number % 3
}

// work polls until a condition holds, or the membership has failed.
func (l *life) work(t *env.Task, enough func() bool) {
	for !l.failed && !enough() {
		l.turn(t)
	}
}

// turn polls once, processes what came, and commits.
func (l *life) turn(t *env.Task) {
	records, events, err := l.consumer.Poll(t, 100*time.Millisecond)
	if err != nil {
		l.failed = true
		return
	}
	for _, e := range events {
		l.event(e)
	}
	if len(records) == 0 {
		// What was lost with a commit is committed again: in the end nothing may be left.
		if len(events) == 0 && l.committing() != automatic && !maps.Equal(l.consumer.Consumed(), l.kept) {
			l.commit(t, waiting)
			l.site.sleep(t, 50*time.Millisecond)
		}
		return
	}
	before := l.params["at-most-once"] != 0
	if before {
		// Its records are as good as not there until they are processed.
		if k := l.commit(t, waiting); k.Err != nil {
			l.failed = true
			return
		}
	} else {
		l.polled(records)
	}
	l.process(t)
	switch {
	case before && l.dies():
		l.failed = true
	case before:
		l.polled(records)
	case l.committing() != automatic:
		l.commit(t, l.committing())
	}
}

func (l *life) process(t *env.Task) {
	if mean := l.duration("process-us", time.Microsecond); mean > 0 {
		l.site.sleep(t, about(l.rng, mean))
	}
}

// dies tells whether a member that commits before it processes comes to its end in between.
func (l *life) dies() bool {
	return l.params["stay-ms"] > 0 && !l.site.stopping() && l.rng.IntN(30) == 0
}

func (l *life) commit(t *env.Task, how int) group.Commit {
	offsets := l.consumer.Consumed()
	if how == asyncly {
		l.consumer.CommitAsync(offsets, nil)
		return group.Commit{}
	}
	k := l.consumer.Commit(t, offsets)
	if k.Err == nil {
		l.kept = offsets
	}
	return k
}

// leave ends a life in good order.
func (l *life) leave(t *env.Task) {
	l.consumer.Leave(t)
	l.client.Close()
}

// crash ends a life without telling anybody.
func (l *life) crash() {
	l.records.over()
	l.consumer.Close()
	l.client.Close()
}
