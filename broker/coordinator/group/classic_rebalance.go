package group

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/coordinator"
)

// rebalance follows whatever may need one, or may have been the last that one waits for.
func (g *classic) rebalance(t *turn) {
	switch {
	case g.writing:
	case g.state != preparing:
		g.prepare(t)
	case !g.initial:
		g.joinIfAllHere(t)
	}
}

// write decides the group's record.
func (g *classic) write(t *turn, record coordinator.Record) {
	check(!g.writing, "group %q is written twice in a turn", g.id)
	g.writing = true
	t.append(record)
}

// prepare begins a rebalance: every member has to join again. The members that wait for
// this generation's assignment are told at once, the others by their next heartbeat.
//
// A group that was empty waits group.initial.rebalance.delay.ms for more members, and once
// more for as long as others come in the meantime, up to the rebalance time-out:
// otherwise starting ten consumers is ten rebalances (KIP-134).
func (g *classic) prepare(t *turn) {
	for _, mb := range g.order {
		g.answerSync(t, mb, kerr.RebalanceInProgress)
		mb.unsynced = false
	}
	g.unsynced = 0
	g.m.timers.stop(&g.syncTimer)
	g.initial = g.state == empty
	g.become(preparing)
	t.event(Event{Kind: "group-rebalancing", Group: g.id, Generation: g.generation, Count: len(g.members)})
	if g.initial {
		delay := int64(g.m.cfg.Broker.GroupInitialRebalanceMs)
		g.joined, g.extendable = false, max(int64(g.rebalanceMs())-delay, 0)
		g.m.timers.start(&g.joinTimer, t.later(delay))
		return
	}
	g.m.timers.start(&g.joinTimer, t.later(int64(g.rebalanceMs())))
	g.joinIfAllHere(t)
}

// rebalanceMs is how long the group waits for its members: as long as any asks for.
func (g *classic) rebalanceMs() int32 {
	ms := int32(1)
	for _, mb := range g.order {
		ms = max(ms, mb.rebalanceMs)
	}
	return ms
}

func (g *classic) joinIfAllHere(t *turn) {
	if g.joining == len(g.members) && len(g.promised) == 0 {
		g.completeJoin(t)
	}
}

// joinTimeUp ends the waiting for members, or extends the initial one.
func (g *classic) joinTimeUp(t *turn) {
	if g.initial && g.joined && g.extendable > 0 {
		delay := min(int64(g.m.cfg.Broker.GroupInitialRebalanceMs), g.extendable)
		g.joined, g.extendable = false, g.extendable-delay
		g.m.timers.start(&g.joinTimer, t.later(delay))
		return
	}
	g.completeJoin(t)
}

// completeJoin begins the next generation with the members that have joined. A static
// member that has not stays in the group, and keeps what it will be assigned, until its
// session is over.
func (g *classic) completeJoin(t *turn) {
	for _, mb := range slices.Clone(g.order) {
		if mb.join.token == 0 && mb.instance == nil {
			g.remove(t, mb, kerr.UnknownMemberID)
		}
	}
	if len(g.members) > 0 && g.joining == 0 {
		// Nobody could assign. Sessions will be over, or somebody comes.
		g.m.timers.start(&g.joinTimer, t.later(int64(g.rebalanceMs())))
		return
	}
	g.m.timers.stop(&g.joinTimer)
	g.generation++
	if len(g.members) == 0 {
		g.protocol, g.topics = "", nil
		g.write(t, groupRecord(g, t.at.Wall, nil))
		t.event(Event{Kind: "group-empty", Group: g.id, Generation: g.generation})
		return
	}
	if g.members[g.leader].join.token == 0 {
		g.leader = g.order[slices.IndexFunc(g.order, func(mb *member) bool { return mb.join.token != 0 })].id
	}
	g.protocol = g.vote()
	g.topics = g.readTopics()
	g.become(completing)
	for _, mb := range g.order {
		if mb.join.token != 0 {
			mb.unsynced = true
			g.unsynced++
		}
		g.answerJoin(t, mb, g.joinResponse(mb))
		mb.isNew = false
		g.hear(t, mb)
	}
	g.m.timers.start(&g.syncTimer, t.later(int64(g.rebalanceMs())))
}

// synced notes that a member has sent SyncGroup, or is gone.
func (g *classic) synced(mb *member) {
	if !mb.unsynced {
		return
	}
	mb.unsynced = false
	if g.unsynced--; g.unsynced == 0 {
		g.m.timers.stop(&g.syncTimer)
	}
}

// syncTimeUp removes members that joined and then did not ask for their assignment: without
// it they do not consume what was assigned to them (KAFKA-12890).
func (g *classic) syncTimeUp(t *turn) {
	for _, mb := range slices.Clone(g.order) {
		if mb.unsynced {
			t.event(Event{Kind: "member-expired", Group: g.id, Member: mb.id, Generation: g.generation})
			g.remove(t, mb, kerr.UnknownMemberID)
		}
	}
	g.rebalance(t)
}

// joinResponse tells a member about this generation; the leader also who is in it.
func (g *classic) joinResponse(mb *member) *kmsg.JoinGroupResponse {
	resp := kmsg.NewPtrJoinGroupResponse()
	resp.Generation, resp.MemberID, resp.LeaderID = g.generation, mb.id, g.leader
	resp.ProtocolType, resp.Protocol = kmsg.StringPtr(g.protocolType), kmsg.StringPtr(g.protocol)
	if g.leader == mb.id {
		for _, other := range g.order {
			resp.Members = append(resp.Members, kmsg.JoinGroupResponseMember{
				MemberID: other.id, InstanceID: other.instance, ProtocolMetadata: other.metadata(g.protocol),
			})
		}
	}
	return resp
}

func (g *classic) refusal(why *kerr.Error, id string) *kmsg.JoinGroupResponse {
	resp := kmsg.NewPtrJoinGroupResponse()
	resp.ErrorCode, resp.Generation, resp.MemberID = why.Code, -1, id
	return resp
}

// answerJoin answers a member that waits for others to join.
func (g *classic) answerJoin(t *turn, mb *member, resp *kmsg.JoinGroupResponse) {
	if mb.join.token != 0 {
		t.reply(mb.join, resp)
		mb.join = waiting{}
		g.joining--
	}
}

// answerSync answers a member that waits for its assignment with an error.
func (g *classic) answerSync(t *turn, mb *member, why *kerr.Error) {
	if mb.sync.token != 0 {
		resp := kmsg.NewPtrSyncGroupResponse()
		resp.ErrorCode, resp.MemberAssignment = why.Code, []byte{}
		t.reply(mb.sync, resp)
		mb.sync = waiting{}
		g.hear(t, mb)
	}
}
