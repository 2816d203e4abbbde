package group

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/config"
	"odradek/broker/coordinator"
	"odradek/broker/coordinator/coordinatortest"
	"odradek/broker/wire"
)

// consumerDoes is what members of the consumer protocol do. Their ids are their names.
func (s *story) consumerDoes(w coordinatortest.Args, who string) {
	c := s.clients[who]
	if w.Cmd == "describe-consumer" {
		req := kmsg.NewPtrConsumerGroupDescribeRequest()
		req.Version, req.Groups = 1, []string{w.Text("group", "g")}
		s.ask("", "describe", req)
		return
	}
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Version, req.Group, req.RebalanceTimeoutMillis = coordinatortest.Number(w, "version", int16(1)), w.Text("group", "g"), -1
	req.MemberID = s.id(w.Text("as", cmp.Or(c.id, who)))
	if instance := w.Pointer("instance"); instance != nil {
		c.instance = instance
	}
	req.InstanceID = c.instance
	req.SubscribedTopicNames, req.SubscribedTopicRegex = w.List("topics"), w.Pointer("regex")
	req.ServerAssignor, req.RackID = w.Pointer("assignor"), w.Pointer("rack")
	if w.List("rebalance") != nil {
		req.RebalanceTimeoutMillis = w.Millis("rebalance", "")
	}
	verb := w.Cmd
	switch verb {
	case "enter":
		req.MemberEpoch, req.Topics = 0, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		if req.RebalanceTimeoutMillis == -1 {
			req.RebalanceTimeoutMillis = 30_000
		}
		if req.SubscribedTopicNames == nil && req.SubscribedTopicRegex == nil {
			req.SubscribedTopicNames = []string{"t"}
		}
	case "report":
		req.MemberEpoch = coordinatortest.Number(w, "epoch", c.generation)
		owned := w.List("owns")
		if w.HasArg("all") {
			owned = c.owned
			verb += " all"
		}
		if owned != nil || w.HasArg("all") {
			req.Topics = s.consumerTopics(w, owned)
		}
		if w.HasArg("everything") {
			req.Topics, req.RebalanceTimeoutMillis, req.SubscribedTopicNames = s.consumerTopics(w, c.owned), 30_000, []string{"t"}
		}
	case "exit":
		req.MemberEpoch = leaveEpoch
		if w.HasArg("away") {
			req.MemberEpoch = awayEpoch
		}
	}
	c.consumer = true
	s.ask(who, verb, req)
}

// configureGroup changes configs of a group while it runs.
func (s *story) configureGroup(w coordinatortest.Args) {
	id := w.Text("group", "g")
	if s.groups[id] == nil {
		s.groups[id] = make(config.Values)
	}
	for _, a := range w.CmdArgs {
		name, deleted := strings.CutPrefix(a.Key, "-")
		switch {
		case deleted:
			delete(s.groups[id], name)
		case name != "group":
			s.groups[id][name] = a.Vals[0]
		}
	}
	s.MetadataChanged()
}

func (s *story) consumerTopics(w coordinatortest.Args, names []string) []kmsg.ConsumerGroupHeartbeatRequestTopic {
	topics := []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	for _, name := range names {
		if name == "-" {
			continue
		}
		tp := w.ParsePartition(name)
		if topic := s.Image.Topic(tp.Topic); topic != nil {
			topics = append(topics, kmsg.ConsumerGroupHeartbeatRequestTopic{TopicID: topic.ID, Partitions: []int32{tp.Partition}})
		}
	}
	return topics
}

// consumerBeats is a heartbeat that says nothing new.
func (s *story) consumerBeats(who string) {
	c := s.clients[who]
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Version, req.Group, req.RebalanceTimeoutMillis = 1, "g", -1
	req.MemberID, req.MemberEpoch, req.InstanceID = cmp.Or(c.id, who), c.generation, c.instance
	s.ask(who, "report", req)
}

// partitionNames are like t-0; a topic that is no more is t? and its number.
func (s *story) partitionNames(ps partitions) []string {
	var names []string
	for _, p := range ps {
		name := fmt.Sprintf("topic%d", p.TopicID[15])
		if topic := s.Image.TopicByID(p.TopicID); topic != nil {
			name = topic.Name
		}
		names = append(names, fmt.Sprintf("%s-%d", name, p.Partition))
	}
	return names
}

