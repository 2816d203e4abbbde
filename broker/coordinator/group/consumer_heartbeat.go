package group

import (
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/coordinator"
	"odradek/broker/wire"
)

// ConsumerGroupHeartbeat (key 68, versions 0-1; KIP-848, KIP-1082) is all that a member of a
// consumer group says. With epoch 0 it joins; from version 1 on it brings its own id. With
// its epoch it stays, and says of its subscription and of what it owns only what has
// changed; it is answered with its epoch, and its assignment if that is new or if it has
// said everything, as it does after an answer was lost. With -1 it leaves; with -2 a static
// member leaves for a while: what it has stays its own for as long as its session.
//
// How long a session is, and how often to report, a group may set itself (consumer.session.timeout.ms,
// consumer.heartbeat.interval.ms). A change takes effect with each member's next heartbeat.
//
// A member may be one epoch behind, as the answer may have been lost, if what it owns is
// its own in the new one. Otherwise another epoch is FENCED_MEMBER_EPOCH: it has to join
// again, without partitions.
//
// Differences from Kafka: a member of a group that does not exist, or that is classic by
// now, is UNKNOWN_MEMBER_ID, so that it joins again, and not GROUP_ID_NOT_FOUND, at which
// clients give up; a static member that joins again under its own id is let in, as it may
// not have got the answer (UNRELEASED_INSTANCE_ID); regular expressions are resolved when
// they come, and when the metadata change; a vote that changes the group's assignor is a
// new epoch at once. What fits no record is INVALID_REQUEST.
func (t *turn) consumerHeartbeat(r coordinator.Request, req *kmsg.ConsumerGroupHeartbeatRequest) {
	if req.Version == 0 && req.MemberEpoch == joinEpoch && req.MemberID == "" {
		req.MemberID = t.m.newUUID().String()
	}
	err := t.checkHeartbeat(req)
	var resp *kmsg.ConsumerGroupHeartbeatResponse
	switch {
	case err != nil:
	case req.MemberEpoch == joinEpoch:
		resp, err = t.consumerJoin(r, req)
	case req.MemberEpoch < joinEpoch:
		resp, err = t.consumerLeave(req)
	default:
		resp, err = t.consumerStay(r, req)
	}
	if err != nil {
		resp = kmsg.NewPtrConsumerGroupHeartbeatResponse()
		resp.ErrorCode, resp.ErrorMessage = err.Code, kmsg.StringPtr(err.Description)
	}
	t.reply(waiting{r.Token, req.Version}, resp)
}

// checkHeartbeat is what is wrong with a request whatever the group, or nil.
func (t *turn) checkHeartbeat(req *kmsg.ConsumerGroupHeartbeatRequest) *kerr.Error {
	size := len(text(req.SubscribedTopicRegex)) + len(text(req.RackID))
	for _, name := range req.SubscribedTopicNames {
		size += len(name) + 4
	}
	joins := req.MemberEpoch == joinEpoch
	refuse := func(why string) *kerr.Error {
		err := *kerr.InvalidRequest
		err.Description = why
		return &err
	}
	switch {
	case !slices.Contains(t.m.cfg.Broker.GroupProtocols, "consumer"):
		return kerr.UnsupportedVersion
	case req.Group == "" || req.MemberID == "":
		return refuse("The group and the member need ids.")
	case req.InstanceID != nil && *req.InstanceID == "" || req.RackID != nil && *req.RackID == "":
		return refuse("An instance id or rack must not be empty.")
	case max(len(req.Group), len(req.MemberID), len(text(req.InstanceID)), len(text(req.SubscribedTopicRegex))) > maxString || size > t.batchLimit()/2:
		return refuse("The request is too large.")
	case req.MemberEpoch < awayEpoch:
		return refuse(fmt.Sprintf("There is no member epoch %d.", req.MemberEpoch))
	case req.MemberEpoch == awayEpoch && req.InstanceID == nil:
		return refuse("Only a static member leaves for a while.")
	case joins && req.RebalanceTimeoutMillis <= 0:
		return refuse("A member that joins must say its rebalance time-out.")
	case joins && (req.Topics == nil || len(req.Topics) > 0):
		return refuse("A member that joins must own nothing.")
	case joins && req.SubscribedTopicNames == nil && req.SubscribedTopicRegex == nil:
		return refuse("A member that joins must say what it subscribes to.")
	case text(req.ServerAssignor) != "" && !slices.Contains(t.m.cfg.Broker.ConsumerAssignors, *req.ServerAssignor):
		return kerr.UnsupportedAssignor
	case text(req.SubscribedTopicRegex) != "" && compilePattern(*req.SubscribedTopicRegex) == nil:
		return kerr.InvalidRegularExpression
	}
	return nil
}

