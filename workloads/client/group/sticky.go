package group

import "odradek/broker/wire"

type stickyAssignor struct{ cooperative bool }

// Sticky and CooperativeSticky leave partitions where they are as far as the balance
// allows. Under the second, members keep what they have through a rebalance, and a
// partition that moves is first given up and assigned in the rebalance after that.
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

func (s stickyAssignor) Assign(d Division) map[string][]wire.TopicPartition { panic("not yet") }
