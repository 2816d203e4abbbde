package group

import (
	"cmp"
	"slices"
	"strings"

	"odradek/broker/wire"
)

// Assignor divides partitions among members: what the leader of a classic group runs.
type Assignor interface {
	// Name in JoinGroup.
	Name() string
	// Cooperative tells whether members keep their partitions through a rebalance
	// (KIP-429).
	Cooperative() bool
	// Assign divides the partitions. Every member has an entry, sorted. The result
	// depends on nothing but the division.
	Assign(Division) map[string][]wire.TopicPartition
}

// Division is what an assignor divides.
type Division struct {
	// Members in the order of [Division.sort].
	Members []Subscriber
	// Partitions is how many a topic has; topics that do not exist are left out.
	Partitions map[string]int32
}

// Subscriber is a member as an assignor sees it.
type Subscriber struct {
	ID, Instance string
	// Topics, sorted, each once.
	Topics []string
	// Owned partitions as of Generation (-1 if unknown), as the member says.
	Owned      []wire.TopicPartition
	Generation int32
	Rack       string
}

func (s *Subscriber) subscribes(topic string) bool {
	_, ok := slices.BinarySearch(s.Topics, topic)
	return ok
}

// sort brings the members into an order that does not change when they get new ids:
// static ones by their instance, then dynamic ones by their id.
func (d *Division) sort() {
	slices.SortFunc(d.Members, func(a, b Subscriber) int {
		return cmp.Or(
			cmp.Compare(order(a.Instance == ""), order(b.Instance == "")),
			strings.Compare(a.Instance, b.Instance),
			strings.Compare(a.ID, b.ID))
	})
}

func order(second bool) int {
	if second {
		return 1
	}
	return 0
}

// topics are those that somebody subscribes to and that exist, sorted.
func (d *Division) topics() []string {
	var topics []string
	for i := range d.Members {
		for _, topic := range d.Members[i].Topics {
			if d.Partitions[topic] > 0 {
				topics = append(topics, topic)
			}
		}
	}
	slices.Sort(topics)
	return slices.Compact(topics)
}

// all lists the partitions of those topics, sorted.
func (d *Division) all() []wire.TopicPartition {
	var tps []wire.TopicPartition
	for _, topic := range d.topics() {
		for p := range d.Partitions[topic] {
			tps = append(tps, wire.TopicPartition{Topic: topic, Partition: p})
		}
	}
	return tps
}

// exists tells whether a partition is there to be assigned.
func (d *Division) exists(tp wire.TopicPartition) bool {
	return tp.Partition >= 0 && tp.Partition < d.Partitions[tp.Topic]
}

// nothing is a result in which nobody has anything.
func (d *Division) nothing() map[string][]wire.TopicPartition {
	result := make(map[string][]wire.TopicPartition, len(d.Members))
	for i := range d.Members {
		result[d.Members[i].ID] = nil
	}
	return result
}
