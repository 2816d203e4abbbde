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
	"odradek/broker/coordinator/coordinatortest"
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
//	reload                                             a new coordinator replays the log
//	config-group name=value -name [group=g]
//
// and those of [coordinatortest.Story.Do].
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		s := newStory(t)
		datadriven.RunTest(t, path, s.do)
	})
}

// story is a shard and clients that talk to it.
type story struct {
	*coordinatortest.Story
	groups  map[string]config.Values // what groups set themselves, by id
	rand    *rand.Rand
	asked   map[coordinator.Token]string
	clients map[string]*storyClient
	names   map[string]string // of member ids
	silent  bool
}

type storyClient struct {
	id         string
	ids        int
	instance   *string
	generation int32    // or member epoch
	consumer   bool     // it speaks the consumer protocol
	owned      []string // what it was told to have, by that
}

func newStory(t coordinatortest.TB) *story {
	s := &story{
		rand: rand.New(rand.NewPCG(1, 2)), asked: make(map[coordinator.Token]string),
		clients: make(map[string]*storyClient), names: make(map[string]string), groups: make(map[string]config.Values),
	}
	s.Story = coordinatortest.New(t, s, func(w *coordinatortest.Story) coordinator.Machine {
		own := func(id string) config.Group { return w.Broker.Group(s.groups[id]) }
		return New(Config{Broker: w.Broker, Group: own, Rand: s.rand, Fail: w.Fail})
	})
	s.Load()
	return s
}

func (s *story) machine() *Machine { return s.Shard.Machine().(*Machine) }

func (s *story) Appended(e coordinatortest.Entry) {
	if e.Marker != nil {
		s.say("+ marker of %d: %s", e.Marker.ProducerID, map[bool]string{true: "commit", false: "abort"}[e.Marker.Commit])
	} else {
		s.say("+ %s", s.showRecord(e.Entry))
	}
}

func (s *story) Answered(r coordinator.Reply) {
	s.say("< %s: %s", s.asked[r.Token], strings.TrimSpace(s.showResponse(r.Token, r.Response)))
	delete(s.asked, r.Token)
}

func (s *story) Marked(m coordinator.Marked) {
	s.say("< %s: %s", s.asked[m.Token], coordinatortest.ErrorName(code(m.Err)))
}

func (s *story) Happened(effect any) {
	e := effect.(Event)
	s.say("! %s %s%s generation %d, %d", e.Kind, e.Group, cmp.Or(strings.Repeat(" ", min(len(e.Member), 1))+s.name(e.Member), ""), e.Generation, e.Count)
}

func (s *story) say(format string, args ...any) {
	if !s.silent {
		s.Say(format, args...)
	}
}

// ask has the shard decide a request.
func (s *story) ask(who, what string, req kmsg.Request) {
	s.asked[s.Token+1] = strings.TrimSpace(who + " " + what)
	s.Ask(who, req)
}

// pass lets time go by, and the named clients send heartbeats.
func (s *story) pass(d time.Duration, alive []string) {
	for ; len(alive) > 0 && d >= time.Second; d -= time.Second {
		s.Pass(time.Second)
		s.silent = true
		for _, name := range alive {
			if c := s.clients[name]; c.consumer {
				s.consumerBeats(name)
			} else {
				s.beat(name, c.generation, c.id, c.instance)
			}
		}
		s.silent = false
	}
	s.Pass(d)
}

func (s *story) beat(who string, generation int32, id string, instance *string) {
	req := kmsg.NewPtrHeartbeatRequest()
	req.Version, req.Group, req.Generation, req.MemberID, req.InstanceID = 4, "g", generation, id, instance
	s.ask(who, "beat", req)
}

