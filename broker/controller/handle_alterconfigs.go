package controller

import (
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/config"
	"odradek/broker/metadata"
	"odradek/broker/wire"
)

// incrementalAlterConfigs answers IncrementalAlterConfigs (44), versions 0 to 1,
// for topics and brokers (KIP-339). Each resource succeeds or fails as a whole.
// Loggers, groups and client metrics are refused.
func (c *Controller) incrementalAlterConfigs(req *kmsg.IncrementalAlterConfigsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.IncrementalAlterConfigsResponse)
	seen := make(map[metadata.Resource]int, len(req.Resources))
	for _, res := range req.Resources {
		seen[resourceOf(res)]++
	}
	touched := make(map[string]bool)
	for _, res := range req.Resources {
		if seen[resourceOf(res)] > 1 {
			resp.Resources = append(resp.Resources, alterConfigsResult(res, kerr.InvalidRequest, "Each resource must appear at most once."))
			continue
		}
		changes, bad := c.alterConfigs(res)
		if bad != nil {
			resp.Resources = append(resp.Resources, alterConfigsResult(res, bad.code, bad.text))
			continue
		}
		if !req.ValidateOnly {
			for _, change := range changes {
				c.write(&metadata.ConfigRecord{Resource: resourceOf(res), Name: change.Name, Value: change.Value})
				touched[change.Name] = true
			}
		}
		resp.Resources = append(resp.Resources, alterConfigsResult(res, nil, ""))
	}
	// What leadership depends on takes effect in the same batch.
	if touched["min.insync.replicas"] {
		c.clearEligible()
	}
	if touched["unclean.leader.election.enable"] {
		c.electUncleanLeaders()
	}
	return resp
}

func resourceOf(res kmsg.IncrementalAlterConfigsRequestResource) metadata.Resource {
	return metadata.Resource{Type: metadata.ResourceType(res.ResourceType), Name: res.ResourceName}
}

// alterConfigs decides the changes to one resource.
func (c *Controller) alterConfigs(res kmsg.IncrementalAlterConfigsRequestResource) ([]config.Change, *refusal) {
	ops := make([]config.Op, 0, len(res.Configs))
	for _, cfg := range res.Configs {
		ops = append(ops, config.Op{Type: config.OpType(cfg.Op), Name: cfg.Name, Value: cfg.Value})
	}
	switch metadata.ResourceType(res.ResourceType) {
	case metadata.TopicResource:
		if res.ResourceName == "" {
			return nil, refusef(kerr.InvalidRequest, "Default topic resources are not allowed.")
		}
		if c.pending.Topic(res.ResourceName) == nil {
			return nil, refusef(kerr.UnknownTopicOrPartition, "The topic '%s' does not exist.", res.ResourceName)
		}
		changes, err := c.topicLayers(res.ResourceName).AlterTopic(ops)
		return changes, configRefusal(err)
	case metadata.BrokerResource:
		if bad := c.checkBrokerName(res.ResourceName); bad != nil {
			return nil, bad
		}
		changes, err := config.AlterBroker(c.pending.ConfigValues(resourceOf(res)), ops, res.ResourceName != "")
		return changes, configRefusal(err)
	}
	return nil, refusef(kerr.InvalidRequest, "Unknown resource type %d", res.ResourceType)
}

// checkBrokerName accepts the id of a registered broker, and "" for all brokers.
func (c *Controller) checkBrokerName(name string) *refusal {
	if name == "" {
		return nil
	}
	id, err := strconv.ParseInt(name, 10, 32)
	switch {
	case err != nil:
		return refusef(kerr.InvalidRequest, "Unable to parse broker name as a base 10 number.")
	case id < 0:
		return refusef(kerr.InvalidRequest, "Invalid negative broker ID.")
	case c.pending.Broker(wire.NodeID(id)) == nil || strconv.FormatInt(id, 10) != name:
		return refusef(kerr.BrokerIDNotRegistered, "No broker with id %s found.", name)
	}
	return nil
}

func alterConfigsResult(res kmsg.IncrementalAlterConfigsRequestResource, code *kerr.Error, text string) kmsg.IncrementalAlterConfigsResponseResource {
	result := kmsg.NewIncrementalAlterConfigsResponseResource()
	result.ResourceType, result.ResourceName = res.ResourceType, res.ResourceName
	if code != nil {
		result.ErrorCode, result.ErrorMessage = code.Code, &text
	}
	return result
}
