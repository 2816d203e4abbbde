package group

import "odradek/broker/wire"

// rangeAssignor gives each member of a topic a run of consecutive partitions.
type rangeAssignor struct{}

// Range is Kafka's "range": topic by topic, each member gets a run of consecutive
// partitions, the first ones a partition more.
var Range Assignor = rangeAssignor{}

func (rangeAssignor) Name() string      { return "range" }
func (rangeAssignor) Cooperative() bool { return false }

func (rangeAssignor) Assign(d Division) map[string][]wire.TopicPartition { panic("not yet") }
