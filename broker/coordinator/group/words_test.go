package group

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/coordinator"
	"odradek/broker/failpoint"
	"odradek/broker/metadata"
	"odradek/broker/wire"
)

// words are the arguments of a directive.
type words struct {
	*testing.T
	d *datadriven.TestData
}

// bare are the keys of the arguments without a value.
func (w words) bare() []string {
	var keys []string
	for _, a := range w.d.CmdArgs {
		if len(a.Vals) == 0 {
			keys = append(keys, a.Key)
		}
	}
	return keys
}

func (w words) list(key string, otherwise ...string) []string {
	for _, a := range w.d.CmdArgs {
		if a.Key == key {
			return a.Vals
		}
	}
	return otherwise
}

func (w words) text(key, otherwise string) string { return strings.Join(w.list(key, otherwise), ",") }

func (w words) number(key string, otherwise int32) int32 {
	n, err := strconv.ParseInt(w.text(key, strconv.Itoa(int(otherwise))), 10, 32)
	if err != nil {
		w.Fatal(err)
	}
	return int32(n)
}

func (w words) pointer(key string) *string {
	if v := w.list(key); v != nil {
		return &v[0]
	}
	return nil
}

func (w words) duration(key, otherwise string) time.Duration {
	d, err := time.ParseDuration(w.text(key, otherwise))
	if err != nil {
		w.Fatal(err)
	}
	return d
}

func (w words) ms(key, otherwise string) int32 {
	return int32(w.duration(key, otherwise) / time.Millisecond)
}

// partition reads "t-0".
func (w words) partition(s string) wire.TopicPartition {
	i := strings.LastIndex(s, "-")
	n, err := strconv.Atoi(s[i+1:])
	if i < 0 || err != nil {
		w.Fatalf("%q is no partition", s)
	}
	return wire.TopicPartition{Topic: s[:i], Partition: int32(n)}
}

type partitionOffset struct {
	tp wire.TopicPartition
	at int64
}

// offsets are the arguments like t-0=5.
func (w words) offsets() []partitionOffset {
	var offsets []partitionOffset
	for _, a := range w.d.CmdArgs {
		if len(a.Vals) == 1 && strings.Contains(a.Key, "-") {
			at, err := strconv.ParseInt(a.Vals[0], 10, 64)
			if err != nil {
				w.Fatal(err)
			}
			offsets = append(offsets, partitionOffset{w.partition(a.Key), at})
		}
	}
	return offsets
}

// directive is one without values, for tests that are no transcripts.
func directive(cmd string, args ...string) *datadriven.TestData {
	d := &datadriven.TestData{Cmd: cmd}
	for _, a := range args {
		d.CmdArgs = append(d.CmdArgs, datadriven.CmdArg{Key: a})
	}
	return d
}

// do carries out one directive.
func (s *story) do(t *testing.T, d *datadriven.TestData) string {
	s.t = t
	w := words{t, d}
	s.out.Reset()
	who := ""
	if bare := w.bare(); len(bare) > 0 {
		who = bare[0]
	}
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
		id, _ := strconv.ParseInt(who, 10, 64)
		s.token++
		s.asked[s.token] = "marker"
		s.take(s.shard.Mark(s.moment(), s.token, coordinator.Marker{
			Transaction: coordinator.Transaction{ProducerID: id}, Commit: w.bare()[1] == "commit"}))
	case "describe":
		req := kmsg.NewPtrDescribeGroupsRequest()
		req.Version, req.Groups = int16(w.number("version", 6)), []string{w.text("group", "g")}
		s.ask("", "describe", req)
	case "list":
		req := kmsg.NewPtrListGroupsRequest()
		req.Version, req.StatesFilter, req.TypesFilter = 5, w.list("states"), w.list("types")
		s.ask("", "list", req)
	case "delete-group":
		req := kmsg.NewPtrDeleteGroupsRequest()
		req.Version, req.Groups = 2, []string{w.text("group", "g")}
		s.ask("", "delete", req)
	case "pass":
		d, err := time.ParseDuration(who)
		if err != nil {
			t.Fatal(err)
		}
		s.pass(d, w.list("alive"))
	default:
		s.worldDoes(w, who)
	}
	if s.out.Len() == 0 {
		return "ok\n"
	}
	return s.out.String()
}

