package broker

import (
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/metadata"
)

// ListConfigResources (key 74, versions 0-1; KIP-1000, KIP-1142): the names of what has
// configs. Version 0 lists client metrics, of which there are none here; version 1 the
// types that it names, or all if it names none. Topics and brokers exist; groups are those
// that set a config, whether they exist or not; any other type that Kafka knows has no
// resources, one that it does not know is UNSUPPORTED_VERSION.
func handleListConfigResources(n *Node, r *request) {
	req := r.msg.(*kmsg.ListConfigResourcesRequest)
	resp := kmsg.NewPtrListConfigResourcesResponse()
	if r.header.Version == 0 {
		r.reply(resp)
		return
	}
	known := []int8{
		int8(kmsg.ConfigResourceTypeTopic), int8(kmsg.ConfigResourceTypeBroker), int8(kmsg.ConfigResourceTypeBrokerLogger),
		int8(kmsg.ConfigResourceTypeClientMetrics), int8(kmsg.ConfigResourceTypeGroupConfig),
	}
	if slices.ContainsFunc(req.ResourceTypes, func(t int8) bool { return !slices.Contains(known, t) }) {
		resp.ErrorCode = kerr.UnsupportedVersion.Code
		r.reply(resp)
		return
	}
	add := func(kind kmsg.ConfigResourceType, name string) {
		c := kmsg.NewListConfigResourcesResponseConfigResource()
		c.Name, c.Type = name, int8(kind)
		resp.ConfigResources = append(resp.ConfigResources, c)
	}
	wanted := func(kind kmsg.ConfigResourceType) bool {
		return len(req.ResourceTypes) == 0 || slices.Contains(req.ResourceTypes, int8(kind))
	}
	if wanted(kmsg.ConfigResourceTypeTopic) {
		for _, t := range n.image.Topics() {
			add(kmsg.ConfigResourceTypeTopic, t.Name)
		}
	}
	if wanted(kmsg.ConfigResourceTypeBroker) {
		for _, b := range n.image.Brokers() {
			add(kmsg.ConfigResourceTypeBroker, strconv.Itoa(int(b.ID)))
		}
	}
	if wanted(kmsg.ConfigResourceTypeGroupConfig) {
		for _, res := range n.image.ConfigResources() {
			if res.Type == metadata.GroupResource {
				add(kmsg.ConfigResourceTypeGroupConfig, res.Name)
			}
		}
	}
	r.reply(resp)
}
