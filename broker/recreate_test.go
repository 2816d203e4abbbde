package broker_test

import (
	"fmt"
	"testing"
	"time"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/sim/cluster"
	"odradek/workloads/client"
)

// A topic is deleted and created again under its name while a replica is away, in every
// way that a node can be away. When it is back it must not take the records of the old
// topic for the new one's, whatever of that it learns in one go or from a snapshot.
func TestTopicCreatedAgainWhileAReplicaWasAway(t *testing.T) {
	ways := []struct {
		name    string
		off, on func(s *scene, n *cluster.Node)
	}{
		{"stopped", func(s *scene, n *cluster.Node) { n.Stop(nil) }, func(_ *scene, n *cluster.Node) { n.Up() }},
		{"crashed", func(_ *scene, n *cluster.Node) { n.Crash() }, func(_ *scene, n *cluster.Node) { n.Up() }},
		{"without power", func(_ *scene, n *cluster.Node) { n.CutPower() }, func(_ *scene, n *cluster.Node) { n.Up() }},
		{"paused", func(_ *scene, n *cluster.Node) { n.Pause(0) }, func(_ *scene, n *cluster.Node) { n.Resume() }},
		{"cut off", func(s *scene, n *cluster.Node) {
			s.c.Net.Partition([]string{n.Name()}, []string{"n1", "n2"})
		}, func(s *scene, _ *cluster.Node) { s.c.Net.HealAll() }},
	}
	for _, way := range ways {
		for _, snapshots := range []string{"1048576", "256"} {
			t.Run(fmt.Sprintf("%s, snapshot every %s bytes", way.name, snapshots), func(t *testing.T) {
				s := newScene(t, 1, func(c *cluster.Config) {
					c.Voters = 1
					c.Properties = map[string]string{"metadata.log.max.record.bytes.between.snapshots": snapshots}
				})
				orders := wire.TopicPartition{Topic: "orders"}
				topic := client.NewTopic{Name: "orders", Partitions: 1, ReplicationFactor: 3}
				s.createTopic(topic)
				s.send(orders, 20)
				n := s.c.Node(3)
				way.off(s, n)
				s.k.RunFor(3 * time.Second)
				for range 3 {
					s.as(func(t *env.Task, c *client.Client) {
						if err := c.NewAdmin().DeleteTopic(t, "orders"); err != nil {
							s.Error(err)
						}
					})
					s.createTopic(client.NewTopic{Name: "orders", Partitions: 1, ReplicationFactor: 2})
				}
				s.k.RunFor(time.Second)
				s.as(func(t *env.Task, c *client.Client) {
					if err := c.NewAdmin().DeleteTopic(t, "orders"); err != nil {
						s.Error(err)
					}
				})
				way.on(s, n)
				s.until(20*time.Second, "the node is back", func() bool { return s.unfenced(n) })
				s.createTopic(topic)
				s.send(orders, 7)
				s.until(20*time.Second, "three replicas have the seven new records", func() bool {
					whole := 0
					for _, n := range s.c.Nodes {
						for _, r := range n.Broker.Replicas() {
							if r.TopicPartition == orders && r.LogEnd == 7 && r.HighWatermark == 7 {
								whole++
							}
						}
					}
					return whole == 3
				})
			})
		}
	}
}
