package controller

import (
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Handles lists the API keys that [Controller.Handle] takes, sorted.
func Handles() []kmsg.Key {
	keys := []kmsg.Key{
		kmsg.AllocateProducerIDs, kmsg.AlterConfigs, kmsg.AlterPartition, kmsg.AlterPartitionAssignments, kmsg.BrokerHeartbeat, kmsg.BrokerRegistration,
		kmsg.CreatePartitions, kmsg.CreateTopics, kmsg.DeleteTopics, kmsg.ElectLeaders,
		kmsg.IncrementalAlterConfigs, kmsg.ListPartitionReassignments, kmsg.UnregisterBroker, kmsg.UpdateFeatures,
	}
	slices.Sort(keys)
	return keys
}

// decide turns a request into records (through write) and the response to give
// once they have committed.
func (c *Controller) decide(req kmsg.Request) kmsg.Response {
	switch req := req.(type) {
	case *kmsg.BrokerRegistrationRequest:
		return c.registerBroker(req)
	case *kmsg.BrokerHeartbeatRequest:
		return c.heartbeat(req)
	case *kmsg.UnregisterBrokerRequest:
		return c.unregisterBroker(req)
	case *kmsg.CreateTopicsRequest:
		return c.createTopics(req)
	case *kmsg.DeleteTopicsRequest:
		return c.deleteTopics(req)
	case *kmsg.CreatePartitionsRequest:
		return c.createPartitions(req)
	case *kmsg.IncrementalAlterConfigsRequest:
		return c.incrementalAlterConfigs(req)
	case *kmsg.AlterConfigsRequest:
		return c.replaceConfigs(req)
	case *kmsg.AlterPartitionRequest:
		return c.alterPartition(req)
	case *kmsg.AlterPartitionAssignmentsRequest:
		return c.alterReassignments(req)
	case *kmsg.ListPartitionReassignmentsRequest:
		return c.listReassignments(req)
	case *kmsg.AllocateProducerIDsRequest:
		return c.allocateProducerIDs(req)
	case *kmsg.ElectLeadersRequest:
		return c.electLeaders(req)
	case *kmsg.UpdateFeaturesRequest:
		return c.updateFeatures(req)
	}
	panic(fmt.Sprintf("controller: request with key %d is not the controller's", req.Key()))
}

// refuse builds the response that refuses a whole request.
func refuse(req kmsg.Request, why *kerr.Error) kmsg.Response {
	resp := req.ResponseKind()
	resp.SetVersion(req.GetVersion())
	text := kmsg.StringPtr(why.Description)
	switch req := req.(type) {
	case *kmsg.BrokerRegistrationRequest:
		r := resp.(*kmsg.BrokerRegistrationResponse)
		r.ErrorCode, r.BrokerEpoch = why.Code, -1
	case *kmsg.BrokerHeartbeatRequest:
		r := resp.(*kmsg.BrokerHeartbeatResponse)
		r.ErrorCode, r.IsFenced = why.Code, true
	case *kmsg.UnregisterBrokerRequest:
		r := resp.(*kmsg.UnregisterBrokerResponse)
		r.ErrorCode, r.ErrorMessage = why.Code, text
	case *kmsg.AlterPartitionRequest:
		resp.(*kmsg.AlterPartitionResponse).ErrorCode = why.Code
	case *kmsg.AllocateProducerIDsRequest:
		r := resp.(*kmsg.AllocateProducerIDsResponse)
		r.ErrorCode, r.ProducerIDStart = why.Code, -1
	case *kmsg.ElectLeadersRequest:
		r := resp.(*kmsg.ElectLeadersResponse)
		r.ErrorCode = why.Code
		for _, topic := range req.Topics {
			rt := kmsg.NewElectLeadersResponseTopic()
			rt.Topic = topic.Topic
			for _, p := range topic.Partitions {
				rp := kmsg.NewElectLeadersResponseTopicPartition()
				rp.Partition, rp.ErrorCode, rp.ErrorMessage = p, why.Code, text
				rt.Partitions = append(rt.Partitions, rp)
			}
			r.Topics = append(r.Topics, rt)
		}
	case *kmsg.CreateTopicsRequest:
		r := resp.(*kmsg.CreateTopicsResponse)
		for _, topic := range req.Topics {
			r.Topics = append(r.Topics, createTopicsError(topic.Topic, why, why.Description))
		}
	case *kmsg.DeleteTopicsRequest:
		r := resp.(*kmsg.DeleteTopicsResponse)
		for _, name := range req.TopicNames {
			r.Topics = append(r.Topics, deleteTopicsResult(&name, [16]byte{}, why, why.Description))
		}
		for _, topic := range req.Topics {
			r.Topics = append(r.Topics, deleteTopicsResult(topic.Topic, topic.TopicID, why, why.Description))
		}
	case *kmsg.CreatePartitionsRequest:
		r := resp.(*kmsg.CreatePartitionsResponse)
		for _, topic := range req.Topics {
			r.Topics = append(r.Topics, createPartitionsResult(topic.Topic, why, why.Description))
		}
	case *kmsg.IncrementalAlterConfigsRequest:
		r := resp.(*kmsg.IncrementalAlterConfigsResponse)
		for _, res := range req.Resources {
			r.Resources = append(r.Resources, alterConfigsResult(res, refuseWith(why)))
		}
	case *kmsg.AlterConfigsRequest:
		r := resp.(*kmsg.AlterConfigsResponse)
		for _, res := range req.Resources {
			r.Resources = append(r.Resources, replaceConfigsResult(res, refuseWith(why)))
		}
	case *kmsg.AlterPartitionAssignmentsRequest:
		r := resp.(*kmsg.AlterPartitionAssignmentsResponse)
		r.ErrorCode, r.ErrorMessage = why.Code, text
	case *kmsg.ListPartitionReassignmentsRequest:
		r := resp.(*kmsg.ListPartitionReassignmentsResponse)
		r.ErrorCode, r.ErrorMessage = why.Code, text
	case *kmsg.UpdateFeaturesRequest:
		r := resp.(*kmsg.UpdateFeaturesResponse)
		r.ErrorCode, r.ErrorMessage = why.Code, text
	default:
		panic(fmt.Sprintf("controller: request with key %d is not the controller's", req.Key()))
	}
	return resp
}

// refusal is an error code with the text that the client gets. A nil *refusal is
// no error.
type refusal struct {
	code *kerr.Error
	text string
}

func refusef(code *kerr.Error, format string, args ...any) *refusal {
	return &refusal{code, fmt.Sprintf(format, args...)}
}

func refuseWith(code *kerr.Error) *refusal { return &refusal{code, code.Description} }
