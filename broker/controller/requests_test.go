package controller

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/cockroachdb/datadriven"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Requests as the directives of a story ask for them.

func (s *story) registration(d *datadriven.TestData) *kmsg.BrokerRegistrationRequest {
	id := int32(number(d, "broker", -1))
	req := registrationOf(id, byte(number(d, "incarnation", 1)))
	req.PreviousBrokerEpoch = number(d, "previous", -1)
	if v, ok := argument(d, "cluster"); ok {
		req.ClusterID = v
	}
	if v, ok := argument(d, "rack"); ok {
		req.Rack = &v
	}
	if d.HasArg("old") { // a version that knows only metadata.version
		req.Features = req.Features[:1]
	}
	if d.HasArg("dir") {
		req.LogDirs[0][1] = byte(number(d, "dir", 0))
	}
	return req
}

// registrationOf builds the registration of an incarnation of a broker.
func registrationOf(id int32, incarnation byte) *kmsg.BrokerRegistrationRequest {
	req := kmsg.NewPtrBrokerRegistrationRequest()
	req.Version = 4
	req.BrokerID, req.ClusterID = id, testCluster
	req.IncarnationID = [16]byte{0: byte(id), 1: incarnation}
	req.LogDirs = [][16]byte{{0: 1, 1: byte(id)}}
	l := kmsg.NewBrokerRegistrationRequestListener()
	l.Name, l.Host, l.Port = "PLAINTEXT", fmt.Sprintf("b%d", id), 9092
	req.Listeners = append(req.Listeners, l)
	for _, f := range SupportedFeatures() {
		rf := kmsg.NewBrokerRegistrationRequestFeature()
		rf.Name, rf.MinSupportedVersion, rf.MaxSupportedVersion = f.Name, f.Min, f.Max
		req.Features = append(req.Features, rf)
	}
	req.PreviousBrokerEpoch = -1
	return req
}

func (s *story) heartbeat(d *datadriven.TestData) *kmsg.BrokerHeartbeatRequest {
	req := kmsg.NewPtrBrokerHeartbeatRequest()
	req.BrokerID = int32(number(d, "broker", -1))
	req.BrokerEpoch = number(d, "epoch", s.epoch(req.BrokerID))
	req.CurrentMetadataOffset = number(d, "at", int64(s.applied)-1)
	req.WantFence = d.HasArg("fence")
	req.WantShutdown = d.HasArg("shutdown")
	return req
}

func (s *story) makeLive(id int32) {
	s.request(registrationOf(id, 1))
	s.alive(id)
}

func (s *story) alive(id int32) string {
	req := kmsg.NewPtrBrokerHeartbeatRequest()
	req.BrokerID, req.BrokerEpoch, req.CurrentMetadataOffset = id, s.epoch(id), int64(s.applied)-1
	return s.request(req)
}

func (s *story) isrRequest(d *datadriven.TestData) *kmsg.AlterPartitionRequest {
	name, index := partitionName(d)
	req := kmsg.NewPtrAlterPartitionRequest()
	req.Version = 3
	req.BrokerID = int32(number(d, "from", -1))
	req.BrokerEpoch = number(d, "epoch", s.epoch(req.BrokerID))
	topic := kmsg.NewAlterPartitionRequestTopic()
	part := kmsg.NewAlterPartitionRequestTopicPartition()
	part.Partition = index
	if t := s.c.Image().Topic(name); t != nil {
		topic.TopicID = t.ID
	}
	if p := s.c.Image().Partition(name, index); p != nil {
		part.LeaderEpoch, part.PartitionEpoch = int32(p.LeaderEpoch), int32(p.Epoch)
	}
	part.LeaderEpoch = int32(number(d, "leader-epoch", int64(part.LeaderEpoch)))
	part.PartitionEpoch = int32(number(d, "partition-epoch", int64(part.PartitionEpoch)))
	if d.HasArg("recovering") {
		part.LeaderRecoveryState = 1
	}
	epochs := ids(d, "epochs")
	for n, id := range ids(d, "isr") {
		m := kmsg.NewAlterPartitionRequestTopicPartitionNewEpochISR()
		m.BrokerID, m.BrokerEpoch = id, s.epoch(id)
		if n < len(epochs) {
			m.BrokerEpoch = int64(epochs[n])
		}
		part.NewEpochISR = append(part.NewEpochISR, m)
	}
	topic.Partitions = append(topic.Partitions, part)
	req.Topics = append(req.Topics, topic)
	return req
}

// partitionName splits the argument topic=name-index.
func partitionName(d *datadriven.TestData) (string, int32) {
	name, _ := argument(d, "topic")
	i := strings.LastIndexByte(name, '-')
	index, err := strconv.Atoi(name[i+1:])
	if err != nil {
		panic(err)
	}
	return name[:i], int32(index)
}

func reassignment(d *datadriven.TestData) kmsg.Request {
	req := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	req.Version, req.AllowReplicationFactorChange = 1, !d.HasArg("same-factor")
	topic := kmsg.NewAlterPartitionAssignmentsRequestTopic()
	part := kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
	topic.Topic, part.Partition = partitionName(d)
	part.Replicas = ids(d, "to")
	topic.Partitions = append(topic.Partitions, part)
	req.Topics = append(req.Topics, topic)
	return req
}

