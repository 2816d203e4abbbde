package group

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/config"
	"odradek/broker/coordinator"
	"odradek/broker/failpoint"
	"odradek/broker/metadata"
	"odradek/broker/wire"
)

// TestTranscripts tells stories of one shard each, and of clients that talk to it. Every
// directive is one thing that happens; its output shows the records decided ("+"), the
// answers that left ("<") and what is noted for the trace ("!"). What is not answered
// waits. Records commit at once unless the story holds commits. A client that is
// called a gets member ids that are shown as a1, a2 and so on. The group is g and the
// topics are t and u, of four partitions, unless said otherwise.
//
//	join a [instance=x] [protocols=(range,sticky)] [topics=(t)] [owns=(t-0)] [session=10s] [rebalance=60s] [version=9] [as=a1] [group=g]
//	sync a [assign=(a=t-0,b=t-1)] [encoded=yes, then a=t-0+t-1] [generation=1] [as=a1] [protocol=range] [version=5]
//	beat a [generation=1] [as=a1] [instance=x]
//	leave a [instance=x] [as=a1] [version=5]           as=() is by instance only
//	commit a t-0=5 u-1=7 [generation=1] [as=a1] [retention=10s]     "-" is nobody: generation -1
//	fetch [t-0 t-1] [stable] [version=9]
//	txn-commit 7 t-0=5 [epoch=0] [by=a]                producer 7, inside its transaction
//	mark 7 commit|abort
//	delete-offsets t-0
//	describe, list, delete-group [group=g]
//	enter a [topics=(t)] [regex=t.*] [assignor=range] [instance=x] [rebalance=30s] [as=a]    joins by the consumer protocol
//	report a [owns=(t-0,t-1)] [all] [everything] [epoch=1] [topics=(t)] ...       its heartbeat; "all" owns what it was told,
//	                                                    owns=(-) nothing; "everything" is what follows a lost answer
//	exit a [away]
//	describe-consumer [group=g]
//	pass 5s [alive=(a,b)]                              the named clients send heartbeats each second
//	busy 5s                                            time goes by without a Tick until the end
//	hold, release                                      stop committing; commit everything held
//	reload                                             a new coordinator replays the log
//	drop-topic t, create-topic t, replace-topic t, grow-topic t
//	config name=value, fail name
//	config-group name=value -name [group=g]
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		s := newStory(t)
		datadriven.RunTest(t, path, s.do)
	})
}

// start is when every story begins, on the wall clock.
const start = 1_000_000_000_000

type story struct {
	t       testing.TB
	broker  *config.Broker
	configs config.Values
	groups  map[string]config.Values // what groups set themselves, by id
	fail    *failpoint.Registry
	rand    *rand.Rand
	image   *metadata.Image
	topics  int
	shard   *coordinator.Shard
	epoch   int32
	now     int64
	log     []logged
	held    bool
	token   coordinator.Token
	asked   map[coordinator.Token]string
	clients map[string]*storyClient
	names   map[string]string // of member ids
	silent  bool
	out     strings.Builder
}

// logged is one record or marker of the log.
type logged struct {
	entry  coordinator.Entry
	marker *coordinator.Marker
	inner  bool // it is not the first of its batch
}

type storyClient struct {
	id         string
	ids        int
	instance   *string
	generation int32    // or member epoch
	consumer   bool     // it speaks the consumer protocol
	owned      []string // what it was told to have, by that
}

func newStory(t testing.TB) *story {
	s := &story{
		t: t, broker: new(config.Broker), fail: new(failpoint.Registry), rand: rand.New(rand.NewPCG(1, 2)),
		image: metadata.NewImage(), asked: make(map[coordinator.Token]string),
		clients: make(map[string]*storyClient), names: make(map[string]string), groups: make(map[string]config.Values),
	}
	s.configs = config.Values{"node.id": "1", "process.roles": "broker", "log.dirs": "/data",
		"controller.quorum.voters": "2@localhost:9093", "controller.listener.names": "CONTROLLER"}
	s.configure("log.dirs", "/data")
	s.createTopic("t")
	s.createTopic("u")
	s.load()
	return s
}

// configure changes a config of the broker while it runs.
func (s *story) configure(name, value string) {
	s.configs[name] = value
	layers := config.Layers{Static: s.configs}
	b, err := layers.BrokerConfig()
	if err != nil {
		s.t.Fatal(err)
	}
	*s.broker = *b
}

