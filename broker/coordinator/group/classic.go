package group

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/coordinator"
	"odradek/broker/failpoint"
)

// classicState is where a classic group stands. Kafka's names and transitions:
//
//	Empty               -> PreparingRebalance   the first member joins
//	PreparingRebalance  -> CompletingRebalance  all have joined, or the time is up
//	PreparingRebalance  -> Empty                the last member is gone
//	CompletingRebalance -> Stable               the leader's assignment arrives
//	CompletingRebalance -> PreparingRebalance   a member joins, leaves or fails
//	Stable              -> PreparingRebalance   a member joins, leaves, fails or has changed
//	Stable              -> Stable               a static member returns under a new id
//	any                 -> Dead                 the group is deleted, or replaced by one of another type
//
// Into Stable and Empty a group goes by the replay of its record only.
type classicState uint8

const (
	empty classicState = iota
	preparing
	completing
	stable
	dead
)

func (s classicState) String() string {
	return [...]string{"Empty", "PreparingRebalance", "CompletingRebalance", "Stable", "Dead"}[s]
}

// next has the states that may follow each one in a machine that runs.
var next = [...][]classicState{
	empty:      {preparing, dead},
	preparing:  {completing, empty, dead},
	completing: {stable, preparing, dead},
	stable:     {preparing, stable, dead},
	dead:       {},
}

const consumerProtocol = "consumer" // the protocol type of groups of consumers

// classic is a group of the classic protocol: the coordinator keeps time, and a member,
// the leader, assigns. Also, without members or a record, a group that only has offsets.
type classic struct {
	m     *Machine
	id    string
	state classicState
	// initial is whether the group was empty before this rebalance: then it waits a while
	// for more members even if all have joined.
	initial bool
	// since is when the state of the last record began (ms, wall clock), -1 is unknown.
	since        int64
	generation   int32
	protocolType string
	protocol     string // of this generation, "" without members
	leader       string // a member id, "" without members
	members      map[string]*member
	order        []*member         // by when they joined
	statics      map[string]string // member id by instance id
	promised     map[string]*timer // member ids given out and not yet used (KIP-394)
	joining      int               // members that wait for an answer to JoinGroup
	unsynced     int               // members of this generation that have not sent SyncGroup
	supports     map[string]int    // members by the protocols that they know
	// topics is what the members of this generation subscribe to; nil is unknown.
	topics map[string]bool
	// written is whether the log has a record of the group.
	written bool
	// writing is whether this turn has decided a record. The group is then what that says,
	// and timers that are due at the same time must not decide another.
	writing bool

	joinTimer, syncTimer timer
	joined               bool  // somebody joined since the initial rebalance was last extended
	extendable           int64 // ms that it may still be extended
}

var _ group = (*classic)(nil)

func newClassic(m *Machine, id string) *classic {
	g := &classic{
		m: m, id: id, since: -1,
		members: make(map[string]*member), statics: make(map[string]string),
		promised: make(map[string]*timer), supports: make(map[string]int),
	}
	g.joinTimer.fire = g.joinTimeUp
	g.syncTimer.fire = g.syncTimeUp
	return g
}

func (g *classic) become(s classicState) {
	check(slices.Contains(next[g.state], s), "group %q goes from %v to %v", g.id, g.state, s)
	g.state = s
}

func (g *classic) groupType() string    { return "classic" }
func (g *classic) stateName() string    { return g.state.String() }
func (g *classic) protocolName() string { return g.protocolType }
func (g *classic) empty() bool          { return g.state == empty }
func (g *classic) persisted() bool      { return g.written }
func (g *classic) tombstones() []coordinator.Record {
	return []coordinator.Record{groupTombstone(g.id)}
}

// dissolve stops everything. Requests that still wait are answered by whoever makes it
// go; an empty group has none.
func (g *classic) dissolve() {
	for _, mb := range g.order {
		g.m.timers.stop(&mb.session)
	}
	for _, tm := range g.promised { //odradek:unordered what runs does not depend on it
		g.m.timers.stop(tm)
	}
	g.m.timers.stop(&g.joinTimer)
	g.m.timers.stop(&g.syncTimer)
	g.state = dead
}

// loaded gives every member a fresh session: nobody was there to hear its heartbeats.
func (g *classic) loaded(t *turn) {
	for _, mb := range g.order {
		g.hear(t, mb)
	}
}

// replay takes the group's record that was decided just now: the members are those in it,
// and their requests and sessions go on.
func (g *classic) replay(v kmsg.GroupMetadataValue) {
	check(len(v.Members) == len(g.order) && v.Generation == g.generation, "group %q: generation %d of %d members written as %d of %d",
		g.id, g.generation, len(g.order), v.Generation, len(v.Members))
	for i, mb := range g.order {
		check(mb.id == v.Members[i].MemberID, "group %q: member %q written as %q", g.id, mb.id, v.Members[i].MemberID)
		mb.assignment = v.Members[i].Assignment
	}
	if len(g.order) > 0 {
		g.become(stable)
	} else if g.state != empty {
		g.become(empty)
	}
	g.initial, g.writing, g.written, g.since = false, false, true, v.CurrentStateTimestamp
}

