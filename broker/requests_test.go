package broker_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/wire"
)

func listOffsets(topic string, epoch int32, timestamps ...int64) *kmsg.ListOffsetsRequest {
	r := kmsg.NewPtrListOffsetsRequest()
	r.ReplicaID = -1
	rt := kmsg.ListOffsetsRequestTopic{Topic: topic}
	for _, ts := range timestamps {
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Timestamp, p.CurrentLeaderEpoch = ts, epoch
		rt.Partitions = append(rt.Partitions, p)
	}
	r.Topics = []kmsg.ListOffsetsRequestTopic{rt}
	return r
}

func TestListOffsets(t *testing.T) {
	l := newLab(t, 3, nil)
	l.do(func(task *env.Task) { l.createTopic(task, "orders", nil, []int32{1, 2, 3}) })
	leads, follows := l.leaders("orders", 0)
	l.do(func(task *env.Task) {
		conn := l.dial(task, leads)
		b := wire.NewBuilder(wire.BatchOptions{})
		for _, ts := range []int64{1000, 3000, 2000} {
			b.Append(ts, nil, []byte("v"))
		}
		records, err := b.Build(nil, wire.NewCodec(1<<20))
		if err != nil {
			t.Fatal(err)
		}
		conn.call(task, produceTo("orders", 0, -1, records), 9)
		ask := func(conn *rawConn, v int16, req *kmsg.ListOffsetsRequest) kmsg.ListOffsetsResponseTopicPartition {
			return conn.call(task, req, v).(*kmsg.ListOffsetsResponse).Topics[0].Partitions[0]
		}
		for _, test := range []struct {
			timestamp, offset, found int64
			low                      int16 // first version that knows it
		}{
			{-1, 3, -1, 1}, {-2, 0, -1, 1}, {-3, 1, 3000, 7}, {-4, 0, -1, 8}, {-5, -1, -1, 9}, {-6, 0, 0, 99}, {-100, 0, 0, 99},
			{0, 0, 1000, 1}, {1001, 1, 3000, 1}, {3001, -1, -1, 1},
		} {
			for v := int16(1); v <= 10; v++ {
				p := ask(conn, v, listOffsets("orders", -1, test.timestamp))
				if v < test.low {
					wantCode(t, fmt.Sprintf("timestamp %d, version %d", test.timestamp, v), p.ErrorCode, kerr.UnsupportedVersion)
				} else if p.ErrorCode != 0 || p.Offset != test.offset || p.Timestamp != test.found || (p.LeaderEpoch == 0) != (v >= 4 && test.offset >= 0) {
					t.Errorf("timestamp %d, version %d: %+v", test.timestamp, v, p)
				}
			}
		}
		wantCode(t, "follower", ask(l.dial(task, follows), 7, listOffsets("orders", -1, -1)).ErrorCode, kerr.NotLeaderForPartition)
		wantCode(t, "unknown", ask(conn, 7, listOffsets("nothing", -1, -1)).ErrorCode, kerr.UnknownTopicOrPartition)
		wantCode(t, "old epoch", ask(conn, 7, listOffsets("orders", -2, -1)).ErrorCode, nil) // any negative one is none
		wantCode(t, "new epoch", ask(conn, 7, listOffsets("orders", 5, -1)).ErrorCode, kerr.UnknownLeaderEpoch)
		r := conn.call(task, listOffsets("orders", -1, -1, -2), 7).(*kmsg.ListOffsetsResponse)
		for _, p := range r.Topics[0].Partitions {
			wantCode(t, "twice in one request", p.ErrorCode, kerr.InvalidRequest)
		}
	})
}

