package group

import (
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
)

// joinGrace is how much longer than the rebalance a join may take: the coordinator
// answers when the rebalance ends.
const joinGrace = 5 * time.Second

// join sends JoinGroup if the coordinator is known.
func (g *classic) join(now int64) {
	if now < g.notBefore || g.leaving {
		return
	}
	if _, ok := g.node(); !ok {
		return
	}
	g.lost, g.rejoin = false, false
	// Not the current generation, whose assignment may never have come: a partition that
	// two members claim belongs to the one that got it later.
	me := Subscriber{Topics: g.topics, Owned: g.owned, Generation: g.heldIn, Rack: g.cfg.Rack}
	req := kmsg.NewPtrJoinGroupRequest()
	req.Group, req.MemberID, req.InstanceID = g.cfg.ID, g.id, optional(g.cfg.Instance)
	req.SessionTimeoutMillis = int32(g.cfg.SessionTimeout / time.Millisecond)
	req.RebalanceTimeoutMillis = int32(g.cfg.MaxPollInterval / time.Millisecond)
	req.ProtocolType = protocolType
	for _, a := range g.cfg.Assignors {
		tells := me
		if a.Name() == Sticky.Name() {
			tells.Owned = g.held
		}
		p := kmsg.NewJoinGroupRequestProtocol()
		p.Name, p.Metadata = a.Name(), tells.appendSubscription(a)
		req.Protocols = append(req.Protocols, p)
	}
	lowest := int16(1)
	if g.cfg.Instance != "" {
		lowest = 5
	}
	g.enter(joining)
	g.joined = g.topics
	g.ask(req, lowest, 9, func(now int64, node wire.NodeID, resp kmsg.Response) {
		g.onJoin(now, node, resp.(*kmsg.JoinGroupResponse))
	})
}

// ask sends a request of a rebalance. What comes back in another life is not heard, and
// without an answer the member joins anew.
func (g *classic) ask(req kmsg.Request, lowest, highest int16, answered func(int64, wire.NodeID, kmsg.Response)) {
	life := g.life
	g.send(req, lowest, highest, g.cfg.MaxPollInterval+joinGrace, func(now int64, node wire.NodeID, resp kmsg.Response, err error) {
		switch {
		case life != g.life || g.over:
		case err == nil:
			answered(now, node, resp)
		case unserved(err):
			g.fail(err)
		default:
			g.unjoin(now, true)
		}
	})
}

func (g *classic) onJoin(now int64, node wire.NodeID, resp *kmsg.JoinGroupResponse) {
	switch code := resp.ErrorCode; code {
	case 0:
	case kerr.MemberIDRequired.Code:
		// The coordinator knows nobody without an id, so that a member whose answer got
		// lost is not counted twice (KIP-394).
		g.id = resp.MemberID
		g.enter(preparing)
		g.join(now)
		return
	case kerr.UnknownMemberID.Code:
		g.fenceOrForget(now, fatal(code, nil))
		g.unjoin(now, true)
		return
	case kerr.RebalanceInProgress.Code:
		g.unjoin(now, true)
		return
	default:
		if g.passing(node, code) {
			g.unjoin(now, true)
			return
		}
		if code == kerr.FencedInstanceID.Code {
			g.refusal(now, code, nil)
			return
		}
		g.fail(fatal(code, nil))
		return
	}
	g.failures = 0
	g.id, g.generation = resp.MemberID, resp.Generation
	g.protocol = ""
	if resp.Protocol != nil {
		g.protocol = *resp.Protocol
	}
	g.beat.restart(now)
	g.others, g.leader = nil, leadership{}
	if resp.LeaderID != resp.MemberID {
		g.enter(syncing)
		g.sync(now, nil)
		return
	}
	if err := g.lead(resp); err != nil {
		g.fail(err)
		return
	}
	g.enter(dividing)
	g.divide(now)
}

// fenceOrForget is a fence if there is something to lose, else it only drops the id that
// was refused.
func (g *classic) fenceOrForget(now int64, err error) {
	if g.member().In() {
		g.event(Fenced, g.member(), err)
	}
	g.forget(false)
}

// leadership is what the leader of a generation knows.
type leadership struct {
	on       bool
	assignor Assignor
	members  []Subscriber
	// skip: the assignment of the generation stands, and only its partitions are to be
	// watched (a static leader came back; JoinGroup 9, KIP-814).
	skip bool
	// since is the number of the metadata that must be outrun, so that partitions are
	// counted by what is known now.
	since int
	// divided is how many partitions each topic had.
	divided map[string]int32
}

