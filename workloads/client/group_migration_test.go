package client_test

import (
	"fmt"
	"testing"
	"time"

	"odradek/broker/env"
	"odradek/workloads/client"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/group"
	"odradek/workloads/client/producer"
)

// A group goes from the classic protocol to the other and back, one member after another,
// while it works: every record is processed, and no partition has two owners.
func TestGroupMigratesWhileItWorks(t *testing.T) {
	for seed, assignor := range []group.Assignor{group.Range, group.CooperativeSticky, group.RoundRobin, group.CooperativeSticky} {
		t.Run(fmt.Sprint(assignor.Name(), " ", seed), func(t *testing.T) {
			classic, next := shortSessions(group.Classic, assignor), shortSessions(group.Consumer)
			s := newComing(t, uint64(seed), classic)
			migrate(s, []group.Config{classic, next, next, classic, classic, next})
		})
	}
}

// migrate has a generation of three members for each config, every one of which leaves some
// time after the next generation has begun to come.
func migrate(s *coming, generations []group.Config) {
	const partitions, pause = 6, 4 * time.Second
	over, acked := false, []string{}
	s.user("c1", func(task *env.Task, cl *client.Client) {
		createTopic(s.t, task, cl, "a", partitions)
		p := cl.NewProducer(producer.DefaultConfig())
		sent := 0
		for i, cfg := range generations {
			s.cfg = cfg
			for k := range 3 {
				polls := 60 + 20*k // of 200 ms at most
				if i == len(generations)-1 {
					polls = 1 << 30
				}
				s.member(fmt.Sprint("m", i, k), "", polls, k != 2 || i%2 == 0, &over)
				for range 20 {
					value := fmt.Sprint(sent)
					p.SendAsync(record("a", int32(sent%partitions), value), func(r producer.Result) {
						if r.Outcome == attempt.OK {
							acked = append(acked, value)
						}
					})
					sent++
					s.sleep(task, pause/20)
				}
			}
		}
		p.Flush(task)
		s.awaitReading(task, acked)
		over = true
	})
	s.until(10*time.Minute, nil, func() bool { return over && s.members == 0 })
	s.judge(acked)
}