// name is what a member id is called in the transcript.
func (s *story) name(id string) string {
	if n, ok := s.names[id]; ok || s.Shard == nil {
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
			s.Fatal(err)
		}
		what := fmt.Sprintf("offset %s %s-%d", k.Group, k.Topic, k.Partition)
		if e.Value == nil {
			return what + " deleted"
		}
		if err := v.ReadFrom(e.Value); err != nil {
			s.Fatal(err)
		}
		if v.Version == 1 {
			in += fmt.Sprintf(" expires at %ds", (v.ExpireTimestamp-coordinatortest.Start)/1000)
		}
		return fmt.Sprintf("%s = %d%s", what, v.Offset, in)
	case consumerGroupKey, consumerMemberKey, consumerTargetKey, consumerTargetOfKey, consumerCurrentKey, consumerPatternKey:
		return s.showConsumerRecord(e)
	default:
		var k kmsg.GroupMetadataKey
		var v kmsg.GroupMetadataValue
		if err := k.ReadFrom(e.Key); err != nil {
			s.Fatal(err)
		}
		if e.Value == nil {
			return fmt.Sprintf("group %s deleted", k.Group)
		}
		if err := v.ReadFrom(e.Value); err != nil {
			s.Fatal(err)
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
	s.Encodable(resp)
	client, _, _ := strings.Cut(s.asked[token], " ")
	var b []string
	each := func(topic string, partition int32, code int16) {
		b = append(b, fmt.Sprintf("%s-%d %s", topic, partition, coordinatortest.ErrorName(code)))
	}
	switch resp := resp.(type) {
	case *kmsg.JoinGroupResponse:
		return s.showJoin(client, resp)
	case *kmsg.SyncGroupResponse:
		return coordinatortest.ErrorName(resp.ErrorCode) + strings.TrimRight(" "+showAssignment(resp.MemberAssignment), " ")
	case *kmsg.HeartbeatResponse:
		return coordinatortest.ErrorName(resp.ErrorCode)
	case *kmsg.LeaveGroupResponse:
		text := coordinatortest.ErrorName(resp.ErrorCode)
		for _, m := range resp.Members {
			text += fmt.Sprintf(" %s=%s", cmp.Or(s.name(m.MemberID), "-"), coordinatortest.ErrorName(m.ErrorCode))
		}
		return text
	case *kmsg.OffsetCommitResponse:
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				each(t.Topic, p.Partition, p.ErrorCode)
			}
		}
		return strings.Join(b, ", ")
	case *kmsg.TxnOffsetCommitResponse:
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				each(t.Topic, p.Partition, p.ErrorCode)
			}
		}
		return strings.Join(b, ", ")
	case *kmsg.OffsetFetchResponse:
		return showFetch(resp)
	case *kmsg.OffsetDeleteResponse:
		b = append(b, coordinatortest.ErrorName(resp.ErrorCode))
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				each(t.Topic, p.Partition, p.ErrorCode)
			}
		}
		return strings.Join(b, ", ")
	case *kmsg.DescribeGroupsResponse:
		d := resp.Groups[0]
		text := fmt.Sprintf("%s %s %q %q", coordinatortest.ErrorName(d.ErrorCode), d.State, d.ProtocolType, d.Protocol)
		for _, m := range d.Members {
			text += fmt.Sprintf("\n    %s of %s%s: %d bytes of metadata, %q", s.name(m.MemberID), m.ClientID, m.ClientHost, len(m.ProtocolMetadata), m.MemberAssignment)
		}
		return text
	case *kmsg.ListGroupsResponse:
		for _, g := range resp.Groups {
			b = append(b, fmt.Sprintf("%s %s %s %q", g.Group, g.GroupState, g.GroupType, g.ProtocolType))
		}
		return strings.Join(b, ", ")
	case *kmsg.ConsumerGroupHeartbeatResponse:
		return s.showConsumerHeartbeat(client, resp)
	case *kmsg.ConsumerGroupDescribeResponse:
		return s.showConsumerDescription(resp)
	case *kmsg.DeleteGroupsResponse:
		return coordinatortest.ErrorName(resp.Groups[0].ErrorCode)
	}
	s.Fatalf("cannot show %T", resp)
	return ""
}

func (s *story) showJoin(client string, resp *kmsg.JoinGroupResponse) string {
	if resp.ErrorCode == kerr.MemberIDRequired.Code || resp.ErrorCode == 0 {
		s.learn(client, resp.MemberID)
		s.clients[client].id = resp.MemberID
	}
	if resp.ErrorCode != 0 {
		return strings.TrimSpace(coordinatortest.ErrorName(resp.ErrorCode) + " " + s.name(resp.MemberID))
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
			text = fmt.Sprintf("%s-%d %s", topic, p.Partition, coordinatortest.ErrorName(p.ErrorCode))
		}
		b = append(b, text)
	}
	if resp.ErrorCode != 0 {
		b = append(b, coordinatortest.ErrorName(resp.ErrorCode))
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			say(t.Topic, kmsg.OffsetFetchResponseGroupTopicPartition(p))
		}
	}
	for _, g := range resp.Groups {
		if g.ErrorCode != 0 {
			b = append(b, coordinatortest.ErrorName(g.ErrorCode))
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
