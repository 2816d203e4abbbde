package broker

import (
	"math"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeCluster (key 60, versions 0-2; KIP-700). Endpoint type 2 asks for the
// controllers (KIP-919); version 2 may ask for fenced brokers too (KIP-1073).
// There are no ACLs: authorized operations are reported as unknown.
func handleDescribeCluster(n *Node, r *request) {
	req := r.msg.(*kmsg.DescribeClusterRequest)
	resp := kmsg.NewPtrDescribeClusterResponse()
	resp.ClusterID = n.clusterID
	resp.ClusterAuthorizedOperations = math.MinInt32
	resp.EndpointType = req.EndpointType
	switch {
	case r.header.Version == 0 || req.EndpointType == 1:
		resp.EndpointType = 1
		resp.ControllerID = int32(n.controllerForClients())
		for _, b := range n.image.Brokers() {
			e, ok := n.clientEndpoint(b)
			if !ok || b.Fenced && !(r.header.Version >= 2 && req.IncludeFencedBrokers) {
				continue
			}
			db := kmsg.NewDescribeClusterResponseBroker()
			db.NodeID, db.Host, db.Port, db.IsFenced = int32(b.ID), e.Host, int32(e.Port), b.Fenced
			db.Rack = rackOf(b)
			resp.Brokers = append(resp.Brokers, db)
		}
	case req.EndpointType == 2:
		resp.ControllerID = int32(n.activeController())
		for _, v := range n.cfg.QuorumVoters {
			db := kmsg.NewDescribeClusterResponseBroker()
			db.NodeID, db.Host, db.Port = int32(v.ID), v.Host, int32(v.Port)
			resp.Brokers = append(resp.Brokers, db)
		}
	default:
		resp.ErrorCode = kerr.UnsupportedEndpointType.Code
		resp.ErrorMessage = kmsg.StringPtr("endpoint type must be 1 (brokers) or 2 (controllers)")
	}
	r.reply(resp)
}
