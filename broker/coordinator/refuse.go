package coordinator

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
)

// Refuse answers a coordinator's request with one error, in the place or places where
// its response has one: of the whole, or of every group, transaction or partition that
// was asked for. The response has the request's version.
func Refuse(req kmsg.Request, why *kerr.Error) kmsg.Response {
	code := why.Code
	switch req := req.(type) {
	case *kmsg.OffsetCommitRequest:
		return wire.AnswerOffsetCommit(req, func(wire.TopicPartition, *kmsg.OffsetCommitRequestTopicPartition) int16 { return code })
	case *kmsg.TxnOffsetCommitRequest:
		return wire.AnswerTxnOffsetCommit(req, func(wire.TopicPartition, *kmsg.TxnOffsetCommitRequestTopicPartition) int16 { return code })
	case *kmsg.OffsetFetchRequest:
		return wire.AnswerOffsetFetch(req, func(group kmsg.OffsetFetchRequestGroup) kmsg.OffsetFetchResponseGroup {
			return kmsg.OffsetFetchResponseGroup{Group: group.Group, ErrorCode: code}
		})
	case *kmsg.AddPartitionsToTxnRequest:
		// From version 4 on there is also an error of the whole, but another broker that
		// verifies some of the transactions looks at the partitions.
		return wire.AnswerAddPartitionsToTxn(req, func(*kmsg.AddPartitionsToTxnRequestTransaction) func(wire.TopicPartition) int16 {
			return func(wire.TopicPartition) int16 { return code }
		})
	}
	resp := req.ResponseKind()
	switch resp := resp.(type) {
	case *kmsg.JoinGroupResponse:
		resp.ErrorCode, resp.MemberID = code, req.(*kmsg.JoinGroupRequest).MemberID
	case *kmsg.SyncGroupResponse:
		resp.ErrorCode = code
	case *kmsg.HeartbeatResponse:
		resp.ErrorCode = code
	case *kmsg.LeaveGroupResponse:
		resp.ErrorCode = code
	case *kmsg.OffsetDeleteResponse:
		resp.ErrorCode = code
	case *kmsg.ListGroupsResponse:
		resp.ErrorCode = code
	case *kmsg.ConsumerGroupHeartbeatResponse:
		resp.ErrorCode = code
	case *kmsg.InitProducerIDResponse:
		resp.ErrorCode, resp.ProducerEpoch = code, -1
	case *kmsg.AddOffsetsToTxnResponse:
		resp.ErrorCode = code
	case *kmsg.EndTxnResponse:
		resp.ErrorCode = code
	case *kmsg.ListTransactionsResponse:
		resp.ErrorCode = code
	case *kmsg.DescribeGroupsResponse:
		for _, id := range req.(*kmsg.DescribeGroupsRequest).Groups {
			g := kmsg.NewDescribeGroupsResponseGroup()
			g.Group, g.ErrorCode = id, code
			resp.Groups = append(resp.Groups, g)
		}
	case *kmsg.DeleteGroupsResponse:
		for _, id := range req.(*kmsg.DeleteGroupsRequest).Groups {
			resp.Groups = append(resp.Groups, kmsg.DeleteGroupsResponseGroup{Group: id, ErrorCode: code})
		}
	case *kmsg.ConsumerGroupDescribeResponse:
		for _, id := range req.(*kmsg.ConsumerGroupDescribeRequest).Groups {
			g := kmsg.NewConsumerGroupDescribeResponseGroup()
			g.Group, g.ErrorCode = id, code
			resp.Groups = append(resp.Groups, g)
		}
	case *kmsg.DescribeTransactionsResponse:
		for _, id := range req.(*kmsg.DescribeTransactionsRequest).TransactionalIDs {
			resp.TransactionStates = append(resp.TransactionStates, kmsg.DescribeTransactionsResponseTransactionState{TransactionalID: id, ErrorCode: code})
		}
	default:
		panic(fmt.Sprintf("coordinator: no refusal of %T", req))
	}
	return resp
}

// refuseWhileLoading is COORDINATOR_LOAD_IN_PROGRESS, which clients retry. A classic
// member's heartbeat just succeeds, as in Kafka: the member has missed nothing, its
// session begins anew when the group is loaded.
func refuseWhileLoading(req kmsg.Request) kmsg.Response {
	if _, ok := req.(*kmsg.HeartbeatRequest); ok {
		return req.ResponseKind()
	}
	return Refuse(req, kerr.CoordinatorLoadInProgress)
}