func (s *story) createTopic(name string) {
	s.topics++
	id := wire.UUID{15: byte(s.topics)}
	s.apply(&metadata.TopicRecord{Name: name, TopicID: id})
	for i := range int32(4) {
		s.apply(&metadata.PartitionRecord{TopicID: id, PartitionID: i, Replicas: []wire.NodeID{1}, ISR: []wire.NodeID{1}, Leader: 1})
	}
}

func (s *story) apply(r metadata.Record) {
	if err := s.image.Apply(r); err != nil {
		s.t.Fatal(err)
	}
}

func (s *story) moment() coordinator.Moment {
	return coordinator.Moment{Now: s.now, Wall: start + s.now/int64(time.Millisecond), Image: s.image, NextOffset: wire.Offset(len(s.log))}
}

// load starts a shard on the log.
func (s *story) load() {
	own := func(id string) config.Group { return s.broker.Group(s.groups[id]) }
	m := New(Config{Broker: s.broker, Group: own, Rand: s.rand, Fail: s.fail})
	s.shard = coordinator.New(m, coordinator.Config{CommitTimeout: 5 * time.Second})
	for _, l := range s.log {
		if l.marker != nil {
			s.shard.LoadMarker(*l.marker, l.entry.Offset)
		} else {
			s.shard.Load(l.entry)
		}
	}
	s.epoch++
	s.take(s.shard.Start(s.moment(), s.epoch))
}

func (s *story) machine() *Machine { return s.shard.Machine().(*Machine) }

// take does what the shell does with an output, and tells of it.
func (s *story) take(out coordinator.Output) {
	for _, b := range out.Batches {
		if b.Marker != nil {
			s.log = append(s.log, logged{entry: coordinator.Entry{Offset: wire.Offset(len(s.log))}, marker: b.Marker})
			s.say("+ marker of %d: %s", b.Marker.ProducerID, map[bool]string{true: "commit", false: "abort"}[b.Marker.Commit])
		}
		for _, r := range b.Records {
			e := coordinator.Entry{Record: r, Offset: wire.Offset(len(s.log)), Timestamp: s.moment().Wall, Transaction: b.Transaction}
			s.log = append(s.log, logged{entry: e})
			s.say("+ %s", s.showRecord(e))
		}
	}
	for _, r := range out.Replies {
		s.say("< %s: %s", s.asked[r.Token], strings.TrimSpace(s.showResponse(r.Token, r.Response)))
		delete(s.asked, r.Token)
	}
	for _, m := range out.Marked {
		s.say("< %s: %s", s.asked[m.Token], showError(code(m.Err)))
	}
	for _, e := range out.Effects {
		e := e.(Event)
		s.say("! %s %s%s generation %d, %d", e.Kind, e.Group, cmp.Or(strings.Repeat(" ", min(len(e.Member), 1))+s.name(e.Member), ""), e.Generation, e.Count)
	}
	if len(out.Batches) > 0 && !s.held {
		s.take(s.shard.Committed(wire.Offset(len(s.log))))
	}
}

func (s *story) say(format string, args ...any) {
	if !s.silent {
		fmt.Fprintf(&s.out, format+"\n", args...)
	}
}

// ask has the shard decide a request.
func (s *story) ask(who, what string, req kmsg.Request) {
	s.token++
	s.asked[s.token] = strings.TrimSpace(who + " " + what)
	s.take(s.shard.Handle(s.moment(), coordinator.Request{Token: s.token, ClientID: who, ClientHost: "/10.0.0.1", Msg: req}))
}

// pass lets time go by, and the named clients send heartbeats.
func (s *story) pass(d time.Duration, alive []string) {
	until := s.now + int64(d)
	beat := s.now + int64(time.Second)
	for {
		at := min(until, s.shard.Deadline())
		if len(alive) > 0 {
			at = min(at, beat)
		}
		s.now = max(s.now, at)
		if s.shard.Deadline() <= s.now {
			s.take(s.shard.Tick(s.moment()))
			if d := s.shard.Deadline(); d <= s.now {
				s.t.Fatalf("after Tick at %d the deadline is %d", s.now, d)
			}
			continue
		}
		if len(alive) > 0 && s.now == beat {
			for _, name := range alive {
				s.silent = true
				if s.clients[name].consumer {
					s.consumerBeats(name)
					s.silent = false
					continue
				}
				s.beat(name, s.clients[name].generation, s.clients[name].id, s.clients[name].instance)
				s.silent = false
			}
			beat += int64(time.Second)
		}
		if s.now >= until {
			return
		}
	}
}