// lead takes the members that the leader has to divide partitions among.
func (g *classic) lead(resp *kmsg.JoinGroupResponse) error {
	l := leadership{on: true, skip: resp.SkipAssignment, since: g.meta.Updates()}
	for _, a := range g.cfg.Assignors {
		if a.Name() == g.protocol {
			l.assignor = a
		}
	}
	if l.assignor == nil {
		return fmt.Errorf("the coordinator chose the assignor %q, which this member does not have", g.protocol)
	}
	topics := slices.Clone(g.topics)
	for i := range resp.Members {
		m := &resp.Members[i]
		s, err := readSubscription(m.MemberID, m.InstanceID, m.ProtocolMetadata, l.assignor)
		if err != nil {
			return err
		}
		l.members = append(l.members, s)
		topics = append(topics, s.Topics...)
	}
	slices.Sort(topics)
	g.others = slices.Compact(topics)
	for _, topic := range g.others {
		g.meta.Want(topic)
	}
	g.meta.RequestUpdate()
	g.leader = l
	return nil
}

// divide assigns once the metadata are newer than the members' subscriptions.
func (g *classic) divide(now int64) {
	if g.meta.Updates() <= g.leader.since {
		return
	}
	counts := make(map[string]int32)
	for _, topic := range g.others {
		t, ok := g.meta.Topic(topic)
		if !ok {
			return // asked for, not yet answered
		}
		if n := len(t.Partitions); n > 0 {
			counts[topic] = int32(n)
		}
	}
	g.leader.divided = counts
	var assignment []kmsg.SyncGroupRequestGroupAssignment
	if !g.leader.skip {
		d := Division{Members: g.leader.members, Partitions: counts}
		d.sort()
		parts := g.leader.assignor.Assign(d)
		for i := range d.Members {
			a := kmsg.NewSyncGroupRequestGroupAssignment()
			a.MemberID, a.MemberAssignment = d.Members[i].ID, appendAssignment(parts[d.Members[i].ID])
			assignment = append(assignment, a)
		}
	}
	g.enter(syncing)
	g.sync(now, assignment)
}

// partitionsChanged tells the leader that what it divided is out of date.
func (g *classic) partitionsChanged() bool {
	if !g.leader.on || g.leader.divided == nil {
		return false
	}
	for _, topic := range g.others {
		t, ok := g.meta.Topic(topic)
		if !ok || t.Code != 0 && t.Code != kerr.UnknownTopicOrPartition.Code {
			continue // nothing is known at the moment
		}
		if int32(len(t.Partitions)) != g.leader.divided[topic] {
			return true
		}
	}
	return false
}

// sync sends SyncGroup, with the assignment if this is the leader.
func (g *classic) sync(now int64, assignment []kmsg.SyncGroupRequestGroupAssignment) {
	if _, ok := g.node(); !ok {
		g.unjoin(now, true)
		return
	}
	req := kmsg.NewPtrSyncGroupRequest()
	req.Group, req.Generation, req.MemberID, req.InstanceID = g.cfg.ID, g.generation, g.id, optional(g.cfg.Instance)
	kind, name := protocolType, g.protocol
	req.ProtocolType, req.Protocol = &kind, &name
	req.GroupAssignment = assignment
	lowest := int16(0)
	if g.cfg.Instance != "" {
		lowest = 3
	}
	g.ask(req, lowest, 5, func(now int64, node wire.NodeID, resp kmsg.Response) {
		g.onSync(now, node, resp.(*kmsg.SyncGroupResponse))
	})
}

func (g *classic) onSync(now int64, node wire.NodeID, resp *kmsg.SyncGroupResponse) {
	switch code := resp.ErrorCode; {
	case code == 0:
	case code == kerr.RebalanceInProgress.Code:
		g.unjoin(now, false)
		return
	case g.passing(node, code):
		g.unjoin(now, true)
		return
	case g.refusal(now, code, nil):
		return
	default:
		g.fail(fatal(code, nil))
		return
	}
	tps, err := readAssignment(resp.MemberAssignment)
	if err != nil {
		g.fail(err)
		return
	}
	g.enter(settling)
	g.event(Joined, g.member(), nil)
	revoked := without(g.owned, tps)
	if len(revoked) > 0 {
		// Only a cooperative member still owns anything here. What it gives up now is
		// free in the next rebalance, which it asks for.
		g.tell(Revoke, revoked, g.member())
		g.rejoin = true
	}
	g.tell(Assign, without(tps, g.owned), g.member())
}
