package group

import "odradek/broker/wire"

type roundRobinAssignor struct{}

// RoundRobin is Kafka's "roundrobin": all partitions in order, each to the next member
// that subscribes to its topic.
var RoundRobin Assignor = roundRobinAssignor{}

func (roundRobinAssignor) Name() string      { return "roundrobin" }
func (roundRobinAssignor) Cooperative() bool { return false }

func (roundRobinAssignor) Assign(d Division) map[string][]wire.TopicPartition {
	result := d.nothing()
	turn := 0
	for _, tp := range d.all() {
		for !d.Members[turn%len(d.Members)].subscribes(tp.Topic) {
			turn++
		}
		id := d.Members[turn%len(d.Members)].ID
		result[id] = append(result[id], tp)
		turn++
	}
	return result
}