func (s *story) beat(who string, generation int32, id string, instance *string) {
	req := kmsg.NewPtrHeartbeatRequest()
	req.Version, req.Group, req.Generation, req.MemberID, req.InstanceID = 4, "g", generation, id, instance
	s.ask(who, "beat", req)
}

// name is what a member id is called in the transcript.
func (s *story) name(id string) string {
	if n, ok := s.names[id]; ok || s.shard == nil {
		return n
	}
	for _, gid := range s.machine().ids() {
		switch g := s.machine().groups[gid].(type) {
		case *classic:
			if mb := g.members[id]; mb != nil {
				s.learn(mb.clientID, id)
			}
		case *consumer:
			if mb := g.members[id]; mb != nil && mb.classic != nil {
				s.learn(mb.clientID, id)
			}
		}
	}
	return cmp.Or(s.names[id], id)
}

// id is the member id that is called so.
func (s *story) id(name string) string {
	for id, n := range s.names {
		if n == name {
			return id
		}
	}
	return name
}

func (s *story) learn(client, id string) {
	c := s.clients[client]
	if c == nil || id == "" {
		return
	}
	if s.names[id] == "" {
		c.ids++
		s.names[id] = client + strconv.Itoa(c.ids)
	}
}

func showError(code int16) string {
	if code == 0 {
		return "ok"
	}
	return kerr.TypedErrorForCode(code).Message
}

func (s *story) showRecord(e coordinator.Entry) string {
	in := ""
	if e.Transaction != nil {
		in = fmt.Sprintf(" in transaction of %d", e.Transaction.ProducerID)
	}
	switch keyVersion(e.Key) {
	case offsetKeyVersion:
		var k kmsg.OffsetCommitKey
		var v kmsg.OffsetCommitValue
		if err := k.ReadFrom(e.Key); err != nil {
			s.t.Fatal(err)
		}
		what := fmt.Sprintf("offset %s %s-%d", k.Group, k.Topic, k.Partition)
		if e.Value == nil {
			return what + " deleted"
		}
		if err := v.ReadFrom(e.Value); err != nil {
			s.t.Fatal(err)
		}
		if v.Version == 1 {
			in += fmt.Sprintf(" expires at %ds", (v.ExpireTimestamp-start)/1000)
		}
		return fmt.Sprintf("%s = %d%s", what, v.Offset, in)
	case consumerGroupKey, consumerMemberKey, consumerTargetKey, consumerTargetOfKey, consumerCurrentKey, consumerPatternKey:
		return s.showConsumerRecord(e)
	default:
		var k kmsg.GroupMetadataKey
		var v kmsg.GroupMetadataValue
		if err := k.ReadFrom(e.Key); err != nil {
			s.t.Fatal(err)
		}
		if e.Value == nil {
			return fmt.Sprintf("group %s deleted", k.Group)
		}
		if err := v.ReadFrom(e.Value); err != nil {
			s.t.Fatal(err)
		}
		text := fmt.Sprintf("group %s generation %d", k.Group, v.Generation)
		if v.Protocol != nil {
			text += fmt.Sprintf(" by %s, leader %s:", *v.Protocol, s.name(*v.Leader))
		}
		for _, m := range v.Members {
			text += fmt.Sprintf(" %s=%s", s.name(m.MemberID), showAssignment(m.Assignment))
		}
		return text
	}
}