// Whoever saw a new partition's leader in the metadata may ask it for offsets at once.
func TestListOffsetsWaitsForANewPartition(t *testing.T) {
	l := newLab(t, 1, nil)
	l.do(func(task *env.Task) {
		conn := l.dial(task, 1)
		create := kmsg.NewPtrCreateTopicsRequest()
		create.TimeoutMillis = 10_000
		create.Topics = []kmsg.CreateTopicsRequestTopic{{Topic: "orders", NumPartitions: 20, ReplicationFactor: 1}}
		wantCode(t, "create", conn.call(task, create, 5).(*kmsg.CreateTopicsResponse).Topics[0].ErrorCode, nil)
		var leader int32
		for leader != 1 {
			m := conn.call(task, metadataOf("orders"), 9).(*kmsg.MetadataResponse)
			leader = -1
			if len(m.Topics[0].Partitions) == 20 {
				leader = m.Topics[0].Partitions[19].Leader
			}
		}
		req := listOffsets("orders", -1, -2)
		req.Topics[0].Partitions[0].Partition = 19
		wantCode(t, "list", conn.call(task, req, 5).(*kmsg.ListOffsetsResponse).Topics[0].Partitions[0].ErrorCode, nil)
	})
}

// A node that has just started does not deny the topics that it has yet to hear of, and
// forgets requests whose clients did not wait.
func TestRestartedNodeDoesNotDenyItsTopics(t *testing.T) {
	l := newLab(t, 3, nil)
	l.do(func(task *env.Task) {
		l.createTopic(task, "orders", nil, []int32{1, 2, 3})
		l.c.Node(1).Crash()
		l.c.Net.Partition([]string{"n1"}, []string{"n2", "n3"})
		l.c.Node(1).Up()
		task.Sleep(l.env.Clock, 500*time.Millisecond)
		patient, hasty := l.dial(task, 1), l.dial(task, 1)
		patient.send(metadataOf("orders"), 9)
		for range 5 {
			hasty.send(metadataOf("orders"), 9)
		}
		produce := l.dial(task, 1)
		records := batch(t, wire.BatchOptions{}, "v")
		produce.send(produceTo("orders", 0, 1, records), 9)
		task.Sleep(l.env.Clock, time.Second)
		if held := l.c.Node(1).Broker.Held(); held.Early != 7 {
			t.Errorf("%d requests wait, want 7", held.Early)
		}
		hasty.c.Close()
		task.Sleep(l.env.Clock, time.Second)
		if held := l.c.Node(1).Broker.Held(); held.Early != 2 {
			t.Errorf("%d requests wait, want 2", held.Early)
		}
		l.c.Net.HealAll()
		req := metadataOf("orders")
		req.SetVersion(9)
		m := patient.answer(task, patient.corr, req).(*kmsg.MetadataResponse)
		wantCode(t, "metadata", m.Topics[0].ErrorCode, nil)
		if len(m.Brokers) == 0 {
			t.Error("no brokers")
		}
		sent := produceTo("orders", 0, 1, records)
		sent.SetVersion(9)
		r := produce.answer(task, produce.corr, sent).(*kmsg.ProduceResponse)
		if code := r.Topics[0].Partitions[0].ErrorCode; code == kerr.UnknownTopicOrPartition.Code {
			t.Error("the node denied a topic of its own")
		}
		if held := l.c.Node(1).Broker.Held(); held.Early != 0 {
			t.Errorf("%d requests still wait", held.Early)
		}
	})
}

