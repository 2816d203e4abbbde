package controller

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/metadata"
	"odradek/broker/wire"
)

// createPartitions answers CreatePartitions (37), versions 0 to 3: topics grow to
// the given number of partitions, each on its own.
func (c *Controller) createPartitions(req *kmsg.CreatePartitionsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.CreatePartitionsResponse)
	seen := make(map[string]int, len(req.Topics))
	for _, topic := range req.Topics {
		seen[topic.Topic]++
	}
	for _, topic := range req.Topics {
		if seen[topic.Topic] > 1 {
			resp.Topics = append(resp.Topics, createPartitionsResult(topic.Topic, kerr.InvalidRequest, "Duplicate topic name."))
			continue
		}
		records, bad := c.growTopic(topic)
		if bad != nil {
			resp.Topics = append(resp.Topics, createPartitionsResult(topic.Topic, bad.code, bad.text))
			continue
		}
		if !req.ValidateOnly {
			for _, r := range records {
				c.write(r)
			}
		}
		resp.Topics = append(resp.Topics, createPartitionsResult(topic.Topic, nil, ""))
	}
	return resp
}

// growTopic builds the records of a topic's new partitions.
func (c *Controller) growTopic(topic kmsg.CreatePartitionsRequestTopic) ([]*metadata.PartitionRecord, *refusal) {
	t := c.pending.Topic(topic.Topic)
	if t == nil || len(t.Partitions) == 0 {
		return nil, refuseWith(kerr.UnknownTopicOrPartition)
	}
	have, want := len(t.Partitions), int(topic.Count)
	switch {
	case want == have:
		return nil, refusef(kerr.InvalidPartitions, "Topic already has %d partition(s).", have)
	case want < have:
		return nil, refusef(kerr.InvalidPartitions, "The topic %s currently has %d partition(s); %d would not be an increase.", t.Name, have, want)
	case want-have > maxNewPartitions:
		return nil, refusef(kerr.PolicyViolation, "Excessively large number of partitions per request.")
	case topic.Assignment != nil && len(topic.Assignment) != want-have:
		return nil, refusef(kerr.InvalidReplicaAssignment,
			"Attempted to add %d additional partition(s), but only %d assignment(s) were specified.", want-have, len(topic.Assignment))
	}
	replicas := len(t.Partitions[0].Replicas)
	var assignment [][]wire.NodeID
	if topic.Assignment == nil {
		var bad *refusal
		if assignment, bad = c.place(want-have, replicas); bad != nil {
			return nil, bad
		}
	}
	for _, a := range topic.Assignment {
		ids := nodeIDs(a.Replicas)
		if bad := c.checkAssignment(ids, replicas); bad != nil {
			return nil, bad
		}
		assignment = append(assignment, ids)
	}
	return c.newPartitions(t.ID, have, assignment, topic.Assignment != nil)
}

func createPartitionsResult(name string, code *kerr.Error, text string) kmsg.CreatePartitionsResponseTopic {
	result := kmsg.NewCreatePartitionsResponseTopic()
	result.Topic = name
	if code != nil {
		result.ErrorCode, result.ErrorMessage = code.Code, &text
	}
	return result
}
