package broker_test

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/wire"
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
		for _, kind := range []int8{0, 3} {
			find := &kmsg.FindCoordinatorRequest{CoordinatorType: kind, CoordinatorKeys: append(groups, "h")}
			r := conn.call(task, find, 4).(*kmsg.FindCoordinatorResponse)
			if len(r.Coordinators) != 2 || r.Coordinators[0].Key != "g" || r.Coordinators[1].Key != "h" {
				t.Errorf("%d coordinators are found", len(r.Coordinators))
			}
		}
		topic := kmsg.DescribeProducersRequestTopic{Topic: "orders", Partitions: partitions}
		producers := &kmsg.DescribeProducersRequest{Topics: []kmsg.DescribeProducersRequestTopic{topic, topic}}
		if r := conn.call(task, producers, 0).(*kmsg.DescribeProducersResponse); len(r.Topics) != 1 || len(r.Topics[0].Partitions) != 1 {
			t.Errorf("producers of %d topics are described", len(r.Topics))
		}
		two := &kmsg.DescribeProducersRequest{Topics: []kmsg.DescribeProducersRequestTopic{{Topic: "orders", Partitions: []int32{0}}, {Topic: "orders", Partitions: []int32{0, 1}}}}
		if r := conn.call(task, two, 0).(*kmsg.DescribeProducersResponse); len(r.Topics) != 2 || len(r.Topics[1].Partitions) != 1 || r.Topics[1].Partitions[0].Partition != 1 {
			t.Errorf("a topic that is named for other partitions: %+v", r.Topics)
		}
		if r := conn.call(task, &kmsg.DeleteGroupsRequest{Groups: groups}, 2).(*kmsg.DeleteGroupsResponse); len(r.Groups) != 1 || r.Groups[0].ErrorCode != 0 {
			t.Errorf("deleting a group that is named again: %+v", r.Groups[0])
		}
	})
}

// Many keys that differ are all answered, at little more than their own size each: a cause is
// told once, and who leads a partition is looked up once.
func TestManyCoordinatorsAreFoundCheaply(t *testing.T) {
	for _, exist := range []bool{true, false} {
		replicas := "1"
		if !exist {
			replicas = "3" // of one broker: the topic cannot be made
		}
		l := newLab(t, 1, map[string]string{"offsets.topic.replication.factor": replicas})
		l.do(func(task *env.Task) {
			conn := l.dial(task, 1)
			if exist {
				l.settled(task, 1, "g", commitOf("g", "", -1, "orders", 3), 6, commitCode)
			}
			find := kmsg.NewPtrFindCoordinatorRequest()
			for i := range 5000 {
				find.CoordinatorKeys = append(find.CoordinatorKeys, fmt.Sprintf("k%04d", i))
			}
			conn.send(find, 4)
			body, err := conn.read(task)
			if err != nil {
				t.Fatal(err)
			}
			resp := find.ResponseKind().(*kmsg.FindCoordinatorResponse)
			if err := wire.DecodeResponse(body, conn.corr, resp); err != nil {
				t.Fatal(err)
			}
			if each := len(body) / 5000; each > 30 {
				t.Errorf("exist=%v: an answer of %d bytes for each key of 5", exist, each)
			}
			for i, c := range resp.Coordinators {
				if c.Key != find.CoordinatorKeys[i] || (c.ErrorCode == 0) != exist || (c.Port == 9092) != exist || (c.ErrorMessage != nil) != (i == 0 && !exist) {
					t.Fatalf("exist=%v: coordinator %d is %+v", exist, i, c)
				}
			}
			if len(resp.Coordinators) != 5000 {
				t.Errorf("%d coordinators", len(resp.Coordinators))
			}
		})
	}
}
