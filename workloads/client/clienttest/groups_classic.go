package clienttest

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// classicGroup is the members of a group of the classic protocol. A rebalance waits for
// everybody who is known, until the longest rebalance time-out has passed.
type classicGroup struct {
	*Group
	members    map[string]*classicMember
	generation int32
	protocol   string
	leader     string
	// rebalancing: not everybody has joined; syncing: the leader has not divided.
	rebalancing, syncing bool
	// round numbers the rebalances, so that a timer knows its own.
	round int
	made  int
}

type classicMember struct {
	id, instance string
	protocols    []kmsg.JoinGroupRequestProtocol
	session      time.Duration
	rebalance    time.Duration
	// beats numbers the signs of life.
	beats      int
	joined     func(*kmsg.JoinGroupResponse)
	synced     func(*kmsg.SyncGroupResponse)
	assignment []byte
}

func (g *classicGroup) join(req *kmsg.JoinGroupRequest, reply func(*kmsg.JoinGroupResponse)) {
	refuse := func(code int16, id string) {
		resp := kmsg.NewPtrJoinGroupResponse()
		resp.ErrorCode, resp.MemberID, resp.Generation = code, id, -1
		reply(resp)
	}
	instance := ""
	if req.InstanceID != nil {
		instance = *req.InstanceID
	}
	m := g.members[req.MemberID]
	switch {
	case req.MemberID != "" && m == nil:
		refuse(kerr.UnknownMemberID.Code, "")
		return
	case m == nil:
		g.made++
		m = &classicMember{id: fmt.Sprintf("m%d", g.made), instance: instance}
		for _, id := range slices.Sorted(maps.Keys(g.members)) {
			if instance != "" && g.members[id].instance == instance {
				g.fence(id)
			}
		}
		g.members[m.id] = m
		if req.Version >= 4 && instance == "" {
			m.session = time.Duration(req.SessionTimeoutMillis) * time.Millisecond
			g.alive(m)
			refuse(kerr.MemberIDRequired.Code, m.id)
			return
		}
	}
	m.protocols = req.Protocols
	m.session = time.Duration(req.SessionTimeoutMillis) * time.Millisecond
	m.rebalance = time.Duration(req.RebalanceTimeoutMillis) * time.Millisecond
	m.joined = reply
	g.rebalanceNow()
	g.complete()
}

// fence answers whoever waits under a static member's old id.
func (g *classicGroup) fence(id string) {
	m := g.members[id]
	delete(g.members, id)
	if m.joined != nil {
		resp := kmsg.NewPtrJoinGroupResponse()
		resp.ErrorCode = kerr.FencedInstanceID.Code
		m.joined(resp)
	}
	if m.synced != nil {
		resp := kmsg.NewPtrSyncGroupResponse()
		resp.ErrorCode = kerr.FencedInstanceID.Code
		m.synced(resp)
	}
}

// rebalanceNow begins a rebalance unless one is under way.
func (g *classicGroup) rebalanceNow() {
	if g.rebalancing {
		return
	}
	g.rebalancing, g.syncing = true, false
	g.round++
	var patience time.Duration
	for _, id := range slices.Sorted(maps.Keys(g.members)) {
		m := g.members[id]
		patience = max(patience, m.rebalance)
		if m.synced != nil {
			resp := kmsg.NewPtrSyncGroupResponse()
			resp.ErrorCode = kerr.RebalanceInProgress.Code
			m.synced(resp)
			m.synced = nil
		}
	}
	round := g.round
	g.cluster.World.After(patience, func() {
		if g.round != round || !g.rebalancing {
			return
		}
		maps.DeleteFunc(g.members, func(_ string, m *classicMember) bool { return m.joined == nil })
		g.complete()
	})
}

