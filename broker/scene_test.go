package broker_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/sim"
	"odradek/sim/cluster"
	"odradek/workloads/client"
	"odradek/workloads/client/producer"
)

// scene is a small simulated cluster that a test directs step by step.
type scene struct {
	*testing.T
	k *sim.Kernel
	c *cluster.Cluster
	// mayFail lets nodes give up without failing the test.
	mayFail bool
	users   int
	story   story
}

func newScene(t *testing.T, seed uint64, change func(*cluster.Config)) *scene {
	t.Helper()
	s := &scene{T: t, k: sim.New(seed)}
	s.k.SetRecorder(&s.story)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(strings.Join(s.story.lines[max(0, len(s.story.lines)-60):], "\n"))
		}
	})
	cfg := cluster.DefaultConfig()
	cfg.Properties = map[string]string{"auto.create.topics.enable": "false"}
	if change != nil {
		change(&cfg)
	}
	var err error
	if s.c, err = cluster.New(s.k, cfg); err != nil {
		t.Fatal(err)
	}
	s.c.Failed = func(n *cluster.Node, err error) {
		if !s.mayFail {
			t.Errorf("%s gave up: %v", n.Name(), err)
		}
	}
	t.Cleanup(s.c.Destroy)
	s.c.Start()
	s.until(10*time.Second, "every broker is up", func() bool {
		for _, n := range s.c.Nodes {
			if !s.unfenced(n) {
				return false
			}
		}
		return true
	})
	return s
}

// unfenced reports whether a running node sees itself as a live broker.
func (s *scene) unfenced(n *cluster.Node) bool {
	if n.Broker == nil {
		return false
	}
	image, _ := n.Broker.Image()
	return image.Broker(n.ID).Active()
}

// until runs the simulation until a condition holds.
func (s *scene) until(within time.Duration, what string, done func() bool) {
	s.Helper()
	for end := s.k.Now().Add(within); s.k.Now() < end; s.k.RunFor(5 * time.Millisecond) {
		if done() {
			return
		}
	}
	if !done() {
		s.Fatalf("%v passed, but not: %s", within, what)
	}
}

// as runs fn as a client's coroutine to its end.
func (s *scene) as(fn func(t *env.Task, c *client.Client)) {
	s.Helper()
	s.users++
	ended := false
	host := s.c.NewClient(fmt.Sprintf("user-%d", s.users))
	host.Start(func(e env.Env) {
		cfg := client.DefaultConfig(host.Name(), s.bootstrap())
		cfg.DialTimeout = time.Second // some tests switch machines off
		c := client.New(&e, cfg)
		e.Tasks.Go(func(t *env.Task) {
			fn(t, c)
			ended = true
		})
	})
	s.until(2*time.Minute, "the client is done", func() bool { return ended })
	host.CrashProcess()
}

// bootstrap is the address of the first broker that is running. Of the others one may be
// paused, and would be waited for.
func (s *scene) bootstrap() string {
	for i, n := range s.c.Nodes {
		if n.Broker != nil && n.IsBroker() {
			return s.c.Addrs()[i]
		}
	}
	return s.c.Addrs()[0]
}

func (s *scene) createTopic(topic client.NewTopic) {
	s.Helper()
	s.as(func(t *env.Task, c *client.Client) {
		if _, err := c.NewAdmin().CreateTopic(t, topic); err != nil {
			s.Errorf("create %s: %v", topic.Name, err)
		}
	})
}

// send appends n records to a partition, one after the other, with acks=all.
func (s *scene) send(tp wire.TopicPartition, n int) {
	s.Helper()
	s.as(func(t *env.Task, c *client.Client) {
		p := c.NewProducer(producer.DefaultConfig())
		for i := range n {
			if r := p.Send(t, producer.Record{Topic: tp.Topic, Partition: tp.Partition, Value: fmt.Appendf(nil, "v%d", i)}); r.Err != nil {
				s.Errorf("send %d: %v", i, r.Err)
				return
			}
		}
	})
}

// count is how often an event was recorded.
func (s *scene) count(kind string) uint64 {
	for _, kc := range s.k.Counts() {
		if kc.Kind == kind {
			return kc.Count
		}
	}
	return 0
}

// story is what was noted lately, for tests that fail.
type story struct{ lines []string }

// Record implements sim.Recorder.
func (l *story) Record(k *sim.Kernel, r *sim.Record) {
	if r.Note {
		l.lines = append(l.lines, string(k.AppendText(nil, r)))
	}
}
