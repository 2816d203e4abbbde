package group

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/coordinator"
)

// Heartbeat (key 12, versions 0-4) keeps a member's session, and tells it of a rebalance
// (REBALANCE_IN_PROGRESS). It is answered at once: it speaks of nothing that could be
// lost, and a member must not lose its session because the log is slow.
func (t *turn) heartbeat(r coordinator.Request, req *kmsg.HeartbeatRequest) {
	resp := kmsg.NewPtrHeartbeatResponse()
	resp.Version = req.Version
	resp.ErrorCode = code(t.beat(req))
	t.out.Replies = append(t.out.Replies, coordinator.Reply{Token: r.Token, Response: resp, Immediate: true})
}

func (t *turn) beat(req *kmsg.HeartbeatRequest) *kerr.Error {
	if g, ok := t.m.groups[req.Group].(*consumer); ok {
		return g.classicBeat(t, req)
	}
	g, ok := t.m.groups[req.Group].(*classic)
	if !ok {
		return unknownMember(req.Group)
	}
	if err := g.validate(req.MemberID, req.InstanceID); err != nil {
		return err
	}
	if req.Generation != g.generation {
		return kerr.IllegalGeneration
	}
	g.hear(t, g.memberOf(req.MemberID, req.InstanceID))
	if g.state == preparing {
		return kerr.RebalanceInProgress
	}
	return nil
}

// LeaveGroup (key 13, versions 0-5) removes members: the sender, or from version 3 on any
// that are named, static ones also by nothing but their instance id, which is how
// administrators remove them (KIP-345). The errors are each member's; before version 3
// there is one member, and its error is that of the whole.
func (t *turn) leaveGroup(r coordinator.Request, req *kmsg.LeaveGroupRequest) {
	members := req.Members
	if req.Version < 3 {
		members = []kmsg.LeaveGroupRequestMember{{MemberID: req.MemberID}}
	}
	resp := kmsg.NewPtrLeaveGroupResponse()
	g, ok := t.m.groups[req.Group].(*classic)
	left := false
	for _, leaving := range members {
		rm := kmsg.NewLeaveGroupResponseMember()
		rm.MemberID, rm.InstanceID = leaving.MemberID, leaving.InstanceID
		err := unknownMember(req.Group)
		if ok {
			err = g.leave(t, leaving)
		} else if g, ok := t.m.groups[req.Group].(*consumer); ok {
			err = g.classicLeave(t, leaving)
		}
		left = left || err == nil
		rm.ErrorCode = code(err)
		resp.Members = append(resp.Members, rm)
	}
	if req.Version < 3 {
		resp.ErrorCode, resp.Members = resp.Members[0].ErrorCode, nil
	} else if req.Group == "" {
		resp.ErrorCode = kerr.InvalidGroupID.Code
	}
	if left && ok {
		if g.state != empty {
			g.rebalance(t)
		}
		t.m.dropIfVoid(g)
	}
	t.reply(waiting{r.Token, req.Version}, resp)
}

func (g *classic) leave(t *turn, leaving kmsg.LeaveGroupRequestMember) *kerr.Error {
	id := leaving.MemberID
	if id == "" && leaving.InstanceID != nil {
		id = g.statics[*leaving.InstanceID]
	}
	if g.promised[id] != nil {
		g.unpromise(id)
		return nil
	}
	if err := g.validate(id, leaving.InstanceID); err != nil {
		return err
	}
	g.remove(t, g.memberOf(id, leaving.InstanceID), kerr.UnknownMemberID)
	return nil
}
