package wire

import "github.com/twmb/franz-go/pkg/kmsg"

// The answers about committed offsets and partitions of transactions, in which every
// partition that was asked for has an error code of its own, for whoever decides the codes.

// AnswerOffsetCommit asks code for the error code of every partition, in order.
func AnswerOffsetCommit(req *kmsg.OffsetCommitRequest, code func(TopicPartition, *kmsg.OffsetCommitRequestTopicPartition) int16) *kmsg.OffsetCommitResponse {
	resp := req.ResponseKind().(*kmsg.OffsetCommitResponse)
	for _, topic := range req.Topics {
		t := kmsg.NewOffsetCommitResponseTopic()
		t.Topic, t.TopicID = topic.Topic, topic.TopicID
		for i := range topic.Partitions {
			p := kmsg.NewOffsetCommitResponseTopicPartition()
			p.Partition = topic.Partitions[i].Partition
			p.ErrorCode = code(TopicPartition{Topic: topic.Topic, Partition: p.Partition}, &topic.Partitions[i])
			t.Partitions = append(t.Partitions, p)
		}
		resp.Topics = append(resp.Topics, t)
	}
	return resp
}

// AnswerTxnOffsetCommit asks code for the error code of every partition, in order.
func AnswerTxnOffsetCommit(req *kmsg.TxnOffsetCommitRequest, code func(TopicPartition, *kmsg.TxnOffsetCommitRequestTopicPartition) int16) *kmsg.TxnOffsetCommitResponse {
	resp := req.ResponseKind().(*kmsg.TxnOffsetCommitResponse)
	for _, topic := range req.Topics {
		t := kmsg.NewTxnOffsetCommitResponseTopic()
		t.Topic, t.TopicID = topic.Topic, topic.TopicID
		for i := range topic.Partitions {
			p := kmsg.NewTxnOffsetCommitResponseTopicPartition()
			p.Partition = topic.Partitions[i].Partition
			p.ErrorCode = code(TopicPartition{Topic: topic.Topic, Partition: p.Partition}, &topic.Partitions[i])
			t.Partitions = append(t.Partitions, p)
		}
		resp.Topics = append(resp.Topics, t)
	}
	return resp
}

// AnswerOffsetFetch asks fetch for the answer of every group, in order. Before version 8 a
// request is of one group, and its error is in one field, before version 2 (which knows no
// "all partitions") in every partition that is asked for.
func AnswerOffsetFetch(req *kmsg.OffsetFetchRequest, fetch func(kmsg.OffsetFetchRequestGroup) kmsg.OffsetFetchResponseGroup) *kmsg.OffsetFetchResponse {
	resp := req.ResponseKind().(*kmsg.OffsetFetchResponse)
	if req.Version >= 8 {
		for _, group := range req.Groups {
			resp.Groups = append(resp.Groups, fetch(group))
		}
		return resp
	}
	group := kmsg.NewOffsetFetchRequestGroup()
	group.Group = req.Group
	if req.Topics != nil {
		group.Topics = []kmsg.OffsetFetchRequestGroupTopic{}
	}
	for _, topic := range req.Topics {
		group.Topics = append(group.Topics, kmsg.OffsetFetchRequestGroupTopic{Topic: topic.Topic, Partitions: topic.Partitions})
	}
	got := fetch(group)
	if got.ErrorCode != 0 && req.Version >= 2 {
		resp.ErrorCode = got.ErrorCode
		return resp
	}
	if got.ErrorCode != 0 {
		got.Topics = failedFetch(group.Topics, got.ErrorCode)
	}
	for _, topic := range got.Topics {
		t := kmsg.NewOffsetFetchResponseTopic()
		t.Topic = topic.Topic
		for _, p := range topic.Partitions {
			t.Partitions = append(t.Partitions, kmsg.OffsetFetchResponseTopicPartition(p))
		}
		resp.Topics = append(resp.Topics, t)
	}
	return resp
}

// failedFetch has the same error for every partition.
func failedFetch(topics []kmsg.OffsetFetchRequestGroupTopic, code int16) (failed []kmsg.OffsetFetchResponseGroupTopic) {
	for _, topic := range topics {
		t := kmsg.NewOffsetFetchResponseGroupTopic()
		t.Topic = topic.Topic
		for _, partition := range topic.Partitions {
			p := kmsg.NewOffsetFetchResponseGroupTopicPartition()
			p.Partition, p.Offset, p.Metadata, p.ErrorCode = partition, int64(NoOffset), kmsg.StringPtr(""), code
			t.Partitions = append(t.Partitions, p)
		}
		failed = append(failed, t)
	}
	return failed
}

// AnswerAddPartitionsToTxn has judge decide every transaction, in order, and asks what it
// returns for the error code of each partition. Before version 4 a request is of one
// transaction.
func AnswerAddPartitionsToTxn(req *kmsg.AddPartitionsToTxnRequest, judge func(*kmsg.AddPartitionsToTxnRequestTransaction) func(TopicPartition) int16) *kmsg.AddPartitionsToTxnResponse {
	resp := req.ResponseKind().(*kmsg.AddPartitionsToTxnResponse)
	if req.Version >= 4 {
		for i := range req.Transactions {
			x := kmsg.NewAddPartitionsToTxnResponseTransaction()
			x.TransactionalID = req.Transactions[i].TransactionalID
			x.Topics = addedPartitions(req.Transactions[i].Topics, judge(&req.Transactions[i]))
			resp.Transactions = append(resp.Transactions, x)
		}
		return resp
	}
	one := kmsg.NewAddPartitionsToTxnRequestTransaction()
	one.TransactionalID, one.ProducerID, one.ProducerEpoch = req.TransactionalID, req.ProducerID, req.ProducerEpoch
	for _, topic := range req.Topics {
		one.Topics = append(one.Topics, kmsg.AddPartitionsToTxnRequestTransactionTopic(topic))
	}
	for _, topic := range addedPartitions(one.Topics, judge(&one)) {
		t := kmsg.NewAddPartitionsToTxnResponseTopic()
		t.Topic = topic.Topic
		for _, p := range topic.Partitions {
			t.Partitions = append(t.Partitions, kmsg.AddPartitionsToTxnResponseTopicPartition(p))
		}
		resp.Topics = append(resp.Topics, t)
	}
	return resp
}

func addedPartitions(topics []kmsg.AddPartitionsToTxnRequestTransactionTopic, code func(TopicPartition) int16) (added []kmsg.AddPartitionsToTxnResponseTransactionTopic) {
	for _, topic := range topics {
		t := kmsg.NewAddPartitionsToTxnResponseTransactionTopic()
		t.Topic = topic.Topic
		for _, partition := range topic.Partitions {
			p := kmsg.NewAddPartitionsToTxnResponseTransactionTopicPartition()
			p.Partition, p.ErrorCode = partition, code(TopicPartition{Topic: topic.Topic, Partition: partition})
			t.Partitions = append(t.Partitions, p)
		}
		added = append(added, t)
	}
	return added
}
