package broker

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/wire"
)

// handler serves one API. It must answer the request exactly once, now or later:
// reply, send, noReply or hangUp.
type handler func(n *Node, r *request)

// handlers is every API that a node serves, by role. A key that has no handler is
// not advertised, and a request with it closes the connection, as in Kafka.
func (n *Node) registerHandlers() {
	on := func(key kmsg.Key, h handler) { n.handlers[key.Int16()] = h }

	on(kmsg.ApiVersions, handleApiVersions)
	on(kmsg.DescribeCluster, onceCaughtUp(handleDescribeCluster))
	on(kmsg.DescribeQuorum, handleDescribeQuorum)
	on(kmsg.DescribeConfigs, onceCaughtUp(handleDescribeConfigs))
	on(kmsg.Fetch, handleFetch) // partitions, and the metadata log on every voter

	// Changes of the metadata go to the active controller wherever they arrive.
	for _, key := range []kmsg.Key{
		kmsg.CreateTopics, kmsg.DeleteTopics, kmsg.CreatePartitions, kmsg.AlterConfigs, kmsg.IncrementalAlterConfigs,
		kmsg.ElectLeaders, kmsg.AlterPartitionAssignments, kmsg.ListPartitionReassignments, kmsg.UnregisterBroker, kmsg.UpdateFeatures,
	} {
		on(key, handleControl)
	}

	if n.cfg.IsBroker() {
		on(kmsg.Produce, onceCaughtUp(handleProduce))
		on(kmsg.ListOffsets, onceCaughtUp(handleListOffsets))
		on(kmsg.DeleteRecords, onceCaughtUp(handleDeleteRecords))
		on(kmsg.Metadata, onceCaughtUp(handleMetadata))
		on(kmsg.DescribeTopicPartitions, onceCaughtUp(handleDescribeTopicPartitions))
		on(kmsg.ListConfigResources, onceCaughtUp(handleListConfigResources))
		on(kmsg.DescribeLogDirs, onceCaughtUp(handleDescribeLogDirs))
		on(kmsg.OffsetForLeaderEpoch, handleOffsetForLeaderEpoch)
		on(kmsg.DescribeProducers, onceCaughtUp(handleDescribeProducers))
		on(kmsg.FindCoordinator, onceCaughtUp(handleFindCoordinator))
		on(kmsg.JoinGroup, handleJoinGroup)
		on(kmsg.SyncGroup, handleSyncGroup)
		on(kmsg.Heartbeat, handleHeartbeat)
		on(kmsg.LeaveGroup, handleLeaveGroup)
		on(kmsg.OffsetCommit, handleOffsetCommit)
		on(kmsg.OffsetFetch, handleOffsetFetch)
		on(kmsg.OffsetDelete, handleOffsetDelete)
		on(kmsg.DescribeGroups, handleDescribeGroups)
		on(kmsg.ListGroups, onceCaughtUp(handleListGroups))
		on(kmsg.DeleteGroups, handleDeleteGroups)
		on(kmsg.ConsumerGroupHeartbeat, handleConsumerGroupHeartbeat)
		on(kmsg.ConsumerGroupDescribe, handleConsumerGroupDescribe)
		on(kmsg.InitProducerID, handleInitProducerID)
		on(kmsg.AddPartitionsToTxn, handleAddPartitionsToTxn)
		on(kmsg.AddOffsetsToTxn, onceCaughtUp(handleAddOffsetsToTxn))
		on(kmsg.TxnOffsetCommit, handleTxnOffsetCommit)
		on(kmsg.EndTxn, handleEndTxn)
		on(kmsg.WriteTxnMarkers, handleWriteTxnMarkers)
		on(kmsg.DescribeTransactions, handleDescribeTransactions)
		on(kmsg.ListTransactions, onceCaughtUp(handleListTransactions))
	}
	if n.cfg.IsController() {
		on(kmsg.Vote, handleVote)
		on(kmsg.BeginQuorumEpoch, handleBeginQuorumEpoch)
		on(kmsg.EndQuorumEpoch, handleEndQuorumEpoch)
		on(kmsg.FetchSnapshot, handleFetchSnapshot)
		on(kmsg.BrokerRegistration, handleControl)
		on(kmsg.BrokerHeartbeat, handleControl)
		on(kmsg.AlterPartition, handleControl)
		on(kmsg.AllocateProducerIDs, handleControl)
		on(kmsg.Envelope, handleEnvelope)
	}

	keys := make([]int16, 0, len(n.handlers))
	for key := range n.handlers { //odradek:unordered ServedVersions sorts
		keys = append(keys, key)
	}
	n.versions = wire.ServedVersions(keys...)
}

// dispatch decodes a frame and hands it to its handler.
func (n *Node) dispatch(c *conn, frame []byte) {
	n.env.CPU.Charge(env.OpRequest, 1)
	header, msg, err := n.decoder.Decode(frame, n.versions)
	r := &request{conn: c, header: header, msg: msg, size: len(frame)}
	if err != nil {
		n.refuse(r, err)
		return
	}
	c.push(r)
	// A Fetch waits for records on purpose, and its answer is large: see conn.go. In
	// Kafka every request holds up those behind it.
	c.alone = header.Key == kmsg.Fetch.Int16()
	n.handlers[header.Key](n, r)
}

// refuse answers what cannot be decoded. Kafka closes the connection, except that
// an ApiVersions request of a version from the future is told ours (KIP-511). Here
// also a Produce of the versions that are advertised only for old librdkafka gets an
// answer, UNSUPPORTED_VERSION, so that it is not sent again and again.
func (n *Node) refuse(r *request, err error) {
	var fault *wire.FrameError
	if errors.As(err, &fault) && fault.Fault == wire.UnsupportedVersion {
		r.header = fault.Header
		switch {
		case fault.Header.Key == kmsg.ApiVersions.Int16():
			r.conn.push(r)
			resp := n.advertisedVersions().ApiVersionsResponse(fault.Header.Version, nil, -1)
			r.send([]env.Segment{{Bytes: wire.AppendResponse(nil, r.header.CorrelationID, resp)}})
			return
		case r.msg != nil:
			r.conn.push(r)
			refuseOldProduce(r)
			return
		}
	}
	n.env.Trace.Event(env.Warn, "bad-request", env.S("client", r.conn.addr), env.Err(err))
	r.conn.close()
}
