package controller

import (
	"errors"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/config"
	"odradek/broker/metadata"
	"odradek/broker/wire"
)

// maxNewPartitions is the most partitions that one request may create, as in
// Kafka: they are decided in one batch.
const maxNewPartitions = 10_000

// metadataTopic is the name of the metadata log, which is no topic of the image.
const metadataTopic = "__cluster_metadata"

// createTopics answers CreateTopics (19), versions 2 to 7. Each topic succeeds or
// fails on its own. -1 partitions or replicas mean the configured defaults
// (KIP-464, accepted at every version). From version 5 the response describes what
// was created (KIP-525); time-outs are the shell's.
func (c *Controller) createTopics(req *kmsg.CreateTopicsRequest) kmsg.Response {
	if c.countNewPartitions(req) > maxNewPartitions {
		resp := req.ResponseKind().(*kmsg.CreateTopicsResponse)
		for _, topic := range req.Topics {
			resp.Topics = append(resp.Topics, createTopicsError(topic.Topic, kerr.PolicyViolation, "Excessively large number of partitions per request."))
		}
		return resp
	}
	resp := req.ResponseKind().(*kmsg.CreateTopicsResponse)
	seen := make(map[string]int, len(req.Topics))
	for _, topic := range req.Topics {
		seen[topic.Topic]++
	}
	for _, topic := range req.Topics {
		switch seen[topic.Topic] {
		case 0: // a duplicate that is answered already
			continue
		case 1:
			resp.Topics = append(resp.Topics, c.createTopic(topic, req.ValidateOnly))
		default:
			seen[topic.Topic] = 0
			resp.Topics = append(resp.Topics, createTopicsError(topic.Topic, kerr.InvalidRequest, "Duplicate topic name."))
		}
	}
	return resp
}

func (c *Controller) countNewPartitions(req *kmsg.CreateTopicsRequest) int64 {
	total := int64(0)
	for _, topic := range req.Topics {
		switch {
		case len(topic.ReplicaAssignment) > 0:
			total += int64(len(topic.ReplicaAssignment))
		case topic.NumPartitions > 0:
			total += int64(topic.NumPartitions)
		default:
			total += int64(c.cfg.NumPartitions)
		}
	}
	return total
}

// createTopic decides one topic and writes its records unless only validating.
func (c *Controller) createTopic(topic kmsg.CreateTopicsRequestTopic, validateOnly bool) kmsg.CreateTopicsResponseTopic {
	configs, bad := c.checkNewTopic(topic)
	var assignment [][]wire.NodeID
	if bad == nil {
		assignment, bad = c.assignNewTopic(topic)
	}
	var partitions []*metadata.PartitionRecord
	id := wire.UUID{}
	if bad == nil {
		id = c.newUUID()
		partitions, bad = c.newPartitions(id, 0, assignment, len(topic.ReplicaAssignment) > 0)
	}
	if bad != nil {
		return createTopicsError(topic.Topic, bad.code, bad.text)
	}
	result := c.describeNewTopic(topic.Topic, id, configs, partitions)
	if validateOnly {
		return result
	}
	c.write(&metadata.TopicRecord{Name: topic.Topic, TopicID: id})
	res := metadata.Resource{Type: metadata.TopicResource, Name: topic.Topic}
	for _, change := range configs {
		c.write(&metadata.ConfigRecord{Resource: res, Name: change.Name, Value: change.Value})
	}
	for _, p := range partitions {
		c.write(p)
	}
	return result
}

