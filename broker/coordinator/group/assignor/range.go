package assignor

import "odradek/broker/wire"

// Range assigns every topic by itself: its subscribers in order, static ones first, get
// contiguous ranges of its partitions whose lengths differ by at most one.
type Range struct{}

// Name implements [Assignor].
func (Range) Name() string { return "range" }

// Assign implements [Assignor].
func (Range) Assign(s Spec) [][]wire.TopicIDPartition {
	p := order(s)
	by := make([][]wire.TopicIDPartition, len(p.members))
	for t, members := range p.subscribers {
		if len(members) == 0 {
			continue
		}
		each, longer := p.topics[t].Partitions/int32(len(members)), p.topics[t].Partitions%int32(len(members))
		next := int32(0)
		for i, m := range members {
			end := next + each
			if int32(i) < longer {
				end++
			}
			for ; next < end; next++ {
				by[m] = append(by[m], wire.TopicIDPartition{TopicID: p.topics[t].ID, Partition: next})
			}
		}
	}
	return p.inSpecsOrder(by)
}