func TestOffsetForLeaderEpochErrors(t *testing.T) {
	l := newLab(t, 3, nil)
	l.do(func(task *env.Task) { l.createTopic(task, "orders", nil, []int32{1, 2, 3}) })
	leads, follows := l.leaders("orders", 0)
	l.do(func(task *env.Task) {
		leader := l.dial(task, leads)
		leader.call(task, produceTo("orders", 0, -1, batch(t, wire.BatchOptions{}, "a")), 9)
		for _, test := range []struct {
			name           string
			node           wire.NodeID
			partition      int32
			current, epoch int32
			want           *kerr.Error
			is             int32
			end            int64
		}{
			{"known", leads, 0, 0, 0, nil, 0, 1},
			{"from the future", leads, 0, -1, 3, nil, -1, -1},
			{"none", leads, 0, -1, -1, nil, -1, -1},
			{"wrong current", leads, 0, 4, 0, kerr.UnknownLeaderEpoch, -1, -1},
			{"follower", follows, 0, -1, 0, kerr.NotLeaderForPartition, -1, -1},
			{"unknown", leads, 8, -1, 0, kerr.UnknownTopicOrPartition, -1, -1},
		} {
			req := kmsg.NewPtrOffsetForLeaderEpochRequest()
			p := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
			p.Partition, p.CurrentLeaderEpoch, p.LeaderEpoch = test.partition, test.current, test.epoch
			req.ReplicaID = -1
			req.Topics = []kmsg.OffsetForLeaderEpochRequestTopic{{Topic: "orders", Partitions: []kmsg.OffsetForLeaderEpochRequestTopicPartition{p}}}
			got := l.dial(task, test.node).call(task, req, 3).(*kmsg.OffsetForLeaderEpochResponse).Topics[0].Partitions[0]
			wantCode(t, test.name, got.ErrorCode, test.want)
			if got.LeaderEpoch != test.is || got.EndOffset != test.end {
				t.Errorf("%s: %+v", test.name, got)
			}
		}
	})
}

func metadataOf(names ...string) *kmsg.MetadataRequest {
	r := kmsg.NewPtrMetadataRequest()
	r.Topics = []kmsg.MetadataRequestTopic{}
	for _, name := range names {
		topic := kmsg.NewMetadataRequestTopic()
		topic.Topic = kmsg.StringPtr(name)
		r.Topics = append(r.Topics, topic)
	}
	return r
}

func TestMetadataAllNoneAndById(t *testing.T) {
	l := newLab(t, 3, nil)
	l.do(func(task *env.Task) {
		l.createTopic(task, "orders", nil, []int32{1, 2, 3})
		l.createTopic(task, "other", nil, []int32{2, 3, 1})
		conn := l.dial(task, 2)
		topics := func(v int16, req *kmsg.MetadataRequest) []kmsg.MetadataResponseTopic {
			return conn.call(task, req, v).(*kmsg.MetadataResponse).Topics
		}
		for v := int16(0); v <= 13; v++ {
			if got := topics(v, kmsg.NewPtrMetadataRequest()); len(got) != 2 {
				t.Errorf("version %d, all: %+v", v, got)
			}
			if got := topics(v, metadataOf()); len(got) != 0 && v > 0 || len(got) != 2 && v == 0 {
				t.Errorf("version %d, none: %+v", v, got)
			}
			got := topics(v, metadataOf("nothing", "bad name", "", strings.Repeat("x", 250), "nothing"))
			if len(got) != 4 {
				t.Fatalf("version %d: %+v", v, got)
			}
			wantCode(t, "unknown", got[0].ErrorCode, kerr.UnknownTopicOrPartition)
			for _, g := range got[1:] {
				wantCode(t, "illegal name", g.ErrorCode, kerr.InvalidTopicException)
			}
		}
		byID := kmsg.NewPtrMetadataRequest()
		byID.Topics = []kmsg.MetadataRequestTopic{{TopicID: l.topicID("other")}, {TopicID: [16]byte{9}}, {TopicID: l.topicID("other")}}
		for v := int16(10); v <= 13; v++ {
			got := topics(v, byID)
			if v < 12 {
				for _, g := range got {
					wantCode(t, "by id", g.ErrorCode, kerr.InvalidRequest)
				}
				continue
			}
			if len(got) != 2 || *got[0].Topic != "other" || got[0].ErrorCode != 0 || got[1].Topic != nil {
				t.Fatalf("version %d: %+v", v, got)
			}
			wantCode(t, "unknown id", got[1].ErrorCode, kerr.UnknownTopicID)
		}
		// A dead broker is not listed, and its replicas are offline.
		l.c.Node(1).Crash()
		task.Sleep(l.env.Clock, 4*time.Second)
		r := conn.call(task, metadataOf("orders"), 12).(*kmsg.MetadataResponse)
		p := r.Topics[0].Partitions[0]
		if len(r.Brokers) != 2 || p.Leader == 1 || p.LeaderEpoch == 0 || !slices.Equal(p.OfflineReplicas, []int32{1}) || slices.Contains(p.ISR, 1) {
			t.Errorf("with a dead broker: %+v", r)
		}
	})
}

