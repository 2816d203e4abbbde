package broker_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"

	"odradek/broker/env"
	"odradek/broker/metadata"
	"odradek/broker/wire"
	"odradek/sim/cluster"
	"odradek/sim/disk"
	"odradek/workloads/client"
	"odradek/workloads/client/consumer"
	"odradek/workloads/client/producer"
)

var ordersPartition = wire.TopicPartition{Topic: "orders"}

// newMoving is a cluster of five, of which three are voters, with orders-0 on 1, 2, 3 and
// half a megabyte in it, and somebody who goes on writing. The broker that is moved to gets
// 100 kB/s, so that a test can step in while it catches up.
func newMoving(t *testing.T, seed uint64) (*scene, *traffic) {
	s := newScene(t, seed, func(cfg *cluster.Config) {
		cfg.Nodes = 5
		cfg.Properties["replica.fetch.max.bytes"] = "20000"
		cfg.Properties["leader.replication.throttled.rate"] = "100000"
		cfg.Properties["auto.leader.rebalance.enable"] = "false"
	})
	s.createTopic(client.NewTopic{Name: "orders", Partitions: 1, ReplicationFactor: 3})
	s.as(func(task *env.Task, c *client.Client) { reassign(task, s, c, 1, 2, 3) })
	s.moved(10*time.Second, 1, 2, 3)
	s.elect(ordersPartition, 1)
	s.as(func(task *env.Task, c *client.Client) {
		p := c.NewProducer(producer.DefaultConfig())
		for range 50 {
			if r := p.Send(task, producer.Record{Topic: "orders", Value: make([]byte, 10_000)}); r.Err != nil {
				s.Fatal(r.Err)
			}
		}
		throttle := []client.ConfigChange{{Name: "leader.replication.throttled.replicas", Value: "*"}}
		if err := c.NewAdmin().AlterTopicConfigs(task, "orders", throttle); err != nil {
			s.Fatal(err)
		}
	})
	return s, s.traffic(ordersPartition)
}

// elect makes a partition's preferred leader its leader.
func (s *scene) elect(tp wire.TopicPartition, leader wire.NodeID) {
	s.Helper()
	s.as(func(task *env.Task, c *client.Client) {
		_, err := c.NewAdmin().ElectLeaders(task, client.PreferredLeader, []wire.TopicPartition{tp})
		if err != nil && !errors.Is(err, kerr.ElectionNotNeeded) {
			s.Fatalf("elect a leader of %v: %v", tp, err)
		}
	})
	s.until(10*time.Second, fmt.Sprintf("%v is led by %d", tp, leader), func() bool { return s.partition(tp).Leader == leader })
}

// partition is what the node that knows most has of a partition.
func (s *scene) partition(tp wire.TopicPartition) *metadata.Partition {
	var newest *metadata.Image
	var end wire.Offset
	for _, n := range s.c.Nodes {
		if n.Broker == nil {
			continue
		}
		if image, applied := n.Broker.Image(); newest == nil || applied > end {
			newest, end = image, applied
		}
	}
	p := newest.Partition(tp.Topic, tp.Partition)
	if p == nil {
		s.Fatalf("nobody knows %v", tp)
	}
	return p
}

// copying waits until a broker that is being added has something of orders-0, but not all.
func (s *scene) copying(to wire.NodeID) {
	s.Helper()
	s.until(10*time.Second, fmt.Sprintf("%d is catching up", to), func() bool {
		for _, r := range s.c.Node(to).Broker.Replicas() {
			if r.TopicPartition == ordersPartition {
				return r.LogEnd > 10
			}
		}
		return false
	})
	if p := s.partition(ordersPartition); p.InISR(to) || !slices.Contains(p.Adding, to) {
		s.Fatalf("%d is not being added: replicas %v, adding %v, isr %v", to, p.Replicas, p.Adding, p.ISR)
	}
}

