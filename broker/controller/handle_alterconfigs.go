package controller

import (
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/config"
	"odradek/broker/metadata"
	"odradek/broker/wire"
)

// incrementalAlterConfigs answers IncrementalAlterConfigs (44), versions 0 to 1,
// for topics, brokers and groups (KIP-339). Each resource succeeds or fails as a whole.
// Loggers and client metrics are refused.
func (c *Controller) incrementalAlterConfigs(req *kmsg.IncrementalAlterConfigsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.IncrementalAlterConfigsResponse)
	asked := make([]configWish, len(req.Resources))
	for i, res := range req.Resources {
		asked[i].resource = metadata.Resource{Type: metadata.ResourceType(res.ResourceType), Name: res.ResourceName}
		for _, cfg := range res.Configs {
			asked[i].ops = append(asked[i].ops, config.Op{Type: config.OpType(cfg.Op), Name: cfg.Name, Value: cfg.Value})
		}
	}
	for i, bad := range c.alterConfigs(asked, req.ValidateOnly) {
		resp.Resources = append(resp.Resources, alterConfigsResult(req.Resources[i], bad))
	}
	return resp
}

// replaceConfigs answers AlterConfigs (33), versions 0 to 2: the given configs
// replace all dynamic configs of a resource. Clients should not use it any more,
// because two of them overwrite each other.
func (c *Controller) replaceConfigs(req *kmsg.AlterConfigsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.AlterConfigsResponse)
	asked := make([]configWish, len(req.Resources))
	for i, res := range req.Resources {
		w := configWish{resource: metadata.Resource{Type: metadata.ResourceType(res.ResourceType), Name: res.ResourceName}}
		given := make(map[string]bool, len(res.Configs))
		for _, cfg := range res.Configs {
			w.ops = append(w.ops, config.Op{Type: config.Set, Name: cfg.Name, Value: cfg.Value})
			given[cfg.Name] = true
		}
		for _, present := range c.pending.Configs(w.resource) {
			if !given[present.Name] {
				w.ops = append(w.ops, config.Op{Type: config.Delete, Name: present.Name})
			}
		}
		asked[i] = w
	}
	for i, bad := range c.alterConfigs(asked, req.ValidateOnly) {
		resp.Resources = append(resp.Resources, replaceConfigsResult(req.Resources[i], bad))
	}
	return resp
}

// maxGroupID is the longest id, in bytes, that fits the records of the group's
// coordinator. What is longer can be no group; nothing else bounds the name, which
// goes into the metadata log.
const maxGroupID = 1<<15 - 1

// configWish is what a request wants to change in one resource.
type configWish struct {
	resource metadata.Resource
	ops      []config.Op
}

func (w configWish) touchesMinISR() bool {
	return slices.ContainsFunc(w.ops, func(op config.Op) bool { return op.Name == "min.insync.replicas" })
}

// alterConfigs decides wishes, and returns for each why it was refused, or nil.
func (c *Controller) alterConfigs(asked []configWish, validateOnly bool) []*refusal {
	seen := make(map[metadata.Resource]int, len(asked))
	for _, w := range asked {
		seen[w.resource]++
	}
	results := make([]*refusal, len(asked))
	touched := make(map[string]bool)
	var minima []int64
	if slices.ContainsFunc(asked, configWish.touchesMinISR) {
		minima = c.minISRs()
	}
	for i, w := range asked {
		if seen[w.resource] > 1 {
			results[i] = refusef(kerr.InvalidRequest, "Each resource must appear at most once.")
			continue
		}
		changes, bad := c.changesOf(w)
		results[i] = bad
		if bad != nil || validateOnly {
			continue
		}
		for _, change := range changes {
			c.write(&metadata.ConfigRecord{Resource: w.resource, Name: change.Name, Value: change.Value})
			touched[change.Name] = true
		}
	}
	// What leadership depends on takes effect in the same batch.
	if touched["min.insync.replicas"] {
		c.followMinISR(minima)
	}
	if touched["unclean.leader.election.enable"] {
		c.electForLeaderless()
	}
	return results
}

// changesOf decides the changes to one resource.
func (c *Controller) changesOf(w configWish) ([]config.Change, *refusal) {
	switch w.resource.Type {
	case metadata.TopicResource:
		if w.resource.Name == "" {
			return nil, refusef(kerr.InvalidRequest, "Default topic resources are not allowed.")
		}
		if c.pending.Topic(w.resource.Name) == nil {
			return nil, refusef(kerr.UnknownTopicOrPartition, "The topic '%s' does not exist.", w.resource.Name)
		}
		changes, err := c.topicLayers(w.resource.Name).AlterTopic(w.ops)
		return changes, configRefusal(err)
	case metadata.BrokerResource:
		if bad := c.checkBrokerName(w.resource.Name); bad != nil {
			return nil, bad
		}
		changes, err := config.AlterBroker(c.pending.ConfigValues(w.resource), w.ops, w.resource.Name != "")
		return changes, configRefusal(err)
	case metadata.GroupResource:
		if w.resource.Name == "" {
			return nil, refusef(kerr.InvalidRequest, "Default group resources are not allowed.")
		}
		if len(w.resource.Name) > maxGroupID {
			return nil, refusef(kerr.InvalidRequest, "A group id has at most %d bytes.", maxGroupID)
		}
		layers := config.Layers{Group: c.pending.ConfigValues(w.resource), Static: c.cfg.Static}
		changes, err := layers.AlterGroup(w.ops)
		return changes, configRefusal(err)
	}
	return nil, refusef(kerr.InvalidRequest, "Unknown resource type %d", w.resource.Type)
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

func alterConfigsResult(res kmsg.IncrementalAlterConfigsRequestResource, bad *refusal) kmsg.IncrementalAlterConfigsResponseResource {
	result := kmsg.NewIncrementalAlterConfigsResponseResource()
	result.ResourceType, result.ResourceName = res.ResourceType, res.ResourceName
	if bad != nil {
		result.ErrorCode, result.ErrorMessage = bad.code.Code, &bad.text
	}
	return result
}

func replaceConfigsResult(res kmsg.AlterConfigsRequestResource, bad *refusal) kmsg.AlterConfigsResponseResource {
	result := kmsg.NewAlterConfigsResponseResource()
	result.ResourceType, result.ResourceName = res.ResourceType, res.ResourceName
	if bad != nil {
		result.ErrorCode, result.ErrorMessage = bad.code.Code, &bad.text
	}
	return result
}
