package clienttest

import (
	"cmp"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
)

// Group is a consumer group of the cluster, with members of either protocol. Its
// coordinator is [Cluster.Coordinator]'s; the other nodes refuse.
type Group struct {
	ID string
	// Offsets are what is committed.
	Offsets map[wire.TopicPartition]Committed
	// Unstable makes readers who require stable offsets wait.
	Unstable bool

	cluster  *Cluster
	classic  *classicGroup
	consumer *consumerGroup
}

// Committed is a committed offset.
type Committed struct {
	Offset   wire.Offset
	Epoch    wire.LeaderEpoch
	Metadata string
}

func committed(offset int64, epoch int32, metadata *string) Committed {
	o := Committed{Offset: wire.Offset(offset), Epoch: wire.LeaderEpoch(epoch)}
	if metadata != nil {
		o.Metadata = *metadata
	}
	return o
}

// Group finds a group, or makes it.
func (c *Cluster) Group(id string) *Group {
	if c.groups == nil {
		c.groups = make(map[string]*Group)
	}
	g := c.groups[id]
	if g == nil {
		g = &Group{ID: id, Offsets: make(map[wire.TopicPartition]Committed), cluster: c}
		g.classic = &classicGroup{Group: g, members: make(map[string]*classicMember)}
		g.consumer = &consumerGroup{Group: g, members: make(map[string]*consumerMember)}
		c.groups[id] = g
	}
	return g
}

// Members lists the ids of the members, sorted.
func (g *Group) Members() []string {
	return slices.Sorted(func(yield func(string) bool) {
		for id := range g.classic.members { //odradek:unordered sorted
			if !yield(id) {
				return
			}
		}
		for id := range g.consumer.members { //odradek:unordered sorted
			if !yield(id) {
				return
			}
		}
	})
}

// Expel drops a member, as the end of its session does.
func (g *Group) Expel(id string) {
	g.classic.expel(id)
	g.consumer.expel(id)
}

// groupRequest serves a request of a group's member. It reports whether it was one.
func (s *session) groupRequest(req kmsg.Request, f Fault, reply func(kmsg.Response)) bool {
	c := s.cluster
	refused := func(g *Group) int16 {
		if f.Code != 0 && f.Skip {
			return f.Code
		}
		return c.coordinates(s.node.id, g.ID)
	}
	switch req := req.(type) {
	case *kmsg.JoinGroupRequest:
		g := c.Group(req.Group)
		if code := refused(g); code != 0 {
			reply(&kmsg.JoinGroupResponse{ErrorCode: code, Generation: -1})
			return true
		}
		g.classic.join(req, func(resp *kmsg.JoinGroupResponse) {
			resp.ErrorCode = cmp.Or(f.Code, resp.ErrorCode)
			reply(resp)
		})
	case *kmsg.SyncGroupRequest:
		g := c.Group(req.Group)
		if code := refused(g); code != 0 {
			reply(&kmsg.SyncGroupResponse{ErrorCode: code})
			return true
		}
		g.classic.sync(req, func(resp *kmsg.SyncGroupResponse) {
			resp.ErrorCode = cmp.Or(f.Code, resp.ErrorCode)
			reply(resp)
		})
	case *kmsg.HeartbeatRequest:
		g := c.Group(req.Group)
		resp := kmsg.NewPtrHeartbeatResponse()
		if resp.ErrorCode = refused(g); resp.ErrorCode == 0 {
			resp.ErrorCode = f.code(func() int16 { return g.classic.heartbeat(req) })
		}
		reply(resp)
	case *kmsg.LeaveGroupRequest:
		g := c.Group(req.Group)
		resp := kmsg.NewPtrLeaveGroupResponse()
		if resp.ErrorCode = refused(g); resp.ErrorCode == 0 {
			resp.ErrorCode = f.code(func() int16 {
				ids := []string{req.MemberID}
				if req.Version >= 3 {
					ids = nil
					for _, m := range req.Members {
						ids = append(ids, m.MemberID)
					}
				}
				for _, id := range ids {
					g.classic.expel(id)
				}
				return 0
			})
		}
		reply(resp)
	case *kmsg.ConsumerGroupHeartbeatRequest:
		g := c.Group(req.Group)
		resp := kmsg.NewPtrConsumerGroupHeartbeatResponse()
		if resp.ErrorCode = refused(g); resp.ErrorCode == 0 {
			resp.ErrorCode = f.code(func() int16 { return g.consumer.heartbeat(req, resp) })
		}
		reply(resp)
	case *kmsg.OffsetCommitRequest:
		g := c.Group(req.Group)
		reply(g.commit(req, refused(g), f))
	case *kmsg.OffsetFetchRequest:
		id := req.Group
		if req.Version >= 8 {
			id = req.Groups[0].Group
		}
		g := c.Group(id)
		code := refused(g)
		if code == 0 {
			code = f.Code
		}
		reply(g.fetch(req, code))
	default:
		return false
	}
	return true
}

