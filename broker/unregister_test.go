package broker_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/workloads/client"
)

// members are the brokers that clients are told of, fenced ones too.
func (s *scene) members() (ids []wire.NodeID) {
	s.Helper()
	s.as(func(task *env.Task, c *client.Client) {
		info, err := c.NewAdmin().DescribeCluster(task)
		if err != nil {
			s.Fatal(err)
		}
		for _, b := range info.Brokers {
			ids = append(ids, b.Node)
		}
	})
	return ids
}

func (s *scene) unregister(id wire.NodeID) error {
	var err error
	s.as(func(task *env.Task, c *client.Client) { err = c.NewAdmin().UnregisterBroker(task, id) })
	s.k.RunFor(100 * time.Millisecond)
	return err
}

// A broker that has nothing any more is stopped and forgotten. When it comes back, it is a
// new one.
func TestDrainedBrokerIsForgotten(t *testing.T) {
	s, w := newMoving(t, 61)
	s.reassign(4, 5, 3)
	s.settled(20*time.Second, 4, 5, 3)
	s.reassign(1, 2, 3)
	s.settled(20*time.Second, 1, 2, 3)
	stopped := false
	s.c.Node(4).Stop(func(err error) { stopped = err == nil })
	s.until(10*time.Second, "4 has stopped", func() bool { return stopped })
	if got := s.members(); !slices.Contains(got, 4) {
		t.Errorf("before it is unregistered: %v", got)
	}
	if err := s.unregister(4); err != nil {
		t.Fatal(err)
	}
	if got := s.members(); !slices.Equal(got, []wire.NodeID{1, 2, 3, 5}) {
		t.Errorf("the cluster has %v", got)
	}
	if err := s.unregister(4); !errors.Is(err, kerr.BrokerIDNotRegistered) {
		t.Errorf("unregistered again: %v", err)
	}
	s.as(func(task *env.Task, c *client.Client) {
		move := client.Reassignment{TopicPartition: ordersPartition, Replicas: []int32{1, 2, 4}}
		if err := c.NewAdmin().AlterReassignments(task, []client.Reassignment{move}); !errors.Is(err, kerr.InvalidReplicaAssignment) {
			t.Errorf("moved to a broker that is not there: %v", err)
		}
	})
	s.c.Node(4).Up()
	s.until(10*time.Second, "4 is back", func() bool { return s.unfenced(s.c.Node(4)) })
	s.reassign(4, 2, 3)
	s.settled(20*time.Second, 4, 2, 3)
	w.check()
}

// A broker that lives registers anew. Nobody knows what it did meanwhile, so it leaves every
// ISR, as after a crash, and comes back to it.
func TestLiveBrokerThatIsUnregisteredComesBack(t *testing.T) {
	for _, id := range []wire.NodeID{1, 2} { // the leader, and a follower
		s, w := newMoving(t, 62)
		image, _ := s.c.Node(3).Broker.Image()
		was := image.Broker(id).Epoch
		if err := s.unregister(id); err != nil {
			t.Fatal(err)
		}
		s.until(5*time.Second, "it is back", func() bool {
			image, _ := s.c.Node(3).Broker.Image()
			b := image.Broker(id)
			return b.Active() && b.Epoch > was
		})
		s.until(20*time.Second, "it is in sync", func() bool { return len(s.partition(ordersPartition).ISR) == 3 })
		s.elect(ordersPartition, 1)
		w.goesOn()
		w.check()
	}
}

// A replica that was never unregistered with its broker is an empty place: the partition
// goes on without it, and may be moved.
func TestPartitionOfAForgottenBrokerIsMoved(t *testing.T) {
	s, w := newMoving(t, 63)
	s.c.Node(3).CutPower()
	s.until(5*time.Second, "3 is fenced", func() bool { return len(s.partition(ordersPartition).ISR) == 2 })
	if err := s.unregister(3); err != nil {
		t.Fatal(err)
	}
	w.goesOn()
	s.reassign(1, 2, 4)
	s.settled(20*time.Second, 1, 2, 4)
	w.check()
}

// With both in-sync replicas of a partition gone for good, an operator may prefer one that
// lacks records to none.
func TestUncleanElectionByHand(t *testing.T) {
	s := newScene(t, 64, nil)
	s.as(func(task *env.Task, c *client.Client) {
		_, err := c.NewAdmin().CreateTopic(task, client.NewTopic{Name: "orders", Partitions: 1, ReplicationFactor: 2, Configs: map[string]string{"min.insync.replicas": "1"}})
		if err != nil {
			t.Fatal(err)
		}
	})
	ahead := s.partition(ordersPartition).Replicas[0]
	behind := s.partition(ordersPartition).Replicas[1]
	s.send(ordersPartition, 5)
	s.c.Node(behind).Crash()
	s.send(ordersPartition, 5)
	s.c.Node(behind).Up() // with the other one gone before it has caught up
	s.c.Node(ahead).Crash()
	s.until(20*time.Second, "it is back", func() bool {
		return s.unfenced(s.c.Node(behind)) && s.partition(ordersPartition).Leader == wire.NoNode
	})
	elect := func(kind client.ElectionType, want error) {
		t.Helper()
		s.as(func(task *env.Task, c *client.Client) {
			elected, err := c.NewAdmin().ElectLeaders(task, kind, []wire.TopicPartition{ordersPartition})
			if !errors.Is(err, want) || (err == nil) != slices.Equal(elected, []wire.TopicPartition{ordersPartition}) {
				t.Errorf("elect %d: %v, %v", kind, elected, err)
			}
		})
	}
	elect(client.PreferredLeader, kerr.PreferredLeaderNotAvailable)
	elect(client.UncleanLeader, nil)
	elect(client.UncleanLeader, kerr.ElectionNotNeeded)
	s.until(5*time.Second, "it leads", func() bool { return s.partition(ordersPartition).Leader == behind })
	s.send(ordersPartition, 3)
	s.c.Node(ahead).Up()
	s.until(20*time.Second, "the other one has cut its log and follows", func() bool { return len(s.partition(ordersPartition).ISR) == 2 })
	for _, id := range []wire.NodeID{ahead, behind} {
		for _, r := range s.c.Node(id).Broker.Replicas() {
			if r.TopicPartition == ordersPartition && r.LogEnd != 8 {
				t.Errorf("the log of %d ends at %d, not after 5 and 3 records", id, r.LogEnd)
			}
		}
	}
}
