package broker

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
)

// DescribeProducers (key 61, version 0; KIP-664). What this replica, leader or not, knows of
// the idempotent and transactional producers of partitions, sorted by producer id. A
// transaction that has been open for too long is one that hangs. Errors:
// UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER where there is no replica here or its
// log is not open, KAFKA_STORAGE_ERROR.
//
// Deviation: a partition that is named again is described once, in Kafka each time: the
// answer is much longer than the name.
func handleDescribeProducers(n *Node, r *request) {
	req := r.msg.(*kmsg.DescribeProducersRequest)
	resp := kmsg.NewPtrDescribeProducersResponse()
	seen := make(map[wire.TopicPartition]bool)
	for _, topic := range req.Topics {
		rt := kmsg.NewDescribeProducersResponseTopic()
		rt.Topic = topic.Topic
		for _, index := range topic.Partitions {
			if tp := (wire.TopicPartition{Topic: topic.Topic, Partition: index}); !seen[tp] {
				seen[tp] = true
				rt.Partitions = append(rt.Partitions, n.describeProducers(topic.Topic, index))
			}
		}
		if len(rt.Partitions) > 0 || len(topic.Partitions) == 0 {
			resp.Topics = append(resp.Topics, rt)
		}
	}
	r.reply(resp)
}

func (n *Node) describeProducers(topic string, index int32) kmsg.DescribeProducersResponseTopicPartition {
	out := kmsg.NewDescribeProducersResponseTopicPartition()
	out.Partition = index
	p := n.replicas.lookup(topic, index)
	switch {
	case p == nil && n.image.Partition(topic, index) == nil:
		out.ErrorCode = unknownPartition
		return out
	case p != nil && p.err != nil:
		out.ErrorCode = kerr.KafkaStorageError.Code
		return out
	case p == nil || p.log == nil:
		out.ErrorCode = notLeader
		return out
	}
	for _, from := range p.log.Producers().All() {
		to := kmsg.NewDescribeProducersResponseTopicPartitionActiveProducer()
		to.ProducerID, to.ProducerEpoch, to.CoordinatorEpoch = from.ID, int32(from.Epoch), from.CoordinatorEpoch
		to.LastSequence, to.LastTimestamp = from.LastSequence(), from.LastTimestamp
		to.CurrentTxnStartOffset = int64(from.TransactionStart)
		out.ActiveProducers = append(out.ActiveProducers, to)
	}
	return out
}