func topicRequest(d *datadriven.TestData) kmsg.Request {
	name, _ := argument(d, "topic")
	switch d.Cmd {
	case "create":
		req := kmsg.NewPtrCreateTopicsRequest()
		req.Version, req.ValidateOnly = 7, d.HasArg("validate")
		topic := kmsg.NewCreateTopicsRequestTopic()
		topic.Topic = name
		topic.NumPartitions = int32(number(d, "partitions", -1))
		topic.ReplicationFactor = int16(number(d, "factor", -1))
		if replicas := ids(d, "replicas"); replicas != nil {
			a := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
			a.Replicas = replicas
			topic.ReplicaAssignment = append(topic.ReplicaAssignment, a)
		}
		for _, line := range strings.Fields(d.Input) {
			k, v, _ := strings.Cut(line, "=")
			cfg := kmsg.NewCreateTopicsRequestTopicConfig()
			cfg.Name, cfg.Value = k, &v
			topic.Configs = append(topic.Configs, cfg)
		}
		req.Topics = append(req.Topics, topic)
		return req
	case "delete":
		req := kmsg.NewPtrDeleteTopicsRequest()
		req.Version = 6
		topic := kmsg.NewDeleteTopicsRequestTopic()
		topic.Topic = &name
		req.Topics = append(req.Topics, topic)
		return req
	case "grow":
		req := kmsg.NewPtrCreatePartitionsRequest()
		req.Version = 3
		topic := kmsg.NewCreatePartitionsRequestTopic()
		topic.Topic, topic.Count = name, int32(number(d, "to", 0))
		req.Topics = append(req.Topics, topic)
		return req
	case "set":
		req := kmsg.NewPtrIncrementalAlterConfigsRequest()
		res := kmsg.NewIncrementalAlterConfigsRequestResource()
		res.ResourceType, res.ResourceName = kmsg.ConfigResourceTypeTopic, name
		if broker, ok := argument(d, "broker"); ok {
			res.ResourceType, res.ResourceName = kmsg.ConfigResourceTypeBroker, strings.Trim(broker, "*")
		}
		if group, ok := argument(d, "group"); ok {
			res.ResourceType, res.ResourceName = kmsg.ConfigResourceTypeGroupConfig, strings.Trim(group, "*")
		}
		for _, line := range strings.Fields(d.Input) {
			cfg := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
			k, v, _ := strings.Cut(line, "=")
			cfg.Value = &v
			switch {
			case strings.HasSuffix(k, "+"):
				cfg.Op = kmsg.IncrementalAlterConfigOpAppend
			case strings.HasPrefix(k, "-"):
				cfg.Op, cfg.Value = kmsg.IncrementalAlterConfigOpDelete, nil
			}
			cfg.Name = strings.Trim(k, "+-")
			res.Configs = append(res.Configs, cfg)
		}
		req.Resources = append(req.Resources, res)
		return req
	}
	req := kmsg.NewPtrElectLeadersRequest()
	req.Version = 2
	if d.HasArg("unclean") {
		req.ElectionType = 1
	}
	if name != "" {
		topic := kmsg.NewElectLeadersRequestTopic()
		topic.Topic, topic.Partitions = name, ids(d, "partitions")
		req.Topics = append(req.Topics, topic)
	}
	return req
}

func argument(d *datadriven.TestData, key string) (string, bool) {
	for _, a := range d.CmdArgs {
		if a.Key == key && len(a.Vals) > 0 {
			return a.Vals[0], true
		}
	}
	return "", false
}

func number(d *datadriven.TestData, key string, otherwise int64) int64 {
	v, ok := argument(d, key)
	if !ok {
		return otherwise
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

func ids(d *datadriven.TestData, key string) []int32 {
	for _, a := range d.CmdArgs {
		if a.Key == key {
			list := []int32{}
			for _, v := range a.Vals {
				if v == "" { // "()"
					continue
				}
				n, err := strconv.Atoi(v)
				if err != nil {
					panic(err)
				}
				list = append(list, int32(n))
			}
			return list
		}
	}
	return nil
}

func featureUpdate(d *datadriven.TestData) *kmsg.UpdateFeaturesRequest {
	req := kmsg.NewPtrUpdateFeaturesRequest()
	req.Version = int16(number(d, "version", 2))
	req.ValidateOnly = d.HasArg("validate")
	names, _ := argument(d, "name")
	for name := range strings.SplitSeq(names, "+") {
		u := kmsg.NewUpdateFeaturesRequestFeatureUpdate()
		u.Feature, u.MaxVersionLevel = name, int16(number(d, "level", 0))
		u.UpgradeType, u.AllowDowngrade = upgradeOnly, d.HasArg("downgrade")
		if u.AllowDowngrade {
			u.UpgradeType = safeDowngrade
		}
		req.FeatureUpdates = append(req.FeatureUpdates, u)
	}
	return req
}
