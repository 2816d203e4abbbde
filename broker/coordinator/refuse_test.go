package coordinator

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
)

// codes are all error codes in an answer of a coordinator, in their order.
func codes(resp kmsg.Response) (found []int16) {
	add := func(code int16) { found = append(found, code) }
	switch r := resp.(type) {
	case *kmsg.JoinGroupResponse:
		add(r.ErrorCode)
	case *kmsg.SyncGroupResponse:
		add(r.ErrorCode)
	case *kmsg.HeartbeatResponse:
		add(r.ErrorCode)
	case *kmsg.LeaveGroupResponse:
		add(r.ErrorCode)
	case *kmsg.OffsetCommitResponse:
		for _, t := range r.Topics {
			for _, p := range t.Partitions {
				add(p.ErrorCode)
			}
		}
	case *kmsg.OffsetFetchResponse:
		if r.Version >= 2 && r.Version <= 7 {
			add(r.ErrorCode)
		}
		for _, t := range r.Topics {
			for _, p := range t.Partitions {
				add(p.ErrorCode)
			}
		}
		for _, g := range r.Groups {
			add(g.ErrorCode)
		}
	case *kmsg.OffsetDeleteResponse:
		add(r.ErrorCode)
	case *kmsg.DescribeGroupsResponse:
		for _, g := range r.Groups {
			add(g.ErrorCode)
		}
	case *kmsg.ListGroupsResponse:
		add(r.ErrorCode)
	case *kmsg.DeleteGroupsResponse:
		for _, g := range r.Groups {
			add(g.ErrorCode)
		}
	case *kmsg.ConsumerGroupHeartbeatResponse:
		add(r.ErrorCode)
	case *kmsg.ConsumerGroupDescribeResponse:
		for _, g := range r.Groups {
			add(g.ErrorCode)
		}
	case *kmsg.TxnOffsetCommitResponse:
		for _, t := range r.Topics {
			for _, p := range t.Partitions {
				add(p.ErrorCode)
			}
		}
	case *kmsg.InitProducerIDResponse:
		add(r.ErrorCode)
	case *kmsg.AddPartitionsToTxnResponse:
		for _, t := range r.Topics {
			for _, p := range t.Partitions {
				add(p.ErrorCode)
			}
		}
		for _, x := range r.Transactions {
			for _, t := range x.Topics {
				for _, p := range t.Partitions {
					add(p.ErrorCode)
				}
			}
		}
	case *kmsg.AddOffsetsToTxnResponse:
		add(r.ErrorCode)
	case *kmsg.EndTxnResponse:
		add(r.ErrorCode)
	case *kmsg.DescribeTransactionsResponse:
		for _, s := range r.TransactionStates {
			add(s.ErrorCode)
		}
	case *kmsg.ListTransactionsResponse:
		add(r.ErrorCode)
	}
	return found
}

// Every request of a coordinator can be refused in every version, in as many places as its
// answer has, and the refusal survives the wire.
func TestRefusalsOfEveryVersion(t *testing.T) {
	two := []string{"a", "b"}
	commit := kmsg.NewPtrOffsetCommitRequest()
	commit.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "t", Partitions: make([]kmsg.OffsetCommitRequestTopicPartition, 2)}}
	fetch := kmsg.NewPtrOffsetFetchRequest()
	fetch.Topics = []kmsg.OffsetFetchRequestTopic{{Topic: "t", Partitions: []int32{0, 1}}}
	fetch.Groups = []kmsg.OffsetFetchRequestGroup{{Group: "a"}, {Group: "b"}}
	inTransaction := kmsg.NewPtrTxnOffsetCommitRequest()
	inTransaction.Topics = []kmsg.TxnOffsetCommitRequestTopic{{Topic: "t", Partitions: make([]kmsg.TxnOffsetCommitRequestTopicPartition, 2)}}
	partitions := kmsg.NewPtrAddPartitionsToTxnRequest()
	partitions.Topics = []kmsg.AddPartitionsToTxnRequestTopic{{Topic: "t", Partitions: []int32{0, 1}}}
	partitions.Transactions = []kmsg.AddPartitionsToTxnRequestTransaction{{Topics: []kmsg.AddPartitionsToTxnRequestTransactionTopic{{Topic: "t", Partitions: []int32{0, 1}}}}}
	for _, c := range []struct {
		req    kmsg.Request
		places func(version int16) int
	}{
		{kmsg.NewPtrJoinGroupRequest(), nil}, {kmsg.NewPtrSyncGroupRequest(), nil}, {kmsg.NewPtrHeartbeatRequest(), nil},
		{kmsg.NewPtrLeaveGroupRequest(), nil}, {kmsg.NewPtrOffsetDeleteRequest(), nil}, {kmsg.NewPtrListGroupsRequest(), nil},
		{kmsg.NewPtrConsumerGroupHeartbeatRequest(), nil}, {kmsg.NewPtrInitProducerIDRequest(), nil},
		{kmsg.NewPtrAddOffsetsToTxnRequest(), nil}, {kmsg.NewPtrEndTxnRequest(), nil}, {kmsg.NewPtrListTransactionsRequest(), nil},
		{commit, func(int16) int { return 2 }},
		{fetch, func(v int16) int {
			if v >= 2 && v <= 7 {
				return 1
			}
			return 2
		}},
		{inTransaction, func(int16) int { return 2 }},
		{partitions, func(int16) int { return 2 }},
		{&kmsg.DescribeGroupsRequest{Groups: two}, func(int16) int { return 2 }},
		{&kmsg.DeleteGroupsRequest{Groups: two}, func(int16) int { return 2 }},
		{&kmsg.ConsumerGroupDescribeRequest{Groups: two}, func(int16) int { return 2 }},
		{&kmsg.DescribeTransactionsRequest{TransactionalIDs: two}, func(int16) int { return 2 }},
	} {
		name := kmsg.NameForKey(c.req.Key())
		versions, ok := wire.ServedVersions(c.req.Key()).Lookup(c.req.Key())
		if !ok {
			t.Fatalf("%s is not served", name)
		}
		for v := versions.Min; v <= versions.Max; v++ {
			c.req.SetVersion(v)
			resp := Refuse(c.req, kerr.NotCoordinator)
			if resp.GetVersion() != v || resp.Key() != c.req.Key() {
				t.Errorf("%s %d: refused with %T of version %d", name, v, resp, resp.GetVersion())
			}
			again := c.req.ResponseKind()
			again.SetVersion(v)
			body := wire.AppendResponse(nil, 1, resp)[wire.FramePrefix:]
			if err := wire.DecodeResponse(body, 1, again); err != nil {
				t.Errorf("%s %d: %v", name, v, err)
			}
			want := []int16{kerr.NotCoordinator.Code}
			if c.places != nil {
				for range c.places(v) - 1 {
					want = append(want, want[0])
				}
			}
			if diff := cmp.Diff(want, codes(again)); diff != "" {
				t.Errorf("%s %d: %s", name, v, diff)
			}
		}
	}
}
