package coordinator

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Refuse answers a coordinator's request with one error, in the place or places where
// its response has one: of the whole, or of every group, transaction or partition that
// was asked for. The response has the request's version.
func Refuse(req kmsg.Request, why *kerr.Error) kmsg.Response {
	resp := refusal(req, why.Code)
	resp.SetVersion(req.GetVersion())
	return resp
}

// refuseWhileLoading is COORDINATOR_LOAD_IN_PROGRESS, which clients retry. A classic
// member's heartbeat just succeeds, as in Kafka: the member has missed nothing, its
// session begins anew when the group is loaded.
func refuseWhileLoading(req kmsg.Request) kmsg.Response {
	if _, ok := req.(*kmsg.HeartbeatRequest); ok {
		resp := req.ResponseKind()
		resp.SetVersion(req.GetVersion())
		return resp
	}
	return Refuse(req, kerr.CoordinatorLoadInProgress)
}

func refusal(req kmsg.Request, code int16) kmsg.Response {
	switch req := req.(type) {
	case *kmsg.JoinGroupRequest:
		resp := kmsg.NewPtrJoinGroupResponse()
		resp.ErrorCode, resp.Generation, resp.MemberID = code, -1, req.MemberID
		return resp
	case *kmsg.SyncGroupRequest:
		resp := kmsg.NewPtrSyncGroupResponse()
		resp.ErrorCode = code
		return resp
	case *kmsg.HeartbeatRequest:
		resp := kmsg.NewPtrHeartbeatResponse()
		resp.ErrorCode = code
		return resp
	case *kmsg.LeaveGroupRequest:
		resp := kmsg.NewPtrLeaveGroupResponse()
		resp.ErrorCode = code
		return resp
	case *kmsg.OffsetCommitRequest:
		return refuseOffsetCommit(req, code)
	case *kmsg.OffsetFetchRequest:
		return refuseOffsetFetch(req, code)
	case *kmsg.OffsetDeleteRequest:
		resp := kmsg.NewPtrOffsetDeleteResponse()
		resp.ErrorCode = code
		return resp
	case *kmsg.DescribeGroupsRequest:
		resp := kmsg.NewPtrDescribeGroupsResponse()
		for _, group := range req.Groups {
			g := kmsg.NewDescribeGroupsResponseGroup()
			g.Group, g.ErrorCode = group, code
			resp.Groups = append(resp.Groups, g)
		}
		return resp
	case *kmsg.ListGroupsRequest:
		resp := kmsg.NewPtrListGroupsResponse()
		resp.ErrorCode = code
		return resp
	case *kmsg.DeleteGroupsRequest:
		resp := kmsg.NewPtrDeleteGroupsResponse()
		for _, group := range req.Groups {
			g := kmsg.NewDeleteGroupsResponseGroup()
			g.Group, g.ErrorCode = group, code
			resp.Groups = append(resp.Groups, g)
		}
		return resp
	case *kmsg.ConsumerGroupHeartbeatRequest:
		resp := kmsg.NewPtrConsumerGroupHeartbeatResponse()
		resp.ErrorCode = code
		return resp
	case *kmsg.ConsumerGroupDescribeRequest:
		resp := kmsg.NewPtrConsumerGroupDescribeResponse()
		for _, group := range req.Groups {
			g := kmsg.NewConsumerGroupDescribeResponseGroup()
			g.Group, g.ErrorCode = group, code
			resp.Groups = append(resp.Groups, g)
		}
		return resp
	}
	return refuseTransactional(req, code)
}

func refuseOffsetCommit(req *kmsg.OffsetCommitRequest, code int16) kmsg.Response {
	resp := kmsg.NewPtrOffsetCommitResponse()
	for _, topic := range req.Topics {
		t := kmsg.NewOffsetCommitResponseTopic()
		t.Topic, t.TopicID = topic.Topic, topic.TopicID
		for _, partition := range topic.Partitions {
			p := kmsg.NewOffsetCommitResponseTopicPartition()
			p.Partition, p.ErrorCode = partition.Partition, code
			t.Partitions = append(t.Partitions, p)
		}
		resp.Topics = append(resp.Topics, t)
	}
	return resp
}

