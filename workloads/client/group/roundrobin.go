package group

import "odradek/broker/wire"

type roundRobinAssignor struct{}

// RoundRobin is Kafka's "roundrobin": all partitions in order, each to the next member
// that subscribes to its topic.
var RoundRobin Assignor = roundRobinAssignor{}

func (roundRobinAssignor) Name() string      { return "roundrobin" }
func (roundRobinAssignor) Cooperative() bool { return false }

func (roundRobinAssignor) Assign(d Division) map[string][]wire.TopicPartition { panic("not yet") }
