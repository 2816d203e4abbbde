package client

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/wire"
)

// ConfigEntry is one config as described by a broker.
type ConfigEntry struct {
	Name, Value string
	Null        bool
	ReadOnly    bool
	Source      int8
}

// DescribeTopicConfigs lists a topic's configs, sorted by name.
func (a *Admin) DescribeTopicConfigs(t *env.Task, topic string) ([]ConfigEntry, error) {
	var entries []ConfigEntry
	err := a.run(t, operation{
		to: a.toAny, minVersion: 0, maxVersion: 4,
		request: func(time.Duration) kmsg.Request {
			req := kmsg.NewPtrDescribeConfigsRequest()
			rr := kmsg.NewDescribeConfigsRequestResource()
			rr.ResourceType, rr.ResourceName = kmsg.ConfigResourceTypeTopic, topic
			req.Resources = append(req.Resources, rr)
			return req
		},
		read: func(r kmsg.Response) (int16, *string) {
			resp := r.(*kmsg.DescribeConfigsResponse)
			if len(resp.Resources) != 1 {
				return missing()
			}
			rr := &resp.Resources[0]
			entries = nil
			for _, c := range rr.Configs {
				e := ConfigEntry{Name: c.Name, ReadOnly: c.ReadOnly, Source: int8(c.Source), Null: c.Value == nil}
				if c.Value != nil {
					e.Value = *c.Value
				}
				entries = append(entries, e)
			}
			return rr.ErrorCode, rr.ErrorMessage
		},
	})
	slices.SortFunc(entries, func(a, b ConfigEntry) int { return strings.Compare(a.Name, b.Name) })
	return entries, err
}

// ConfigChange sets a config, or deletes it (back to the default).
type ConfigChange struct {
	Name, Value string
	Delete      bool
}

// AlterTopicConfigs changes a topic's configs (IncrementalAlterConfigs, KIP-339).
func (a *Admin) AlterTopicConfigs(t *env.Task, topic string, changes []ConfigChange) error {
	return a.alterConfigs(t, kmsg.ConfigResourceTypeTopic, topic, changes)
}

// AlterBrokerConfigs changes the dynamic configs of a broker, by its decimal id, or of
// all with "" (KIP-226).
func (a *Admin) AlterBrokerConfigs(t *env.Task, broker string, changes []ConfigChange) error {
	return a.alterConfigs(t, kmsg.ConfigResourceTypeBroker, broker, changes)
}

func (a *Admin) alterConfigs(t *env.Task, kind kmsg.ConfigResourceType, name string, changes []ConfigChange) error {
	return a.run(t, operation{
		to: a.toController, minVersion: 0, maxVersion: 1,
		request: func(time.Duration) kmsg.Request {
			req := kmsg.NewPtrIncrementalAlterConfigsRequest()
			rr := kmsg.NewIncrementalAlterConfigsRequestResource()
			rr.ResourceType, rr.ResourceName = kind, name
			for _, ch := range changes {
				rc := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
				rc.Name, rc.Op = ch.Name, kmsg.IncrementalAlterConfigOpDelete
				if !ch.Delete {
					rc.Op, rc.Value = kmsg.IncrementalAlterConfigOpSet, kmsg.StringPtr(ch.Value)
				}
				rr.Configs = append(rr.Configs, rc)
			}
			req.Resources = append(req.Resources, rr)
			return req
		},
		read: func(r kmsg.Response) (int16, *string) {
			resp := r.(*kmsg.IncrementalAlterConfigsResponse)
			if len(resp.Resources) != 1 {
				return missing()
			}
			return resp.Resources[0].ErrorCode, resp.Resources[0].ErrorMessage
		},
	})
}

// BrokerInfo is a broker as listed by DescribeCluster.
type BrokerInfo struct {
	Node   wire.NodeID
	Addr   string
	Rack   string
	Fenced bool
}

// ClusterInfo is the answer of DescribeCluster.
type ClusterInfo struct {
	ClusterID  string
	Controller wire.NodeID
	// Brokers are sorted by node.
	Brokers []BrokerInfo
}

// DescribeCluster asks any broker for the cluster's members.
func (a *Admin) DescribeCluster(t *env.Task) (ClusterInfo, error) {
	var info ClusterInfo
	err := a.run(t, operation{
		to: a.toAny, minVersion: 0, maxVersion: 2,
		request: func(time.Duration) kmsg.Request {
			req := kmsg.NewPtrDescribeClusterRequest()
			req.IncludeFencedBrokers = true
			return req
		},
		read: func(r kmsg.Response) (int16, *string) {
			resp := r.(*kmsg.DescribeClusterResponse)
			info = ClusterInfo{ClusterID: resp.ClusterID, Controller: wire.NodeID(resp.ControllerID)}
			for _, b := range resp.Brokers {
				bi := BrokerInfo{Node: wire.NodeID(b.NodeID), Addr: b.Host + ":" + strconv.Itoa(int(b.Port)), Fenced: b.IsFenced}
				if b.Rack != nil {
					bi.Rack = *b.Rack
				}
				info.Brokers = append(info.Brokers, bi)
			}
			slices.SortFunc(info.Brokers, func(a, b BrokerInfo) int { return cmp.Compare(a.Node, b.Node) })
			return resp.ErrorCode, resp.ErrorMessage
		},
	})
	return info, err
}
