package broker_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
)

// What a request names a thousand times is answered once: each answer can be much longer
// than the name.
func TestWhatIsNamedAgainIsAnsweredOnce(t *testing.T) {
	l := newLab(t, 1, map[string]string{"offsets.topic.replication.factor": "1", "transaction.state.log.replication.factor": "1"})
	l.do(func(task *env.Task) {
		l.createTopic(task, "orders", nil, []int32{1})
		_, resp, _ := l.settled(task, 1, "g", commitOf("g", "", -1, "orders", 3), 6, commitCode)
		wantCode(t, "commit", commitCode(resp), nil)
		var groups, ids []string
		var partitions []int32
		for range 1000 {
			groups, ids, partitions = append(groups, "g"), append(ids, "tx"), append(partitions, 0)
		}
		conn := l.dial(task, 1)
		if r := conn.call(task, &kmsg.DescribeGroupsRequest{Groups: groups}, 5).(*kmsg.DescribeGroupsResponse); len(r.Groups) != 1 || r.Groups[0].State != "Empty" {
			t.Errorf("%d groups are described", len(r.Groups))
		}
		if r := conn.call(task, &kmsg.ConsumerGroupDescribeRequest{Groups: groups}, 0).(*kmsg.ConsumerGroupDescribeResponse); len(r.Groups) != 1 {
			t.Errorf("%d consumer groups are described", len(r.Groups))
		}
		if r := conn.call(task, &kmsg.DescribeTransactionsRequest{TransactionalIDs: ids}, 0).(*kmsg.DescribeTransactionsResponse); len(r.TransactionStates) != 1 {
			t.Errorf("%d transactions are described", len(r.TransactionStates))
		}
		if r := conn.call(task, offsetsOf(groups...), 8).(*kmsg.OffsetFetchResponse); len(r.Groups) != 1 || len(fetched(r)) != 1 {
			t.Errorf("offsets of %d groups are fetched", len(r.Groups))
		}
		one := offsetsOf("g")
		one.Groups[0].Topics = []kmsg.OffsetFetchRequestGroupTopic{{Topic: "orders", Partitions: partitions}, {Topic: "orders", Partitions: partitions}}
		if r := conn.call(task, one, 8).(*kmsg.OffsetFetchResponse); len(fetched(r)) != 1 || fetched(r)[0] != 3 {
			t.Errorf("%d offsets are fetched", len(fetched(r)))
		}
		topic := kmsg.DescribeProducersRequestTopic{Topic: "orders", Partitions: partitions}
		producers := &kmsg.DescribeProducersRequest{Topics: []kmsg.DescribeProducersRequestTopic{topic, topic}}
		if r := conn.call(task, producers, 0).(*kmsg.DescribeProducersResponse); len(r.Topics) != 1 || len(r.Topics[0].Partitions) != 1 {
			t.Errorf("producers of %d topics are described", len(r.Topics))
		}
		if r := conn.call(task, &kmsg.DeleteGroupsRequest{Groups: groups}, 2).(*kmsg.DeleteGroupsResponse); len(r.Groups) != 1 || r.Groups[0].ErrorCode != 0 {
			t.Errorf("deleting a group that is named again: %+v", r.Groups[0])
		}
	})
}