func TestTopicsAreCreatedOnDemand(t *testing.T) {
	l := newLab(t, 3, map[string]string{"auto.create.topics.enable": "true"})
	l.do(func(task *env.Task) {
		for node := range wire.NodeID(3) {
			conn := l.dial(task, node+1)
			for v := int16(0); v <= 13; v++ {
				name := fmt.Sprintf("on-demand-%d-%d", node, v)
				req := metadataOf(name)
				wantCode(t, "not asked for", conn.call(task, req, 13).(*kmsg.MetadataResponse).Topics[0].ErrorCode, kerr.UnknownTopicOrPartition)
				req.AllowAutoTopicCreation = true
				wantCode(t, "at first", conn.call(task, req, v).(*kmsg.MetadataResponse).Topics[0].ErrorCode, kerr.LeaderNotAvailable)
				task.Sleep(l.env.Clock, 200*time.Millisecond)
				wantCode(t, "then", conn.call(task, req, v).(*kmsg.MetadataResponse).Topics[0].ErrorCode, nil)
			}
		}
	})
}

// Changes of the metadata, and DescribeQuorum, may be sent to any node.
func TestRequestsReachTheControllerFromAnyNode(t *testing.T) {
	l := newLab(t, 3, nil)
	l.do(func(task *env.Task) {
		for id := range wire.NodeID(3) {
			conn := l.dial(task, id+1)
			create := kmsg.NewPtrCreateTopicsRequest()
			topic := kmsg.NewCreateTopicsRequestTopic()
			topic.Topic, topic.NumPartitions, topic.ReplicationFactor = fmt.Sprintf("t%d", id), 1, 3
			create.Topics, create.TimeoutMillis = []kmsg.CreateTopicsRequestTopic{topic}, 1000
			r := conn.call(task, create, 5).(*kmsg.CreateTopicsResponse)
			wantCode(t, fmt.Sprintf("node %d", id+1), r.Topics[0].ErrorCode, nil)

			quorum := kmsg.NewPtrDescribeQuorumRequest()
			quorum.Topics = []kmsg.DescribeQuorumRequestTopic{
				{Topic: "__cluster_metadata", Partitions: []kmsg.DescribeQuorumRequestTopicPartition{{}, {Partition: 3}}},
				{Topic: "orders", Partitions: []kmsg.DescribeQuorumRequestTopicPartition{{}}},
			}
			d := conn.call(task, quorum, 2).(*kmsg.DescribeQuorumResponse)
			p := d.Topics[0].Partitions
			if p[0].ErrorCode != 0 || len(p[0].CurrentVoters) != 3 || len(d.Nodes) != 3 {
				t.Errorf("node %d: %+v", id+1, d)
			}
			wantCode(t, "another partition", p[1].ErrorCode, kerr.UnknownTopicOrPartition)
			wantCode(t, "another topic", d.Topics[1].Partitions[0].ErrorCode, kerr.UnknownTopicOrPartition)
		}
	})
}

