package group

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/coordinator"
	"odradek/broker/coordinator/coordinatortest"
	"odradek/broker/wire"
)

type partitionOffset struct {
	tp wire.TopicPartition
	at int64
}

// offsets are the arguments like t-0=5.
func offsetsIn(w coordinatortest.Args) (offsets []partitionOffset) {
	for _, a := range w.CmdArgs {
		if len(a.Vals) == 1 && strings.Contains(a.Key, "-") {
			offsets = append(offsets, partitionOffset{w.ParsePartition(a.Key), w.ParseNumber(a.Vals[0])})
		}
	}
	return offsets
}

// do carries out one directive.
func (s *story) do(t *testing.T, d *datadriven.TestData) string {
	s.TB = t
	s.Out.Reset()
	w := coordinatortest.Args{TB: t, TestData: d}
	who := w.Who()
	if s.clients[who] == nil {
		s.clients[who] = &storyClient{generation: -1}
	}
	switch d.Cmd {
	case "join", "sync", "beat", "leave":
		s.memberDoes(w, who)
	case "enter", "report", "exit", "describe-consumer":
		s.consumerDoes(w, who)
	case "commit", "fetch", "txn-commit", "delete-offsets":
		s.offsetsDo(w, who)
	case "mark":
		s.asked[s.Token+1] = "marker"
		s.Mark(coordinator.Marker{Transaction: coordinator.Transaction{ProducerID: w.ParseNumber(who)}, Commit: w.Bare()[1] == "commit"})
	case "describe":
		req := kmsg.NewPtrDescribeGroupsRequest()
		req.Version, req.Groups = coordinatortest.Number(w, "version", int16(6)), []string{w.Text("group", "g")}
		s.ask("", "describe", req)
	case "list":
		req := kmsg.NewPtrListGroupsRequest()
		req.Version, req.StatesFilter, req.TypesFilter = 5, w.List("states"), w.List("types")
		s.ask("", "list", req)
	case "delete-group":
		req := kmsg.NewPtrDeleteGroupsRequest()
		req.Version, req.Groups = 2, []string{w.Text("group", "g")}
		s.ask("", "delete", req)
	case "pass":
		s.pass(w.ParseDuration(who), w.List("alive"))
	case "busy":
		s.Now += int64(w.ParseDuration(who))
		s.Pass(0)
	case "reload":
		s.Load()
	case "config-group":
		s.configureGroup(w)
	default:
		if !s.Do(w) {
			t.Fatalf("unknown directive %q", d.Cmd)
		}
	}
	if s.Out.Len() == 0 {
		return "ok\n"
	}
	return s.Out.String()
}

func (s *story) memberDoes(w coordinatortest.Args, who string) {
	c := s.clients[who]
	id := s.id(w.Text("as", s.name(c.id)))
	instance := w.Pointer("instance")
	if instance == nil {
		instance = c.instance
	}
	generation := coordinatortest.Number(w, "generation", c.generation)
	group := w.Text("group", "g")
	switch w.Cmd {
	case "join":
		c.instance = instance
		req := kmsg.NewPtrJoinGroupRequest()
		req.Version, req.Group, req.MemberID, req.InstanceID = coordinatortest.Number(w, "version", int16(9)), group, id, instance
		req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = w.Millis("session", "10s"), w.Millis("rebalance", "60s")
		req.ProtocolType = w.Text("type", "consumer")
		for _, p := range w.List("protocols", "range") {
			m := kmsg.ConsumerMemberMetadata{Version: 3, Topics: w.List("topics", "t")}
			for _, name := range w.List("owns") {
				tp := w.ParsePartition(name)
				m.OwnedPartitions = append(m.OwnedPartitions, kmsg.ConsumerMemberMetadataOwnedPartition{Topic: tp.Topic, Partitions: []int32{tp.Partition}})
			}
			req.Protocols = append(req.Protocols, kmsg.JoinGroupRequestProtocol{Name: p, Metadata: m.AppendTo(nil)})
		}
		s.ask(who, "join", req)
	case "sync":
		req := kmsg.NewPtrSyncGroupRequest()
		req.Version, req.Group, req.MemberID, req.InstanceID = coordinatortest.Number(w, "version", int16(5)), group, id, instance
		req.Generation, req.Protocol, req.ProtocolType = generation, w.Pointer("protocol"), w.Pointer("type")
		for _, a := range w.List("assign") {
			member, assignment, _ := strings.Cut(a, "=")
			if other := s.clients[member]; other != nil {
				member = other.id
			}
			bytes := []byte(assignment)
			if w.List("encoded") != nil {
				bytes = consumerAssignment(w, strings.Split(assignment, "+"))
			}
			req.GroupAssignment = append(req.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: s.id(member), MemberAssignment: bytes})
		}
		s.ask(who, "sync", req)
	case "beat":
		s.beat(who, generation, id, instance)
	case "leave":
		req := kmsg.NewPtrLeaveGroupRequest()
		req.Version, req.Group, req.MemberID = coordinatortest.Number(w, "version", int16(5)), group, id
		req.Members = []kmsg.LeaveGroupRequestMember{{MemberID: id, InstanceID: instance}}
		s.ask(who, "leave", req)
	}
}