// checkNewTopic checks name and configs, and returns the latter in order of name.
func (c *Controller) checkNewTopic(topic kmsg.CreateTopicsRequestTopic) ([]config.Change, *refusal) {
	if topic.Topic == metadataTopic {
		return nil, refusef(kerr.InvalidRequest, "Creation of internal topic %s is prohibited.", metadataTopic)
	}
	if err := wire.ValidateTopicName(topic.Topic); err != nil {
		return nil, refusef(kerr.InvalidTopicException, "%s", err)
	}
	if c.pending.Topic(topic.Topic) != nil {
		return nil, refusef(kerr.TopicAlreadyExists, "Topic '%s' already exists.", topic.Topic)
	}
	if strings.ContainsAny(topic.Topic, "._") {
		for _, t := range c.pending.Topics() {
			if wire.TopicNamesCollide(t.Name, topic.Topic) {
				return nil, refusef(kerr.InvalidTopicException, "Topic '%s' collides with existing topic: %s", topic.Topic, t.Name)
			}
		}
	}
	var ops []config.Op
	var null []string
	for _, cfg := range topic.Configs {
		if cfg.Value == nil {
			null = append(null, cfg.Name)
		}
		ops = append(ops, config.Op{Type: config.Set, Name: cfg.Name, Value: cfg.Value})
	}
	if len(null) > 0 {
		return nil, refusef(kerr.InvalidConfig, "Null value not supported for topic configs: %s", strings.Join(null, ","))
	}
	changes, err := c.topicLayers(topic.Topic).AlterTopic(ops)
	return changes, configRefusal(err)
}

// configRefusal translates an error of the config package.
func configRefusal(err error) *refusal {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, config.ErrInvalidRequest):
		return refusef(kerr.InvalidRequest, "%s", err)
	default:
		return refusef(kerr.InvalidConfig, "%s", err)
	}
}

// assignNewTopic finds the replicas of each partition: as the client wishes, or by
// the placer.
func (c *Controller) assignNewTopic(topic kmsg.CreateTopicsRequestTopic) ([][]wire.NodeID, *refusal) {
	switch {
	case len(topic.ReplicaAssignment) > 0:
		return c.manualAssignment(topic)
	case topic.ReplicationFactor < -1 || topic.ReplicationFactor == 0:
		return nil, refusef(kerr.InvalidReplicationFactor, "Replication factor must be larger than 0, or -1 to use the default value.")
	case topic.NumPartitions < -1 || topic.NumPartitions == 0:
		return nil, refusef(kerr.InvalidPartitions, "Number of partitions was set to an invalid non-positive value.")
	}
	count, replicas := topic.NumPartitions, topic.ReplicationFactor
	if count == -1 {
		count = c.cfg.NumPartitions
	}
	if replicas == -1 {
		replicas = c.cfg.ReplicationFactor
	}
	return c.place(int(count), int(replicas))
}

func (c *Controller) place(count, replicas int) ([][]wire.NodeID, *refusal) {
	pl := newPlacer(c.pending.Brokers(), c.cfg.Rand)
	if bad := pl.check(replicas); bad != nil {
		return nil, bad
	}
	assignment := make([][]wire.NodeID, count)
	for i := range assignment {
		assignment[i] = pl.place(replicas)
	}
	return assignment, nil
}

func (c *Controller) manualAssignment(topic kmsg.CreateTopicsRequestTopic) ([][]wire.NodeID, *refusal) {
	if topic.ReplicationFactor != -1 {
		return nil, refusef(kerr.InvalidRequest, "A manual partition assignment was specified, but replication factor was not set to -1.")
	}
	if topic.NumPartitions != -1 {
		return nil, refusef(kerr.InvalidRequest, "A manual partition assignment was specified, but numPartitions was not set to -1.")
	}
	assignment := make([][]wire.NodeID, len(topic.ReplicaAssignment))
	for _, a := range topic.ReplicaAssignment {
		if a.Partition < 0 || int(a.Partition) >= len(assignment) {
			return nil, refusef(kerr.InvalidReplicaAssignment, "partitions should be a consecutive 0-based integer sequence")
		}
		if assignment[a.Partition] != nil {
			return nil, refusef(kerr.InvalidReplicaAssignment, "Found multiple manual partition assignments for partition %d", a.Partition)
		}
		replicas := nodeIDs(a.Replicas)
		if bad := c.checkAssignment(replicas, len(topic.ReplicaAssignment[0].Replicas)); bad != nil {
			return nil, bad
		}
		assignment[a.Partition] = replicas
	}
	return assignment, nil
}

