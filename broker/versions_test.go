package broker_test

import (
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/wire"
)

// served is an API in every version that the node serves: a request, and what must be
// in the answer.
type served struct {
	low, high int16
	request   func(v int16) kmsg.Request
	check     func(t *testing.T, v int16, resp kmsg.Response)
}

// TestEveryVersionIsAnswered sends each API in each of its versions to a node that
// leads partition 0 of "orders", which has three records.
func TestEveryVersionIsAnswered(t *testing.T) {
	l := newLab(t, 1, map[string]string{"transaction.state.log.replication.factor": "1", "transaction.state.log.min.isr": "1", "transaction.state.log.num.partitions": "2"})
	var id [16]byte
	l.do(func(task *env.Task) {
		l.createTopic(task, "orders", nil, []int32{1}, []int32{1})
		id = l.topicID("orders")
		conn := l.dial(task, 1)
		r := conn.call(task, produceTo("orders", 0, -1, batch(t, wire.BatchOptions{}, "a", "b", "c")), 9)
		wantCode(t, "produce", r.(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode, nil)
		_, r, _ = l.settled(task, 1, "versions", commitOf("versions", "", -1, "orders", 7), 6, commitCode)
		wantCode(t, "commit", commitCode(r), nil)
	})
	created := 0
	tests := map[kmsg.Key]served{
		kmsg.ApiVersions: {0, 4, func(int16) kmsg.Request {
			r := kmsg.NewPtrApiVersionsRequest()
			r.ClientSoftwareName, r.ClientSoftwareVersion = "lab", "1.0"
			return r
		}, func(t *testing.T, v int16, resp kmsg.Response) {
			r := resp.(*kmsg.ApiVersionsResponse)
			wantCode(t, "api versions", r.ErrorCode, nil)
			i := slices.IndexFunc(r.ApiKeys, func(k kmsg.ApiVersionsResponseApiKey) bool { return k.ApiKey == 0 })
			if i < 0 || r.ApiKeys[i].MinVersion != 0 || r.ApiKeys[i].MaxVersion < 11 {
				t.Errorf("produce is not advertised from 0 to 11 or 12: %+v", r.ApiKeys)
			}
			if v >= 3 && (len(r.FinalizedFeatures) == 0 || r.FinalizedFeaturesEpoch < 0) {
				t.Errorf("features %+v", r)
			}
		}},
		kmsg.Metadata: {0, 13, func(v int16) kmsg.Request {
			r := kmsg.NewPtrMetadataRequest()
			topic := kmsg.NewMetadataRequestTopic()
			if topic.Topic = kmsg.StringPtr("orders"); v == 13 {
				topic.Topic, topic.TopicID = nil, id
			}
			r.Topics = []kmsg.MetadataRequestTopic{topic, topic}
			return r
		}, func(t *testing.T, v int16, resp kmsg.Response) {
			r := resp.(*kmsg.MetadataResponse)
			if len(r.Brokers) != 1 || r.Brokers[0].NodeID != 1 || r.Brokers[0].Host != "n1" || r.Brokers[0].Port != 9092 {
				t.Errorf("brokers %+v", r.Brokers)
			}
			if len(r.Topics) != 1 || r.Topics[0].Topic == nil || *r.Topics[0].Topic != "orders" || len(r.Topics[0].Partitions) != 2 {
				t.Fatalf("topics %+v", r.Topics)
			}
			p := r.Topics[0].Partitions[0]
			if p.ErrorCode != 0 || p.Leader != 1 || !slices.Equal(p.Replicas, []int32{1}) || !slices.Equal(p.ISR, []int32{1}) || len(p.OfflineReplicas) != 0 {
				t.Errorf("partition %+v", p)
			}
			if v >= 1 && r.ControllerID != 1 || v >= 2 && (r.ClusterID == nil || *r.ClusterID == "") || v >= 10 && r.Topics[0].TopicID != id {
				t.Errorf("answer %+v", r)
			}
			if v >= 8 && (r.AuthorizedOperations != math.MinInt32 || r.Topics[0].AuthorizedOperations != math.MinInt32) && v <= 10 {
				t.Errorf("authorized operations %d, %d", r.AuthorizedOperations, r.Topics[0].AuthorizedOperations)
			}
		}},
		kmsg.Produce: {3, 12, func(int16) kmsg.Request {
			return produceTo("orders", 1, 1, batch(t, wire.BatchOptions{}, "x"))
		}, func(t *testing.T, v int16, resp kmsg.Response) {
			p := resp.(*kmsg.ProduceResponse).Topics[0].Partitions[0]
			wantCode(t, "produce", p.ErrorCode, nil)
			if p.BaseOffset != int64(v-3) || p.LogAppendTime != -1 || v >= 5 && p.LogStartOffset != 0 {
				t.Errorf("partition %+v", p)
			}
		}},
		kmsg.Fetch: {4, 18, func(int16) kmsg.Request {
			r := fetchFrom("orders", id, 0, 0)
			r.IsolationLevel = 1
			return r
		}, func(t *testing.T, v int16, resp kmsg.Response) {
			r := resp.(*kmsg.FetchResponse)
			if len(r.Topics) != 1 || len(r.Topics[0].Partitions) != 1 || v >= 13 && r.Topics[0].TopicID != id || v < 13 && r.Topics[0].Topic != "orders" {
				t.Fatalf("answer %+v", r)
			}
			p := r.Topics[0].Partitions[0]
			if p.ErrorCode != 0 || p.HighWatermark != 3 || p.LastStableOffset != 3 || len(p.AbortedTransactions) != 0 || len(p.RecordBatches) == 0 || v >= 11 && p.PreferredReadReplica != -1 {
				t.Errorf("partition %+v", p)
			}
		}},
		kmsg.ListOffsets: {1, 10, func(int16) kmsg.Request {
			r := kmsg.NewPtrListOffsetsRequest()
			p := kmsg.NewListOffsetsRequestTopicPartition()
			p.Timestamp = -1
			r.ReplicaID = -1
			r.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: "orders", Partitions: []kmsg.ListOffsetsRequestTopicPartition{p}}}
			return r
		}, func(t *testing.T, v int16, resp kmsg.Response) {
			p := resp.(*kmsg.ListOffsetsResponse).Topics[0].Partitions[0]
			if p.ErrorCode != 0 || p.Offset != 3 || p.Timestamp != -1 || v >= 4 && p.LeaderEpoch < 0 {
				t.Errorf("partition %+v", p)
			}
		}},
		kmsg.OffsetForLeaderEpoch: {2, 4, func(int16) kmsg.Request {
			r := kmsg.NewPtrOffsetForLeaderEpochRequest()
			p := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
			p.LeaderEpoch = 0
			r.ReplicaID = -1
			r.Topics = []kmsg.OffsetForLeaderEpochRequestTopic{{Topic: "orders", Partitions: []kmsg.OffsetForLeaderEpochRequestTopicPartition{p}}}
			return r
		}, func(t *testing.T, _ int16, resp kmsg.Response) {
			p := resp.(*kmsg.OffsetForLeaderEpochResponse).Topics[0].Partitions[0]
			if p.ErrorCode != 0 || p.LeaderEpoch != 0 || p.EndOffset != 3 {
				t.Errorf("partition %+v", p)
			}
		}},
		kmsg.DescribeProducers: {0, 0, func(int16) kmsg.Request {
			r := kmsg.NewPtrDescribeProducersRequest()
			r.Topics = []kmsg.DescribeProducersRequestTopic{{Topic: "orders", Partitions: []int32{0}}}
			return r
		}, func(t *testing.T, _ int16, resp kmsg.Response) {
			p := resp.(*kmsg.DescribeProducersResponse).Topics[0].Partitions[0]
			if p.ErrorCode != 0 || len(p.ActiveProducers) != 0 { // all records are plain
				t.Errorf("partition %+v", p)
			}
		}},
		kmsg.CreateTopics: {2, 7, func(int16) kmsg.Request {
			r := kmsg.NewPtrCreateTopicsRequest()
			topic := kmsg.NewCreateTopicsRequestTopic()
			topic.Topic, topic.NumPartitions, topic.ReplicationFactor = string(rune('a'+created))+"-new", 2, 1
			created++
			r.TimeoutMillis, r.Topics = 1000, []kmsg.CreateTopicsRequestTopic{topic}
			return r
		}, func(t *testing.T, v int16, resp kmsg.Response) {
			topic := resp.(*kmsg.CreateTopicsResponse).Topics[0]
			wantCode(t, "create", topic.ErrorCode, nil)
			if v >= 5 && (topic.NumPartitions != 2 || topic.ReplicationFactor != 1 || len(topic.Configs) == 0) || v >= 7 && topic.TopicID == [16]byte{} {
				t.Errorf("topic %+v", topic)
			}
		}},
		kmsg.CreatePartitions: {0, 3, func(v int16) kmsg.Request {
			r := kmsg.NewPtrCreatePartitionsRequest()
			topic := kmsg.NewCreatePartitionsRequestTopic()
			topic.Topic, topic.Count = "orders", 3+int32(v)
			r.TimeoutMillis, r.Topics = 1000, []kmsg.CreatePartitionsRequestTopic{topic}
			return r
		}, func(t *testing.T, _ int16, resp kmsg.Response) {
			wantCode(t, "create partitions", resp.(*kmsg.CreatePartitionsResponse).Topics[0].ErrorCode, nil)
		}},
		kmsg.DeleteTopics: {1, 6, func(v int16) kmsg.Request {
			r := kmsg.NewPtrDeleteTopicsRequest()
			r.TimeoutMillis, r.TopicNames = 1000, []string{"missing"}
			topic := kmsg.NewDeleteTopicsRequestTopic()
			topic.Topic = kmsg.StringPtr("missing")
			r.Topics = []kmsg.DeleteTopicsRequestTopic{topic}
			return r
		}, func(t *testing.T, v int16, resp kmsg.Response) {
			topic := resp.(*kmsg.DeleteTopicsResponse).Topics[0]
			wantCode(t, "delete", topic.ErrorCode, kerr.UnknownTopicOrPartition)
			if topic.Topic == nil || *topic.Topic != "missing" || v >= 5 && topic.ErrorMessage == nil {
				t.Errorf("topic %+v", topic)
			}
		}},
		kmsg.DescribeConfigs: {1, 4, func(v int16) kmsg.Request {
			r := kmsg.NewPtrDescribeConfigsRequest()
			res := kmsg.NewDescribeConfigsRequestResource()
			res.ResourceType, res.ResourceName, res.ConfigNames = kmsg.ConfigResourceTypeTopic, "orders", []string{"retention.ms"}
			r.Resources = []kmsg.DescribeConfigsRequestResource{res, res}
			r.IncludeSynonyms, r.IncludeDocumentation = true, true
			return r
		}, func(t *testing.T, v int16, resp kmsg.Response) {
			r := resp.(*kmsg.DescribeConfigsResponse)
			if len(r.Resources) != 1 || r.Resources[0].ErrorCode != 0 || len(r.Resources[0].Configs) != 1 {
				t.Fatalf("answer %+v", r)
			}
			c := r.Resources[0].Configs[0]
			if c.Name != "retention.ms" || c.Value == nil || *c.Value != "604800000" || c.Source != kmsg.ConfigSourceDefaultConfig ||
				v >= 3 && (c.ConfigType != kmsg.ConfigTypeLong || c.Documentation == nil) {
				t.Errorf("config %+v", c)
			}
		}},
		kmsg.AlterConfigs: {0, 2, func(int16) kmsg.Request {
			r := kmsg.NewPtrAlterConfigsRequest()
			res := kmsg.NewAlterConfigsRequestResource()
			res.ResourceType, res.ResourceName = kmsg.ConfigResourceTypeTopic, "orders"
			res.Configs = []kmsg.AlterConfigsRequestResourceConfig{{Name: "flush.ms", Value: kmsg.StringPtr("1000")}}
			r.Resources = []kmsg.AlterConfigsRequestResource{res}
			return r
		}, func(t *testing.T, _ int16, resp kmsg.Response) {
			wantCode(t, "alter configs", resp.(*kmsg.AlterConfigsResponse).Resources[0].ErrorCode, nil)
		}},
		kmsg.IncrementalAlterConfigs: {0, 1, func(int16) kmsg.Request {
			r := kmsg.NewPtrIncrementalAlterConfigsRequest()
			res := kmsg.NewIncrementalAlterConfigsRequestResource()
			res.ResourceType, res.ResourceName = kmsg.ConfigResourceTypeTopic, "orders"
			res.Configs = []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: "segment.ms", Value: kmsg.StringPtr("soon")}}
			r.Resources = []kmsg.IncrementalAlterConfigsRequestResource{res}
			return r
		}, func(t *testing.T, _ int16, resp kmsg.Response) {
			res := resp.(*kmsg.IncrementalAlterConfigsResponse).Resources[0]
			wantCode(t, "alter configs to nonsense", res.ErrorCode, kerr.InvalidConfig)
			if res.ErrorMessage == nil {
				t.Error("no message")
			}
		}},
		kmsg.DescribeCluster: {0, 2, func(int16) kmsg.Request { return kmsg.NewPtrDescribeClusterRequest() },
			func(t *testing.T, _ int16, resp kmsg.Response) {
				r := resp.(*kmsg.DescribeClusterResponse)
				if r.ErrorCode != 0 || r.ControllerID != 1 || len(r.Brokers) != 1 || r.Brokers[0].Host != "n1" || r.ClusterID == "" || r.ClusterAuthorizedOperations != math.MinInt32 {
					t.Errorf("answer %+v", r)
				}
			}},
		kmsg.DescribeQuorum: {0, 2, func(int16) kmsg.Request {
			r := kmsg.NewPtrDescribeQuorumRequest()
			r.Topics = []kmsg.DescribeQuorumRequestTopic{{Topic: "__cluster_metadata", Partitions: []kmsg.DescribeQuorumRequestTopicPartition{{}}}}
			return r
		}, func(t *testing.T, v int16, resp kmsg.Response) {
			r := resp.(*kmsg.DescribeQuorumResponse)
			p := r.Topics[0].Partitions[0]
			if p.ErrorCode != 0 || p.LeaderID != 1 || p.HighWatermark <= 0 || len(p.CurrentVoters) != 1 || v >= 2 && len(r.Nodes) != 1 {
				t.Errorf("answer %+v", r)
			}
		}},
		kmsg.InitProducerID: {0, 5, func(int16) kmsg.Request { return kmsg.NewPtrInitProducerIDRequest() },
			func(t *testing.T, v int16, resp kmsg.Response) {
				r := resp.(*kmsg.InitProducerIDResponse)
				if r.ErrorCode != 0 || r.ProducerID != int64(v)+1 || r.ProducerEpoch != 0 {
					t.Errorf("answer %+v", r)
				}
			}},
		kmsg.ElectLeaders: {0, 2, func(int16) kmsg.Request {
			r := kmsg.NewPtrElectLeadersRequest()
			r.Topics = []kmsg.ElectLeadersRequestTopic{{Topic: "orders", Partitions: []int32{0}}}
			r.TimeoutMillis = 1000
			return r
		}, func(t *testing.T, _ int16, resp kmsg.Response) {
			wantCode(t, "elect", resp.(*kmsg.ElectLeadersResponse).Topics[0].Partitions[0].ErrorCode, kerr.ElectionNotNeeded)
		}},
		kmsg.AlterPartitionAssignments: {0, 1, func(int16) kmsg.Request {
			r := kmsg.NewPtrAlterPartitionAssignmentsRequest()
			p := kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
			p.Replicas = []int32{7}
			r.TimeoutMillis = 1000
			r.Topics = []kmsg.AlterPartitionAssignmentsRequestTopic{{Topic: "orders", Partitions: []kmsg.AlterPartitionAssignmentsRequestTopicPartition{p}}}
			return r
		}, func(t *testing.T, _ int16, resp kmsg.Response) {
			wantCode(t, "reassign to an unknown broker", resp.(*kmsg.AlterPartitionAssignmentsResponse).Topics[0].Partitions[0].ErrorCode, kerr.InvalidReplicaAssignment)
		}},
		kmsg.ListPartitionReassignments: {0, 0, func(int16) kmsg.Request { return kmsg.NewPtrListPartitionReassignmentsRequest() },
			func(t *testing.T, _ int16, resp kmsg.Response) {
				wantCode(t, "reassignments", resp.(*kmsg.ListPartitionReassignmentsResponse).ErrorCode, nil)
			}},
		kmsg.UnregisterBroker: {0, 0, func(int16) kmsg.Request {
			r := kmsg.NewPtrUnregisterBrokerRequest()
			r.BrokerID = 7
			return r
		}, func(t *testing.T, _ int16, resp kmsg.Response) {
			wantCode(t, "unregister", resp.(*kmsg.UnregisterBrokerResponse).ErrorCode, kerr.BrokerIDNotRegistered)
		}},
		kmsg.DescribeTopicPartitions: {0, 0, func(int16) kmsg.Request {
			r := kmsg.NewPtrDescribeTopicPartitionsRequest()
			r.ResponsePartitionLimit = 1
			r.Topics = []kmsg.DescribeTopicPartitionsRequestTopic{{Topic: "orders"}, {Topic: "orders"}}
			return r
		}, func(t *testing.T, _ int16, resp kmsg.Response) {
			r := resp.(*kmsg.DescribeTopicPartitionsResponse)
			if len(r.Topics) != 1 || len(r.Topics[0].Partitions) != 1 || r.Topics[0].TopicID != id || r.NextCursor == nil || r.NextCursor.Partition != 1 {
				t.Errorf("answer %+v", r)
			}
		}},
		kmsg.ListConfigResources: {0, 1, func(int16) kmsg.Request { return kmsg.NewPtrListConfigResourcesRequest() },
			func(t *testing.T, v int16, resp kmsg.Response) {
				r := resp.(*kmsg.ListConfigResourcesResponse)
				if r.ErrorCode != 0 || v == 0 && len(r.ConfigResources) != 0 || v == 1 && len(r.ConfigResources) < 2 {
					t.Errorf("answer %+v", r)
				}
			}},
		kmsg.Vote: {0, 2, func(int16) kmsg.Request {
			r := kmsg.NewPtrVoteRequest()
			r.ClusterID = kmsg.StringPtr("another")
			return r
		}, func(t *testing.T, _ int16, resp kmsg.Response) {
			wantCode(t, "vote", resp.(*kmsg.VoteResponse).ErrorCode, kerr.InconsistentClusterID)
		}},
		kmsg.BeginQuorumEpoch: {0, 1, func(int16) kmsg.Request { return kmsg.NewPtrBeginQuorumEpochRequest() },
			func(t *testing.T, _ int16, resp kmsg.Response) {
				wantCode(t, "begin quorum epoch of nothing", resp.(*kmsg.BeginQuorumEpochResponse).ErrorCode, kerr.InvalidRequest)
			}},
		kmsg.EndQuorumEpoch: {0, 1, func(int16) kmsg.Request { return kmsg.NewPtrEndQuorumEpochRequest() },
			func(t *testing.T, _ int16, resp kmsg.Response) {
				wantCode(t, "end quorum epoch of nothing", resp.(*kmsg.EndQuorumEpochResponse).ErrorCode, kerr.InvalidRequest)
			}},
		kmsg.FetchSnapshot: {0, 1, func(int16) kmsg.Request { return kmsg.NewPtrFetchSnapshotRequest() },
			func(t *testing.T, _ int16, resp kmsg.Response) {
				wantCode(t, "fetch snapshot of nothing", resp.(*kmsg.FetchSnapshotResponse).ErrorCode, kerr.InvalidRequest)
			}},
		kmsg.BrokerRegistration: {0, 4, func(int16) kmsg.Request {
			r := kmsg.NewPtrBrokerRegistrationRequest()
			r.BrokerID, r.ClusterID = 9, "another"
			return r
		}, func(t *testing.T, _ int16, resp kmsg.Response) {
			wantCode(t, "register", resp.(*kmsg.BrokerRegistrationResponse).ErrorCode, kerr.InconsistentClusterID)
		}},
		kmsg.BrokerHeartbeat: {0, 1, func(int16) kmsg.Request {
			r := kmsg.NewPtrBrokerHeartbeatRequest()
			r.BrokerID = 9
			return r
		}, func(t *testing.T, _ int16, resp kmsg.Response) {
			wantCode(t, "heartbeat", resp.(*kmsg.BrokerHeartbeatResponse).ErrorCode, kerr.StaleBrokerEpoch)
		}},
		kmsg.AlterPartition: {2, 3, func(int16) kmsg.Request {
			r := kmsg.NewPtrAlterPartitionRequest()
			r.BrokerID = 9
			return r
		}, func(t *testing.T, _ int16, resp kmsg.Response) {
			wantCode(t, "alter partition", resp.(*kmsg.AlterPartitionResponse).ErrorCode, kerr.StaleBrokerEpoch)
		}},
		kmsg.AllocateProducerIDs: {0, 0, func(int16) kmsg.Request {
			r := kmsg.NewPtrAllocateProducerIDsRequest()
			r.BrokerID = 9
			return r
		}, func(t *testing.T, _ int16, resp kmsg.Response) {
			r := resp.(*kmsg.AllocateProducerIDsResponse)
			if r.ErrorCode == 0 {
				t.Errorf("answer %+v", r)
			}
		}},
		kmsg.DescribeLogDirs: {1, 4, func(int16) kmsg.Request {
			r := kmsg.NewPtrDescribeLogDirsRequest()
			r.Topics = []kmsg.DescribeLogDirsRequestTopic{{Topic: "orders", Partitions: []int32{0, 7}}}
			return r
		}, func(t *testing.T, v int16, resp kmsg.Response) {
			dirs := resp.(*kmsg.DescribeLogDirsResponse).Dirs
			if len(dirs) != 1 || dirs[0].Dir == "" || dirs[0].ErrorCode != 0 || v >= 4 && (dirs[0].TotalBytes != -1 || dirs[0].UsableBytes != -1) {
				t.Fatalf("directories %+v", dirs)
			}
			if len(dirs[0].Topics) != 1 || dirs[0].Topics[0].Topic != "orders" || len(dirs[0].Topics[0].Partitions) != 1 {
				t.Fatalf("topics %+v", dirs[0].Topics)
			}
			if p := dirs[0].Topics[0].Partitions[0]; p.Partition != 0 || p.Size <= 0 || p.OffsetLag != 0 || p.IsFuture {
				t.Errorf("partition %+v", p)
			}
		}},
		kmsg.UpdateFeatures: {0, 2, func(int16) kmsg.Request {
			r := kmsg.NewPtrUpdateFeaturesRequest()
			u := kmsg.NewUpdateFeaturesRequestFeatureUpdate()
			u.Feature, u.MaxVersionLevel, u.UpgradeType = "metadata.version", 25, 1
			r.FeatureUpdates = append(r.FeatureUpdates, u)
			return r
		}, func(t *testing.T, v int16, resp kmsg.Response) {
			r := resp.(*kmsg.UpdateFeaturesResponse)
			wantCode(t, "update features", r.ErrorCode, nil)
			if v < 2 && (len(r.Results) != 1 || r.Results[0].Feature != "metadata.version" || r.Results[0].ErrorCode != 0) {
				t.Errorf("results %+v", r.Results)
			}
		}},
		kmsg.Envelope: {0, 0, func(int16) kmsg.Request {
			r := kmsg.NewPtrEnvelopeRequest()
			inner := kmsg.NewPtrVoteRequest()
			r.RequestData = wire.AppendRequest(nil, 5, "x", inner)[wire.FramePrefix:]
			return r
		}, func(t *testing.T, _ int16, resp kmsg.Response) {
			wantCode(t, "a vote in an envelope", resp.(*kmsg.EnvelopeResponse).ErrorCode, kerr.InvalidRequest)
		}},
	}
	maps.Copy(tests, servedGroups())
	tests[kmsg.DeleteRecords] = served{0, 2, func(int16) kmsg.Request {
		return deleteRecords("orders", 0, 0)
	}, func(t *testing.T, _ int16, resp kmsg.Response) {
		r := resp.(*kmsg.DeleteRecordsResponse)
		if len(r.Topics) != 1 || r.Topics[0].Topic != "orders" || len(r.Topics[0].Partitions) != 1 {
			t.Fatalf("answer %+v", r)
		}
		if p := r.Topics[0].Partitions[0]; p.ErrorCode != 0 || p.LowWatermark != 0 || p.Partition != 0 {
			t.Errorf("partition %+v", p)
		}
	}}
	var advertised []kmsg.ApiVersionsResponseApiKey
	l.do(func(task *env.Task) {
		maps.Copy(tests, servedTransactions(l.beginTransactions(task)))
		conn := l.dial(task, 1)
		advertised = conn.call(task, kmsg.NewPtrApiVersionsRequest(), 0).(*kmsg.ApiVersionsResponse).ApiKeys
	})
	for _, api := range advertised {
		key := kmsg.Key(api.ApiKey)
		t.Run(key.Name(), func(t *testing.T) {
			test, ok := tests[key]
			if !ok {
				t.Fatal("advertised and not tested")
			}
			low := api.MinVersion
			if key == kmsg.Produce {
				low = 3 // see TestOldProduceIsRefused
			}
			high := test.high
			if byFeature := key == kmsg.Produce || key == kmsg.EndTxn || key == kmsg.TxnOffsetCommit; byFeature && api.MaxVersion == high-1 {
				high-- // the last version is that of the second transaction protocol
			}
			if test.low != low || high != api.MaxVersion {
				t.Fatalf("served are versions %d to %d, tested %d to %d", low, api.MaxVersion, test.low, test.high)
			}
			l.t = t
			for v := test.low; v <= test.high; v++ {
				l.do(func(task *env.Task) {
					conn := l.dial(task, 1)
					defer conn.c.Close()
					test.check(t, v, conn.call(task, test.request(v), v))
				})
				if t.Failed() {
					t.Fatalf("in version %d", v)
				}
			}
		})
	}
}
