package group

import (
	"slices"

	"odradek/broker/wire"
)

type stickyAssignor struct{ cooperative bool }

// Sticky and CooperativeSticky leave partitions where they are as far as the balance
// allows. Under the second, members keep what they have through a rebalance, and a
// partition that moves is first given up by its owner and assigned in the rebalance
// after that (KIP-54, KIP-429).
//
// The result is one that no move of a single partition makes more balanced. With members
// that subscribe to different topics there may be a better one that takes several moves.
var (
	Sticky            Assignor = stickyAssignor{}
	CooperativeSticky Assignor = stickyAssignor{cooperative: true}
)

func (s stickyAssignor) Name() string {
	if s.cooperative {
		return "cooperative-sticky"
	}
	return "sticky"
}

func (s stickyAssignor) Cooperative() bool { return s.cooperative }

func (s stickyAssignor) Assign(d Division) map[string][]wire.TopicPartition {
	b := newBalance(d)
	b.keepOwned()
	b.fill()
	b.level()
	if s.cooperative {
		b.withhold()
	}
	result := d.nothing()
	for i := range d.Members {
		slices.SortFunc(b.held[i], wire.TopicPartition.Compare)
		result[d.Members[i].ID] = b.held[i]
	}
	return result
}

// balance is a division in the making; members are their index in it.
type balance struct {
	Division
	held  [][]wire.TopicPartition
	taken map[wire.TopicPartition]bool
}

func newBalance(d Division) *balance {
	return &balance{
		Division: d, held: make([][]wire.TopicPartition, len(d.Members)), taken: make(map[wire.TopicPartition]bool),
	}
}

// keepOwned begins with what members own. A partition that several claim belongs to the
// one with the newest generation: the others missed a rebalance. If even that does not
// tell, it is nobody's.
func (b *balance) keepOwned() {
	const nobody = -1
	owner := make(map[wire.TopicPartition]int)
	newest := make(map[wire.TopicPartition]int32)
	for i := range b.Members {
		m := &b.Members[i]
		for _, tp := range m.Owned {
			generation, claimed := newest[tp]
			switch {
			case !claimed || m.Generation > generation:
				owner[tp], newest[tp] = i, m.Generation
			case m.Generation == generation && owner[tp] != i:
				owner[tp] = nobody
			}
		}
	}
	for i := range b.Members {
		for _, tp := range b.Members[i].Owned {
			if owner[tp] == i && b.exists(tp) && b.Members[i].subscribes(tp.Topic) && !b.taken[tp] {
				b.give(i, tp)
			}
		}
	}
}

func (b *balance) give(member int, tp wire.TopicPartition) {
	b.held[member] = append(b.held[member], tp)
	b.taken[tp] = true
}

// fill gives what nobody has to whoever has least.
func (b *balance) fill() {
	for _, tp := range b.all() {
		if !b.taken[tp] {
			b.give(b.poorest(tp.Topic), tp)
		}
	}
}

// poorest is the subscriber of a topic with the fewest partitions. There is one, or the
// topic would not be in the division.
func (b *balance) poorest(topic string) int {
	least := -1
	for i := range b.Members {
		if b.Members[i].subscribes(topic) && (least < 0 || len(b.held[i]) < len(b.held[least])) {
			least = i
		}
	}
	return least
}

// level moves partitions, one by one, to members that have at least two fewer. Each move
// makes the sum of the squares of the counts smaller, so there is an end.
func (b *balance) level() {
	for again := true; again; {
		again = false
		for i := range b.held {
			for j := len(b.held[i]) - 1; j >= 0; j-- {
				tp := b.held[i][j]
				if to := b.poorest(tp.Topic); len(b.held[i])-len(b.held[to]) >= 2 {
					b.held[i] = slices.Delete(b.held[i], j, j+1)
					b.held[to] = append(b.held[to], tp)
					again = true
				}
			}
		}
	}
}

// withhold takes back what another member still owns: that one sees that it has to give it
// up, does, and joins again, and then it is free.
func (b *balance) withhold() {
	for i := range b.held {
		b.held[i] = slices.DeleteFunc(b.held[i], func(tp wire.TopicPartition) bool {
			if slices.Contains(b.Members[i].Owned, tp) {
				return false
			}
			return slices.ContainsFunc(b.Members, func(m Subscriber) bool { return slices.Contains(m.Owned, tp) })
		})
	}
}