func (s *story) memberDoes(w words, who string) {
	c := s.clients[who]
	id := s.id(w.text("as", s.name(c.id)))
	instance := w.pointer("instance")
	if instance == nil {
		instance = c.instance
	}
	generation := w.number("generation", c.generation)
	group := w.text("group", "g")
	switch w.d.Cmd {
	case "join":
		c.instance = instance
		req := kmsg.NewPtrJoinGroupRequest()
		req.Version, req.Group, req.MemberID, req.InstanceID = int16(w.number("version", 9)), group, id, instance
		req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = w.ms("session", "10s"), w.ms("rebalance", "60s")
		req.ProtocolType = w.text("type", "consumer")
		for _, p := range w.list("protocols", "range") {
			m := kmsg.ConsumerMemberMetadata{Version: 3, Topics: w.list("topics", "t")}
			for _, name := range w.list("owns") {
				tp := w.partition(name)
				m.OwnedPartitions = append(m.OwnedPartitions, kmsg.ConsumerMemberMetadataOwnedPartition{Topic: tp.Topic, Partitions: []int32{tp.Partition}})
			}
			req.Protocols = append(req.Protocols, kmsg.JoinGroupRequestProtocol{Name: p, Metadata: m.AppendTo(nil)})
		}
		s.ask(who, "join", req)
	case "sync":
		req := kmsg.NewPtrSyncGroupRequest()
		req.Version, req.Group, req.MemberID, req.InstanceID = int16(w.number("version", 5)), group, id, instance
		req.Generation, req.Protocol, req.ProtocolType = generation, w.pointer("protocol"), w.pointer("type")
		for _, a := range w.list("assign") {
			member, assignment, _ := strings.Cut(a, "=")
			if other := s.clients[member]; other != nil {
				member = other.id
			}
			bytes := []byte(assignment)
			if w.list("encoded") != nil {
				bytes = consumerAssignment(w, strings.Split(assignment, "+"))
			}
			req.GroupAssignment = append(req.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: s.id(member), MemberAssignment: bytes})
		}
		s.ask(who, "sync", req)
	case "beat":
		s.beat(who, generation, id, instance)
	case "leave":
		req := kmsg.NewPtrLeaveGroupRequest()
		req.Version, req.Group, req.MemberID = int16(w.number("version", 5)), group, id
		req.Members = []kmsg.LeaveGroupRequestMember{{MemberID: id, InstanceID: instance}}
		s.ask(who, "leave", req)
	}
}