func TestCreateTopicsErrors(t *testing.T) {
	l := newLab(t, 1, nil)
	l.do(func(task *env.Task) {
		l.createTopic(task, "orders", nil, []int32{1})
		conn := l.dial(task, 1)
		for _, test := range []struct {
			name string
			edit func(*kmsg.CreateTopicsRequestTopic)
			want *kerr.Error
		}{
			{"exists", func(t *kmsg.CreateTopicsRequestTopic) { t.Topic = "orders" }, kerr.TopicAlreadyExists},
			{"bad name", func(t *kmsg.CreateTopicsRequestTopic) { t.Topic = "a/b" }, kerr.InvalidTopicException},
			{"empty name", func(t *kmsg.CreateTopicsRequestTopic) { t.Topic = "" }, kerr.InvalidTopicException},
			{"no partitions", func(t *kmsg.CreateTopicsRequestTopic) { t.NumPartitions = 0 }, kerr.InvalidPartitions},
			{"absurd partitions", func(t *kmsg.CreateTopicsRequestTopic) { t.NumPartitions = 1<<31 - 1 }, kerr.PolicyViolation},
			{"too many replicas", func(t *kmsg.CreateTopicsRequestTopic) { t.ReplicationFactor = 5 }, kerr.InvalidReplicationFactor},
			{"unknown config", func(t *kmsg.CreateTopicsRequestTopic) {
				t.Configs = []kmsg.CreateTopicsRequestTopicConfig{{Name: "no.such", Value: kmsg.StringPtr("1")}}
			}, kerr.InvalidConfig},
			{"bad config", func(t *kmsg.CreateTopicsRequestTopic) {
				t.Configs = []kmsg.CreateTopicsRequestTopicConfig{{Name: "retention.ms", Value: kmsg.StringPtr("week")}}
			}, kerr.InvalidConfig},
			{"null config", func(t *kmsg.CreateTopicsRequestTopic) {
				t.Configs = []kmsg.CreateTopicsRequestTopicConfig{{Name: "retention.ms"}}
			}, kerr.InvalidConfig},
		} {
			for v := int16(2); v <= 7; v++ {
				req := kmsg.NewPtrCreateTopicsRequest()
				topic := kmsg.NewCreateTopicsRequestTopic()
				topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "new", 1, 1
				test.edit(&topic)
				req.Topics, req.TimeoutMillis = []kmsg.CreateTopicsRequestTopic{topic}, 1000
				got := conn.call(task, req, v).(*kmsg.CreateTopicsResponse).Topics[0]
				wantCode(t, fmt.Sprintf("%s, version %d", test.name, v), got.ErrorCode, test.want)
				if got.Topic != topic.Topic || got.ErrorMessage == nil {
					t.Errorf("%s: %+v", test.name, got)
				}
			}
		}
		twice := kmsg.NewPtrCreateTopicsRequest()
		topic := kmsg.NewCreateTopicsRequestTopic()
		topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "twice", 1, 1
		twice.Topics, twice.TimeoutMillis = []kmsg.CreateTopicsRequestTopic{topic, topic}, 1000
		for _, got := range conn.call(task, twice, 7).(*kmsg.CreateTopicsResponse).Topics {
			wantCode(t, "twice in one request", got.ErrorCode, kerr.InvalidRequest)
		}
	})
}

