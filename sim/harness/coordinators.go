package harness

import (
	"fmt"
	"slices"

	"odradek/broker/coordinator"
	"odradek/broker/coordinator/group"
	"odradek/broker/wire"
	"odradek/checker/invariant"
	"odradek/sim/cluster"
)

// coordinators looks at the shards of all nodes now and then, and asks the white-box checkers
// about the groups in them. What a shard has is what it has decided, committed or not: if
// that cannot be written, the shard is thrown away, and the next one is another machine.
type coordinators struct {
	v       *invariants
	checker *invariant.Coordinators
	loaded  map[shardOn]coordinator.Machine
	groups  map[shardOn][]string // seen last, sorted
	seen    int
}

type shardOn struct {
	shard wire.TopicPartition
	node  wire.NodeID
}

func newCoordinators(v *invariants) *coordinators {
	return &coordinators{
		v: v, checker: invariant.NewCoordinators(), loaded: make(map[shardOn]coordinator.Machine), groups: make(map[shardOn][]string),
	}
}

// look takes a sample.
func (c *coordinators) look() {
	for _, n := range c.v.c.Nodes {
		if n.Broker == nil {
			continue
		}
		for _, s := range n.Broker.Coordinators() {
			if !s.Active {
				continue
			}
			on := shardOn{s.TopicPartition, n.ID}
			if c.loaded[on] != s.Machine {
				c.loaded[on], c.groups[on] = s.Machine, nil
				c.judge(c.checker.Loaded(s.TopicPartition, n.ID, int32(s.Epoch)))
			}
			if m, ok := s.Machine.(*group.Machine); ok {
				c.shard(n, on, m)
			}
		}
	}
}

func (c *coordinators) shard(n *cluster.Node, on shardOn, m *group.Machine) {
	image, _ := n.Broker.Image()
	var ids []string
	for _, s := range m.Groups(image) {
		ids = append(ids, s.ID)
		c.seen++
		g := invariant.Group{Shard: on.shard, Node: on.node, ID: s.ID, Epoch: s.Epoch}
		// A classic group's assignment is of the generation before until the leader has sent
		// the new one.
		settled := s.Type != "classic" || s.State == "Stable"
		for _, mb := range s.Members {
			member := invariant.GroupMember{ID: mb.ID, Instance: mb.Instance, Epoch: mb.Epoch}
			if settled {
				for _, tp := range slices.Concat(mb.Assigned, mb.Revoking) {
					member.Owned = append(member.Owned, wire.TopicPartition{Topic: tp.TopicID.String(), Partition: tp.Partition})
				}
			}
			g.Members = append(g.Members, member)
		}
		c.judge(c.checker.Group(g))
	}
	for _, id := range c.groups[on] {
		if _, there := slices.BinarySearch(ids, id); !there {
			c.checker.Forget(on.shard, on.node, id)
		}
	}
	c.groups[on] = ids
}

func (c *coordinators) judge(list []invariant.Violation) {
	for _, x := range list {
		c.v.report(string(x.Invariant), x.Subject, fmt.Sprintf("%s (nodes %v)", x.Sentence, x.Nodes))
	}
}
