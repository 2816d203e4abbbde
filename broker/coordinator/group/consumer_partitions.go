package group

import (
	"bytes"
	"cmp"
	"slices"

	"odradek/broker/wire"
)

// partitions is a set of partitions, sorted by topic id and index. Sets are never modified.
type partitions []wire.TopicIDPartition

func comparePartitions(a, b wire.TopicIDPartition) int {
	return cmp.Or(bytes.Compare(a.TopicID[:], b.TopicID[:]), cmp.Compare(a.Partition, b.Partition))
}

// setOf is the set of what a list has.
func setOf(list []wire.TopicIDPartition) partitions {
	slices.SortFunc(list, comparePartitions)
	return slices.Compact(list)
}

func (s partitions) has(p wire.TopicIDPartition) bool {
	_, ok := slices.BinarySearchFunc(s, p, comparePartitions)
	return ok
}

// where is the part of the set for which keep is true.
func (s partitions) where(keep func(wire.TopicIDPartition) bool) partitions {
	var part partitions
	for _, p := range s {
		if keep(p) {
			part = append(part, p)
		}
	}
	return part
}

func (s partitions) and(other partitions) partitions { return s.where(other.has) }

func (s partitions) without(other partitions) partitions {
	return s.where(func(p wire.TopicIDPartition) bool { return !other.has(p) })
}

func (s partitions) or(other partitions) partitions {
	return setOf(slices.Concat(s, other))
}

func (s partitions) overlaps(other partitions) bool { return slices.ContainsFunc(s, other.has) }

// eachTopic calls f with every topic and its partitions.
func (s partitions) eachTopic(f func(topic wire.UUID, indexes []int32)) {
	for from := 0; from < len(s); {
		var indexes []int32
		to := from
		for ; to < len(s) && s[to].TopicID == s[from].TopicID; to++ {
			indexes = append(indexes, s[to].Partition)
		}
		f(s[from].TopicID, indexes)
		from = to
	}
}
