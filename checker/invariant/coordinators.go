package invariant

import (
	"cmp"
	"slices"

	"odradek/broker/wire"
)

// Invariants of coordinators.
const (
	// OneCoordinator: one node at most coordinates a shard (a partition of
	// __consumer_offsets or __transaction_state) in a leader epoch.
	OneCoordinator Name = "one-coordinator"
	// SingleOwner: a group has each partition at one member at most.
	SingleOwner Name = "single-owner"
	// MemberEpoch: no member is in an epoch that its group has not reached.
	MemberEpoch Name = "member-epoch"
	// GroupEpoch: a group's epoch or generation does not go back while one coordinator
	// has it loaded.
	GroupEpoch Name = "group-epoch"
	// OneInstance: a static member's instance id is one member's.
	OneInstance Name = "one-instance"
)

// Group is a group as its coordinator has it, after a record or a request changed it.
type Group struct {
	Shard wire.TopicPartition // of __consumer_offsets
	Node  wire.NodeID
	ID    string
	// Epoch of the group (KIP-848), or generation of a classic one.
	Epoch   int32
	Members []GroupMember
}

// GroupMember is one member.
type GroupMember struct {
	ID, Instance string
	// Epoch of the member; of a classic group the generation.
	Epoch int32
	// Owned is what the coordinator gave the member and has not got back: its assignment,
	// and what it has been told to give up and has not confirmed yet. Of a classic
	// group it is the assignment that the leader sent, of a generation that every member
	// has joined; nil while a rebalance is under way.
	Owned []wire.TopicPartition
}

// Coordinators checks the coordinators of both kinds, and the groups.
type Coordinators struct {
	nodes map[shardEpoch]wire.NodeID
	// loads are the groups' epochs since a node has loaded a shard.
	loads map[load]map[string]int32
}

type shardEpoch struct {
	shard wire.TopicPartition
	epoch int32
}

type load struct {
	shard wire.TopicPartition
	node  wire.NodeID
}

// NewCoordinators knows none.
func NewCoordinators() *Coordinators {
	return &Coordinators{nodes: make(map[shardEpoch]wire.NodeID), loads: make(map[load]map[string]int32)}
}

// Loaded reports that a node has loaded a shard, for the first time or again, and
// coordinates it from now on in a leader epoch. What it had decided before and what did
// not commit is not known any more.
func (c *Coordinators) Loaded(shard wire.TopicPartition, node wire.NodeID, epoch int32) []Violation {
	f := &findings{subject: shard.String()}
	k := shardEpoch{shard, epoch}
	if other, ok := c.nodes[k]; ok && other != node {
		f.add(OneCoordinator, []wire.NodeID{other, node}, "nodes %d and %d both coordinate the shard in epoch %d", other, node, epoch)
	}
	c.nodes[k] = node
	c.loads[load{shard, node}] = make(map[string]int32)
	return f.list
}

// Forget reports that a group is gone: another one with its id begins anew.
func (c *Coordinators) Forget(shard wire.TopicPartition, node wire.NodeID, group string) {
	delete(c.loads[load{shard, node}], group)
}

// Group reports the state of a group.
func (c *Coordinators) Group(g Group) []Violation {
	f := &findings{subject: "group " + g.ID}
	nodes := []wire.NodeID{g.Node}
	epochs := c.loads[load{g.Shard, g.Node}]
	if epochs == nil {
		f.add(Bookkeeping, nodes, "node %d has the group without having loaded %v", g.Node, g.Shard)
		epochs = make(map[string]int32)
		c.loads[load{g.Shard, g.Node}] = epochs
	}
	if before, ok := epochs[g.ID]; ok && g.Epoch < before {
		f.add(GroupEpoch, nodes, "the group's epoch went back from %d to %d", before, g.Epoch)
	}
	epochs[g.ID] = g.Epoch

	type owned struct {
		wire.TopicPartition
		member string
	}
	var all []owned
	instances := make(map[string]string)
	for i := range g.Members {
		m := &g.Members[i]
		if m.Epoch > g.Epoch {
			f.add(MemberEpoch, nodes, "member %s is in epoch %d, the group in %d", m.ID, m.Epoch, g.Epoch)
		}
		if other, ok := instances[m.Instance]; ok && m.Instance != "" {
			f.add(OneInstance, nodes, "members %s and %s both are instance %s", other, m.ID, m.Instance)
		}
		instances[m.Instance] = m.ID
		for _, tp := range m.Owned {
			all = append(all, owned{tp, m.ID})
		}
	}
	slices.SortFunc(all, func(a, b owned) int {
		return cmp.Or(a.TopicPartition.Compare(b.TopicPartition), cmp.Compare(a.member, b.member))
	})
	for i := 1; i < len(all); i++ {
		if all[i].TopicPartition == all[i-1].TopicPartition {
			f.add(SingleOwner, nodes, "members %s and %s both have %v", all[i-1].member, all[i].member, all[i].TopicPartition)
		}
	}
	return f.list
}
