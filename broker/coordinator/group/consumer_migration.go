package group

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/coordinator"
	"odradek/broker/metadata"
	"odradek/broker/wire"
)

// Groups change their protocol while they work (KIP-848): so an application can go from one
// to the other by restarting its processes one after another.
//
// A classic group of consumers becomes a consumer group when the first member of the
// consumer protocol joins. Its members stay, with what they have, and go on with the
// requests that they know (consumer_classic.go). A consumer group becomes a classic one when
// its last member of the consumer protocol is gone, and rebalances. An empty group is
// simply replaced. group.consumer.migration.policy says whether groups with members are.

// groupToJoin is the consumer group that a member joins: one that is there, a new one, or one
// that a classic group becomes.
func (t *turn) groupToJoin(req *kmsg.ConsumerGroupHeartbeatRequest) (*consumer, *kerr.Error) {
	switch was := t.m.groups[req.Group].(type) {
	case *consumer:
		return was, nil
	case *classic:
		return t.upgrade(was, req)
	}
	g := newConsumer(t.m, req.Group)
	t.m.groups[req.Group] = g
	return g, nil
}

// upgrade makes a consumer group of a classic one. What is there in the end does not depend
// on what the group was doing: whoever waits is told to join again.
func (t *turn) upgrade(was *classic, req *kmsg.ConsumerGroupHeartbeatRequest) (*consumer, *kerr.Error) {
	cfg := t.m.cfg.Broker
	g := newConsumer(t.m, was.id)
	if was.state != empty {
		_, taken := was.statics[text(req.InstanceID)]
		switch {
		case was.protocolType != consumerProtocol || cfg.ConsumerMigrationPolicy != "bidirectional" && cfg.ConsumerMigrationPolicy != "upgrade":
			return nil, kerr.GroupIDNotFound
		case req.InstanceID != nil && taken:
			return nil, kerr.UnreleasedInstanceID
		case len(was.members) >= cfg.ConsumerGroupMaxSize:
			return nil, kerr.GroupMaxSizeReached
		}
		if !g.adopt(t, was) {
			return nil, kerr.GroupIDNotFound
		}
	}
	if was.written {
		g.first = append(g.first, was.tombstones()...)
	}
	for _, mb := range was.order {
		was.answerJoin(t, mb, was.refusal(kerr.RebalanceInProgress, mb.id))
		was.answerSync(t, mb, kerr.RebalanceInProgress)
	}
	was.dissolve()
	t.m.groups[was.id] = g
	g.touch(t)
	for _, id := range g.memberIDs() {
		g.hear(t, g.members[id])
		g.claim(g.members[id])
	}
	if len(g.members) > 0 {
		t.event(Event{Kind: "group-upgraded", Group: g.id, Generation: g.epoch, Count: len(g.members)})
	}
	return g, nil
}

// adopt takes over the members of a classic group; false if what they have told one another
// cannot be read, or is too much to be written at once.
func (g *consumer) adopt(t *turn, was *classic) bool {
	g.epoch, g.targetEpoch = was.generation, was.generation
	g.targetChanged = true
	taken := make(map[wire.TopicIDPartition]bool)
	for _, old := range was.order {
		topics, ok := subscription(old.protocols[0].Metadata)
		assigned, readable := readAssignment(t.at.Image, old.assignment)
		if !ok || !readable {
			return false
		}
		mb := g.memberOrNew(old.id)
		mb.instance, mb.clientID, mb.clientHost, mb.rebalanceMs = old.instance, old.clientID, old.clientHost, old.rebalanceMs
		mb.classic = &classicProtocol{old.sessionMs, old.protocols}
		mb.topics = slices.Compact(slices.Sorted(slices.Values(topics)))
		// Nobody checked what the leader assigned: who comes first has it.
		mb.assigned = assigned.where(func(p wire.TopicIDPartition) bool {
			had := taken[p]
			taken[p] = true
			return !had
		})
		mb.target = mb.assigned
		mb.epoch, mb.previous = was.generation, was.generation
		mb.described, mb.retargeted, mb.moved = true, true, true
		if mb.instance != nil {
			g.statics[*mb.instance] = mb.id
		}
	}
	size := 0
	for _, mb := range g.members { //odradek:unordered counting
		size += coordinator.SizeOf(g.memberRecord(mb), g.targetOfRecord(mb), g.currentRecord(mb))
	}
	// Twice, as there will be another target with the member that joins.
	return 2*size < t.batchLimit()
}