// settled waits until orders-0 is where it shall be, in sync, on every node that runs, and
// until nobody else has a file of it.
func (s *scene) settled(within time.Duration, replicas ...wire.NodeID) {
	s.Helper()
	s.until(within, fmt.Sprintf("orders-0 is on %v, and nowhere else", replicas), func() bool {
		p := s.partition(ordersPartition)
		if !slices.Equal(p.Replicas, replicas) || len(p.ISR) != len(replicas) || len(p.Adding)+len(p.Removing) > 0 {
			return false
		}
		for _, n := range s.c.Nodes {
			if n.Broker == nil {
				continue
			}
			here := slices.ContainsFunc(n.Disk.Snapshot(), func(f disk.FileState) bool { return f.Path == "orders-0/00000000000000000000.log" })
			if here != p.HasReplica(n.ID) {
				return false
			}
		}
		return true
	})
}

// traffic is somebody who writes to a partition all the time, and what was promised.
type traffic struct {
	s           *scene
	tp          wire.TopicPartition
	acked       []string
	at          []time.Duration // when, for each of acked
	pause       time.Duration   // between two
	stop, ended bool
	// codes are the errors of attempts that were made again.
	codes map[int16]int
}

func (s *scene) traffic(tp wire.TopicPartition) *traffic {
	w := &traffic{s: s, tp: tp, pause: 5 * time.Millisecond, codes: make(map[int16]int)}
	s.users++
	host := s.c.NewClient(fmt.Sprintf("user-%d", s.users))
	host.Start(func(e env.Env) {
		c := client.New(&e, client.DefaultConfig(host.Name(), s.c.Addrs()...))
		e.Tasks.Go(func(t *env.Task) {
			cfg := producer.DefaultConfig()
			cfg.Idempotent, cfg.RequestTimeout = true, 2*time.Second
			p := c.NewProducer(cfg)
			for i := 0; !w.stop; i++ {
				v := fmt.Sprintf("order %d", i)
				r := p.Send(t, producer.Record{Topic: tp.Topic, Partition: tp.Partition, Value: []byte(v)})
				if r.Err != nil {
					s.Errorf("%s: %v", v, r.Err)
					break
				}
				for _, a := range r.Attempts {
					w.codes[a.Code]++
				}
				w.acked, w.at = append(w.acked, v), append(w.at, time.Duration(s.k.Now()))
				t.Sleep(e.Clock, w.pause)
			}
			w.ended = true
		})
	})
	return w
}

// longest is the longest time between two acknowledgements.
func (w *traffic) longest() (longest time.Duration) {
	for i := range w.at {
		longest = max(longest, w.at[i]-w.at[max(i, 1)-1])
	}
	return longest
}

// goesOn waits for some more acknowledgements.
func (w *traffic) goesOn() {
	w.s.Helper()
	n := len(w.acked)
	w.s.until(10*time.Second, "records are acknowledged", func() bool { return len(w.acked) > n+20 })
}

// check ends the writing and reads the partition: everything acknowledged is there once, in
// its order, and nothing else.
func (w *traffic) check() {
	w.s.Helper()
	w.stop = true
	w.s.until(2*time.Minute, "the writer is done", func() bool { return w.ended })
	var got []string
	w.s.as(func(t *env.Task, c *client.Client) {
		cfg := consumer.DefaultConfig()
		cfg.Reset = consumer.ResetEarliest
		con := c.NewConsumer(cfg)
		con.Assign([]wire.TopicPartition{w.tp})
		for quiet := 0; quiet < 3 || len(got) < len(w.acked) && quiet < 40; { // it may ask a dead broker first
			records, _ := con.Poll(t, 500*time.Millisecond)
			quiet++
			for _, r := range records {
				quiet = 0
				if len(r.Value) < 1000 { // else it is from before
					got = append(got, string(r.Value))
				}
			}
		}
	})
	if diff := cmp.Diff(w.acked, got); diff != "" {
		w.s.Errorf("acknowledged (-) and read (+):\n%s", diff)
	}
	if len(w.acked) < 40 {
		w.s.Errorf("only %d records were acknowledged", len(w.acked))
	}
}