func TestDescribeConfigsErrors(t *testing.T) {
	l := newLab(t, 1, nil)
	l.do(func(task *env.Task) {
		l.createTopic(task, "orders", map[string]string{"retention.ms": "5"}, []int32{1})
		conn := l.dial(task, 1)
		for _, test := range []struct {
			kind kmsg.ConfigResourceType
			name string
			want *kerr.Error
			some bool // configs come
		}{
			{kmsg.ConfigResourceTypeTopic, "orders", nil, true},
			{kmsg.ConfigResourceTypeTopic, "nothing", kerr.UnknownTopicOrPartition, false},
			{kmsg.ConfigResourceTypeTopic, "a b", kerr.InvalidTopicException, false},
			{kmsg.ConfigResourceTypeBroker, "1", nil, true},
			{kmsg.ConfigResourceTypeBroker, "", nil, false},
			{kmsg.ConfigResourceTypeBroker, "2", kerr.InvalidRequest, false},
			{kmsg.ConfigResourceTypeBroker, "one", kerr.InvalidRequest, false},
			{77, "orders", kerr.InvalidRequest, false},
		} {
			for v := int16(1); v <= 4; v++ {
				req := kmsg.NewPtrDescribeConfigsRequest()
				res := kmsg.NewDescribeConfigsRequestResource()
				res.ResourceType, res.ResourceName, res.ConfigNames = test.kind, test.name, []string{} // as good as null
				req.Resources = []kmsg.DescribeConfigsRequestResource{res}
				got := conn.call(task, req, v).(*kmsg.DescribeConfigsResponse).Resources[0]
				what := fmt.Sprintf("%v %q, version %d", test.kind, test.name, v)
				wantCode(t, what, got.ErrorCode, test.want)
				if got.ResourceType != test.kind || got.ResourceName != test.name || (len(got.Configs) > 0) != test.some || (got.ErrorMessage != nil) != (test.want != nil) {
					t.Errorf("%s: %+v", what, got)
				}
			}
		}
	})
}

func TestDescribeTopicPartitionsPages(t *testing.T) {
	l := newLab(t, 1, map[string]string{"max.request.partition.size.limit": "4"})
	l.do(func(task *env.Task) {
		l.createTopic(task, "b", nil, []int32{1}, []int32{1}, []int32{1})
		l.createTopic(task, "a", nil, []int32{1}, []int32{1})
		conn := l.dial(task, 1)
		for _, limit := range []int32{1, 2, 3, 2000} {
			req := kmsg.NewPtrDescribeTopicPartitionsRequest()
			req.ResponsePartitionLimit = limit
			var got []string
			for {
				r := conn.call(task, req, 0).(*kmsg.DescribeTopicPartitionsResponse)
				count := int32(0)
				for _, topic := range r.Topics {
					for _, p := range topic.Partitions {
						got = append(got, fmt.Sprintf("%s-%d", *topic.Topic, p.Partition))
						count++
					}
				}
				if count > min(limit, 4) {
					t.Errorf("a page of %d partitions, limit %d", count, limit)
				}
				if r.NextCursor == nil {
					break
				}
				req.Cursor = &kmsg.DescribeTopicPartitionsRequestCursor{Topic: r.NextCursor.Topic, Partition: r.NextCursor.Partition}
			}
			if want := "[a-0 a-1 b-0 b-1 b-2]"; fmt.Sprint(got) != want {
				t.Errorf("limit %d: %v, want %s", limit, got, want)
			}
		}
		req := kmsg.NewPtrDescribeTopicPartitionsRequest()
		req.Topics = []kmsg.DescribeTopicPartitionsRequestTopic{{Topic: "nothing"}, {Topic: "a b"}}
		r := conn.call(task, req, 0).(*kmsg.DescribeTopicPartitionsResponse)
		wantCode(t, "illegal name", r.Topics[0].ErrorCode, kerr.InvalidTopicException)
		wantCode(t, "unknown", r.Topics[1].ErrorCode, kerr.UnknownTopicOrPartition)
	})
}

