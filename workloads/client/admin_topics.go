package client

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/wire"
)

// NewTopic describes a topic to create.
type NewTopic struct {
	Name string
	// Partitions and ReplicationFactor may be -1 for the broker's default.
	Partitions        int32
	ReplicationFactor int16
	// Configs are set in the order of their names.
	Configs map[string]string
}

// missing is the error of an answer that leaves out what was asked.
func missing() (int16, *string) {
	return kerr.UnknownServerError.Code, kmsg.StringPtr("the answer leaves out what was asked")
}

// CreateTopic creates a topic and gives its id (zero if the broker is too old to
// tell).
func (a *Admin) CreateTopic(t *env.Task, topic NewTopic) (wire.UUID, error) {
	var id wire.UUID
	err := a.run(t, operation{
		to: a.toController, minVersion: 0, maxVersion: 7,
		request: func(wait time.Duration) kmsg.Request {
			req := kmsg.NewPtrCreateTopicsRequest()
			req.TimeoutMillis = int32(wait / time.Millisecond)
			rt := kmsg.NewCreateTopicsRequestTopic()
			rt.Topic, rt.NumPartitions, rt.ReplicationFactor = topic.Name, topic.Partitions, topic.ReplicationFactor
			for _, name := range slices.Sorted(maps.Keys(topic.Configs)) {
				rc := kmsg.NewCreateTopicsRequestTopicConfig()
				rc.Name, rc.Value = name, kmsg.StringPtr(topic.Configs[name])
				rt.Configs = append(rt.Configs, rc)
			}
			req.Topics = append(req.Topics, rt)
			return req
		},
		read: func(r kmsg.Response) (int16, *string) {
			resp := r.(*kmsg.CreateTopicsResponse)
			if len(resp.Topics) != 1 || resp.Topics[0].Topic != topic.Name {
				return missing()
			}
			id = resp.Topics[0].TopicID
			return resp.Topics[0].ErrorCode, resp.Topics[0].ErrorMessage
		},
	})
	return id, err
}

// DeleteTopic deletes a topic by name.
func (a *Admin) DeleteTopic(t *env.Task, topic string) error {
	return a.run(t, operation{
		to: a.toController, minVersion: 0, maxVersion: 6,
		request: func(wait time.Duration) kmsg.Request {
			req := kmsg.NewPtrDeleteTopicsRequest()
			req.TimeoutMillis = int32(wait / time.Millisecond)
			// The version picks which of the two goes out.
			req.TopicNames = []string{topic}
			rt := kmsg.NewDeleteTopicsRequestTopic()
			rt.Topic = kmsg.StringPtr(topic)
			req.Topics = append(req.Topics, rt)
			return req
		},
		read: func(r kmsg.Response) (int16, *string) {
			resp := r.(*kmsg.DeleteTopicsResponse)
			if len(resp.Topics) != 1 {
				return missing()
			}
			return resp.Topics[0].ErrorCode, resp.Topics[0].ErrorMessage
		},
	})
}

// CreatePartitions raises the number of partitions to count.
func (a *Admin) CreatePartitions(t *env.Task, topic string, count int32) error {
	return a.run(t, operation{
		to: a.toController, minVersion: 0, maxVersion: 3,
		request: func(wait time.Duration) kmsg.Request {
			req := kmsg.NewPtrCreatePartitionsRequest()
			req.TimeoutMillis = int32(wait / time.Millisecond)
			rt := kmsg.NewCreatePartitionsRequestTopic()
			rt.Topic, rt.Count = topic, count
			req.Topics = append(req.Topics, rt)
			return req
		},
		read: func(r kmsg.Response) (int16, *string) {
			resp := r.(*kmsg.CreatePartitionsResponse)
			if len(resp.Topics) != 1 {
				return missing()
			}
			return resp.Topics[0].ErrorCode, resp.Topics[0].ErrorMessage
		},
	})
}

// PartitionInfo is a partition as listed by DescribeTopic.
type PartitionInfo struct {
	Partition     int32
	Leader        wire.NodeID
	LeaderEpoch   wire.LeaderEpoch
	Replicas, ISR []wire.NodeID
	// Code is the partition's error code in the metadata.
	Code int16
}