// mayCommit checks who commits; nobody in particular may while there are no members.
func (g *Group) mayCommit(id string, instance *string, generation int32) int16 {
	switch {
	case id == "" && generation < 0:
		if len(g.Members()) > 0 {
			return kerr.UnknownMemberID.Code
		}
		return 0
	case g.consumer.members[id] != nil:
		if g.consumer.members[id].epoch != generation {
			return kerr.StaleMemberEpoch.Code
		}
		return 0
	}
	return g.classic.mayCommit(id, instance, generation)
}

func (g *Group) commit(req *kmsg.OffsetCommitRequest, refused int16, f Fault) kmsg.Response {
	if refused == 0 {
		refused = g.mayCommit(req.MemberID, req.InstanceID, req.Generation)
	}
	resp := kmsg.NewPtrOffsetCommitResponse()
	for _, rt := range req.Topics {
		t := kmsg.NewOffsetCommitResponseTopic()
		t.Topic = rt.Topic
		for _, rp := range rt.Partitions {
			p := kmsg.NewOffsetCommitResponseTopicPartition()
			p.Partition = rp.Partition
			p.ErrorCode = f.code(func() int16 {
				tp := wire.TopicPartition{Topic: rt.Topic, Partition: rp.Partition}
				switch {
				case refused != 0:
					return refused
				case g.cluster.Partition(tp) == nil:
					return kerr.UnknownTopicOrPartition.Code
				}
				g.Offsets[tp] = committed(rp.Offset, rp.LeaderEpoch, rp.Metadata)
				return 0
			})
			t.Partitions = append(t.Partitions, p)
		}
		resp.Topics = append(resp.Topics, t)
	}
	return resp
}

func (g *Group) fetch(req *kmsg.OffsetFetchRequest, code int16) kmsg.Response {
	resp := kmsg.NewPtrOffsetFetchResponse()
	rg := kmsg.NewOffsetFetchResponseGroup()
	rg.Group, rg.ErrorCode, resp.ErrorCode = g.ID, code, code
	one := func(topic string, partition int32) (Committed, int16) {
		o, ok := g.Offsets[wire.TopicPartition{Topic: topic, Partition: partition}]
		switch {
		case req.RequireStable && g.Unstable:
			return Committed{Offset: wire.NoOffset, Epoch: wire.NoLeaderEpoch}, kerr.UnstableOffsetCommit.Code
		case !ok:
			return Committed{Offset: wire.NoOffset, Epoch: wire.NoLeaderEpoch}, 0
		}
		return o, 0
	}
	wanted := make(map[string][]int32)
	if req.Version >= 8 {
		for _, t := range req.Groups[0].Topics {
			wanted[t.Topic] = t.Partitions
		}
	} else {
		for _, t := range req.Topics {
			wanted[t.Topic] = t.Partitions
		}
	}
	for _, topic := range slices.Sorted(maps.Keys(wanted)) {
		if code != 0 {
			break
		}
		t, old := kmsg.NewOffsetFetchResponseGroupTopic(), kmsg.NewOffsetFetchResponseTopic()
		t.Topic, old.Topic = topic, topic
		for _, partition := range wanted[topic] {
			o, code := one(topic, partition)
			p, q := kmsg.NewOffsetFetchResponseGroupTopicPartition(), kmsg.NewOffsetFetchResponseTopicPartition()
			p.Partition, p.Offset, p.LeaderEpoch, p.Metadata, p.ErrorCode = partition, int64(o.Offset), int32(o.Epoch), &o.Metadata, code
			q.Partition, q.Offset, q.LeaderEpoch, q.Metadata, q.ErrorCode = partition, int64(o.Offset), int32(o.Epoch), &o.Metadata, code
			t.Partitions, old.Partitions = append(t.Partitions, p), append(old.Partitions, q)
		}
		rg.Topics, resp.Topics = append(rg.Topics, t), append(resp.Topics, old)
	}
	resp.Groups = append(resp.Groups, rg)
	return resp
}