func TestSmallErrors(t *testing.T) {
	l := newLab(t, 1, nil)
	l.do(func(task *env.Task) {
		conn := l.dial(task, 1)
		find := kmsg.NewPtrFindCoordinatorRequest()
		find.CoordinatorKeys, find.CoordinatorType = []string{"g"}, 2
		wantCode(t, "a share coordinator in version 5", conn.call(task, find, 5).(*kmsg.FindCoordinatorResponse).Coordinators[0].ErrorCode, kerr.InvalidRequest)
		wantCode(t, "in version 6", conn.call(task, find, 6).(*kmsg.FindCoordinatorResponse).Coordinators[0].ErrorCode, kerr.CoordinatorNotAvailable)

		cluster := kmsg.NewPtrDescribeClusterRequest()
		cluster.EndpointType = 2
		if r := conn.call(task, cluster, 1).(*kmsg.DescribeClusterResponse); r.ErrorCode != 0 || r.EndpointType != 2 || len(r.Brokers) != 1 {
			t.Errorf("controllers: %+v", r)
		}
		cluster.EndpointType = 9
		wantCode(t, "endpoint type 9", conn.call(task, cluster, 1).(*kmsg.DescribeClusterResponse).ErrorCode, kerr.UnsupportedEndpointType)

		init := kmsg.NewPtrInitProducerIDRequest()
		init.TransactionalID = kmsg.StringPtr("")
		wantCode(t, "an empty transactional id", conn.call(task, init, 4).(*kmsg.InitProducerIDResponse).ErrorCode, kerr.InvalidRequest)
		init.TransactionalID = kmsg.StringPtr("t")
		wantCode(t, "a transactional id", conn.call(task, init, 4).(*kmsg.InitProducerIDResponse).ErrorCode, kerr.NotCoordinator)

		list := kmsg.NewPtrListConfigResourcesRequest()
		list.ResourceTypes = []int8{99}
		wantCode(t, "config resources of type 99", conn.call(task, list, 1).(*kmsg.ListConfigResourcesResponse).ErrorCode, kerr.UnsupportedVersion)
	})
}

// A piece of a snapshot is as large as there is room for, whatever is asked for.
func TestFetchSnapshotPieces(t *testing.T) {
	l := newLab(t, 1, map[string]string{"metadata.log.max.record.bytes.between.snapshots": "1000"})
	l.do(func(task *env.Task) {
		for i := range 10 {
			l.createTopic(task, fmt.Sprintf("t%d", i), nil, []int32{1}, []int32{1}, []int32{1})
		}
		conn := l.dial(task, 1)
		fetch := fetchFrom("__cluster_metadata", [16]byte{15: 1}, 0, 0)
		fetch.ReplicaState.ID = 9
		fetch.Topics[0].Partitions[0].CurrentLeaderEpoch, fetch.Topics[0].Partitions[0].LastFetchedEpoch = 1, 0
		f := conn.call(task, fetch, 17).(*kmsg.FetchResponse).Topics[0].Partitions[0]
		if f.SnapshotID.EndOffset < 0 {
			t.Fatalf("no snapshot: %+v", f)
		}
		for _, test := range []struct {
			position int64
			most     int32
			want     *kerr.Error
			size     int // -1: all of it
		}{
			{0, 100, nil, 100}, {0, 1<<31 - 1, nil, -1}, {0, 0, kerr.InvalidRequest, 0}, {0, -1, kerr.InvalidRequest, 0}, {0, -1 << 31, kerr.InvalidRequest, 0},
			{-1, 100, kerr.PositionOutOfRange, 0}, {1 << 60, 100, kerr.PositionOutOfRange, 0},
		} {
			req := kmsg.NewPtrFetchSnapshotRequest()
			req.ReplicaID, req.MaxBytes = 9, test.most
			p := kmsg.NewFetchSnapshotRequestTopicPartition()
			p.CurrentLeaderEpoch, p.Position = 1, test.position
			p.SnapshotID.EndOffset, p.SnapshotID.Epoch = f.SnapshotID.EndOffset, f.SnapshotID.Epoch
			req.Topics = []kmsg.FetchSnapshotRequestTopic{{Topic: "__cluster_metadata", Partitions: []kmsg.FetchSnapshotRequestTopicPartition{p}}}
			got := conn.call(task, req, 1).(*kmsg.FetchSnapshotResponse).Topics[0].Partitions[0]
			what := fmt.Sprintf("%d bytes from %d", test.most, test.position)
			wantCode(t, what, got.ErrorCode, test.want)
			if want := test.size; len(got.Bytes) != want && (want != -1 || int64(len(got.Bytes)) != got.Size) {
				t.Errorf("%s: %d bytes of %d", what, len(got.Bytes), got.Size)
			}
		}
	})
}
