package group

import (
	"bytes"
	"slices"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// member is one member of a classic group.
type member struct {
	id                   string
	instance             *string // static membership (KIP-345), nil for a dynamic member
	clientID, clientHost string
	rebalanceMs          int32
	sessionMs            int32
	protocols            []kmsg.JoinGroupRequestProtocol // what it can be assigned by, best first
	assignment           []byte
	// isNew is until the first answer to JoinGroup: it cannot send heartbeats yet.
	isNew bool
	// join and sync are its requests that wait for the others. While one does, the member
	// needs no heartbeats.
	join, sync waiting
	// unsynced is whether SyncGroup of this generation is outstanding.
	unsynced bool
	session  timer
}

// metadata is what the member says about itself for a protocol.
func (mb *member) metadata(protocol string) []byte {
	for _, p := range mb.protocols {
		if p.Name == protocol {
			return p.Metadata
		}
	}
	return []byte{}
}

// same reports whether the member would join with the same protocols as before.
func (mb *member) same(protocols []kmsg.JoinGroupRequestProtocol) bool {
	return slices.EqualFunc(mb.protocols, protocols, func(a, b kmsg.JoinGroupRequestProtocol) bool {
		return a.Name == b.Name && bytes.Equal(a.Metadata, b.Metadata)
	})
}

// newMemberJoinMs is how long a member that does not know its id yet may wait for the answer
// to JoinGroup. Its connection may be gone, and then it asks again and is another member.
const newMemberJoinMs = 5 * 60_000

// add takes a member in. Whoever comes first leads.
func (g *classic) add(mb *member) *member {
	check(g.members[mb.id] == nil, "group %q: member %q is added twice", g.id, mb.id)
	mb.session.fire = func(t *turn) { g.sessionOver(t, mb) }
	if mb.assignment == nil {
		mb.assignment = []byte{}
	}
	g.members[mb.id] = mb
	g.order = append(g.order, mb)
	if mb.instance != nil {
		g.statics[*mb.instance] = mb.id
	}
	if g.leader == "" {
		g.leader = mb.id
	}
	g.support(mb, 1)
	return mb
}

// remove takes a member out. Its requests are answered with why.
func (g *classic) remove(t *turn, mb *member, why *kerr.Error) {
	g.answerJoin(t, mb, g.refusal(why, mb.id))
	g.answerSync(t, mb, why)
	g.synced(mb)
	g.m.timers.stop(&mb.session)
	g.support(mb, -1)
	delete(g.members, mb.id)
	g.order = slices.Delete(g.order, slices.Index(g.order, mb), slices.Index(g.order, mb)+1)
	if mb.instance != nil && g.statics[*mb.instance] == mb.id {
		delete(g.statics, *mb.instance)
	}
	if g.leader == mb.id {
		g.leader = ""
		if len(g.order) > 0 {
			g.leader = g.order[0].id
		}
	}
}

// change takes over what a member says when it joins again.
func (g *classic) change(mb *member, req *kmsg.JoinGroupRequest) {
	g.support(mb, -1)
	mb.protocols, mb.rebalanceMs, mb.sessionMs = req.Protocols, req.RebalanceTimeoutMillis, req.SessionTimeoutMillis
	g.support(mb, 1)
}

func (g *classic) support(mb *member, by int) {
	for _, p := range mb.protocols {
		if g.supports[p.Name] += by; g.supports[p.Name] == 0 {
			delete(g.supports, p.Name)
		}
	}
}

// accepts reports whether somebody with these protocols fits in: there must be one
// that all know.
func (g *classic) accepts(protocolType string, protocols []kmsg.JoinGroupRequestProtocol) bool {
	if g.state == empty {
		return protocolType != "" && len(protocols) > 0
	}
	return protocolType == g.protocolType && slices.ContainsFunc(protocols, func(p kmsg.JoinGroupRequestProtocol) bool {
		return g.supports[p.Name] == len(g.members)
	})
}

// vote is the protocol that most members like best among those that all know. Where that
// is a tie, the one that the earliest member likes better.
func (g *classic) vote() string {
	votes := make(map[string]int)
	best := ""
	for _, mb := range g.order {
		for _, p := range mb.protocols {
			if g.supports[p.Name] == len(g.members) {
				votes[p.Name]++
				break
			}
		}
	}
	for _, p := range g.order[0].protocols {
		if votes[p.Name] > votes[best] {
			best = p.Name
		}
	}
	check(best != "", "group %q: no protocol that all %d members know", g.id, len(g.members))
	return best
}

// readTopics are the topics that the members subscribe to by this generation's protocol,
// nil if that is nothing that can be read here.
func (g *classic) readTopics() map[string]bool {
	if g.protocolType != consumerProtocol {
		return nil
	}
	topics := make(map[string]bool)
	for _, mb := range g.order {
		subscribed, ok := subscription(mb.metadata(g.protocol))
		if !ok {
			return nil
		}
		for _, topic := range subscribed {
			topics[topic] = true
		}
	}
	return topics
}

// subscription is the topics in a consumer's metadata (kmsg.ConsumerMemberMetadata). Only
// the part that all versions have is read, and no size in it is believed.
func subscription(metadata []byte) (topics []string, ok bool) {
	b := kbin.Reader{Src: metadata}
	b.Int16() // version
	for n := b.ArrayLen(); n > 0 && b.Ok(); n-- {
		topics = append(topics, b.String())
	}
	return topics, b.Ok()
}

// hear starts the member's session anew, unless it waits for an answer.
func (g *classic) hear(t *turn, mb *member) {
	switch {
	case mb.isNew:
		g.m.timers.start(&mb.session, t.later(newMemberJoinMs))
	case mb.join.token != 0 || mb.sync.token != 0:
		g.m.timers.stop(&mb.session)
	default:
		g.m.timers.start(&mb.session, t.later(int64(mb.sessionMs)))
	}
}

// sessionOver is when nothing was heard of a member for its session time-out.
func (g *classic) sessionOver(t *turn, mb *member) {
	t.event(Event{Kind: "member-expired", Group: g.id, Member: mb.id, Generation: g.generation})
	g.remove(t, mb, kerr.UnknownMemberID)
	g.rebalance(t)
}
