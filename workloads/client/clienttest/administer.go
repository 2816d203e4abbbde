package clienttest

import (
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
)

// administer serves the requests of admin clients.
func (c *Cluster) administer(req kmsg.Request, f Fault) kmsg.Response {
	switch req := req.(type) {
	case *kmsg.CreateTopicsRequest:
		resp := kmsg.NewPtrCreateTopicsResponse()
		for _, rt := range req.Topics {
			t := kmsg.NewCreateTopicsResponseTopic()
			t.Topic = rt.Topic
			t.ErrorCode = f.code(func() int16 {
				if c.topics[rt.Topic] != nil {
					return kerr.TopicAlreadyExists.Code
				}
				topic := c.AddTopic(rt.Topic, max(1, int(rt.NumPartitions)))
				for _, rc := range rt.Configs {
					topic.Configs[rc.Name] = *rc.Value
				}
				t.TopicID = topic.ID
				return 0
			})
			resp.Topics = append(resp.Topics, t)
		}
		return resp
	case *kmsg.DeleteTopicsRequest:
		resp := kmsg.NewPtrDeleteTopicsResponse()
		for _, rt := range req.Topics {
			req.TopicNames = append(req.TopicNames, *rt.Topic)
		}
		for _, name := range req.TopicNames {
			t := kmsg.NewDeleteTopicsResponseTopic()
			t.Topic = kmsg.StringPtr(name)
			t.ErrorCode = c.topicCode(f, name, func(*Topic) int16 {
				delete(c.topics, name)
				return 0
			})
			resp.Topics = append(resp.Topics, t)
		}
		return resp
	case *kmsg.CreatePartitionsRequest:
		resp := kmsg.NewPtrCreatePartitionsResponse()
		for _, rt := range req.Topics {
			t := kmsg.NewCreatePartitionsResponseTopic()
			t.Topic = rt.Topic
			t.ErrorCode = c.topicCode(f, rt.Topic, func(topic *Topic) int16 {
				if int(rt.Count) <= len(topic.Partitions) {
					return kerr.InvalidPartitions.Code
				}
				c.addPartitions(topic, int(rt.Count))
				return 0
			})
			resp.Topics = append(resp.Topics, t)
		}
		return resp
	case *kmsg.IncrementalAlterConfigsRequest:
		resp := kmsg.NewPtrIncrementalAlterConfigsResponse()
		for _, rr := range req.Resources {
			r := kmsg.NewIncrementalAlterConfigsResponseResource()
			r.ResourceType, r.ResourceName = rr.ResourceType, rr.ResourceName
			if rr.ResourceType == kmsg.ConfigResourceTypeBroker { // taken, and without effect
				r.ErrorCode = f.Code
				resp.Resources = append(resp.Resources, r)
				continue
			}
			r.ErrorCode = c.topicCode(f, rr.ResourceName, func(topic *Topic) int16 {
				for _, rc := range rr.Configs {
					if rc.Op == kmsg.IncrementalAlterConfigOpDelete {
						delete(topic.Configs, rc.Name)
					} else {
						topic.Configs[rc.Name] = *rc.Value
					}
				}
				return 0
			})
			resp.Resources = append(resp.Resources, r)
		}
		return resp
	case *kmsg.DescribeConfigsRequest:
		resp := kmsg.NewPtrDescribeConfigsResponse()
		for _, rr := range req.Resources {
			r := kmsg.NewDescribeConfigsResponseResource()
			r.ResourceType, r.ResourceName = rr.ResourceType, rr.ResourceName
			r.ErrorCode = c.topicCode(f, rr.ResourceName, func(topic *Topic) int16 {
				for _, name := range slices.Sorted(maps.Keys(topic.Configs)) {
					rc := kmsg.NewDescribeConfigsResponseResourceConfig()
					rc.Name, rc.Value = name, kmsg.StringPtr(topic.Configs[name])
					r.Configs = append(r.Configs, rc)
				}
				return 0
			})
			resp.Resources = append(resp.Resources, r)
		}
		return resp
	case *kmsg.DescribeClusterRequest:
		resp := kmsg.NewPtrDescribeClusterResponse()
		resp.ClusterID, resp.ControllerID, resp.ErrorCode = "scripted", int32(c.Controller), f.Code
		for id := wire.NodeID(1); int(id) <= len(c.nodes); id++ {
			b := kmsg.NewDescribeClusterResponseBroker()
			b.NodeID = int32(id)
			b.Host, b.Port = hostPort(c.nodes[id].addr)
			resp.Brokers = append(resp.Brokers, b)
		}
		return resp
	}
	panic(fmt.Sprintf("clienttest: no handler of %T", req))
}

// topicCode is code for an effect on a topic, which must be there.
func (c *Cluster) topicCode(f Fault, name string, effect func(*Topic) int16) int16 {
	return f.code(func() int16 {
		if c.topics[name] == nil {
			return kerr.UnknownTopicOrPartition.Code
		}
		return effect(c.topics[name])
	})
}

// code runs the effect unless the fault skips it, and gives the code to answer.
func (f Fault) code(effect func() int16) int16 {
	code := int16(0)
	if !f.Skip {
		code = effect()
	}
	if f.Code != 0 {
		return f.Code
	}
	return code
}
