package transcript

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/workloads/client/cluster"
)

// Topic is a topic as a broker describes it.
func Topic(name string) kmsg.MetadataResponseTopic {
	t := kmsg.NewMetadataResponseTopic()
	t.Topic = kmsg.StringPtr(name)
	return t
}

// Lead adds a partition with its leader (-1: none) to a topic.
func Lead(t *kmsg.MetadataResponseTopic, partition, leader, epoch int32) {
	p := kmsg.NewMetadataResponseTopicPartition()
	p.Partition, p.Leader, p.LeaderEpoch = partition, leader, epoch
	t.Partitions = append(t.Partitions, p)
}

// Refresh has the metadata ask for topics, as soon as they may, and answers for a cluster of
// brokers 1 to n. It gives the time at which that was, in ns.
func Refresh(meta *cluster.Metadata, now int64, brokers int32, topics ...kmsg.MetadataResponseTopic) int64 {
	meta.RequestUpdate()
	now = max(now, meta.Deadline())
	if _, due := meta.Poll(now); !due {
		panic("no refresh of the metadata is due")
	}
	resp := kmsg.NewPtrMetadataResponse()
	for id := int32(1); id <= brokers; id++ {
		b := kmsg.NewMetadataResponseBroker()
		b.NodeID, b.Host, b.Port = id, "host", 9092
		resp.Brokers = append(resp.Brokers, b)
	}
	resp.Topics = topics
	meta.OnResponse(now, resp)
	return now
}
