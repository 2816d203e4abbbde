package coordinator

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
)

// codes are all error codes in an answer, in their order.
func codes(v reflect.Value) (found []int16) {
	switch v.Kind() {
	case reflect.Pointer:
		return codes(v.Elem())
	case reflect.Slice:
		for i := range v.Len() {
			found = append(found, codes(v.Index(i))...)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Name != "ErrorCode" {
				found = append(found, codes(v.Field(i))...)
			} else if code := v.Field(i).Int(); code != 0 {
				found = append(found, int16(code))
			}
		}
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
			if diff := cmp.Diff(want, codes(reflect.ValueOf(again))); diff != "" {
				t.Errorf("%s %d: %s", name, v, diff)
			}
		}
	}
}
