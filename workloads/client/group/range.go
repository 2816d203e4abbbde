package group

import "odradek/broker/wire"

type rangeAssignor struct{}

// Range is Kafka's "range": topic by topic, each member gets a run of consecutive
// partitions, the first members one more where it does not come out even. So one member
// has the partitions of the same number of all topics.
var Range Assignor = rangeAssignor{}

func (rangeAssignor) Name() string      { return "range" }
func (rangeAssignor) Cooperative() bool { return false }

func (rangeAssignor) Assign(d Division) map[string][]wire.TopicPartition {
	result := d.nothing()
	for _, topic := range d.topics() {
		var members []string
		for i := range d.Members {
			if d.Members[i].subscribes(topic) {
				members = append(members, d.Members[i].ID)
			}
		}
		each, more := d.Partitions[topic]/int32(len(members)), d.Partitions[topic]%int32(len(members))
		next := int32(0)
		for i, id := range members {
			end := next + each
			if int32(i) < more {
				end++
			}
			for ; next < end; next++ {
				result[id] = append(result[id], wire.TopicPartition{Topic: topic, Partition: next})
			}
		}
	}
	return result
}
