package assignor

import (
	"cmp"
	"slices"

	"odradek/broker/wire"
)

// Uniform balances: no partition can move, nor a chain of partitions each by one member,
// so that a member with at least two more than another has one less. Among members with
// the same subscriptions that means a difference of at most one. What a member had it
// keeps unless the balance wants it.
type Uniform struct{}

// Name implements [Assignor].
func (Uniform) Name() string { return "uniform" }

// Assign implements [Assignor].
func (Uniform) Assign(s Spec) [][]wire.TopicIDPartition {
	b := &balance{problem: order(s)}
	b.keep()
	b.give()
	b.even()
	by := make([][]wire.TopicIDPartition, len(b.members))
	for t, owners := range b.owners {
		for i, m := range owners {
			if m != nobody {
				by[m] = append(by[m], wire.TopicIDPartition{TopicID: b.topics[t].ID, Partition: int32(i)})
			}
		}
	}
	return b.inSpecsOrder(by)
}

const nobody = -1

// balance is an assignment in the making.
type balance struct {
	*problem
	owners [][]int   // by topic and partition
	owned  [][][]int // by member and topic: the partitions, as a stack
	load   []int     // by member
}

func (b *balance) assign(t, partition, m int) {
	b.owners[t][partition] = m
	b.owned[m][t] = append(b.owned[m][t], partition)
	b.load[m]++
}

// take takes the partition of a topic that a member was given last.
func (b *balance) take(t, m int) (partition int) {
	list := b.owned[m][t]
	partition = list[len(list)-1]
	b.owned[m][t] = list[:len(list)-1]
	b.owners[t][partition] = nobody
	b.load[m]--
	return partition
}

// keep leaves everybody what he has, as far as it still exists and he still wants it.
// Members that all subscribe to the same keep no more than will be theirs, since taking
// it away afterwards one by one would take long in a group that has just grown.
func (b *balance) keep() {
	b.owners = make([][]int, len(b.topics))
	total := 0
	alike := true
	for t := range b.topics {
		b.owners[t] = slices.Repeat([]int{nobody}, int(b.topics[t].Partitions))
		if len(b.subscribers[t]) > 0 {
			total += int(b.topics[t].Partitions)
			alike = alike && len(b.subscribers[t]) == len(b.members)
		}
	}
	b.load = make([]int, len(b.members))
	b.owned = make([][][]int, len(b.members))
	each, longer := total, 0
	if alike && len(b.members) > 0 {
		each, longer = total/len(b.members), total%len(b.members)
	}
	for m := range b.members {
		b.owned[m] = make([][]int, len(b.topics))
		limit := each
		if longer > 0 && len(b.members[m].Assigned) > each {
			limit++
		}
		for _, tp := range b.members[m].Assigned {
			t, ok := b.topic(tp.TopicID)
			if !ok || b.load[m] == limit || tp.Partition < 0 || tp.Partition >= b.topics[t].Partitions || b.owners[t][tp.Partition] != nobody {
				continue
			}
			if _, wants := slices.BinarySearch(b.subscribers[t], m); wants {
				b.assign(t, int(tp.Partition), m)
			}
		}
		if b.load[m] > each {
			longer--
		}
	}
}

// give hands out what nobody has, first of the topics with the fewest subscribers, each
// to the subscriber that has least.
func (b *balance) give() {
	topics := make([]int, len(b.topics))
	for t := range topics {
		topics[t] = t
	}
	slices.SortStableFunc(topics, func(x, y int) int { return cmp.Compare(len(b.subscribers[x]), len(b.subscribers[y])) })
	for _, t := range topics {
		if len(b.subscribers[t]) == 0 {
			continue
		}
		for i, owner := range b.owners[t] {
			if owner == nobody {
				b.assign(t, i, slices.MinFunc(b.subscribers[t], func(x, y int) int { return cmp.Compare(b.load[x], b.load[y]) }))
			}
		}
	}
}

// even moves partitions from members with much to members with little, along the shortest
// path of members of whom each may take something from the one before. Each path makes
// the sum of the squared loads smaller, so it ends.
func (b *balance) even() {
	from := make([]int, len(b.members)) // the member before, on the path
	with := make([]int, len(b.members)) // the topic whose partition moves there
	for {
		moved := false
		byLoad := make([]int, len(b.members))
		for m := range byLoad {
			byLoad[m] = m
		}
		slices.SortStableFunc(byLoad, func(x, y int) int { return cmp.Compare(b.load[y], b.load[x]) })
		if len(byLoad) == 0 || b.load[byLoad[0]]-b.load[byLoad[len(byLoad)-1]] < 2 {
			return
		}
		for _, start := range byLoad {
			for b.relieve(start, from, with) {
				moved = true
			}
		}
		if !moved {
			return
		}
	}
}

// relieve moves one partition away from a member if there is a path to one that has at
// least two less.
func (b *balance) relieve(start int, from, with []int) bool {
	for m := range from {
		from[m] = nobody
	}
	from[start] = start
	asked := make([]bool, len(b.topics))
	queue := []int{start}
	for len(queue) > 0 {
		m := queue[0]
		queue = queue[1:]
		for t := range b.topics {
			if asked[t] || len(b.owned[m][t]) == 0 {
				continue
			}
			asked[t] = true // whoever can be reached by it has been now
			for _, next := range b.subscribers[t] {
				if from[next] != nobody {
					continue
				}
				from[next], with[next] = m, t
				if b.load[next]+2 <= b.load[start] {
					for at := next; at != start; at = from[at] {
						b.assign(with[at], b.take(with[at], from[at]), at)
					}
					return true
				}
				queue = append(queue, next)
			}
		}
	}
	return false
}