func (s *story) showResponse(token coordinator.Token, resp kmsg.Response) string {
	if got := resp.AppendTo(nil); resp.GetVersion() >= 0 {
		fresh := kmsg.ResponseForKey(resp.Key())
		fresh.SetVersion(resp.GetVersion())
		if err := fresh.ReadFrom(got); err != nil {
			s.t.Fatalf("%T does not survive its encoding: %v", resp, err)
		}
	}
	client, _, _ := strings.Cut(s.asked[token], " ")
	switch resp := resp.(type) {
	case *kmsg.JoinGroupResponse:
		return s.showJoin(client, resp)
	case *kmsg.SyncGroupResponse:
		return showError(resp.ErrorCode) + strings.TrimRight(" "+showAssignment(resp.MemberAssignment), " ")
	case *kmsg.HeartbeatResponse:
		return showError(resp.ErrorCode)
	case *kmsg.LeaveGroupResponse:
		text := showError(resp.ErrorCode)
		for _, m := range resp.Members {
			text += fmt.Sprintf(" %s=%s", cmp.Or(s.name(m.MemberID), "-"), showError(m.ErrorCode))
		}
		return text
	case *kmsg.OffsetCommitResponse:
		var b []string
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				b = append(b, fmt.Sprintf("%s-%d %s", t.Topic, p.Partition, showError(p.ErrorCode)))
			}
		}
		return strings.Join(b, ", ")
	case *kmsg.TxnOffsetCommitResponse:
		var b []string
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				b = append(b, fmt.Sprintf("%s-%d %s", t.Topic, p.Partition, showError(p.ErrorCode)))
			}
		}
		return strings.Join(b, ", ")
	case *kmsg.OffsetFetchResponse:
		return showFetch(resp)
	case *kmsg.OffsetDeleteResponse:
		text := showError(resp.ErrorCode)
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				text += fmt.Sprintf(", %s-%d %s", t.Topic, p.Partition, showError(p.ErrorCode))
			}
		}
		return text
	case *kmsg.DescribeGroupsResponse:
		d := resp.Groups[0]
		text := fmt.Sprintf("%s %s %q %q", showError(d.ErrorCode), d.State, d.ProtocolType, d.Protocol)
		for _, m := range d.Members {
			text += fmt.Sprintf("\n    %s of %s%s: %d bytes of metadata, %q", s.name(m.MemberID), m.ClientID, m.ClientHost, len(m.ProtocolMetadata), m.MemberAssignment)
		}
		return text
	case *kmsg.ListGroupsResponse:
		var b []string
		for _, g := range resp.Groups {
			b = append(b, fmt.Sprintf("%s %s %s %q", g.Group, g.GroupState, g.GroupType, g.ProtocolType))
		}
		return strings.Join(b, ", ")
	case *kmsg.ConsumerGroupHeartbeatResponse:
		return s.showConsumerHeartbeat(client, resp)
	case *kmsg.ConsumerGroupDescribeResponse:
		return s.showConsumerDescription(resp)
	case *kmsg.DeleteGroupsResponse:
		return showError(resp.Groups[0].ErrorCode)
	}
	s.t.Fatalf("cannot show %T", resp)
	return ""
}

func (s *story) showJoin(client string, resp *kmsg.JoinGroupResponse) string {
	if resp.ErrorCode == kerr.MemberIDRequired.Code || resp.ErrorCode == 0 {
		s.learn(client, resp.MemberID)
		s.clients[client].id = resp.MemberID
	}
	if resp.ErrorCode != 0 {
		return strings.TrimSpace(showError(resp.ErrorCode) + " " + s.name(resp.MemberID))
	}
	s.clients[client].generation = resp.Generation
	text := fmt.Sprintf("generation %d by %s, member %s, leader %s", resp.Generation, text(resp.Protocol), s.name(resp.MemberID), s.name(resp.LeaderID))
	if resp.SkipAssignment {
		text += ", skip the assignment"
	}
	if len(resp.Members) > 0 {
		text += ", members"
		for _, m := range resp.Members {
			text += " " + s.name(m.MemberID)
		}
	}
	return text
}

func showFetch(resp *kmsg.OffsetFetchResponse) string {
	var b []string
	say := func(topic string, p kmsg.OffsetFetchResponseGroupTopicPartition) {
		text := fmt.Sprintf("%s-%d=%d", topic, p.Partition, p.Offset)
		if p.ErrorCode != 0 {
			text = fmt.Sprintf("%s-%d %s", topic, p.Partition, showError(p.ErrorCode))
		}
		b = append(b, text)
	}
	if resp.ErrorCode != 0 {
		b = append(b, showError(resp.ErrorCode))
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			say(t.Topic, kmsg.OffsetFetchResponseGroupTopicPartition(p))
		}
	}
	for _, g := range resp.Groups {
		if g.ErrorCode != 0 {
			b = append(b, showError(g.ErrorCode))
		}
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				say(t.Topic, p)
			}
		}
	}
	if len(b) == 0 {
		return "nothing"
	}
	return strings.Join(b, ", ")
}
