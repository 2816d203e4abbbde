package clienttest

import (
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
)

// heartbeatInterval and session of consumer groups.
const (
	heartbeatInterval = 500 * time.Millisecond
	consumerSession   = 3 * time.Second
)

// consumerGroup is the members of a group of KIP-848's protocol. Partitions go round the
// members; one that moves is given to its new owner once its old one has said that it
// gave it up.
type consumerGroup struct {
	*Group
	members map[string]*consumerMember
	epoch   int32
}

type consumerMember struct {
	id, instance string
	topics       []string
	epoch        int32
	beats        int
	// target is what the member shall have in the end, given what it has been told that it
	// may have, and thus may own.
	target, given []wire.TopicPartition
}

func (g *consumerGroup) heartbeat(req *kmsg.ConsumerGroupHeartbeatRequest, resp *kmsg.ConsumerGroupHeartbeatResponse) int16 {
	m := g.members[req.MemberID]
	switch {
	case req.MemberEpoch < 0:
		if m == nil {
			return kerr.UnknownMemberID.Code
		}
		g.expel(m.id)
		resp.MemberEpoch = req.MemberEpoch
		return 0
	case req.MemberEpoch == 0:
		if m == nil {
			m = &consumerMember{id: req.MemberID}
			if req.InstanceID != nil {
				m.instance = *req.InstanceID
				for _, id := range slices.Sorted(maps.Keys(g.members)) {
					if g.members[id].instance == m.instance {
						return kerr.UnreleasedInstanceID.Code
					}
				}
			}
			g.members[m.id] = m
		}
		m.given, m.epoch = nil, 0
		m.topics = req.SubscribedTopicNames
		g.divide()
	case m == nil:
		return kerr.UnknownMemberID.Code
	case req.MemberEpoch != m.epoch:
		return kerr.FencedMemberEpoch.Code
	}
	if req.SubscribedTopicNames != nil && !slices.Equal(m.topics, req.SubscribedTopicNames) {
		m.topics = req.SubscribedTopicNames
		g.divide()
	}
	g.alive(m)
	// What a member says that it owns takes back what it was told to give up.
	may := intersect(m.given, m.target)
	if req.Topics != nil {
		owned := g.partitions(req.Topics)
		m.given = slices.DeleteFunc(m.given, func(tp wire.TopicPartition) bool {
			return !slices.Contains(owned, tp) && !slices.Contains(m.target, tp)
		})
	}
	if len(m.given) == len(may) {
		// Nothing is left to be given up: everything free that it shall have is its own.
		m.epoch = g.epoch
		for _, tp := range m.target {
			if !slices.Contains(m.given, tp) && !g.taken(tp) {
				m.given = append(m.given, tp)
			}
		}
		may = m.given
	}
	resp.MemberEpoch, resp.HeartbeatIntervalMillis = m.epoch, int32(heartbeatInterval/time.Millisecond)
	id := m.id
	resp.MemberID = &id
	resp.Assignment = g.assignment(may)
	return 0
}

func intersect(a, b []wire.TopicPartition) []wire.TopicPartition {
	var both []wire.TopicPartition
	for _, tp := range a {
		if slices.Contains(b, tp) {
			both = append(both, tp)
		}
	}
	return both
}

func (g *consumerGroup) taken(tp wire.TopicPartition) bool {
	for _, id := range slices.Sorted(maps.Keys(g.members)) {
		if slices.Contains(g.members[id].given, tp) {
			return true
		}
	}
	return false
}

// divide makes new targets in a new epoch.
func (g *consumerGroup) divide() {
	g.epoch++
	ids := slices.Sorted(maps.Keys(g.members))
	for _, id := range ids {
		g.members[id].target = nil
	}
	turn := 0
	for _, t := range g.cluster.Topics() {
		for p := range t.Partitions {
			for range ids {
				m := g.members[ids[turn%len(ids)]]
				turn++
				if slices.Contains(m.topics, t.Name) {
					m.target = append(m.target, wire.TopicPartition{Topic: t.Name, Partition: int32(p)})
					break
				}
			}
		}
	}
}

func (g *consumerGroup) partitions(topics []kmsg.ConsumerGroupHeartbeatRequestTopic) []wire.TopicPartition {
	var tps []wire.TopicPartition
	for _, rt := range topics {
		if t := g.cluster.topicByID(rt.TopicID); t != nil {
			for _, p := range rt.Partitions {
				tps = append(tps, wire.TopicPartition{Topic: t.Name, Partition: p})
			}
		}
	}
	return tps
}

func (g *consumerGroup) assignment(tps []wire.TopicPartition) *kmsg.ConsumerGroupHeartbeatResponseAssignment {
	a := kmsg.NewConsumerGroupHeartbeatResponseAssignment()
	tps = slices.SortedFunc(slices.Values(tps), wire.TopicPartition.Compare)
	for _, tp := range tps {
		id := g.cluster.topics[tp.Topic].ID
		if n := len(a.Topics); n == 0 || a.Topics[n-1].TopicID != id {
			a.Topics = append(a.Topics, kmsg.ConsumerGroupHeartbeatResponseAssignmentTopic{TopicID: id})
		}
		t := &a.Topics[len(a.Topics)-1]
		t.Partitions = append(t.Partitions, tp.Partition)
	}
	return &a
}

func (g *consumerGroup) alive(m *consumerMember) {
	m.beats++
	beats := m.beats
	g.cluster.World.After(consumerSession, func() {
		if g.members[m.id] == m && m.beats == beats {
			g.expel(m.id)
		}
	})
}

func (g *consumerGroup) expel(id string) {
	if g.members[id] == nil {
		return
	}
	delete(g.members, id)
	g.divide()
}