// consumerJoin lets a member in.
func (t *turn) consumerJoin(r coordinator.Request, req *kmsg.ConsumerGroupHeartbeatRequest) (*kmsg.ConsumerGroupHeartbeatResponse, *kerr.Error) {
	g, err := t.groupToJoin(req)
	if err != nil {
		return nil, err
	}
	mb := g.members[req.MemberID]
	if req.InstanceID != nil {
		if old := g.members[g.statics[*req.InstanceID]]; old != nil && old != mb {
			if old.epoch != awayEpoch {
				return nil, kerr.UnreleasedInstanceID
			}
			if mb != nil { // the id was somebody else's, who is that no more
				g.remove(t, mb)
			}
			mb = g.replace(t, old, req.MemberID)
		}
	}
	if mb == nil {
		if len(g.members) >= t.m.cfg.Broker.ConsumerGroupMaxSize {
			return nil, kerr.GroupMaxSizeReached
		}
		mb = g.memberOrNew(req.MemberID)
		g.move(t, mb, memberStable, joinEpoch, nil, nil)
		g.raise(t)
		t.event(Event{Kind: "member-joined", Group: g.id, Member: mb.id, Generation: g.epoch})
	}
	if mb.epoch == awayEpoch {
		g.move(t, mb, memberStable, joinEpoch, mb.assigned, nil)
	}
	mb.classic = nil
	t.m.timers.stop(&mb.step)
	return g.beat(t, r, req, mb, true), nil
}

// consumerStay is the heartbeat of a member.
func (t *turn) consumerStay(r coordinator.Request, req *kmsg.ConsumerGroupHeartbeatRequest) (*kmsg.ConsumerGroupHeartbeatResponse, *kerr.Error) {
	g, mb, err := t.consumerMember(req)
	if err != nil {
		return nil, err
	}
	if req.MemberEpoch != mb.epoch {
		owned := ownedBy(req)
		if req.MemberEpoch != mb.previous || req.MemberEpoch > mb.epoch || req.Topics == nil || len(owned.without(mb.assigned)) > 0 {
			return nil, kerr.FencedMemberEpoch
		}
	}
	return g.beat(t, r, req, mb, false), nil
}

// consumerLeave removes the member, or notes that it will be back.
func (t *turn) consumerLeave(req *kmsg.ConsumerGroupHeartbeatRequest) (*kmsg.ConsumerGroupHeartbeatResponse, *kerr.Error) {
	g, mb, err := t.consumerMember(req)
	if err != nil {
		return nil, err
	}
	resp := kmsg.NewPtrConsumerGroupHeartbeatResponse()
	resp.MemberID, resp.MemberEpoch = &mb.id, req.MemberEpoch
	if req.MemberEpoch == awayEpoch {
		g.move(t, mb, memberStable, awayEpoch, mb.assigned, nil)
		t.event(Event{Kind: "static-member-away", Group: g.id, Member: mb.id, Generation: g.epoch})
		return resp, nil
	}
	t.event(Event{Kind: "member-left", Group: g.id, Member: mb.id, Generation: g.epoch})
	g.remove(t, mb)
	g.raise(t)
	return resp, nil
}

// consumerMember is the member that a request without epoch 0 is of.
func (t *turn) consumerMember(req *kmsg.ConsumerGroupHeartbeatRequest) (*consumer, *consumerMember, *kerr.Error) {
	g, ok := t.m.groups[req.Group].(*consumer)
	if !ok {
		return nil, nil, kerr.UnknownMemberID
	}
	if req.InstanceID != nil {
		switch id, known := g.statics[*req.InstanceID]; {
		case !known:
			return nil, nil, kerr.UnknownMemberID
		case id != req.MemberID:
			return nil, nil, kerr.FencedInstanceID
		}
	}
	mb := g.members[req.MemberID]
	if mb == nil || mb.classic != nil {
		return nil, nil, kerr.UnknownMemberID
	}
	return g, mb, nil
}