func (s *scene) reassign(replicas ...int32) {
	s.Helper()
	s.as(func(task *env.Task, c *client.Client) { reassign(task, s, c, replicas...) })
}

func TestReassignmentIsCancelledWhileItRuns(t *testing.T) {
	s, w := newMoving(t, 21)
	s.reassign(2, 3, 4)
	s.copying(4)
	s.reassign()
	s.settled(5*time.Second, 2, 3, 1) // the order in which they would have gone, as in Kafka
	s.as(func(task *env.Task, c *client.Client) {
		err := c.NewAdmin().AlterReassignments(task, []client.Reassignment{{TopicPartition: ordersPartition}})
		if !errors.Is(err, kerr.NoReassignmentInProgress) {
			t.Errorf("cancelled again: %v", err)
		}
	})
	w.goesOn()
	// What the broker had got is gone; the next time it starts from the beginning.
	s.reassign(4, 2, 3)
	s.copying(4)
	s.reassign(5, 2, 3) // another goal
	s.settled(20*time.Second, 5, 2, 3)
	w.check()
}

func TestReplicasAreAddedAndTakenAway(t *testing.T) {
	s, w := newMoving(t, 22)
	for _, replicas := range [][]int32{{1, 2, 3, 4, 5}, {5, 4}, {4}, {4, 1, 2}} {
		s.reassign(replicas...)
		var want []wire.NodeID
		for _, id := range replicas {
			want = append(want, wire.NodeID(id))
		}
		s.settled(40*time.Second, want...)
		if len(replicas) > 1 { // one is less than min.insync.replicas
			w.goesOn()
		}
	}
	w.check()
	if w.longest() > 30*time.Second {
		t.Errorf("nothing was acknowledged for %v", w.longest())
	}
}

func TestReassignmentToABrokerThatIsDown(t *testing.T) {
	s, w := newMoving(t, 23)
	s.c.Node(4).Crash()
	s.until(5*time.Second, "4 is fenced", func() bool {
		image, _ := s.c.Node(1).Broker.Image()
		return image.Broker(4).Fenced
	})
	s.reassign(2, 3, 4)
	s.k.RunFor(3 * time.Second)
	if p := s.partition(ordersPartition); len(p.Adding) != 1 || len(p.ISR) != 3 {
		t.Fatalf("replicas %v, adding %v, isr %v", p.Replicas, p.Adding, p.ISR)
	}
	w.goesOn()
	s.reassign()
	s.settled(5*time.Second, 2, 3, 1)
	s.reassign(2, 3, 4)
	s.k.RunFor(time.Second)
	s.c.Node(4).Up()
	s.settled(20*time.Second, 2, 3, 4)
	w.check()
}

// A broker that is down while a partition leaves it finds out when it is back.
func TestReassignmentAwayFromABrokerThatIsDown(t *testing.T) {
	s, w := newMoving(t, 24)
	s.c.Node(1).CutPower()
	s.reassign(2, 3, 4)
	s.settled(20*time.Second, 2, 3, 4)
	w.goesOn()
	s.c.Node(1).Up()
	s.until(10*time.Second, "1 is back", func() bool { return s.unfenced(s.c.Node(1)) })
	s.settled(10*time.Second, 2, 3, 4)
	w.goesOn()
	w.check()
}

// A broker that was down while a partition left it and came back to it begins with what it
// had, less what was never committed.
func TestReassignmentBackToABrokerThatWasDown(t *testing.T) {
	s, w := newMoving(t, 25)
	s.c.Node(1).Crash()
	s.reassign(2, 3, 4)
	s.settled(20*time.Second, 2, 3, 4)
	s.reassign(1, 2, 3)
	w.goesOn()
	s.c.Node(1).Up()
	s.settled(20*time.Second, 1, 2, 3)
	s.elect(ordersPartition, 1)
	w.goesOn()
	w.check()
}