// downgrade makes a classic group of a consumer group whose last member of the consumer
// protocol has gone in this turn. It reports whether it did.
func (g *consumer) downgrade(t *turn) bool {
	cfg := t.m.cfg.Broker
	if !g.shrunk || len(g.members) == 0 || len(g.members) > cfg.GroupMaxSize ||
		cfg.ConsumerMigrationPolicy != "bidirectional" && cfg.ConsumerMigrationPolicy != "downgrade" {
		return false
	}
	v := kmsg.GroupMetadataValue{
		Version: groupValueVersion, ProtocolType: consumerProtocol, Generation: g.epoch, CurrentStateTimestamp: t.at.Wall,
	}
	ids := g.memberIDs()
	for _, id := range ids {
		mb := g.members[id]
		if mb.classic == nil {
			return false
		}
		v.Members = append(v.Members, kmsg.GroupMetadataValueMember{
			MemberID: mb.id, InstanceID: mb.instance, ClientID: mb.clientID, ClientHost: mb.clientHost,
			RebalanceTimeoutMillis: mb.rebalanceMs, SessionTimeoutMillis: mb.classic.sessionMs,
			Assignment: mb.assignment(t.at.Image, mb.assigned),
		})
	}
	protocol := g.commonProtocol()
	if protocol == "" {
		return false
	}
	v.Protocol, v.Leader = &protocol, &ids[0]
	for i, id := range ids {
		v.Members[i].Subscription = g.members[id].classic.metadata(protocol)
	}
	record := coordinator.Record{Key: groupTombstone(g.id).Key, Value: v.AppendTo(nil)}
	records := append(slices.Concat(g.first, g.tombstones()), record)
	if coordinator.SizeOf(records...) > t.batchLimit() {
		g.ended = false
		return false
	}
	g.dissolve()
	now := restored(t.m, g.id, v)
	for _, mb := range now.order {
		// All that it may be assigned by, not only what the record says.
		now.support(mb, -1)
		mb.protocols = g.members[mb.id].classic.protocols
		now.support(mb, 1)
	}
	t.m.groups[g.id] = now
	now.loaded(t)
	now.writing = true
	t.append(records...)
	// The partitions of who has left are nobody's yet. It rebalances once the record has been
	// replayed, which is after this turn.
	t.m.timers.start(&timer{fire: func(t *turn) {
		if now.state == stable {
			now.rebalance(t)
		}
	}}, t.later(1))
	t.event(Event{Kind: "group-downgraded", Group: g.id, Generation: g.epoch, Count: len(ids)})
	return true
}

// commonProtocol is the one that the members of the classic protocol like best among those
// that all of them know, "" if there is none.
func (g *consumer) commonProtocol() string {
	for _, id := range g.memberIDs() {
		if c := g.members[id].classic; c != nil {
			for _, p := range c.protocols {
				if g.allKnow(p.Name, "") {
					return p.Name
				}
			}
			return ""
		}
	}
	return ""
}

// allKnow reports whether all members of the classic protocol, but one, know a protocol.
func (g *consumer) allKnow(protocol, but string) bool {
	for _, mb := range g.members { //odradek:unordered the same for each
		if mb.classic != nil && mb.id != but && !slices.ContainsFunc(mb.classic.protocols, func(p kmsg.JoinGroupRequestProtocol) bool { return p.Name == protocol }) {
			return false
		}
	}
	return true
}

func (c *classicProtocol) metadata(protocol string) []byte {
	for _, p := range c.protocols {
		if p.Name == protocol {
			return p.Metadata
		}
	}
	return []byte{}
}

// assignment is a set of partitions as classic members are told of it
// (ConsumerProtocolAssignment), in the version of what the member sent.
func (mb *consumerMember) assignment(image *metadata.Image, s partitions) []byte {
	m := kmsg.NewConsumerMemberAssignment()
	m.Version = min(max(keyVersion(mb.classic.protocols[0].Metadata), 0), 3)
	s.eachTopic(func(id wire.UUID, indexes []int32) {
		if topic := image.TopicByID(id); topic != nil {
			m.Topics = append(m.Topics, kmsg.ConsumerMemberAssignmentTopic{Topic: topic.Name, Partitions: indexes})
		}
	})
	return m.AppendTo(nil)
}

// readAssignment reads what a leader has assigned to a member. No bytes are no partitions;
// topics that do not exist are left out. Only the part that all versions have is read.
func readAssignment(image *metadata.Image, assignment []byte) (s partitions, ok bool) {
	if len(assignment) == 0 {
		return nil, true
	}
	b := kbin.Reader{Src: assignment}
	b.Int16() // version
	return readTopics(&b, image)
}

// readTopics reads an array of topics by name, each with an array of partitions.
func readTopics(b *kbin.Reader, image *metadata.Image) (s partitions, ok bool) {
	var list []wire.TopicIDPartition
	for n := b.ArrayLen(); n > 0 && b.Ok(); n-- {
		topic := image.Topic(b.String())
		for k := b.ArrayLen(); k > 0 && b.Ok(); k-- {
			if p := b.Int32(); topic != nil {
				list = append(list, wire.TopicIDPartition{TopicID: topic.ID, Partition: p})
			}
		}
	}
	return setOf(list), b.Ok()
}

// readOwned reads what a consumer's subscription says that it owns: nothing before version 1.
func readOwned(image *metadata.Image, metadata []byte) partitions {
	b := kbin.Reader{Src: metadata}
	version := b.Int16()
	for n := b.ArrayLen(); n > 0 && b.Ok(); n-- {
		b.Span(int(b.Int16()))
	}
	b.NullableBytes()
	if version < 1 {
		return nil
	}
	s, ok := readTopics(&b, image)
	if !ok {
		return nil
	}
	return s
}
