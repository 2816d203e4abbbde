package broker_test

import (
	"fmt"
	"testing"
	"time"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/sim/cluster"
	"odradek/workloads/client"
	"odradek/workloads/client/producer"
)

// A partition of half a megabyte moves to a broker that has nothing of it, at 100 kB/s,
// while a producer with acks=all goes on. Either side of the move may be the one that is
// throttled, for the whole cluster or for the one broker.
func TestReassignmentUnderLoadKeepsToTheThrottle(t *testing.T) {
	for _, c := range []struct{ side, broker string }{{"leader", ""}, {"follower", "4"}} {
		t.Run(c.side, func(t *testing.T) {
			s := newScene(t, 3, func(cfg *cluster.Config) {
				cfg.Nodes = 4
				cfg.Properties["replica.fetch.max.bytes"] = "20000" // a fetch is paid for afterwards
			})
			s.createTopic(client.NewTopic{Name: "orders", Partitions: 1, ReplicationFactor: 3})
			// Whatever placement chose, it shall be 1, 2, 3 and then 2, 3, 4.
			s.as(func(task *env.Task, c *client.Client) { reassign(task, s, c, 1, 2, 3) })
			s.moved(10*time.Second, 1, 2, 3)
			orders := wire.TopicPartition{Topic: "orders"}
			s.as(func(task *env.Task, c *client.Client) {
				p := c.NewProducer(producer.DefaultConfig())
				for range 50 {
					if r := p.Send(task, producer.Record{Topic: orders.Topic, Value: make([]byte, 10_000)}); r.Err != nil {
						s.Fatal(r.Err)
					}
				}
			})
			var began, longest time.Duration
			s.as(func(task *env.Task, cl *client.Client) {
				admin := cl.NewAdmin()
				if err := admin.AlterBrokerConfigs(task, c.broker, []client.ConfigChange{{Name: c.side + ".replication.throttled.rate", Value: "100000"}}); err != nil {
					s.Fatal(err)
				}
				if err := admin.AlterTopicConfigs(task, "orders", []client.ConfigChange{{Name: c.side + ".replication.throttled.replicas", Value: "*"}}); err != nil {
					s.Fatal(err)
				}
				reassign(task, s, cl, 2, 3, 4)
				began = time.Duration(s.k.Now())
				p := cl.NewProducer(producer.DefaultConfig())
				for i := range 30 {
					at := s.k.Now()
					if r := p.Send(task, producer.Record{Topic: orders.Topic, Value: fmt.Append(nil, i)}); r.Err != nil {
						s.Fatal(r.Err)
					}
					longest = max(longest, time.Duration(s.k.Now()-at))
				}
			})
			s.moved(30*time.Second, 2, 3, 4)
			took := time.Duration(s.k.Now()) - began
			if took < 3*time.Second || took > 15*time.Second {
				t.Errorf("moving 500 kB at 100 kB/s, of which the first second is free, took %v", took)
			}
			if longest > 200*time.Millisecond {
				t.Errorf("a produce took %v meanwhile", longest)
			}
			if s.count("replication-throttled") == 0 {
				t.Error("nothing was held back")
			}
			if r := s.c.Node(1).Broker.Replicas(); len(r) != 0 {
				t.Errorf("node 1 still has %v", r[0].TopicPartition)
			}
		})
	}
}

// reassign asks for other replicas of orders-0.
func reassign(t *env.Task, s *scene, c *client.Client, replicas ...int32) {
	err := c.NewAdmin().AlterReassignments(t, []client.Reassignment{{TopicPartition: wire.TopicPartition{Topic: "orders"}, Replicas: replicas}})
	if err != nil {
		s.Fatalf("reassign to %v: %v", replicas, err)
	}
}

// moved waits until orders-0 has these replicas and all are in its ISR.
func (s *scene) moved(within time.Duration, replicas ...wire.NodeID) {
	s.Helper()
	s.until(within, fmt.Sprintf("orders-0 is on %v", replicas), func() bool {
		for _, n := range s.c.Nodes {
			image, _ := n.Broker.Image()
			p := image.Partition("orders", 0)
			if p == nil || len(p.Replicas) != len(replicas) || len(p.ISR) != len(replicas) {
				return false
			}
			for _, id := range replicas {
				if !p.HasReplica(id) {
					return false
				}
			}
		}
		return true
	})
}