func TestReassignmentOutlivesLeaderAndController(t *testing.T) {
	s, w := newMoving(t, 26)
	down := func(id wire.NodeID, how func()) {
		how()
		s.k.RunFor(2 * time.Second)
		s.c.Node(id).Up()
		s.until(10*time.Second, "it is back", func() bool { return s.unfenced(s.c.Node(id)) })
	}
	s.reassign(3, 4, 5)
	s.copying(4)
	leader := s.partition(ordersPartition).Leader
	down(leader, s.c.Node(leader).Crash)
	if p := s.partition(ordersPartition); p.Leader == leader || len(p.Adding) == 0 {
		t.Fatalf("leader %d after %d, adding %v: the move was to outlive it", p.Leader, leader, p.Adding)
	}
	s.copying(5)
	for _, n := range s.c.Nodes {
		if n.Broker != nil && n.Broker.ActiveController() {
			down(n.ID, n.CutPower)
			break
		}
	}
	down(4, s.c.Node(4).CutPower) // with what it has copied and not flushed
	s.settled(60*time.Second, 3, 4, 5)
	w.check()
}

// The writer hardly notices that the leader goes away.
func TestLeaderMovesAwayUnderLoad(t *testing.T) {
	s, w := newMoving(t, 29)
	s.as(func(task *env.Task, c *client.Client) {
		rate := []client.ConfigChange{{Name: "leader.replication.throttled.rate", Value: "2000000"}}
		if err := c.NewAdmin().AlterBrokerConfigs(task, "", rate); err != nil {
			t.Fatal(err)
		}
	})
	w.pause = 0 // there is always a record under way
	s.reassign(4, 5, 3)
	s.settled(30*time.Second, 4, 5, 3)
	w.goesOn()
	if w.codes[kerr.UnknownTopicOrPartition.Code] > 0 {
		t.Errorf("the topic was said not to exist: %v", w.codes)
	}
	if w.longest() > 50*time.Millisecond {
		t.Errorf("nothing was acknowledged for %v", w.longest())
	}
	w.check()
}

// A partition goes round and round while brokers die and lose touch.
func TestReassignmentsSurviveFaults(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			s, w := newMoving(t, 30+seed)
			rng := s.k.Stream("test")
			goal := []int32{1, 2, 3, 4, 5}
			for range 12 {
				rng.Shuffle(len(goal), func(i, j int) { goal[i], goal[j] = goal[j], goal[i] })
				// Faults may keep the request from being answered; the next round asks again.
				s.as(func(task *env.Task, c *client.Client) {
					move := client.Reassignment{TopicPartition: ordersPartition, Replicas: goal[:3]}
					if rng.IntN(4) == 0 {
						move.Replicas = nil
					}
					_ = c.NewAdmin().WithTimeout(10*time.Second).AlterReassignments(task, []client.Reassignment{move})
				})
				s.k.RunFor(time.Duration(rng.IntN(2000)) * time.Millisecond)
				n := s.c.Nodes[rng.IntN(len(s.c.Nodes))]
				outage := time.Duration(rng.IntN(3000)) * time.Millisecond
				switch rng.IntN(3) {
				case 0:
					n.Crash()
				case 1:
					n.Pause(outage)
				case 2:
					for _, other := range s.c.Names() {
						if other != n.Name() && rng.IntN(3) > 0 {
							s.c.Net.Cut(n.Name(), other)
						}
					}
				}
				s.k.RunFor(outage)
				n.Up()
				s.c.Net.HealAll()
				s.until(30*time.Second, "everybody is back", func() bool {
					for _, n := range s.c.Nodes {
						if !s.unfenced(n) {
							return false
						}
					}
					return true
				})
			}
			s.reassign(1, 2, 3)
			s.until(60*time.Second, "all is in sync", func() bool { return len(s.partition(ordersPartition).ISR) == 3 })
			s.settled(60*time.Second, 1, 2, 3)
			w.check()
		})
	}
}
