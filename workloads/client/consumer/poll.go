package consumer

import (
	"cmp"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/cluster"
)

// readyPartition is a partition with something to ask its leader.
type readyPartition struct {
	*partition
	node wire.NodeID
}

// Poll moves time forward and gives the requests to send now.
func (c *Core) Poll(now int64) []attempt.Request {
	c.deadline = cluster.Never
	ready := c.ready[:0]
	var undrained []wire.NodeID
	for _, p := range c.parts {
		if p.state == stopped || p.state == awaiting {
			continue
		}
		leader, _ := c.meta.Partition(p.TopicPartition)
		if p.soughtEpoch > leader.Epoch && leader.Epoch != wire.NoLeaderEpoch {
			c.meta.Newer(p.TopicPartition, p.soughtEpoch)
			p.soughtEpoch = wire.NoLeaderEpoch // once: the topic may be a new one, of younger epochs
			leader, _ = c.meta.Partition(p.TopicPartition)
		}
		if leader.Leader == wire.NoNode {
			c.meta.RequestUpdate()
			continue
		}
		// Also while a request is under way: an answer of the old leader must not count.
		p.meetLeader(leader.Epoch)
		if p.pending != 0 || p.state == fetching && !p.data.empty() {
			if c.cfg.DrainFirst && p.pending == 0 {
				undrained = append(undrained, leader.Leader)
			}
			continue
		}
		if p.notBefore > now {
			c.deadline = min(c.deadline, p.notBefore)
			continue
		}
		ready = append(ready, readyPartition{p, leader.Leader})
	}
	c.ready = ready
	slices.SortStableFunc(ready, func(a, b readyPartition) int {
		return cmp.Or(cmp.Compare(a.state, b.state), cmp.Compare(a.node, b.node))
	})
	var reqs []attempt.Request
	for len(ready) > 0 {
		node, state := ready[0].node, ready[0].state
		var parts []*partition
		for len(ready) > 0 && ready[0].node == node && ready[0].state == state {
			parts = append(parts, ready[0].partition)
			ready = ready[1:]
		}
		switch state {
		case resetting:
			reqs = append(reqs, c.listOffsets(node, parts))
		case validating:
			reqs = append(reqs, c.offsetsForEpochs(node, parts))
		case fetching:
			// One fetch at a time from a node: the next one picks up what this leaves.
			if !c.fetchingFrom[node] && !slices.Contains(undrained, node) {
				reqs = append(reqs, c.fetch(node, parts))
			}
		}
	}
	return reqs
}

// begin books a request for the partitions.
func (c *Core) begin(node wire.NodeID, parts []*partition) *request {
	c.id++
	r := &request{id: c.id, node: node}
	for _, p := range parts {
		p.pending = r.id
		a := asked{part: p, life: p.life, pos: p.pos}
		if t, ok := c.meta.Topic(p.Topic); ok {
			a.id = t.ID
		}
		r.asked = append(r.asked, a)
	}
	c.requests[r.id] = r
	return r
}

// runs splits the asked partitions into runs of one topic, keeping their order.
func (r *request) runs(each func(topic asked, run []asked)) {
	for i := 0; i < len(r.asked); {
		j := i + 1
		for j < len(r.asked) && r.asked[j].part.Topic == r.asked[i].part.Topic {
			j++
		}
		each(r.asked[i], r.asked[i:j])
		i = j
	}
}

func (c *Core) isolation() int8 {
	if c.cfg.ReadCommitted {
		return 1
	}
	return 0
}

func (c *Core) leaderEpoch(p *partition) int32 {
	leader, _ := c.meta.Partition(p.TopicPartition)
	return int32(leader.Epoch)
}

// Special timestamps of ListOffsets.
const (
	latestTimestamp   int64 = -1
	earliestTimestamp int64 = -2
)

