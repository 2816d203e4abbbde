package clienttest

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
)

// Coordinate makes a node the coordinator of a group or transactional id. It is node 1
// by default. The state stays as it is: all nodes share it.
func (c *Cluster) Coordinate(key string, node wire.NodeID) { c.coordinators[key] = node }

// Coordinator is the coordinator of a group or transactional id.
func (c *Cluster) Coordinator(key string) wire.NodeID {
	if node, ok := c.coordinators[key]; ok {
		return node
	}
	return 1
}

// coordinates gives the error of a node that is not the key's coordinator.
func (c *Cluster) coordinates(node wire.NodeID, key string) int16 {
	if c.Coordinator(key) != node {
		return kerr.NotCoordinator.Code
	}
	return 0
}

func (c *Cluster) findCoordinator(req *kmsg.FindCoordinatorRequest, f Fault) kmsg.Response {
	resp := kmsg.NewPtrFindCoordinatorResponse()
	keys := req.CoordinatorKeys
	if req.Version < 4 {
		keys = []string{req.CoordinatorKey}
	}
	for _, key := range keys {
		node := c.Coordinator(key)
		rc := kmsg.NewFindCoordinatorResponseCoordinator()
		rc.Key, rc.NodeID, rc.ErrorCode = key, int32(node), f.Code
		rc.Host, rc.Port = hostPort(c.nodes[node].addr)
		if f.Code != 0 {
			rc.NodeID, rc.Host, rc.Port = -1, "", -1
		}
		resp.Coordinators = append(resp.Coordinators, rc)
		resp.NodeID, resp.Host, resp.Port, resp.ErrorCode = rc.NodeID, rc.Host, rc.Port, rc.ErrorCode
	}
	return resp
}