// complete ends the first half of a rebalance once everybody has joined.
func (g *classicGroup) complete() {
	ids := slices.Sorted(maps.Keys(g.members))
	if !g.rebalancing || len(ids) == 0 ||
		slices.ContainsFunc(ids, func(id string) bool { return g.members[id].joined == nil }) {
		return
	}
	g.rebalancing, g.syncing = false, true
	g.generation++
	if g.members[g.leader] == nil {
		g.leader = ids[0]
	}
	g.protocol = ""
	for _, p := range g.members[g.leader].protocols {
		if g.protocol == "" && !slices.ContainsFunc(ids, func(id string) bool { return g.members[id].metadata(p.Name) == nil }) {
			g.protocol = p.Name
		}
	}
	if g.protocol == "" {
		panic("clienttest: the members have no assignor in common")
	}
	for _, id := range ids {
		m := g.members[id]
		resp := kmsg.NewPtrJoinGroupResponse()
		protocol := g.protocol
		resp.Generation, resp.Protocol, resp.LeaderID, resp.MemberID = g.generation, &protocol, g.leader, id
		for _, other := range ids {
			if id == g.leader {
				rm := kmsg.NewJoinGroupResponseMember()
				rm.MemberID, rm.ProtocolMetadata = other, g.members[other].metadata(g.protocol)
				if instance := g.members[other].instance; instance != "" {
					rm.InstanceID = &instance
				}
				resp.Members = append(resp.Members, rm)
			}
		}
		g.alive(m)
		reply := m.joined
		m.joined = nil
		reply(resp)
	}
}

func (m *classicMember) metadata(protocol string) []byte {
	for _, p := range m.protocols {
		if p.Name == protocol {
			return p.Metadata
		}
	}
	return nil
}

// alive begins a member's session anew.
func (g *classicGroup) alive(m *classicMember) {
	m.beats++
	beats := m.beats
	g.cluster.World.After(m.session, func() {
		if g.members[m.id] == m && m.beats == beats && m.joined == nil {
			g.expel(m.id)
		}
	})
}

func (g *classicGroup) expel(id string) {
	if g.members[id] == nil {
		return
	}
	delete(g.members, id)
	if len(g.members) > 0 {
		g.rebalanceNow()
		g.complete()
	}
}

func (g *classicGroup) check(id string, instance *string, generation int32) int16 {
	switch {
	case g.members[id] == nil:
		if instance != nil && slices.ContainsFunc(slices.Sorted(maps.Keys(g.members)), func(o string) bool {
			return g.members[o].instance == *instance
		}) {
			return kerr.FencedInstanceID.Code
		}
		return kerr.UnknownMemberID.Code
	case g.generation != generation:
		return kerr.IllegalGeneration.Code
	}
	g.alive(g.members[id])
	return 0
}

func (g *classicGroup) mayCommit(id string, instance *string, generation int32) int16 {
	if code := g.check(id, instance, generation); code != 0 {
		return code
	}
	if g.syncing {
		return kerr.RebalanceInProgress.Code
	}
	return 0
}

func (g *classicGroup) heartbeat(req *kmsg.HeartbeatRequest) int16 {
	code := g.check(req.MemberID, req.InstanceID, req.Generation)
	if code == 0 && g.rebalancing {
		return kerr.RebalanceInProgress.Code
	}
	return code
}

func (g *classicGroup) sync(req *kmsg.SyncGroupRequest, reply func(*kmsg.SyncGroupResponse)) {
	resp := kmsg.NewPtrSyncGroupResponse()
	resp.ErrorCode = g.check(req.MemberID, req.InstanceID, req.Generation)
	if resp.ErrorCode == 0 && g.rebalancing {
		resp.ErrorCode = kerr.RebalanceInProgress.Code
	}
	if resp.ErrorCode != 0 {
		reply(resp)
		return
	}
	m := g.members[req.MemberID]
	if req.MemberID == g.leader && g.syncing {
		for _, a := range req.GroupAssignment {
			if o := g.members[a.MemberID]; o != nil {
				o.assignment = a.MemberAssignment
			}
		}
		g.syncing = false
	}
	m.synced = reply
	if g.syncing {
		return
	}
	for _, id := range slices.Sorted(maps.Keys(g.members)) {
		if o := g.members[id]; o.synced != nil {
			resp := kmsg.NewPtrSyncGroupResponse()
			resp.MemberAssignment = o.assignment
			reply := o.synced
			o.synced = nil
			reply(resp)
		}
	}
}
