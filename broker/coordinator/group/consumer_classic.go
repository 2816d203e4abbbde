package group

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/coordinator"
)

// Members of the classic protocol in a consumer group (see consumer_migration.go). To such a
// member a rebalance is its own: a heartbeat tells it to join again when there is a new
// target for it, or something that it waited for; JoinGroup says what it owns, is answered
// at once with its epoch as the generation, and nobody leads; SyncGroup brings what it may
// have. A member that has to give something up and assigns cooperatively is assigned the
// rest first, and joins again without it. One that is told to join, or has joined and not
// asked for its assignment, within its rebalance time-out, is removed.

// classicJoin is JoinGroup. What is wrong with it whatever the group has been checked.
func (g *consumer) classicJoin(t *turn, r coordinator.Request, req *kmsg.JoinGroupRequest) {
	refuse := func(why *kerr.Error, id string) {
		resp := kmsg.NewPtrJoinGroupResponse()
		resp.ErrorCode, resp.Generation, resp.MemberID = why.Code, -1, id
		t.reply(waiting{r.Token, req.Version}, resp)
	}
	mb := g.members[req.MemberID]
	var old *consumerMember // whose place it takes
	if req.InstanceID != nil {
		switch id, known := g.statics[*req.InstanceID]; {
		case known && req.MemberID == "":
			old = g.members[id]
		case known && id != req.MemberID:
			refuse(kerr.FencedInstanceID, req.MemberID)
			return
		case !known && req.MemberID != "":
			refuse(kerr.UnknownMemberID, req.MemberID)
			return
		}
	}
	topics, ok := []string(nil), false
	if len(req.Protocols) > 0 {
		topics, ok = subscription(req.Protocols[0].Metadata)
	}
	but := req.MemberID
	if old != nil {
		but = old.id
	}
	size := 2 * len(req.MemberID)
	for _, p := range req.Protocols {
		size += len(p.Name) + 2*len(p.Metadata)
	}
	switch {
	case mb == nil && old == nil && len(g.members) >= t.m.cfg.Broker.ConsumerGroupMaxSize:
		refuse(kerr.GroupMaxSizeReached, "")
		return
	case !ok || req.ProtocolType != consumerProtocol || mb != nil && mb.classic == nil ||
		!slices.ContainsFunc(req.Protocols, func(p kmsg.JoinGroupRequestProtocol) bool { return g.allKnow(p.Name, but) }):
		refuse(kerr.InconsistentGroupProtocol, req.MemberID)
		return
	case size > t.batchLimit()/2 || len(req.MemberID) > maxString:
		refuse(kerr.InvalidRequest, req.MemberID)
		return
	case req.MemberID == "" && req.InstanceID == nil && req.Version >= 4:
		refuse(kerr.MemberIDRequired, t.m.newMemberID(r.ClientID))
		return
	}
	id := req.MemberID
	if id == "" {
		id = t.m.newMemberID(r.ClientID)
	}
	switch {
	case old != nil:
		mb = g.replace(t, old, id)
		g.dropPattern(mb.pattern)
		mb.pattern = ""
	case mb == nil:
		mb = g.memberOrNew(id)
		g.move(t, mb, memberStable, joinEpoch, nil, nil)
		t.event(Event{Kind: "member-joined", Group: g.id, Member: id, Generation: g.epoch})
		g.raise(t)
	}
	g.classicSubscribe(t, r, req, mb, topics)
	g.proceed(t, mb, readOwned(t.at.Image, req.Protocols[0].Metadata), true)
	g.hear(t, mb)
	t.m.timers.start(&mb.step, t.later(int64(mb.rebalanceMs)))

	resp := kmsg.NewPtrJoinGroupResponse()
	resp.Generation, resp.MemberID = mb.epoch, mb.id
	resp.ProtocolType, resp.Protocol = kmsg.StringPtr(consumerProtocol), &mb.classic.protocols[0].Name
	t.reply(waiting{r.Token, req.Version}, resp)
}

