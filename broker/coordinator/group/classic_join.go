package group

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/coordinator"
)

// JoinGroup (key 11, versions 0-9). The answer comes when the rebalance that it joins or
// causes has all its members, see prepare and completeJoin.
//
// A new dynamic member is first told an id to come back with (version 4, KIP-394), so that
// a client whose connection breaks is not two members; an id that nobody comes back with
// is forgotten after the session time-out. A static member (version 5, KIP-345) that comes
// without a member id takes the place of the one before, whose requests are
// FENCED_INSTANCE_ID from then on; in a stable group that is no rebalance, and the leader
// is told to assign nothing (version 9, KIP-814; older ones are not told that they lead).
//
// Differences from Kafka: a group has no record before its first generation; a member that
// repeats its request gets REBALANCE_IN_PROGRESS as the answer to the first; equal votes
// for a protocol are decided by the earliest member; static members that are away
// are not removed for not sending SyncGroup, only when their session is over; what fits no
// record (a name beyond 32 KiB, metadata beyond message.max.bytes) is INVALID_REQUEST.
func (t *turn) joinGroup(r coordinator.Request, req *kmsg.JoinGroupRequest) {
	if req.Version == 0 || req.RebalanceTimeoutMillis <= 0 {
		req.RebalanceTimeoutMillis = req.SessionTimeoutMillis
	}
	if err := t.checkJoin(r, req); err != nil {
		t.refuse(r, err)
		return
	}
	req.Protocols = ownedProtocols(req.Protocols)
	if g, ok := t.m.groups[req.Group].(*consumer); ok {
		if !g.empty() {
			g.classicJoin(t, r, req)
			return
		}
		if req.MemberID != "" {
			t.refuse(r, kerr.UnknownMemberID)
			return
		}
		t.append(g.tombstones()...)
		g.dissolve()
		t.m.forget(req.Group)
	}
	g, ok := t.m.groups[req.Group].(*classic)
	if !ok {
		if req.MemberID != "" {
			t.refuse(r, kerr.UnknownMemberID)
			return
		}
		g = newClassic(t.m, req.Group)
		t.m.groups[req.Group] = g
	}
	g.join(t, r, req)
	t.m.dropIfVoid(g)
}

// checkJoin is what is wrong with a request whatever the group, or nil. What is too
// long or too large could never be written, and the others would rebalance for ever.
func (t *turn) checkJoin(r coordinator.Request, req *kmsg.JoinGroupRequest) *kerr.Error {
	cfg := t.m.cfg.Broker
	tooLong := len(r.ClientID) > maxString || len(req.ProtocolType) > maxString ||
		req.InstanceID != nil && (*req.InstanceID == "" || len(*req.InstanceID) > maxString)
	for _, p := range req.Protocols {
		tooLong = tooLong || len(p.Name) > maxString || p.Name == "" || len(p.Metadata) > t.batchLimit()
	}
	switch {
	case req.Group == "" || len(req.Group) > maxString:
		return kerr.InvalidGroupID
	case int(req.SessionTimeoutMillis) < cfg.GroupMinSessionMs || int(req.SessionTimeoutMillis) > cfg.GroupMaxSessionMs:
		return kerr.InvalidSessionTimeout
	case tooLong:
		return kerr.InvalidRequest
	}
	return nil
}

// ownedProtocols copies what outlives the request, whose bytes are the connection's. A
// protocol that is named twice counts once.
func ownedProtocols(from []kmsg.JoinGroupRequestProtocol) []kmsg.JoinGroupRequestProtocol {
	var own []kmsg.JoinGroupRequestProtocol
	seen := make(map[string]bool, len(from))
	for _, p := range from {
		if !seen[p.Name] {
			seen[p.Name] = true
			own = append(own, kmsg.JoinGroupRequestProtocol{Name: p.Name, Metadata: append([]byte{}, p.Metadata...)})
		}
	}
	return own
}

func (g *classic) join(t *turn, r coordinator.Request, req *kmsg.JoinGroupRequest) {
	switch {
	case !g.hasRoom(req.MemberID):
		g.unpromise(req.MemberID)
		if mb := g.members[req.MemberID]; mb != nil {
			g.remove(t, mb, kerr.GroupMaxSizeReached)
		}
		t.reply(waiting{r.Token, req.Version}, g.refusal(kerr.GroupMaxSizeReached, ""))
		if g.state == preparing {
			g.rebalance(t)
		}
	case !g.accepts(req.ProtocolType, req.Protocols):
		t.refuse(r, kerr.InconsistentGroupProtocol)
	case req.MemberID == "" && req.InstanceID != nil:
		id := g.m.newMemberID(*req.InstanceID)
		if old, known := g.statics[*req.InstanceID]; known {
			g.replace(t, r, req, g.members[old], id)
		} else {
			g.admit(t, r, req, id)
		}
	case req.MemberID == "" && req.Version >= 4:
		g.promise(t, r, req)
	case req.MemberID == "":
		g.admit(t, r, req, g.m.newMemberID(r.ClientID))
	case g.promised[req.MemberID] != nil && req.InstanceID == nil:
		g.unpromise(req.MemberID)
		g.admit(t, r, req, req.MemberID)
	default:
		g.rejoin(t, r, req)
	}
}

