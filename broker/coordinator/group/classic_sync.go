package group

import (
	"bytes"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/coordinator"
)

// SyncGroup (key 14, versions 0-5). The leader brings the assignment; whoever came before
// waits for it, whoever comes after gets it at once, either way once its record has
// committed. Members that the leader left out are assigned nothing. From version 5 on
// a member says which protocol it means (KIP-559).
//
// A group too large for a batch is UNKNOWN_SERVER_ERROR to all, and another rebalance.
func (t *turn) syncGroup(r coordinator.Request, req *kmsg.SyncGroupRequest) {
	if g, ok := t.m.groups[req.Group].(*consumer); ok {
		g.classicSync(t, r, req)
		return
	}
	g, ok := t.m.groups[req.Group].(*classic)
	if !ok {
		t.refuse(r, unknownMember(req.Group))
		return
	}
	if err := g.checkSync(req); err != nil {
		t.refuse(r, err)
		return
	}
	mb := g.memberOf(req.MemberID, req.InstanceID)
	g.synced(mb)
	g.answerSync(t, mb, kerr.RebalanceInProgress) // an earlier one of the same member
	mb.sync = waiting{r.Token, req.Version}
	switch {
	case g.state == stable:
		g.assign(t, mb, mb.assignment)
	case g.leader == mb.id:
		g.assignAll(t, req)
	default:
		g.hear(t, mb)
	}
}

func (g *classic) checkSync(req *kmsg.SyncGroupRequest) *kerr.Error {
	differs := func(name *string, from string) bool { return name != nil && *name != from }
	switch err := g.validate(req.MemberID, req.InstanceID); {
	case err != nil:
		return err
	case req.Generation != g.generation:
		return kerr.IllegalGeneration
	case differs(req.ProtocolType, g.protocolType) || differs(req.Protocol, g.protocol):
		return kerr.InconsistentGroupProtocol
	case g.state == preparing:
		return kerr.RebalanceInProgress
	}
	return nil
}

// assignAll writes the leader's assignment, and with it the generation.
func (g *classic) assignAll(t *turn, req *kmsg.SyncGroupRequest) {
	assigned := make(map[string][]byte, len(req.GroupAssignment))
	for _, a := range req.GroupAssignment {
		assigned[a.MemberID] = a.MemberAssignment
	}
	of := func(mb *member) []byte { return append([]byte{}, assigned[mb.id]...) }
	record := groupRecord(g, t.at.Wall, of)
	if coordinator.SizeOf(record) > t.batchLimit() {
		for _, mb := range g.order {
			g.answerSync(t, mb, kerr.UnknownServerError)
		}
		g.rebalance(t)
		return
	}
	g.write(t, record)
	t.event(Event{Kind: "group-stable", Group: g.id, Generation: g.generation, Count: len(g.members)})
	for _, mb := range g.order {
		g.assign(t, mb, of(mb))
	}
}

// assign answers a member that waits for its assignment.
func (g *classic) assign(t *turn, mb *member, assignment []byte) {
	if mb.sync.token == 0 {
		return
	}
	resp := kmsg.NewPtrSyncGroupResponse()
	resp.ProtocolType, resp.Protocol = kmsg.StringPtr(g.protocolType), kmsg.StringPtr(g.protocol)
	resp.MemberAssignment = bytes.Clone(assignment)
	t.reply(mb.sync, resp)
	mb.sync = waiting{}
	g.hear(t, mb)
}

// unknownMember is why a request of a member of a group that is not there is refused.
func unknownMember(group string) *kerr.Error {
	if group == "" {
		return kerr.InvalidGroupID
	}
	return kerr.UnknownMemberID
}
