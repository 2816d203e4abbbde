package broker_test

import (
	"testing"
	"time"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/workloads/client"
)

func TestFlushPolicyChangesUnderALeader(t *testing.T) {
	s := newScene(t, 1, nil)
	orders := wire.TopicPartition{Topic: "orders"}
	s.createTopic(client.NewTopic{Name: "orders", Partitions: 1, ReplicationFactor: 3, Configs: map[string]string{"flush.messages": "1"}})
	set := func(value string) {
		s.as(func(t *env.Task, c *client.Client) {
			if err := c.NewAdmin().AlterTopicConfigs(t, "orders", []client.ConfigChange{{Name: "flush.messages", Value: value}}); err != nil {
				s.Error(err)
			}
		})
		s.k.RunFor(time.Second)
	}
	flushed := func() bool {
		for _, n := range s.c.Nodes {
			if r := n.Broker.Replicas()[0]; r.Flushed != r.LogEnd {
				return false
			}
		}
		return true
	}
	s.send(orders, 5)
	if !flushed() {
		t.Error("records of a topic that flushes every message are not flushed")
	}
	set("1000")
	s.send(orders, 5) // the high watermark must not wait for a sync that nobody asks for
	if flushed() {
		t.Error("records are flushed although the topic does not ask for it any more")
	}
	set("1")
	s.until(time.Second, "what is there is flushed", flushed)
	s.send(orders, 5)
	if !flushed() {
		t.Error("records are not flushed although the topic asks for it again")
	}
}
