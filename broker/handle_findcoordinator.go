package broker

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// FindCoordinator (key 10, versions 0-6). This broker has no group or transaction
// coordinator yet: every answer is COORDINATOR_NOT_AVAILABLE with a message that
// says so, which clients retry until their own time-out and then report. A type of
// coordinator that does not exist is INVALID_REQUEST.
func handleFindCoordinator(n *Node, r *request) {
	const why = "this broker does not coordinate groups or transactions; consume by assigning partitions"
	req := r.msg.(*kmsg.FindCoordinatorRequest)
	resp := kmsg.NewPtrFindCoordinatorResponse()
	code := kerr.CoordinatorNotAvailable.Code
	if req.CoordinatorType < 0 || req.CoordinatorType > 2 || req.CoordinatorType == 2 && r.header.Version < 6 {
		code = kerr.InvalidRequest.Code // groups, transactions, and from version 6 on share groups
	}
	if r.header.Version < 4 {
		resp.ErrorCode, resp.ErrorMessage = code, kmsg.StringPtr(why)
		resp.NodeID, resp.Port = -1, -1
		r.reply(resp)
		return
	}
	for _, key := range req.CoordinatorKeys {
		c := kmsg.NewFindCoordinatorResponseCoordinator()
		c.Key, c.NodeID, c.Port = key, -1, -1
		c.ErrorCode, c.ErrorMessage = code, kmsg.StringPtr(why)
		resp.Coordinators = append(resp.Coordinators, c)
	}
	r.reply(resp)
}
