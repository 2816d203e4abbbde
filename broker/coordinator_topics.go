package broker

import (
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
)

// The internal topics come into being when somebody first asks for a coordinator, with
// the partitions and replicas that the broker's configs say: every group belongs to one
// of those partitions by its hash, so their number is final.

// newTopic describes a topic that is created on demand.
func (n *Node) newTopic(name string) kmsg.CreateTopicsRequestTopic {
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, -1, -1
	set := func(key, value string) {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = key, &value
		t.Configs = append(t.Configs, c)
	}
	switch name {
	case offsetsTopic:
		t.NumPartitions, t.ReplicationFactor = int32(n.cfg.OffsetsTopicPartitions), int16(n.cfg.OffsetsTopicReplication)
		set("cleanup.policy", "compact")
		set("compression.type", "producer")
		set("segment.bytes", strconv.Itoa(n.cfg.OffsetsTopicSegmentBytes))
	case transactionsTopic:
		t.NumPartitions, t.ReplicationFactor = int32(n.cfg.TxnTopicPartitions), int16(n.cfg.TxnTopicReplication)
		set("cleanup.policy", "compact")
		set("compression.type", "uncompressed")
		set("min.insync.replicas", strconv.Itoa(n.cfg.TxnTopicMinISR))
		set("segment.bytes", strconv.Itoa(n.cfg.TxnTopicSegmentBytes))
		set("unclean.leader.election.enable", "false")
	}
	return t
}

// create has the kind's topic created, unless there are too few brokers for it. It
// returns what clients are told of a coordinator that does not exist yet.
func (cs *coordinators) create(kind *coordinatorKind) string {
	replicas, key := cs.n.cfg.OffsetsTopicReplication, "offsets.topic.replication.factor"
	if kind.topic == transactionsTopic {
		replicas, key = cs.n.cfg.TxnTopicReplication, "transaction.state.log.replication.factor"
	}
	if have := len(cs.n.image.Brokers()); have < replicas {
		why := fmt.Sprintf("%s is not created yet: %s is %d, but only %d broker(s) have joined the cluster", kind.topic, key, replicas, have)
		if cs.complained[kind.topic] != why {
			cs.complained[kind.topic] = why
			cs.n.env.Trace.Event(env.Warn, "internal-topic-not-created", env.S("why", why))
		}
		return why
	}
	cs.n.autoCreate([]string{kind.topic})
	return kind.topic + " is being created"
}