func (s *story) showPartitions(ps partitions) string {
	return "[" + strings.Join(s.partitionNames(ps), " ") + "]"
}

func (s *story) showConsumerRecord(e coordinator.Entry) string {
	// The bytes are read by a machine of its own.
	m := New(Config{Broker: s.Broker, Rand: s.rand})
	m.Replay(e)
	key := kbin.Reader{Src: e.Key}
	version, id := key.Int16(), key.String()
	part := ""
	if len(key.Src) > 0 {
		part = key.String()
	}
	if e.Value == nil {
		return fmt.Sprintf("%s %s deleted", map[int16]string{consumerGroupKey: "group", consumerMemberKey: "member", consumerTargetKey: "target",
			consumerTargetOfKey: "target of", consumerCurrentKey: "current of", consumerPatternKey: "pattern"}[version], cmp.Or(s.name(part), id))
	}
	g := m.groups[id].(*consumer)
	mb := g.members[part]
	switch version {
	case consumerGroupKey:
		return fmt.Sprintf("group %s epoch %d", id, g.epoch)
	case consumerTargetKey:
		return fmt.Sprintf("target %s epoch %d", id, g.targetEpoch)
	case consumerMemberKey:
		text := fmt.Sprintf("member %s subscribes to %v", s.name(part), mb.topics)
		if mb.pattern != "" {
			text += " and " + mb.pattern
		}
		if mb.instance != nil {
			text += ", instance " + *mb.instance
		}
		if mb.classic != nil {
			text += ", classic"
		}
		return text
	case consumerTargetOfKey:
		return fmt.Sprintf("target of %s %s", s.name(part), s.showPartitions(mb.target))
	case consumerCurrentKey:
		text := fmt.Sprintf("current of %s epoch %d %s has %s", s.name(part), mb.epoch,
			[]string{"stable", "unrevoked", "unreleased"}[mb.state], s.showPartitions(mb.assigned))
		if len(mb.revoking) > 0 {
			text += ", gives up " + s.showPartitions(mb.revoking)
		}
		return text
	case consumerPatternKey:
		return fmt.Sprintf("pattern %s is %v", part, g.patterns[part].topics)
	}
	s.Fatalf("cannot show record %d", version)
	return ""
}

func (s *story) showConsumerHeartbeat(client string, resp *kmsg.ConsumerGroupHeartbeatResponse) string {
	if resp.ErrorCode != 0 {
		return coordinatortest.ErrorName(resp.ErrorCode)
	}
	c := s.clients[client]
	c.id, c.generation = *resp.MemberID, resp.MemberEpoch
	out := fmt.Sprintf("epoch %d", resp.MemberEpoch)
	if ms := resp.HeartbeatIntervalMillis; resp.MemberEpoch > 0 && int(ms) != s.Broker.ConsumerHeartbeatMs {
		out += fmt.Sprintf(", every %dms", ms)
	}
	if resp.Assignment == nil {
		return out
	}
	var list []wire.TopicIDPartition
	for _, topic := range resp.Assignment.Topics {
		for _, p := range topic.Partitions {
			list = append(list, wire.TopicIDPartition{TopicID: topic.TopicID, Partition: p})
		}
	}
	c.owned = s.partitionNames(setOf(list))
	return out + " [" + strings.Join(c.owned, " ") + "]"
}

func (s *story) showConsumerDescription(resp *kmsg.ConsumerGroupDescribeResponse) string {
	d := resp.Groups[0]
	if d.ErrorCode != 0 {
		return coordinatortest.ErrorName(d.ErrorCode)
	}
	show := func(a kmsg.Assignment) string {
		var names []string
		for _, topic := range a.TopicPartitions {
			for _, p := range topic.Partitions {
				names = append(names, fmt.Sprintf("%s-%d", topic.Topic, p))
			}
		}
		return "[" + strings.Join(names, " ") + "]"
	}
	out := fmt.Sprintf("%s, epoch %d, target %d by %s", d.State, d.Epoch, d.AssignmentEpoch, d.AssignorName)
	for _, m := range d.Members {
		out += fmt.Sprintf("\n    %s epoch %d subscribes to %v%s, type %d: has %s, target %s", s.name(m.MemberID), m.MemberEpoch, m.SubscribedTopics,
			strings.TrimRight(" "+text(m.SubscribedTopicRegex), " "), m.MemberType, show(m.Assignment), show(m.TargetAssignment))
	}
	return out
}
