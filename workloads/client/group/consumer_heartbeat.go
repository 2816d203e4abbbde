package group

import (
	"bytes"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
)

// pollHeartbeat sends a heartbeat if one is due: after the interval, and at once when the
// coordinator waits for what it says.
func (g *consumerMember) pollHeartbeat(now int64) {
	if !g.beats() || g.inFlight {
		return
	}
	if _, ok := g.node(); !ok || now < g.next || now < g.notBefore {
		return
	}
	req := g.heartbeat()
	g.inFlight = true
	g.next = now + int64(g.interval)
	life := g.life
	g.send(req, 0, 1, 0, func(now int64, node wire.NodeID, resp kmsg.Response, err error) {
		if life != g.life || g.over {
			return
		}
		g.inFlight = false
		switch {
		case err == nil:
			g.onHeartbeat(now, node, resp.(*kmsg.ConsumerGroupHeartbeatResponse))
		case unserved(err):
			g.fail(err)
		default:
			g.again(now)
		}
	})
}

// again repeats the heartbeat after a back-off, with everything in it.
func (g *consumerMember) again(now int64) {
	g.told = nil
	g.backOff(now)
	g.next = g.notBefore
}

// heartbeat says what the coordinator does not know yet.
func (g *consumerMember) heartbeat() *kmsg.ConsumerGroupHeartbeatRequest {
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Group, req.MemberID, req.MemberEpoch, req.InstanceID = g.cfg.ID, g.id, g.epoch, optional(g.cfg.Instance)
	req.RebalanceTimeoutMillis = -1
	is := &told{topics: g.topics, assignor: g.cfg.RemoteAssignor, owned: g.owned}
	was := g.told
	if was == nil {
		req.RebalanceTimeoutMillis = int32(g.cfg.MaxPollInterval / time.Millisecond)
		req.RackID = optional(g.cfg.Rack)
		req.ServerAssignor = optional(g.cfg.RemoteAssignor)
	}
	if was == nil || !slices.Equal(was.topics, is.topics) {
		req.SubscribedTopicNames = is.topics
	}
	if was == nil || !slices.Equal(was.owned, is.owned) {
		req.Topics = g.ownedByID()
	}
	g.told = is
	return req
}

// ownedByID is what is owned; not nil, which would say that nothing has changed.
func (g *consumerMember) ownedByID() []kmsg.ConsumerGroupHeartbeatRequestTopic {
	topics := []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	eachTopic(g.owned, func(name string, partitions []int32) {
		t, ok := g.meta.Topic(name)
		if !ok || t.ID.IsZero() {
			return // deleted: the coordinator will not ask for it
		}
		rt := kmsg.NewConsumerGroupHeartbeatRequestTopic()
		rt.TopicID, rt.Partitions = t.ID, partitions
		topics = append(topics, rt)
	})
	return topics
}

func (g *consumerMember) onHeartbeat(now int64, node wire.NodeID, resp *kmsg.ConsumerGroupHeartbeatResponse) {
	code := resp.ErrorCode
	switch {
	case code == 0:
	case g.passing(node, code), code == kerr.TopicAuthorizationFailed.Code:
		g.again(now)
		return
	case code == kerr.FencedMemberEpoch.Code, code == kerr.UnknownMemberID.Code:
		g.fence(now, fatal(code, resp.ErrorMessage))
		return
	default:
		if code == kerr.FencedInstanceID.Code {
			g.event(Fenced, g.member(), fatal(code, resp.ErrorMessage))
		}
		g.drop()
		g.fail(fatal(code, resp.ErrorMessage))
		return
	}
	g.failures = 0
	if resp.HeartbeatIntervalMillis > 0 {
		g.interval = time.Duration(resp.HeartbeatIntervalMillis) * time.Millisecond
		g.next = min(g.next, now+int64(g.interval))
	}
	if resp.MemberID != nil && *resp.MemberID != "" {
		g.id = *resp.MemberID // version 0: the coordinator's choice
	}
	if resp.MemberEpoch > g.epoch {
		g.epoch = resp.MemberEpoch
		g.event(Joined, g.member(), nil)
	}
	if g.state == entering {
		g.state = member
	}
	if resp.Assignment != nil {
		g.retarget(resp.Assignment)
	}
}

// retarget takes an assignment. Changes of an earlier one that the script has not begun to
// hear of are dropped.
func (g *consumerMember) retarget(a *kmsg.ConsumerGroupHeartbeatResponseAssignment) {
	var target []assignedTopic
	for i := range a.Topics {
		partitions := slices.Clone(a.Topics[i].Partitions)
		slices.Sort(partitions)
		target = append(target, assignedTopic{id: a.Topics[i].TopicID, partitions: partitions})
	}
	slices.SortFunc(target, func(a, b assignedTopic) int { return bytes.Compare(a.id[:], b.id[:]) })
	same := slices.EqualFunc(g.target, target, func(a, b assignedTopic) bool {
		return a.id == b.id && slices.Equal(a.partitions, b.partitions)
	})
	if same && g.assigned && g.whole {
		return
	}
	g.target = target
	if !g.leaving {
		g.recall()
	}
	g.state = reconciling
}
