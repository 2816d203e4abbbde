package group

import (
	"odradek/broker/wire"
)

// Assignor divides partitions among members: what the leader of a classic group runs.
type Assignor interface {
	// Name in JoinGroup.
	Name() string
	// Cooperative tells whether members keep their partitions through a rebalance
	// (KIP-429).
	Cooperative() bool
	// Assign divides the partitions. The result depends on nothing else.
	Assign(Division) map[string][]wire.TopicPartition
}

// Division is what an assignor divides.
type Division struct {
	// Members sorted by instance id, or id for those without.
	Members []Subscriber
	// Partitions is how many a topic has; topics that do not exist are left out.
	Partitions map[string]int
	// Generation is that of the last assignment that the leader knows of.
	Generation int32
}

// Subscriber is a member as an assignor sees it.
type Subscriber struct {
	ID, Instance string
	// Topics, sorted.
	Topics []string
	// Owned partitions, as of Generation (-1 if unknown), as the member says.
	Owned      []wire.TopicPartition
	Generation int32
	Rack       string
}
