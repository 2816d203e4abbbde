package broker

import (
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/config"
	"odradek/broker/metadata"
	"odradek/broker/wire"
)

// DescribeConfigs (key 32, versions 1-4; KIP-133, KIP-226, KIP-569, KIP-848). A broker is
// described by itself, since only it knows its file; another broker's id is
// INVALID_REQUEST, as in Kafka. The empty name means the dynamic configs of all
// brokers. A group need not exist; what it sets itself is told as it was set, also if the
// coordinator takes one of its bounds instead. No names, or an empty list of them, means
// all. Sensitive values are null. A resource that is named twice is described once,
// because the answer is much larger than the question.
func handleDescribeConfigs(n *Node, r *request) {
	req := r.msg.(*kmsg.DescribeConfigsRequest)
	resp := kmsg.NewPtrDescribeConfigsResponse()
	type named struct {
		kind kmsg.ConfigResourceType
		name string
	}
	seen := make(map[named]bool, len(req.Resources))
	for i := range req.Resources {
		q := &req.Resources[i]
		id := named{q.ResourceType, q.ResourceName}
		if seen[id] {
			continue
		}
		seen[id] = true
		if len(q.ConfigNames) == 0 {
			q.ConfigNames = nil
		}
		out := kmsg.NewDescribeConfigsResponseResource()
		out.ResourceType, out.ResourceName = q.ResourceType, q.ResourceName
		entries, kafkaErr, text := n.describeConfigs(q)
		if kafkaErr != nil {
			out.ErrorCode, out.ErrorMessage = kafkaErr.Code, kmsg.StringPtr(text)
		}
		for _, e := range entries {
			out.Configs = append(out.Configs, configResponse(e, req))
		}
		resp.Resources = append(resp.Resources, out)
	}
	r.reply(resp)
}

func (n *Node) describeConfigs(q *kmsg.DescribeConfigsRequestResource) ([]config.Entry, *kerr.Error, string) {
	switch q.ResourceType {
	case kmsg.ConfigResourceTypeTopic:
		if err := wire.ValidateTopicName(q.ResourceName); err != nil {
			return nil, kerr.InvalidTopicException, err.Error()
		}
		if n.image.Topic(q.ResourceName) == nil {
			return nil, kerr.UnknownTopicOrPartition, kerr.UnknownTopicOrPartition.Message
		}
		l := n.layers(q.ResourceName)
		return l.DescribeTopic(q.ConfigNames), nil, ""
	case kmsg.ConfigResourceTypeBroker:
		if q.ResourceName == "" {
			l := config.Layers{Cluster: n.dynamic(metadata.Resource{Type: metadata.BrokerResource})}
			var set []config.Entry
			for _, e := range l.DescribeBroker(q.ConfigNames) {
				if e.Source == config.DynamicCluster {
					set = append(set, e)
				}
			}
			return set, nil, ""
		}
		id, err := strconv.Atoi(q.ResourceName)
		if err != nil {
			return nil, kerr.InvalidRequest, fmt.Sprintf("Broker id must be an integer, but it is: %s", q.ResourceName)
		}
		if wire.NodeID(id) != n.cfg.NodeID {
			return nil, kerr.InvalidRequest, fmt.Sprintf("Unexpected broker id, expected %d or empty string, but received %d", n.cfg.NodeID, id)
		}
		l := n.layers("")
		return l.DescribeBroker(q.ConfigNames), nil, ""
	case kmsg.ConfigResourceTypeGroupConfig:
		if q.ResourceName == "" {
			return nil, kerr.InvalidRequest, "Default group resources are not allowed."
		}
		l := n.layers("")
		l.Group = n.dynamic(groupResource(q.ResourceName))
		return l.DescribeGroup(q.ConfigNames), nil, ""
	}
	return nil, kerr.InvalidRequest, fmt.Sprintf("Unsupported resource type: %v", q.ResourceType)
}

func configResponse(e config.Entry, req *kmsg.DescribeConfigsRequest) kmsg.DescribeConfigsResponseResourceConfig {
	c := kmsg.NewDescribeConfigsResponseResourceConfig()
	c.Name, c.Value = e.Key.Name, e.Value
	c.ReadOnly, c.IsSensitive = e.ReadOnly, e.Key.Sensitive
	c.Source, c.ConfigType = kmsg.ConfigSource(e.Source), kmsg.ConfigType(e.Key.Type)
	c.IsDefault = e.Source == config.DefaultValue
	if req.IncludeSynonyms {
		for _, s := range e.Synonyms {
			cs := kmsg.NewDescribeConfigsResponseResourceConfigConfigSynonym()
			cs.Name, cs.Value, cs.Source = s.Name, s.Value, kmsg.ConfigSource(s.Source)
			c.ConfigSynonyms = append(c.ConfigSynonyms, cs)
		}
	}
	if req.IncludeDocumentation {
		c.Documentation = kmsg.StringPtr(e.Key.Doc)
	}
	return c
}

// layers are the configs that apply to a topic, or with "" to this broker.
func (n *Node) layers(topic string) config.Layers {
	l := config.Layers{
		Broker:  n.dynamic(metadata.Resource{Type: metadata.BrokerResource, Name: strconv.Itoa(int(n.cfg.NodeID))}),
		Cluster: n.dynamic(metadata.Resource{Type: metadata.BrokerResource}),
		Static:  n.static,
	}
	if topic != "" {
		l.Topic = n.dynamic(metadata.Resource{Type: metadata.TopicResource, Name: topic})
	}
	return l
}

func groupResource(id string) metadata.Resource {
	return metadata.Resource{Type: metadata.GroupResource, Name: id}
}

func (n *Node) dynamic(r metadata.Resource) config.Values {
	entries := n.image.Configs(r)
	if len(entries) == 0 {
		return nil
	}
	vs := make(config.Values, len(entries))
	for _, e := range entries {
		vs[e.Name] = e.Value
	}
	return vs
}