// checkAssignment checks replicas that a client wishes for one partition; want is
// how many the others have.
func (c *Controller) checkAssignment(replicas []wire.NodeID, want int) *refusal {
	if len(replicas) == 0 {
		return refusef(kerr.InvalidReplicaAssignment, "The manual partition assignment includes an empty replica list.")
	}
	for i, id := range replicas {
		if c.pending.Broker(id) == nil {
			return refusef(kerr.InvalidReplicaAssignment, "The manual partition assignment includes broker %d, but no such broker is registered.", id)
		}
		if slices.Contains(replicas[:i], id) {
			return refusef(kerr.InvalidReplicaAssignment, "The manual partition assignment includes the broker %d more than once.", id)
		}
	}
	if len(replicas) != want {
		return refusef(kerr.InvalidReplicaAssignment,
			"The manual partition assignment includes a partition with %d replica(s), but this is not consistent with previous partitions, which have %d replica(s).",
			len(replicas), want)
	}
	return nil
}

// newPartitions builds the records of new partitions from index first on. All live
// replicas start in the ISR: the partition is empty, so they are in sync.
func (c *Controller) newPartitions(topic wire.UUID, first int, assignment [][]wire.NodeID, manual bool) ([]*metadata.PartitionRecord, *refusal) {
	records := make([]*metadata.PartitionRecord, len(assignment))
	for i, replicas := range assignment {
		r := &metadata.PartitionRecord{PartitionID: int32(first + i), TopicID: topic, Replicas: replicas}
		for _, id := range replicas {
			r.Directories = append(r.Directories, c.directoryFor(id))
			if c.pending.Broker(id).Active() {
				r.ISR = append(r.ISR, id)
			}
		}
		switch {
		case len(r.ISR) == 0 && manual:
			return nil, refusef(kerr.InvalidReplicaAssignment,
				"All brokers specified in the manual partition assignment for partition %d are fenced or in controlled shutdown.", r.PartitionID)
		case len(r.ISR) == 0:
			return nil, refusef(kerr.InvalidReplicationFactor,
				"Unable to replicate the partition %d time(s): All brokers are currently fenced or in controlled shutdown.", len(replicas))
		}
		r.Leader = r.ISR[0]
		records[i] = r
	}
	return records, nil
}

func (c *Controller) describeNewTopic(name string, id wire.UUID, configs []config.Change, partitions []*metadata.PartitionRecord) kmsg.CreateTopicsResponseTopic {
	result := kmsg.NewCreateTopicsResponseTopic()
	result.Topic, result.TopicID = name, id
	result.NumPartitions = int32(len(partitions))
	result.ReplicationFactor = int16(len(partitions[0].Replicas))
	layers := c.topicLayers(name)
	layers.Topic = make(config.Values, len(configs))
	for _, change := range configs {
		layers.Topic[change.Name] = *change.Value
	}
	for _, e := range layers.DescribeTopic(nil) {
		entry := kmsg.NewCreateTopicsResponseTopicConfig()
		entry.Name, entry.Value, entry.Source = e.Key.Name, e.Value, int8(e.Source)
		entry.ReadOnly, entry.IsSensitive = e.ReadOnly, e.Key.Sensitive
		result.Configs = append(result.Configs, entry)
	}
	return result
}

func createTopicsError(name string, code *kerr.Error, text string) kmsg.CreateTopicsResponseTopic {
	result := kmsg.NewCreateTopicsResponseTopic()
	result.Topic, result.ErrorCode, result.ErrorMessage = name, code.Code, &text
	result.NumPartitions, result.ReplicationFactor = -1, -1
	return result
}

// newUUID draws a random id (version 4, RFC 4122) whose text does not start with
// a dash, so that it can be an argument on a command line, as in Kafka.
func (c *Controller) newUUID() wire.UUID {
	for {
		var id wire.UUID
		for i := range id {
			id[i] = byte(c.cfg.Rand.Uint32())
		}
		id[6] = id[6]&0x0f | 0x40
		id[8] = id[8]&0x3f | 0x80
		if id.String()[0] != '-' && c.pending.TopicByID(id) == nil {
			return id
		}
	}
}

func nodeIDs(ids []int32) []wire.NodeID {
	nodes := make([]wire.NodeID, len(ids))
	for i, id := range ids {
		nodes[i] = wire.NodeID(id)
	}
	return nodes
}
