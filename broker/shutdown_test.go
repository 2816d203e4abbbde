package broker_test

import (
	"testing"
	"time"

	"odradek/broker/metadata"
	"odradek/broker/wire"
	"odradek/sim/cluster"
	"odradek/workloads/client"
)

func TestEveryoneWhoAsksForAStopIsTold(t *testing.T) {
	s := newScene(t, 1, nil)
	s.createTopic(client.NewTopic{Name: "orders", Partitions: 3, ReplicationFactor: 3})
	for _, pause := range []time.Duration{0, time.Millisecond, 10 * time.Millisecond, 30 * time.Millisecond} {
		n := s.c.Node(2)
		var errs []error
		told := func(err error) { errs = append(errs, err) }
		n.Do(func() { n.Broker.Shutdown(told) })
		s.k.RunFor(pause)
		n.Do(func() { n.Broker.Shutdown(told) })
		s.k.RunFor(pause)
		n.Do(func() { n.Broker.ShutdownNow(told) })
		s.until(20*time.Second, "all three are told", func() bool { return len(errs) == 3 })
		for i, err := range errs {
			if err != nil {
				t.Errorf("asked %d with a pause of %v: %v", i, pause, err)
			}
		}
		n.Crash()
		n.Up()
		s.until(20*time.Second, "the node is up", func() bool { return s.unfenced(n) })
		s.k.RunFor(2 * time.Second)
	}
}

// A node that stops before it reaches the controller leaves what the clean stop before
// left: it is not taken for one that may have lost its tail.
func TestCleanStopBeforeRegistrationStaysClean(t *testing.T) {
	s := newScene(t, 1, func(c *cluster.Config) { c.Nodes, c.Voters = 2, 1 })
	s.createTopic(client.NewTopic{Name: "orders", Partitions: 1, ReplicationFactor: 2})
	s.send(wire.TopicPartition{Topic: "orders"}, 10)
	n := s.c.Node(2)
	stop := func() {
		stopped := false
		n.Stop(func(error) { stopped = true })
		s.until(20*time.Second, "the node has stopped", func() bool { return stopped })
	}
	image := func() *metadata.Image {
		m, _ := s.c.Node(1).Broker.Image()
		return m
	}
	epochOf := func() wire.BrokerEpoch { return image().Broker(2).Epoch }
	before := epochOf()
	stop()
	s.c.Net.Partition([]string{"n1"}, []string{"n2"})
	n.Up()
	s.k.RunFor(100 * time.Millisecond)
	stop()
	if epochOf() != before {
		t.Fatal("the node was registered")
	}
	s.c.Net.HealAll()
	n.Up()
	for epochOf() == before {
		s.k.RunFor(20 * time.Microsecond) // it does not take long to be in sync again
	}
	if p := image().Partition("orders", 0); !p.InELR(2) && !p.InISR(2) {
		t.Errorf("the replica counts as one that may have lost records: ISR %v, ELR %v", p.ISR, p.ELR)
	}
}