// refuseOffsetFetch: the error was in every partition that is asked for before version
// 2 (which knows no "all partitions"), then in one field, then, from version 8 on, in
// each group.
func refuseOffsetFetch(req *kmsg.OffsetFetchRequest, code int16) kmsg.Response {
	resp := kmsg.NewPtrOffsetFetchResponse()
	if req.Version >= 8 {
		for _, group := range req.Groups {
			g := kmsg.NewOffsetFetchResponseGroup()
			g.Group, g.ErrorCode = group.Group, code
			resp.Groups = append(resp.Groups, g)
		}
		return resp
	}
	if req.Version >= 2 {
		resp.ErrorCode = code
		return resp
	}
	for _, topic := range req.Topics {
		t := kmsg.NewOffsetFetchResponseTopic()
		t.Topic = topic.Topic
		for _, partition := range topic.Partitions {
			p := kmsg.NewOffsetFetchResponseTopicPartition()
			p.Partition, p.Offset, p.Metadata, p.ErrorCode = partition, -1, kmsg.StringPtr(""), code
			t.Partitions = append(t.Partitions, p)
		}
		resp.Topics = append(resp.Topics, t)
	}
	return resp
}

func refuseTransactional(req kmsg.Request, code int16) kmsg.Response {
	switch req := req.(type) {
	case *kmsg.TxnOffsetCommitRequest:
		resp := kmsg.NewPtrTxnOffsetCommitResponse()
		for _, topic := range req.Topics {
			t := kmsg.NewTxnOffsetCommitResponseTopic()
			t.Topic, t.TopicID = topic.Topic, topic.TopicID
			for _, partition := range topic.Partitions {
				p := kmsg.NewTxnOffsetCommitResponseTopicPartition()
				p.Partition, p.ErrorCode = partition.Partition, code
				t.Partitions = append(t.Partitions, p)
			}
			resp.Topics = append(resp.Topics, t)
		}
		return resp
	case *kmsg.InitProducerIDRequest:
		resp := kmsg.NewPtrInitProducerIDResponse()
		resp.ErrorCode, resp.ProducerID, resp.ProducerEpoch = code, -1, -1
		return resp
	case *kmsg.AddPartitionsToTxnRequest:
		return refuseAddPartitions(req, code)
	case *kmsg.AddOffsetsToTxnRequest:
		resp := kmsg.NewPtrAddOffsetsToTxnResponse()
		resp.ErrorCode = code
		return resp
	case *kmsg.EndTxnRequest:
		resp := kmsg.NewPtrEndTxnResponse()
		resp.ErrorCode, resp.ProducerID, resp.ProducerEpoch = code, -1, -1
		return resp
	case *kmsg.DescribeTransactionsRequest:
		resp := kmsg.NewPtrDescribeTransactionsResponse()
		for _, id := range req.TransactionalIDs {
			s := kmsg.NewDescribeTransactionsResponseTransactionState()
			s.TransactionalID, s.ErrorCode = id, code
			resp.TransactionStates = append(resp.TransactionStates, s)
		}
		return resp
	case *kmsg.ListTransactionsRequest:
		resp := kmsg.NewPtrListTransactionsResponse()
		resp.ErrorCode = code
		return resp
	}
	panic(fmt.Sprintf("coordinator: no refusal of %T", req))
}

// refuseAddPartitions: from version 4 on a request has several transactions, and
// another broker that verifies some of them looks for the error at each partition.
func refuseAddPartitions(req *kmsg.AddPartitionsToTxnRequest, code int16) kmsg.Response {
	resp := kmsg.NewPtrAddPartitionsToTxnResponse()
	if req.Version < 4 {
		for _, topic := range req.Topics {
			t := kmsg.NewAddPartitionsToTxnResponseTopic()
			t.Topic = topic.Topic
			for _, partition := range topic.Partitions {
				p := kmsg.NewAddPartitionsToTxnResponseTopicPartition()
				p.Partition, p.ErrorCode = partition, code
				t.Partitions = append(t.Partitions, p)
			}
			resp.Topics = append(resp.Topics, t)
		}
		return resp
	}
	for _, transaction := range req.Transactions {
		x := kmsg.NewAddPartitionsToTxnResponseTransaction()
		x.TransactionalID = transaction.TransactionalID
		for _, topic := range transaction.Topics {
			t := kmsg.NewAddPartitionsToTxnResponseTransactionTopic()
			t.Topic = topic.Topic
			for _, partition := range topic.Partitions {
				p := kmsg.NewAddPartitionsToTxnResponseTransactionTopicPartition()
				p.Partition, p.ErrorCode = partition, code
				t.Partitions = append(t.Partitions, p)
			}
			x.Topics = append(x.Topics, t)
		}
		resp.Transactions = append(resp.Transactions, x)
	}
	return resp
}