// beat is what joining and staying have in common.
func (g *consumer) beat(t *turn, r coordinator.Request, req *kmsg.ConsumerGroupHeartbeatRequest, mb *consumerMember, joins bool) *kmsg.ConsumerGroupHeartbeatResponse {
	assignor := g.preferred()
	if g.subscribe(t, r, req, mb, joins) || g.preferred() != assignor {
		g.raise(t)
	}
	g.proceed(t, mb, ownedBy(req), req.Topics != nil)
	g.hear(t, mb)

	resp := kmsg.NewPtrConsumerGroupHeartbeatResponse()
	resp.MemberID, resp.MemberEpoch = &mb.id, mb.epoch
	resp.HeartbeatIntervalMillis = int32(g.m.cfg.Group(g.id).ConsumerHeartbeatMs)
	everything := req.Topics != nil && req.RebalanceTimeoutMillis != -1 && (req.SubscribedTopicNames != nil || req.SubscribedTopicRegex != nil)
	if joins || everything || mb.moved {
		a := kmsg.NewConsumerGroupHeartbeatResponseAssignment()
		a.Topics = []kmsg.ConsumerGroupHeartbeatResponseAssignmentTopic{}
		mb.assigned.eachTopic(func(topic wire.UUID, indexes []int32) {
			a.Topics = append(a.Topics, kmsg.ConsumerGroupHeartbeatResponseAssignmentTopic{TopicID: topic, Partitions: indexes})
		})
		resp.Assignment = &a
	}
	return resp
}

// proceed makes a target if there is need for one, and leads a member towards it.
func (g *consumer) proceed(t *turn, mb *consumerMember, owned partitions, reported bool) {
	if g.stale || g.epochRaised || mb.described {
		g.refresh(t)
	}
	if g.epoch > g.targetEpoch {
		g.assign(t)
	}
	g.reconcile(t, mb, owned, reported)
}

// subscribe takes over what a member says of itself, and reports whether it subscribes to
// something else than before.
func (g *consumer) subscribe(t *turn, r coordinator.Request, req *kmsg.ConsumerGroupHeartbeatRequest, mb *consumerMember, joins bool) bool {
	was := *mb
	if req.InstanceID != nil {
		mb.instance = req.InstanceID
		g.statics[*req.InstanceID] = mb.id
	}
	if joins || req.RackID != nil {
		mb.rack = req.RackID
	}
	if req.RebalanceTimeoutMillis > 0 {
		mb.rebalanceMs = req.RebalanceTimeoutMillis
	}
	if joins || req.ServerAssignor != nil {
		mb.assignor = text(req.ServerAssignor)
	}
	if joins || req.SubscribedTopicNames != nil {
		mb.topics = slices.Clone(req.SubscribedTopicNames)
		slices.Sort(mb.topics)
		mb.topics = slices.Compact(mb.topics)
	}
	if joins || req.SubscribedTopicRegex != nil {
		if pattern := text(req.SubscribedTopicRegex); pattern != mb.pattern {
			g.usePattern(pattern)
			g.dropPattern(mb.pattern)
			mb.pattern = pattern
		}
	}
	mb.clientID, mb.clientHost = r.ClientID, r.ClientHost
	changed := mb.pattern != was.pattern || !slices.Equal(mb.topics, was.topics)
	if changed || mb.clientID != was.clientID || mb.clientHost != was.clientHost || mb.rebalanceMs != was.rebalanceMs ||
		mb.assignor != was.assignor || text(mb.rack) != text(was.rack) || text(mb.instance) != text(was.instance) || joins {
		mb.described = true
		g.touch(t)
	}
	return changed
}

// ownedBy is what a member says that it owns.
func ownedBy(req *kmsg.ConsumerGroupHeartbeatRequest) partitions {
	var list []wire.TopicIDPartition
	for _, topic := range req.Topics {
		for _, p := range topic.Partitions {
			list = append(list, wire.TopicIDPartition{TopicID: topic.TopicID, Partition: p})
		}
	}
	return setOf(list)
}