func (c *Core) listOffsets(node wire.NodeID, parts []*partition) attempt.Request {
	r := c.begin(node, parts)
	msg := kmsg.NewPtrListOffsetsRequest()
	msg.IsolationLevel = c.isolation()
	r.runs(func(topic asked, run []asked) {
		t := kmsg.NewListOffsetsRequestTopic()
		t.Topic = topic.part.Topic
		for _, a := range run {
			p := kmsg.NewListOffsetsRequestTopicPartition()
			p.Partition = a.part.Partition
			p.CurrentLeaderEpoch = c.leaderEpoch(a.part)
			switch a.part.resetTo {
			case ResetEarliest:
				p.Timestamp = earliestTimestamp
			case ResetLatest:
				p.Timestamp = latestTimestamp
			default:
				p.Timestamp = a.part.timestamp
			}
			t.Partitions = append(t.Partitions, p)
		}
		msg.Topics = append(msg.Topics, t)
	})
	return attempt.Request{ID: r.id, Node: node, Msg: msg, MinVersion: 1, MaxVersion: 10}
}

func (c *Core) offsetsForEpochs(node wire.NodeID, parts []*partition) attempt.Request {
	r := c.begin(node, parts)
	msg := kmsg.NewPtrOffsetForLeaderEpochRequest()
	msg.ReplicaID = -1 // a consumer
	r.runs(func(topic asked, run []asked) {
		t := kmsg.NewOffsetForLeaderEpochRequestTopic()
		t.Topic = topic.part.Topic
		for _, a := range run {
			p := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
			p.Partition = a.part.Partition
			p.CurrentLeaderEpoch = int32(a.part.leaderEpoch)
			p.LeaderEpoch = int32(a.part.pos.Epoch)
			t.Partitions = append(t.Partitions, p)
		}
		msg.Topics = append(msg.Topics, t)
	})
	return attempt.Request{ID: r.id, Node: node, Msg: msg, MinVersion: 2, MaxVersion: 4}
}

func (c *Core) fetch(node wire.NodeID, parts []*partition) attempt.Request {
	// The broker fills the answer in the order asked: whoever has waited longest for
	// data comes first.
	slices.SortStableFunc(parts, func(a, b *partition) int { return cmp.Compare(a.served, b.served) })
	// A topic occurs once in a message.
	rank := make(map[string]int)
	for _, p := range parts {
		if _, ok := rank[p.Topic]; !ok {
			rank[p.Topic] = len(rank)
		}
	}
	slices.SortStableFunc(parts, func(a, b *partition) int { return cmp.Compare(rank[a.Topic], rank[b.Topic]) })
	r := c.begin(node, parts)
	r.fetch = true
	c.fetchingFrom[node] = true
	msg := kmsg.NewPtrFetchRequest()
	msg.MaxWaitMillis = int32(c.cfg.MaxWait / time.Millisecond)
	msg.MinBytes = int32(c.cfg.MinBytes)
	msg.MaxBytes = int32(c.cfg.MaxBytes)
	msg.IsolationLevel = c.isolation()
	out := attempt.Request{ID: r.id, Node: node, Msg: msg, MinVersion: 4, MaxVersion: 17}
	r.runs(func(topic asked, run []asked) {
		t := kmsg.NewFetchRequestTopic()
		t.Topic, t.TopicID = topic.part.Topic, topic.id
		if topic.id.IsZero() {
			out.MaxVersion = 12
		}
		for _, a := range run {
			p := kmsg.NewFetchRequestTopicPartition()
			p.Partition = a.part.Partition
			p.CurrentLeaderEpoch = int32(a.part.leaderEpoch)
			p.FetchOffset = int64(a.pos.Offset)
			p.PartitionMaxBytes = int32(c.cfg.PartitionMaxBytes)
			if c.cfg.FetchEpochs {
				p.LastFetchedEpoch = int32(a.pos.Epoch)
			}
			t.Partitions = append(t.Partitions, p)
		}
		msg.Topics = append(msg.Topics, t)
	})
	return out
}