// classicSubscribe takes over what a member says when it joins.
func (g *consumer) classicSubscribe(t *turn, r coordinator.Request, req *kmsg.JoinGroupRequest, mb *consumerMember, topics []string) {
	topics = slices.Compact(slices.Sorted(slices.Values(topics)))
	if !slices.Equal(mb.topics, topics) {
		g.raise(t)
	}
	mb.topics, mb.rebalanceMs, mb.assignor, mb.rack = topics, req.RebalanceTimeoutMillis, "", nil
	mb.clientID, mb.clientHost = r.ClientID, r.ClientHost
	mb.classic = &classicProtocol{req.SessionTimeoutMillis, req.Protocols}
	if req.InstanceID != nil {
		mb.instance = req.InstanceID
		g.statics[*req.InstanceID] = mb.id
	}
	mb.described = true
	g.touch(t)
}

// classicMember is the member of the classic protocol that a request is of.
func (g *consumer) classicMember(id string, instance *string) (*consumerMember, *kerr.Error) {
	if instance != nil {
		switch current, known := g.statics[*instance]; {
		case !known:
			return nil, kerr.UnknownMemberID
		case current != id:
			return nil, kerr.FencedInstanceID
		}
	}
	mb := g.members[id]
	if mb == nil || mb.classic == nil {
		return nil, kerr.UnknownMemberID
	}
	return mb, nil
}

// classicSync is SyncGroup.
func (g *consumer) classicSync(t *turn, r coordinator.Request, req *kmsg.SyncGroupRequest) {
	mb, err := g.classicMember(req.MemberID, req.InstanceID)
	differs := func(name *string, from string) bool { return name != nil && *name != from }
	switch {
	case err != nil:
	case req.Generation != mb.epoch:
		err = kerr.IllegalGeneration
	case differs(req.ProtocolType, consumerProtocol) || differs(req.Protocol, mb.classic.protocols[0].Name):
		err = kerr.InconsistentGroupProtocol
	case g.epoch > mb.epoch && mb.state != unrevoked:
		g.rejoinInTime(t, mb)
		err = kerr.RebalanceInProgress
	}
	if err != nil {
		t.refuse(r, err)
		return
	}
	t.m.timers.stop(&mb.step)
	if mb.state == unrevoked {
		g.rejoinInTime(t, mb) // without what it is not assigned any more
	}
	g.hear(t, mb)
	resp := kmsg.NewPtrSyncGroupResponse()
	resp.ProtocolType, resp.Protocol = kmsg.StringPtr(consumerProtocol), &mb.classic.protocols[0].Name
	resp.MemberAssignment = mb.assignment(t.at.Image, mb.assigned)
	t.reply(waiting{r.Token, req.Version}, resp)
}

// classicBeat is Heartbeat.
func (g *consumer) classicBeat(t *turn, req *kmsg.HeartbeatRequest) *kerr.Error {
	mb, err := g.classicMember(req.MemberID, req.InstanceID)
	if err != nil {
		return err
	}
	if req.Generation != mb.epoch {
		return kerr.IllegalGeneration
	}
	g.hear(t, mb)
	if g.stale {
		g.refresh(t)
	}
	if mb.epoch < g.epoch || mb.state == unrevoked || mb.state == unreleased && !g.waitsForOthers(mb) {
		g.rejoinInTime(t, mb)
		return kerr.RebalanceInProgress
	}
	return nil
}

// rejoinInTime gives a member that has to join again the time for it, once.
func (g *consumer) rejoinInTime(t *turn, mb *consumerMember) {
	if mb.step.pos == 0 {
		t.m.timers.start(&mb.step, t.later(int64(mb.rebalanceMs)))
	}
}

// classicLeave is LeaveGroup of one member. By nothing but its instance id an administrator
// may remove any; whoever leaves by a member id speaks of himself.
func (g *consumer) classicLeave(t *turn, leaving kmsg.LeaveGroupRequestMember) *kerr.Error {
	id := leaving.MemberID
	if id == "" && leaving.InstanceID != nil {
		id = g.statics[*leaving.InstanceID]
		if id == "" {
			return kerr.UnknownMemberID
		}
	} else if _, err := g.classicMember(id, leaving.InstanceID); err != nil {
		return err
	}
	t.event(Event{Kind: "member-left", Group: g.id, Member: id, Generation: g.epoch})
	g.remove(t, g.members[id])
	g.raise(t)
	return nil
}