// consumerAssignment is what a real client's leader assigns: of "t-0" and "t-1", say.
func consumerAssignment(w coordinatortest.Args, names []string) []byte {
	m := kmsg.NewConsumerMemberAssignment()
	for _, name := range names {
		tp := w.ParsePartition(name)
		m.Topics = append(m.Topics, kmsg.ConsumerMemberAssignmentTopic{Topic: tp.Topic, Partitions: []int32{tp.Partition}})
	}
	return m.AppendTo(nil)
}

// showAssignment is in the words of the leader, or what it encodes.
func showAssignment(assignment []byte) string {
	m := kmsg.NewConsumerMemberAssignment()
	if len(assignment) < 10 || m.ReadFrom(assignment) != nil {
		return string(assignment)
	}
	var names []string
	for _, topic := range m.Topics {
		for _, p := range topic.Partitions {
			names = append(names, fmt.Sprintf("%s-%d", topic.Topic, p))
		}
	}
	return "[" + strings.Join(names, " ") + "]"
}

func consumerMetadata(topics []string) []byte {
	m := kmsg.ConsumerMemberMetadata{Version: 3, Topics: topics}
	return m.AppendTo(nil)
}

func (s *story) offsetsDo(w coordinatortest.Args, who string) {
	switch w.Cmd {
	case "commit":
		c := s.clients[who]
		req := kmsg.NewPtrOffsetCommitRequest()
		req.Version, req.Group, req.Generation = coordinatortest.Number(w, "version", int16(8)), w.Text("group", "g"), coordinatortest.Number(w, "generation", c.generation)
		req.MemberID, req.InstanceID = s.id(w.Text("as", s.name(c.id))), c.instance
		if w.List("retention") != nil {
			req.Version, req.InstanceID, req.RetentionTimeMillis = 4, nil, int64(w.Millis("retention", ""))
		}
		for _, o := range offsetsIn(w) {
			req.Topics = append(req.Topics, kmsg.OffsetCommitRequestTopic{Topic: o.tp.Topic, Partitions: []kmsg.OffsetCommitRequestTopicPartition{
				{Partition: o.tp.Partition, Offset: o.at, LeaderEpoch: -1, Metadata: w.Pointer("metadata")}}})
		}
		s.ask(who, "commit", req)
	case "txn-commit":
		req := kmsg.NewPtrTxnOffsetCommitRequest()
		req.Version, req.Group, req.ProducerID, req.ProducerEpoch = 5, w.Text("group", "g"), w.ParseNumber(who), coordinatortest.Number(w, "epoch", int16(0))
		if by := s.clients[w.Text("by", "")]; by != nil && by.id != "" {
			req.MemberID, req.Generation = by.id, coordinatortest.Number(w, "generation", by.generation)
		}
		for _, o := range offsetsIn(w) {
			req.Topics = append(req.Topics, kmsg.TxnOffsetCommitRequestTopic{Topic: o.tp.Topic, Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{
				{Partition: o.tp.Partition, Offset: o.at, LeaderEpoch: -1}}})
		}
		s.ask("producer "+who, "commit", req)
	case "fetch":
		s.fetch(w)
	case "delete-offsets":
		req := kmsg.NewPtrOffsetDeleteRequest()
		req.Group = w.Text("group", "g")
		for _, tp := range w.Partitions() {
			req.Topics = append(req.Topics, kmsg.OffsetDeleteRequestTopic{Topic: tp.Topic, Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{Partition: tp.Partition}}})
		}
		s.ask("", "delete offsets", req)
	}
}

func (s *story) fetch(w coordinatortest.Args) {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Version, req.Group = coordinatortest.Number(w, "version", int16(9)), w.Text("group", "g")
	one := kmsg.NewOffsetFetchRequestGroup()
	one.Group = req.Group
	req.RequireStable = w.HasArg("stable")
	for _, tp := range w.Partitions() {
		one.Topics = append(one.Topics, kmsg.OffsetFetchRequestGroupTopic{Topic: tp.Topic, Partitions: []int32{tp.Partition}})
		req.Topics = append(req.Topics, kmsg.OffsetFetchRequestTopic{Topic: tp.Topic, Partitions: []int32{tp.Partition}})
	}
	req.Groups = append(req.Groups, one)
	s.ask("", "fetch", req)
}
