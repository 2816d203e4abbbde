package harness

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/sim/fault"
	"odradek/workloads"
	"odradek/workloads/client"
	"odradek/workloads/client/consumer"
	"odradek/workloads/client/group"
)

// gathering is a workload of one group: many members join at once, and when everything is
// divided one of them dies. It measures both.
type gathering struct {
	members, partitions int
	protocol            group.Protocol
	assignor            group.Assignor
	session, heartbeat  time.Duration

	owner    map[wire.TopicPartition]int
	messages int // requests of the group's protocol
	joined   phase
	moved    phase
	err      error
}

// phase is what one rebalance took.
type phase struct {
	messages int
	took     time.Duration
}

const gatheringTopic = "gathering"

func (w *gathering) Setup(t *env.Task, s *workloads.Site) error {
	c := tableClient(s, "setup")
	defer c.Close()
	admin := c.NewAdmin()
	_, err := admin.CreateTopic(t, client.NewTopic{Name: gatheringTopic, Partitions: int32(w.partitions), ReplicationFactor: 1})
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return err
	}
	if w.protocol == group.Consumer && admin.FinalizedLevel("group.version") < 1 {
		return errors.New("the cluster has no consumer protocol")
	}
	_, err = admin.ListConsumerGroupOffsets(t, "gathering", nil, false)
	return err
}

func (w *gathering) Final(*env.Task, *workloads.Site) error { return w.err }

// Users is one task that starts the members and watches.
func (w *gathering) Users() []workloads.User {
	return []workloads.User{{Name: "gathering", Run: func(t *env.Task, s *workloads.Site) { w.err = w.run(t, s) }}}
}

// attending is one member.
type attending struct {
	client.NopObserver
	client.NopListener
	w        *gathering
	number   int
	consumer *client.GroupConsumer
	dead     bool
}

func (a *attending) Request(info client.RequestInfo) {
	switch info.Msg.(type) {
	case *kmsg.JoinGroupRequest, *kmsg.SyncGroupRequest, *kmsg.HeartbeatRequest, *kmsg.ConsumerGroupHeartbeatRequest:
		a.w.messages++
	}
}

func (a *attending) OnAssigned(_ *env.Task, tps []wire.TopicPartition) {
	for _, tp := range tps {
		a.w.owner[tp] = a.number
	}
}

func (a *attending) OnRevoked(_ *env.Task, tps []wire.TopicPartition) { a.free(tps) }
func (a *attending) OnLost(_ *env.Task, tps []wire.TopicPartition)    { a.free(tps) }

func (a *attending) free(tps []wire.TopicPartition) {
	for _, tp := range tps {
		if a.w.owner[tp] == a.number {
			delete(a.w.owner, tp)
		}
	}
}

