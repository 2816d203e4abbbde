package broker_test

import "github.com/twmb/franz-go/pkg/kmsg"

// fillCoordinated makes a request of groups, producers or transactions one that has an
// effect: to mutate an empty one does not get past its first field. Names are those of
// twist, so that requests meet.
func fillCoordinated(req kmsg.Request) {
	const name = "victim"
	partitions := []int32{0, 1}
	switch r := req.(type) {
	case *kmsg.JoinGroupRequest:
		r.Group, r.ProtocolType, r.SessionTimeoutMillis, r.RebalanceTimeoutMillis = name, "consumer", 6000, 1000
		r.InstanceID = kmsg.StringPtr("static")
		// A subscription to the topic (ConsumerProtocolSubscription version 0).
		r.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte("\x00\x00\x00\x00\x00\x01\x00\x06victim\xff\xff\xff\xff")}}
	case *kmsg.SyncGroupRequest:
		r.Group, r.Generation, r.InstanceID = name, 1, kmsg.StringPtr("static")
		r.ProtocolType, r.Protocol = kmsg.StringPtr("consumer"), kmsg.StringPtr("range")
		r.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: "1", MemberAssignment: []byte("x")}}
	case *kmsg.HeartbeatRequest:
		r.Group, r.Generation, r.InstanceID = name, 1, kmsg.StringPtr("static")
	case *kmsg.LeaveGroupRequest:
		r.Group, r.MemberID = name, "1"
		r.Members = []kmsg.LeaveGroupRequestMember{{MemberID: "1", InstanceID: kmsg.StringPtr("static")}}
	case *kmsg.OffsetCommitRequest:
		r.Group, r.Generation = name, -1
		r.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: name, Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Offset: 7, LeaderEpoch: -1, Metadata: kmsg.StringPtr("m")}}}}
	case *kmsg.OffsetFetchRequest:
		r.Group, r.Topics, r.RequireStable = name, []kmsg.OffsetFetchRequestTopic{{Topic: name, Partitions: partitions}}, true
		r.Groups = []kmsg.OffsetFetchRequestGroup{{Group: name, MemberEpoch: -1, Topics: []kmsg.OffsetFetchRequestGroupTopic{{Topic: name, Partitions: partitions}}}, {Group: "other", MemberEpoch: -1}}
	case *kmsg.OffsetDeleteRequest:
		r.Group = name
		r.Topics = []kmsg.OffsetDeleteRequestTopic{{Topic: name, Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{}, {Partition: 1}}}}
	case *kmsg.DescribeGroupsRequest:
		r.Groups = []string{name, "other"}
	case *kmsg.ListGroupsRequest:
		r.StatesFilter, r.TypesFilter = []string{"Stable"}, []string{"consumer"}
	case *kmsg.DeleteGroupsRequest:
		r.Groups = []string{"other", name}
	case *kmsg.ConsumerGroupHeartbeatRequest:
		r.Group, r.MemberID, r.RebalanceTimeoutMillis = "a b", "1", 1000
		r.SubscribedTopicNames, r.Topics = []string{name}, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	case *kmsg.ConsumerGroupDescribeRequest:
		r.Groups = []string{"a b", name}
	case *kmsg.InitProducerIDRequest:
		r.TransactionalID, r.TransactionTimeoutMillis, r.ProducerID, r.ProducerEpoch = kmsg.StringPtr(name), 1000, -1, -1
	case *kmsg.AddPartitionsToTxnRequest:
		r.TransactionalID, r.Topics = name, []kmsg.AddPartitionsToTxnRequestTopic{{Topic: name, Partitions: partitions}}
		r.Transactions = []kmsg.AddPartitionsToTxnRequestTransaction{
			{TransactionalID: name, Topics: []kmsg.AddPartitionsToTxnRequestTransactionTopic{{Topic: name, Partitions: partitions}}},
			{TransactionalID: "other", VerifyOnly: true, Topics: []kmsg.AddPartitionsToTxnRequestTransactionTopic{{Topic: name, Partitions: partitions}}},
		}
	case *kmsg.AddOffsetsToTxnRequest:
		r.TransactionalID, r.Group = name, name
	case *kmsg.TxnOffsetCommitRequest:
		r.TransactionalID, r.Group, r.Generation = name, name, -1
		r.Topics = []kmsg.TxnOffsetCommitRequestTopic{{Topic: name, Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{{Offset: 7, LeaderEpoch: -1, Metadata: kmsg.StringPtr("m")}}}}
	case *kmsg.EndTxnRequest:
		r.TransactionalID, r.Commit = name, true
	case *kmsg.WriteTxnMarkersRequest:
		m := kmsg.WriteTxnMarkersRequestMarker{Committed: true}
		m.Topics = []kmsg.WriteTxnMarkersRequestMarkerTopic{{Topic: name, Partitions: partitions}, {Topic: "__consumer_offsets", Partitions: []int32{0}}}
		r.Markers = []kmsg.WriteTxnMarkersRequestMarker{m}
	case *kmsg.DescribeTransactionsRequest:
		r.TransactionalIDs = []string{name, "other"}
	case *kmsg.ListTransactionsRequest:
		r.StateFilters, r.ProducerIDFilters, r.DurationFilterMillis = []string{"Ongoing"}, []int64{0}, 1
	case *kmsg.DescribeProducersRequest:
		r.Topics = []kmsg.DescribeProducersRequestTopic{{Topic: name, Partitions: partitions}}
	case *kmsg.DeleteRecordsRequest:
		r.TimeoutMillis = 100
		r.Topics = []kmsg.DeleteRecordsRequestTopic{{Topic: name, Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Offset: -1}}}}
	}
}