// hasRoom reports whether somebody may join without exceeding group.max.size. During a
// rebalance those count that have joined: so a group that is too large, because the
// config has changed, loses whoever comes last.
func (g *classic) hasRoom(id string) bool {
	limit := g.m.cfg.Broker.GroupMaxSize
	mb := g.members[id]
	switch g.state {
	case preparing:
		return mb != nil && mb.join.token != 0 || g.joining < limit
	case completing, stable:
		return mb != nil || len(g.members) < limit
	}
	return true
}

// promise gives out a member id.
func (g *classic) promise(t *turn, r coordinator.Request, req *kmsg.JoinGroupRequest) {
	id := g.m.newMemberID(r.ClientID)
	tm := &timer{fire: func(t *turn) {
		g.unpromise(id)
		if g.state == preparing {
			g.rebalance(t)
		}
		g.m.dropIfVoid(g)
	}}
	g.promised[id] = tm
	g.m.timers.start(tm, t.later(int64(req.SessionTimeoutMillis)))
	t.reply(waiting{r.Token, req.Version}, g.refusal(kerr.MemberIDRequired, id))
}

func (g *classic) unpromise(id string) {
	if tm := g.promised[id]; tm != nil {
		g.m.timers.stop(tm)
		delete(g.promised, id)
	}
}

// admit takes a new member in.
func (g *classic) admit(t *turn, r coordinator.Request, req *kmsg.JoinGroupRequest, id string) {
	if len(g.members) == 0 {
		g.protocolType = req.ProtocolType
	}
	mb := g.add(&member{
		id: id, instance: req.InstanceID, clientID: r.ClientID, clientHost: r.ClientHost,
		rebalanceMs: req.RebalanceTimeoutMillis, sessionMs: req.SessionTimeoutMillis,
		protocols: req.Protocols, isNew: true,
	})
	g.joined = true
	g.await(t, mb, r, req)
	g.hear(t, mb)
	g.rebalance(t)
}

// await has the member wait for the others.
func (g *classic) await(t *turn, mb *member, r coordinator.Request, req *kmsg.JoinGroupRequest) {
	g.answerJoin(t, mb, g.refusal(kerr.RebalanceInProgress, mb.id))
	mb.join = waiting{r.Token, req.Version}
	g.joining++
}

// rejoin is the request of a member that is in the group, or thinks so.
func (g *classic) rejoin(t *turn, r coordinator.Request, req *kmsg.JoinGroupRequest) {
	if err := g.validate(req.MemberID, req.InstanceID); err != nil {
		t.refuse(r, err)
		return
	}
	mb := g.memberOf(req.MemberID, req.InstanceID)
	unchanged := mb.same(req.Protocols)
	// Before it has an assignment, a member that asks again has not got the answer. After that, a
	// leader that asks again wants to assign anew, for instance because a topic has grown.
	if g.state == completing && unchanged || g.state == stable && unchanged && g.leader != mb.id {
		t.reply(waiting{r.Token, req.Version}, g.joinResponse(mb))
		g.hear(t, mb)
		return
	}
	g.change(mb, req)
	g.await(t, mb, r, req)
	g.hear(t, mb)
	g.rebalance(t)
}

// replace puts a static member that comes without its id in the place of the old one.
func (g *classic) replace(t *turn, r coordinator.Request, req *kmsg.JoinGroupRequest, old *member, id string) {
	g.answerJoin(t, old, g.refusal(kerr.FencedInstanceID, old.id))
	g.answerSync(t, old, kerr.FencedInstanceID)
	g.m.timers.stop(&old.session)
	leads := g.leader == old.id
	oldLeader := g.leader

	mb := &member{
		id: id, instance: old.instance, clientID: r.ClientID, clientHost: r.ClientHost,
		assignment: old.assignment, unsynced: old.unsynced, protocols: old.protocols,
	}
	mb.session.fire = func(t *turn) { g.sessionOver(t, mb) }
	delete(g.members, old.id)
	g.members[id] = mb
	g.order[slices.Index(g.order, old)] = mb
	g.statics[*mb.instance] = id
	if leads {
		g.leader = id
	}
	g.change(mb, req)
	t.event(Event{Kind: "static-member-replaced", Group: g.id, Member: id, Generation: g.generation})

	if g.state != stable || g.vote() != g.protocol {
		g.await(t, mb, r, req)
		g.hear(t, mb)
		g.rebalance(t)
		return
	}
	record := groupRecord(g, t.at.Wall, func(mb *member) []byte { return mb.assignment })
	if coordinator.SizeOf(record) > t.batchLimit() {
		// It cannot be written as it is now. Let a new assignment try.
		g.await(t, mb, r, req)
		g.rebalance(t)
		return
	}
	g.topics = g.readTopics()
	g.write(t, record)
	resp := g.joinResponse(mb)
	switch {
	case leads && req.Version >= 9:
		resp.SkipAssignment = true
	case leads:
		resp.LeaderID, resp.Members = oldLeader, nil
	}
	t.reply(waiting{r.Token, req.Version}, resp)
	g.hear(t, mb)
}