// restored is a group as its last record in the log says.
func restored(m *Machine, id string, v kmsg.GroupMetadataValue) *classic {
	g := newClassic(m, id)
	g.generation, g.protocolType, g.protocol = v.Generation, v.ProtocolType, text(v.Protocol)
	for _, vm := range v.Members {
		if g.members[vm.MemberID] != nil {
			continue // nobody writes that
		}
		g.add(&member{
			id: vm.MemberID, instance: vm.InstanceID, clientID: vm.ClientID, clientHost: vm.ClientHost,
			rebalanceMs: vm.RebalanceTimeoutMillis, sessionMs: vm.SessionTimeoutMillis, assignment: vm.Assignment,
			protocols: []kmsg.JoinGroupRequestProtocol{{Name: g.protocol, Metadata: vm.Subscription}},
		})
		if mb := g.members[vm.MemberID]; mb.rebalanceMs <= 0 { // as in records of version 0
			mb.rebalanceMs = mb.sessionMs
		}
	}
	if leader := text(v.Leader); g.members[leader] != nil {
		g.leader = leader
	}
	if len(g.order) > 0 {
		g.state = stable
	}
	g.topics, g.written, g.since = g.readTopics(), true, v.CurrentStateTimestamp
	return g
}

// validate is why a request of a member is refused, or nil.
func (g *classic) validate(id string, instance *string) *kerr.Error {
	if instance != nil {
		current, known := g.statics[*instance]
		switch {
		case !known:
			return kerr.UnknownMemberID
		case current != id && !g.m.cfg.Fail.On(failpoint.ZooStaticMemberNotFenced):
			return kerr.FencedInstanceID
		case current != id:
			return nil // see memberOf
		}
	}
	if g.members[id] == nil {
		return kerr.UnknownMemberID
	}
	return nil
}

// memberOf is the member that a validated request is of.
func (g *classic) memberOf(id string, instance *string) *member {
	mb := g.members[id]
	if mb == nil && instance != nil { // only where the zoo lets the instance's old member pass
		mb = g.members[g.statics[*instance]]
	}
	return mb
}

func (g *classic) checkCommit(by committer) *kerr.Error {
	if by.generation < 0 && g.state == empty {
		return nil
	}
	if by.generation >= 0 || by.member != "" || by.instance != nil {
		if err := g.validate(by.member, by.instance); err != nil {
			return err
		}
		if by.generation != g.generation {
			return kerr.IllegalGeneration
		}
	} else if !by.transactional {
		return kerr.UnknownMemberID
	}
	if !by.transactional && g.state == completing {
		return kerr.RebalanceInProgress
	}
	return nil
}

// active counts a commit as a heartbeat.
func (g *classic) active(t *turn, id string) {
	if mb := g.members[id]; mb != nil {
		g.hear(t, mb)
	}
}

func (g *classic) checkFetch(*string, int32) *kerr.Error { return nil }

func (g *classic) checkOffsetDelete() *kerr.Error {
	if g.state != empty && g.protocolType != consumerProtocol {
		return kerr.NonEmptyGroup
	}
	return nil
}

func (g *classic) subscribes(topic string) bool {
	switch {
	case g.state == empty:
		return false
	case g.topics == nil:
		return g.protocolType == consumerProtocol && !g.m.cfg.Fail.On(failpoint.ZooOffsetsExpireInRebalance)
	}
	return g.topics[topic]
}

func (g *classic) agesFrom(committed int64) (since int64, expires bool) {
	switch {
	case g.state == empty:
		return max(g.since, committed), true
	case g.protocolType != consumerProtocol:
		return 0, false
	case g.state == stable && g.topics != nil, g.m.cfg.Fail.On(failpoint.ZooOffsetsExpireInRebalance):
		return committed, true
	}
	return 0, false
}

func (g *classic) describeTo(d *kmsg.DescribeGroupsResponseGroup) {
	d.State, d.ProtocolType = g.state.String(), g.protocolType
	if g.state == stable {
		d.Protocol = g.protocol
	}
	for _, mb := range g.order {
		dm := kmsg.NewDescribeGroupsResponseGroupMember()
		dm.MemberID, dm.InstanceID, dm.ClientID, dm.ClientHost = mb.id, mb.instance, mb.clientID, mb.clientHost
		dm.ProtocolMetadata, dm.MemberAssignment = []byte{}, []byte{}
		if g.state == stable {
			dm.ProtocolMetadata, dm.MemberAssignment = mb.metadata(g.protocol), mb.assignment
		}
		d.Members = append(d.Members, dm)
	}
}