// TopicInfo is the answer of DescribeTopic.
type TopicInfo struct {
	Name string
	ID   wire.UUID
	// Partitions are sorted by number.
	Partitions []PartitionInfo
}

// DescribeTopic asks any broker for a topic's metadata.
func (a *Admin) DescribeTopic(t *env.Task, topic string) (TopicInfo, error) {
	var info TopicInfo
	err := a.run(t, operation{
		to: a.toAny, minVersion: 1, maxVersion: 13,
		request: func(time.Duration) kmsg.Request {
			req := kmsg.NewPtrMetadataRequest()
			rt := kmsg.NewMetadataRequestTopic()
			rt.Topic = kmsg.StringPtr(topic)
			req.Topics = append(req.Topics, rt)
			return req
		},
		read: func(r kmsg.Response) (int16, *string) {
			resp := r.(*kmsg.MetadataResponse)
			if resp.ErrorCode != 0 {
				return resp.ErrorCode, nil
			}
			if len(resp.Topics) != 1 {
				return missing()
			}
			info = topicInfo(topic, &resp.Topics[0])
			return resp.Topics[0].ErrorCode, nil
		},
	})
	return info, err
}

func topicInfo(name string, rt *kmsg.MetadataResponseTopic) TopicInfo {
	info := TopicInfo{Name: name, ID: rt.TopicID}
	for i := range rt.Partitions {
		rp := &rt.Partitions[i]
		info.Partitions = append(info.Partitions, PartitionInfo{
			Partition: rp.Partition, Leader: wire.NodeID(rp.Leader), LeaderEpoch: wire.LeaderEpoch(rp.LeaderEpoch),
			Replicas: nodeIDs(rp.Replicas), ISR: nodeIDs(rp.ISR), Code: rp.ErrorCode,
		})
	}
	slices.SortFunc(info.Partitions, func(a, b PartitionInfo) int { return cmp.Compare(a.Partition, b.Partition) })
	return info
}

func nodeIDs(ids []int32) []wire.NodeID {
	nodes := make([]wire.NodeID, len(ids))
	for i, id := range ids {
		nodes[i] = wire.NodeID(id)
	}
	return nodes
}

// ListedOffset is the answer of ListOffsets.
type ListedOffset struct {
	Offset    wire.Offset
	Timestamp int64
	Epoch     wire.LeaderEpoch
}

// Special timestamps of ListOffsets.
const (
	LatestOffset   int64 = -1
	EarliestOffset int64 = -2
)

// ListOffset asks a partition's leader for the offset of a timestamp in ms, or of
// one of the special ones. readCommitted makes the latest the last stable offset.
func (a *Admin) ListOffset(t *env.Task, tp wire.TopicPartition, timestamp int64, readCommitted bool) (ListedOffset, error) {
	defer a.useTopic(tp.Topic)()
	var listed ListedOffset
	err := a.run(t, operation{
		to: a.toLeader(tp), minVersion: 1, maxVersion: 10,
		request: func(wait time.Duration) kmsg.Request {
			req := kmsg.NewPtrListOffsetsRequest()
			req.TimeoutMillis = int32(wait / time.Millisecond)
			if readCommitted {
				req.IsolationLevel = 1
			}
			rt := kmsg.NewListOffsetsRequestTopic()
			rt.Topic = tp.Topic
			rp := kmsg.NewListOffsetsRequestTopicPartition()
			rp.Partition, rp.Timestamp = tp.Partition, timestamp
			if p, ok := a.net.meta.Partition(tp); ok {
				rp.CurrentLeaderEpoch = int32(p.Epoch)
			}
			rt.Partitions = append(rt.Partitions, rp)
			req.Topics = append(req.Topics, rt)
			return req
		},
		read: func(r kmsg.Response) (int16, *string) {
			resp := r.(*kmsg.ListOffsetsResponse)
			if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
				return missing()
			}
			rp := &resp.Topics[0].Partitions[0]
			listed = ListedOffset{Offset: wire.Offset(rp.Offset), Timestamp: rp.Timestamp, Epoch: wire.LeaderEpoch(rp.LeaderEpoch)}
			return rp.ErrorCode, nil
		},
	})
	return listed, err
}