// consumerAssignment is what a real client's leader assigns: of "t-0" and "t-1", say.
func consumerAssignment(w words, names []string) []byte {
	m := kmsg.NewConsumerMemberAssignment()
	for _, name := range names {
		tp := w.partition(name)
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

func (s *story) offsetsDo(w words, who string) {
	switch w.d.Cmd {
	case "commit":
		c := s.clients[who]
		req := kmsg.NewPtrOffsetCommitRequest()
		req.Version, req.Group, req.Generation = int16(w.number("version", 8)), w.text("group", "g"), w.number("generation", c.generation)
		req.MemberID, req.InstanceID = s.id(w.text("as", s.name(c.id))), c.instance
		if w.list("retention") != nil {
			req.Version, req.InstanceID, req.RetentionTimeMillis = 4, nil, int64(w.ms("retention", ""))
		}
		for _, o := range w.offsets() {
			req.Topics = append(req.Topics, kmsg.OffsetCommitRequestTopic{Topic: o.tp.Topic, Partitions: []kmsg.OffsetCommitRequestTopicPartition{
				{Partition: o.tp.Partition, Offset: o.at, LeaderEpoch: -1, Metadata: w.pointer("metadata")}}})
		}
		s.ask(who, "commit", req)
	case "txn-commit":
		req := kmsg.NewPtrTxnOffsetCommitRequest()
		id, _ := strconv.ParseInt(who, 10, 64)
		req.Version, req.Group, req.ProducerID, req.ProducerEpoch = 5, w.text("group", "g"), id, int16(w.number("epoch", 0))
		if by := s.clients[w.text("by", "")]; by != nil && by.id != "" {
			req.MemberID, req.Generation = by.id, w.number("generation", by.generation)
		}
		for _, o := range w.offsets() {
			req.Topics = append(req.Topics, kmsg.TxnOffsetCommitRequestTopic{Topic: o.tp.Topic, Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{
				{Partition: o.tp.Partition, Offset: o.at, LeaderEpoch: -1}}})
		}
		s.ask("producer "+who, "commit", req)
	case "fetch":
		s.fetch(w)
	case "delete-offsets":
		req := kmsg.NewPtrOffsetDeleteRequest()
		req.Group = w.text("group", "g")
		for _, name := range w.bare() {
			tp := w.partition(name)
			req.Topics = append(req.Topics, kmsg.OffsetDeleteRequestTopic{Topic: tp.Topic, Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{Partition: tp.Partition}}})
		}
		s.ask("", "delete offsets", req)
	}
}

func (s *story) fetch(w words) {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Version, req.Group = int16(w.number("version", 9)), w.text("group", "g")
	one := kmsg.NewOffsetFetchRequestGroup()
	one.Group = req.Group
	for _, name := range w.bare() {
		if name == "stable" {
			req.RequireStable = true
			continue
		}
		tp := w.partition(name)
		one.Topics = append(one.Topics, kmsg.OffsetFetchRequestGroupTopic{Topic: tp.Topic, Partitions: []int32{tp.Partition}})
		req.Topics = append(req.Topics, kmsg.OffsetFetchRequestTopic{Topic: tp.Topic, Partitions: []int32{tp.Partition}})
	}
	req.Groups = append(req.Groups, one)
	s.ask("", "fetch", req)
}

// worldDoes is what happens around the shard.
func (s *story) worldDoes(w words, what string) {
	switch w.d.Cmd {
	case "busy":
		d, err := time.ParseDuration(what)
		if err != nil {
			w.Fatal(err)
		}
		s.now += int64(d)
		s.pass(0, nil)
	case "hold":
		s.held = true
	case "release":
		s.held = false
		s.take(s.shard.Committed(wire.Offset(len(s.log))))
	case "reload":
		s.load()
		s.take(s.shard.Committed(wire.Offset(len(s.log))))
	case "drop-topic":
		s.apply(&metadata.RemoveTopicRecord{TopicID: s.image.Topic(what).ID})
		s.take(s.shard.MetadataChanged(s.moment()))
	case "replace-topic":
		s.apply(&metadata.RemoveTopicRecord{TopicID: s.image.Topic(what).ID})
		s.createTopic(what)
		s.take(s.shard.MetadataChanged(s.moment()))
	case "create-topic":
		s.createTopic(what)
		s.take(s.shard.MetadataChanged(s.moment()))
	case "grow-topic":
		topic := s.image.Topic(what)
		s.apply(&metadata.PartitionRecord{TopicID: topic.ID, PartitionID: int32(len(topic.Partitions)), Replicas: []wire.NodeID{1}, ISR: []wire.NodeID{1}, Leader: 1})
		s.take(s.shard.MetadataChanged(s.moment()))
	case "fail":
		if err := s.fail.Arm(failpoint.Name(what), "return(true)"); err != nil {
			w.Fatal(err)
		}
	case "config":
		for _, a := range w.d.CmdArgs {
			s.configure(a.Key, a.Vals[0])
		}
	case "config-group":
		s.configureGroup(w)
	default:
		w.Fatalf("unknown directive %q", w.d.Cmd)
	}
}
