package assignor

import (
	"bytes"
	"cmp"
	"slices"

	"odradek/broker/wire"
)

// Topic is a topic that some member subscribes to.
type Topic struct {
	ID         wire.UUID
	Partitions int32
}

// Member is a member of the group.
type Member struct {
	ID string
	// InstanceID is that of a static member, else "".
	InstanceID string
	// Topics are what it subscribes to, in any order. Those that are not in Spec.Topics
	// do not exist and count for nothing.
	Topics []wire.UUID
	// Assigned is the target that it had so far.
	Assigned []wire.TopicIDPartition
}

// Spec is what is to be assigned to whom.
type Spec struct {
	Topics  []Topic  // any order, no repeats
	Members []Member // any order, no repeats
}

// Assignor decides who gets what.
type Assignor interface {
	// Name is by what members ask for it.
	Name() string
	// Assign gives every partition of every topic that somebody subscribes to to exactly
	// one of its subscribers. The result is by member, as in the spec, each sorted by topic
	// id and partition. Equal specs, in whatever order, give equal assignments.
	Assign(s Spec) [][]wire.TopicIDPartition
}

// Named returns an assignor by its name, or nil.
func Named(name string) Assignor {
	for _, a := range []Assignor{Uniform{}, Range{}} {
		if a.Name() == name {
			return a
		}
	}
	return nil
}

// problem is a spec put into order: members and topics are known by their place in it.
type problem struct {
	topics  []Topic
	members []Member
	place   []int // of members in the spec
	// subscribers are the members of each topic, ascending.
	subscribers [][]int
}

func order(s Spec) *problem {
	p := &problem{topics: slices.Clone(s.Topics), place: make([]int, len(s.Members))}
	slices.SortFunc(p.topics, func(a, b Topic) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	for i := range p.place {
		p.place[i] = i
	}
	// Static members come first, by their instance: they keep their place when they
	// come back with another member id.
	slices.SortFunc(p.place, func(i, j int) int {
		a, b := &s.Members[i], &s.Members[j]
		if static := cmp.Compare(b2i(a.InstanceID == ""), b2i(b.InstanceID == "")); static != 0 {
			return static
		}
		return cmp.Or(cmp.Compare(a.InstanceID, b.InstanceID), cmp.Compare(a.ID, b.ID))
	})
	p.subscribers = make([][]int, len(p.topics))
	for m, at := range p.place {
		p.members = append(p.members, s.Members[at])
		for _, id := range s.Members[at].Topics {
			if t, ok := p.topic(id); ok && !slices.Contains(p.subscribers[t], m) {
				p.subscribers[t] = append(p.subscribers[t], m)
			}
		}
	}
	return p
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// topic is the place of a topic.
func (p *problem) topic(id wire.UUID) (int, bool) {
	return slices.BinarySearchFunc(p.topics, id, func(t Topic, id wire.UUID) int { return bytes.Compare(t.ID[:], id[:]) })
}

// inSpecsOrder turns assignments by place into the result.
func (p *problem) inSpecsOrder(by [][]wire.TopicIDPartition) [][]wire.TopicIDPartition {
	out := make([][]wire.TopicIDPartition, len(by))
	for m, list := range by {
		slices.SortFunc(list, func(a, b wire.TopicIDPartition) int {
			return cmp.Or(bytes.Compare(a.TopicID[:], b.TopicID[:]), cmp.Compare(a.Partition, b.Partition))
		})
		out[p.place[m]] = list
	}
	return out
}