func (w *gathering) run(t *env.Task, s *workloads.Site) error {
	w.owner = make(map[wire.TopicPartition]int)
	members := make([]*attending, w.members)
	begun := s.Env.Clock.Now()
	for i := range members {
		a := &attending{w: w, number: i + 1}
		members[i] = a
		cfg := client.DefaultConfig(fmt.Sprintf("member-%d", i), s.Bootstrap...)
		cfg.Observer = a
		gc := group.DefaultConfig("gathering")
		gc.Protocol, gc.SessionTimeout, gc.HeartbeatInterval = w.protocol, w.session, w.heartbeat
		if w.assignor != nil {
			gc.Assignors = []group.Assignor{w.assignor}
		}
		cc := consumer.DefaultConfig()
		cc.Reset = consumer.ResetEarliest
		a.consumer = client.New(s.Env, cfg).NewGroupConsumer(cc, gc, a)
		a.consumer.Subscribe(gatheringTopic)
		s.Env.Tasks.Go(func(t *env.Task) {
			for !a.dead {
				if _, _, err := a.consumer.Poll(t, time.Second); err != nil {
					return
				}
			}
		})
	}
	defer func() {
		for _, a := range members {
			a.dead = true
			a.consumer.Close()
		}
	}()
	if err := w.until(t, s, "the group gathered", func() bool {
		var each = make([]int, w.members+1)
		for _, n := range w.owner {
			each[n]++
		}
		for _, n := range each[1:] {
			if n != w.partitions/w.members {
				return false
			}
		}
		return true
	}); err != nil {
		return err
	}
	w.joined = phase{w.messages, s.Env.Clock.Now().Sub(begun)}
	t.Sleep(s.Env.Clock, 5*w.heartbeat/2) // in the middle between two heartbeats

	dead := members[w.members/2]
	dead.dead = true
	dead.consumer.Close()
	orphans := make(map[wire.TopicPartition]bool)
	for tp, n := range w.owner {
		if n == dead.number {
			orphans[tp] = true
		}
	}
	if len(orphans) == 0 {
		return errors.New("the member that dies has nothing")
	}
	begun, w.messages = s.Env.Clock.Now(), 0
	err := w.until(t, s, "the orphans were taken over", func() bool {
		for tp := range orphans {
			if n := w.owner[tp]; n == 0 || n == dead.number {
				return false
			}
		}
		return true
	})
	w.moved = phase{w.messages, s.Env.Clock.Now().Sub(begun)}
	return err
}

func (w *gathering) until(t *env.Task, s *workloads.Site, what string, done func() bool) error {
	deadline := s.Env.Clock.Now().Add(time.Minute)
	for !done() {
		if s.Env.Clock.Now() > deadline {
			return fmt.Errorf("a minute went by before %s: %d of %d partitions have owners", what, len(w.owner), w.partitions)
		}
		t.Sleep(s.Env.Clock, time.Millisecond)
	}
	return nil
}

// TestHundredMembersShareAThousandPartitions is about the size of a rebalance, and about how
// long the partitions of a member that died are nobody's.
func TestHundredMembersShareAThousandPartitions(t *testing.T) {
	for _, test := range []struct {
		name     string
		protocol group.Protocol
		assignor group.Assignor
	}{
		{"classic-range", group.Classic, group.Range},
		{"classic-cooperative", group.Classic, group.CooperativeSticky},
		{"consumer", group.Consumer, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			members, partitions := 100, 1000
			if testing.Short() {
				members, partitions = 10, 100
			}
			w := &gathering{
				members: members, partitions: partitions, protocol: test.protocol, assignor: test.assignor,
				session: 3 * time.Second, heartbeat: time.Second,
			}
			p := DefaultPlan(1)
			p.Cluster = fault.Cluster{Nodes: 3, Voters: 3, Config: map[string]string{
				"offsets.topic.num.partitions": "1", "group.initial.rebalance.delay.ms": "500",
				"group.min.session.timeout.ms": "100", "group.consumer.session.timeout.ms": "3000",
				"group.consumer.min.session.timeout.ms": "100", "group.consumer.heartbeat.interval.ms": "1000",
				"group.consumer.min.heartbeat.interval.ms": "100",
			}}
			p.Events, p.Faults = nil, ms(100)
			res, err := Run(p, Options{Workload: w})
			if err != nil {
				t.Fatal(err)
			}
			if res.Verdict != OK {
				t.Fatalf("%v", res.Anomalies)
			}
			t.Logf("%d members over %d partitions: %d messages and %v until all are assigned; after a death %d messages and %v until they are again (session %v, heartbeat %v); %d events",
				members, partitions, w.joined.messages, w.joined.took, w.moved.messages, w.moved.took, w.session, w.heartbeat, res.Events)
			// A member that died in the middle between two heartbeats was heard of half
			// an interval ago, so that there is time for the rebalance itself.
			if w.moved.took > w.session+w.heartbeat {
				t.Errorf("the partitions of the dead member were nobody's for %v", w.moved.took)
			}
		})
	}
}
