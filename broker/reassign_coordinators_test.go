package broker_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/workloads/client"
)

// A member of a group does not notice more than that its coordinator is another one.
func TestGroupMovesWithItsPartition(t *testing.T) {
	l := newLab(t, 4, map[string]string{"offsets.topic.replication.factor": "2"})
	b := &bank{lab: l}
	l.do(func(task *env.Task) {
		l.createTopic(task, "orders", nil, []int32{1, 2, 3})
		shard := offsets(4, "g")
		at, member, generation := l.joined(task, 1, "g")
		_, resp, _ := l.settled(task, 1, "g", commitOf("g", member, generation, "orders", 7), 6, commitCode)
		wantCode(t, "commit", commitCode(resp), nil)
		for round := range 3 {
			image, _ := l.c.Node(1).Broker.Image()
			old := image.Partition(shard.Topic, shard.Partition).Replicas
			var next []int32
			for id := int32(1); id <= 4; id++ {
				if !slices.Contains(old, wire.NodeID(id)) {
					next = append(next, id)
				}
			}
			b.lead(task, shard, next...)
			task.Sleep(l.env.Clock, 200*time.Millisecond)
			beat := kmsg.NewPtrHeartbeatRequest()
			beat.Group, beat.MemberID, beat.Generation = "g", member, generation
			conn := l.dial(task, at)
			wantCode(t, "a heartbeat to the old coordinator", conn.call(task, beat, 3).(*kmsg.HeartbeatResponse).ErrorCode, kerr.NotCoordinator)
			conn.c.Close()
			was := at
			at, resp, _ = l.settled(task, 1, "g", beat, 3, func(r kmsg.Response) int16 { return r.(*kmsg.HeartbeatResponse).ErrorCode })
			wantCode(t, "a heartbeat", resp.(*kmsg.HeartbeatResponse).ErrorCode, nil)
			if at == was || !slices.Contains(next, int32(at)) {
				t.Errorf("round %d: the coordinator is %d after %d, on %v", round, at, was, next)
			}
			_, resp, _ = l.settled(task, 1, "g", offsetsOf("g"), 8, fetchCode)
			if diff := cmp.Diff([]int64{7 + int64(round)}, fetched(resp)); diff != "" {
				t.Errorf("round %d: %s", round, diff)
			}
			_, resp, _ = l.settled(task, 1, "g", commitOf("g", member, generation, "orders", 8+int64(round)), 6, commitCode)
			wantCode(t, "commit", commitCode(resp), nil)
		}
	})
}

// The partitions of __consumer_offsets go round while clients commit, and brokers die.
func TestCommitsOutliveReassignments(t *testing.T) {
	for seed := range uint64(2) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			l := newSeededLab(t, 40+seed, 5, map[string]string{
				"min.insync.replicas": "2", "offsets.topic.num.partitions": "2", "offsets.topic.replication.factor": "3",
				"controller.quorum.request.timeout.ms": "500",
			})
			l.do(func(task *env.Task) { l.createTopic(task, "orders", nil, []int32{1, 2, 3}) })
			quiet, open, commits := false, 0, 0
			for _, group := range []string{"a", "b", "c"} {
				open++
				l.host.Do(func() {
					l.env.Tasks.Go(func(task *env.Task) {
						for i := int64(1); !quiet; i++ {
							l.persist(task, group, commitOf(group, "", -1, "orders", i), 6, commitCode)
							if got := fetched(l.persist(task, group, offsetsOf(group), 8, fetchCode)); len(got) != 1 || got[0] != i {
								t.Errorf("group %s: %d is committed, but %v is read", group, i, got)
								break
							}
							commits++
							task.Sleep(l.env.Clock, 10*time.Millisecond)
						}
						open--
					})
				})
			}
			s := &scene{T: t, k: l.k, c: l.c}
			rng := rand.New(rand.NewPCG(seed, 1))
			for i := range 10 {
				s.scatter(rng, map[string]int32{"__consumer_offsets": 2})
				l.k.RunFor(time.Duration(rng.IntN(1000)) * time.Millisecond)
				if i%3 == 2 {
					brokersFail(s, rng)
				}
			}
			quiet = true
			s.until(time.Minute, "the clients are done", func() bool { return open == 0 })
			if commits < 300 {
				t.Errorf("only %d commits", commits)
			}
			if l.count("coordinator-loaded") < 8 {
				t.Errorf("only %d coordinators loaded", l.count("coordinator-loaded"))
			}
		})
	}
}

// Every partition of a transaction, and the coordinator's own, goes round while users
// commit and abort, and brokers die.
func TestTransactionsSurviveReassignments(t *testing.T) {
	for seed := range uint64(1) {
		for _, level := range []int16{0, 2} {
			t.Run(fmt.Sprintf("seed %d, transaction.version %d", seed, level), func(t *testing.T) {
				round, loaded := 0, uint64(0)
				transactionsSurvive(t, 50+seed, level, 5, func(s *scene, rng *rand.Rand) {
					s.scatter(rng, map[string]int32{"t": 3, "__transaction_state": 3, "__consumer_offsets": 3})
					s.k.RunFor(time.Duration(rng.IntN(1500)) * time.Millisecond)
					if round++; round%4 == 0 {
						brokersFail(s, rng)
					}
					loaded = s.count("coordinator-loaded")
				})
				if loaded < 10 {
					t.Errorf("only %d coordinators loaded", loaded)
				}
			})
		}
	}
}

// scatter gives each partition of some topics three other brokers out of all, or now and
// then has it stop where it is. Topics that do not exist yet are left out.
func (s *scene) scatter(rng *rand.Rand, topics map[string]int32) {
	var moves []client.Reassignment
	for _, topic := range []string{"t", "__transaction_state", "__consumer_offsets"} {
		for i := range topics[topic] {
			m := client.Reassignment{TopicPartition: wire.TopicPartition{Topic: topic, Partition: i}}
			if rng.IntN(5) > 0 {
				for _, n := range rng.Perm(len(s.c.Nodes))[:3] {
					m.Replicas = append(m.Replicas, int32(n+1))
				}
			}
			moves = append(moves, m)
		}
	}
	s.as(func(task *env.Task, c *client.Client) {
		admin := c.NewAdmin().WithTimeout(10 * time.Second)
		for _, m := range moves {
			_ = admin.AlterReassignments(task, []client.Reassignment{m}) // there may be nothing to stop
		}
		if rng.IntN(3) == 0 {
			_, _ = admin.ElectLeaders(task, client.PreferredLeader, nil)
		}
	})
}
