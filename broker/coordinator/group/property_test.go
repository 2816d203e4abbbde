package group

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"odradek/broker/coordinator"
	"odradek/broker/coordinator/coordinatortest"
	"odradek/broker/wire"
)

// crowd is clients that do anything in any order, two groups and a log that may lose
// what has not committed.
type crowd struct {
	*story
	r *rapid.T
	// members are what clients know from their answers, by client.
	members map[string]*crowdMember
	// owners has who was told to own a partition, by group, its incarnation, and generation.
	owners map[string]string
	waits  map[coordinator.Token]func(kmsg.Response)
}

type crowdMember struct {
	group      string
	id         string
	instance   *string
	generation int32
	others     []kmsg.JoinGroupResponseMember
}

func (c *crowd) send(req kmsg.Request, done func(kmsg.Response)) {
	c.waits[c.Token+1] = done
	c.Ask("c", req)
}

func (c *crowd) Answered(r coordinator.Reply) {
	done := c.waits[r.Token]
	if done == nil {
		c.Fatalf("token %d is answered twice", r.Token)
	}
	delete(c.waits, r.Token)
	done(r.Response)
}

func (c *crowd) Appended(coordinatortest.Entry) {}
func (c *crowd) Marked(coordinator.Marked)      {}
func (c *crowd) Happened(any)                   {}

func (c *crowd) member() *crowdMember {
	return c.members[rapid.SampledFrom(slices.Sorted(maps.Keys(c.members))).Draw(c.r, "client")]
}

func (c *crowd) join(m *crowdMember) {
	req := kmsg.NewPtrJoinGroupRequest()
	req.Version = rapid.SampledFrom([]int16{3, 9}).Draw(c.r, "version")
	req.Group, req.MemberID, req.InstanceID, req.ProtocolType = m.group, m.id, m.instance, "consumer"
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = 10_000, rapid.Int32Range(0, 30_000).Draw(c.r, "rebalance")
	for _, p := range rapid.SampledFrom([][]string{{"a"}, {"a", "b"}, {"b", "a"}}).Draw(c.r, "protocols") {
		req.Protocols = append(req.Protocols, kmsg.JoinGroupRequestProtocol{Name: p, Metadata: consumerMetadata([]string{"t"})})
	}
	c.send(req, func(resp kmsg.Response) {
		j := resp.(*kmsg.JoinGroupResponse)
		switch j.ErrorCode {
		case 0, kerr.MemberIDRequired.Code:
			m.id, m.generation, m.others = j.MemberID, j.Generation, j.Members
			if j.SkipAssignment {
				m.others = nil
			}
		case kerr.UnknownMemberID.Code, kerr.FencedInstanceID.Code:
			m.id = ""
		}
	})
}

// sync has the leader hand out four partitions in turn.
func (c *crowd) sync(m *crowdMember) {
	req := kmsg.NewPtrSyncGroupRequest()
	req.Version, req.Group, req.Generation, req.MemberID, req.InstanceID = 5, m.group, m.generation, m.id, m.instance
	for i, other := range m.others {
		var partitions []string
		for p := i; p < 4; p += len(m.others) {
			partitions = append(partitions, fmt.Sprint(p))
		}
		req.GroupAssignment = append(req.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{
			MemberID: other.MemberID, MemberAssignment: []byte(strings.Join(partitions, ","))})
	}
	// A static member is one owner, whatever it is called at the time.
	owner, generation, incarnation := m.id, m.generation, c.deletions(m.group)
	if m.instance != nil {
		owner = *m.instance
	}
	c.send(req, func(resp kmsg.Response) {
		s := resp.(*kmsg.SyncGroupResponse)
		if s.ErrorCode != 0 || len(s.MemberAssignment) == 0 {
			return
		}
		for p := range strings.SplitSeq(string(s.MemberAssignment), ",") {
			key := fmt.Sprintf("%s, incarnation %d, generation %d, partition %s", m.group, incarnation, generation, p)
			if had := c.owners[key]; had != "" && had != owner {
				c.Fatalf("%s: %s and %s", key, had, owner)
			}
			c.owners[key] = owner
		}
	})
}

// deletions is how often a group was deleted.
func (c *crowd) deletions(group string) int {
	n := 0
	for _, l := range c.Log {
		if l.Marker == nil && l.Value == nil && string(l.Key) == string(groupTombstone(group).Key) {
			n++
		}
	}
	return n
}

func (c *crowd) offsetTopics() []kmsg.OffsetCommitRequestTopic {
	return []kmsg.OffsetCommitRequestTopic{{Topic: rapid.SampledFrom([]string{"t", "u"}).Draw(c.r, "topic"),
		Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Partition: rapid.Int32Range(0, 2).Draw(c.r, "partition"), Offset: int64(len(c.Log))}}}}
}

func (c *crowd) actions() map[string]func(*rapid.T) {
	ignore := func(kmsg.Response) {}
	return map[string]func(*rapid.T){
		"join":       func(*rapid.T) { c.join(c.member()) },
		"join again": func(*rapid.T) { c.join(c.member()) },
		"sync":       func(*rapid.T) { c.sync(c.member()) },
		"sync again": func(*rapid.T) { c.sync(c.member()) },
		// Everybody does as clients do: joins, is answered, and asks for the assignment.
		"settle": func(*rapid.T) {
			for range 2 { // the first may only promise ids
				for _, name := range slices.Sorted(maps.Keys(c.members)) {
					if m := c.members[name]; m.instance == nil || strings.HasSuffix(name, "0") {
						c.join(m)
					}
				}
				c.Pass(time.Second)
			}
			for _, name := range slices.Sorted(maps.Keys(c.members)) {
				c.sync(c.members[name])
			}
		},
		"restart": func(*rapid.T) {
			c.member().id = ""
		},
		"beat": func(*rapid.T) {
			m := c.member()
			req := kmsg.NewPtrHeartbeatRequest()
			req.Group, req.Generation, req.MemberID, req.InstanceID, req.Version = m.group, m.generation, m.id, m.instance, 4
			c.send(req, ignore)
		},
		"leave": func(*rapid.T) {
			req := kmsg.NewPtrLeaveGroupRequest()
			req.Version = 5
			req.Group = "g"
			for range 2 {
				m := c.member()
				req.Members = append(req.Members, kmsg.LeaveGroupRequestMember{MemberID: m.id, InstanceID: m.instance})
			}
			c.send(req, ignore)
		},
		"commit": func(*rapid.T) {
			m := c.member()
			req := kmsg.NewPtrOffsetCommitRequest()
			req.Version, req.Group, req.Generation, req.MemberID, req.Topics = 8, m.group, m.generation, m.id, c.offsetTopics()
			if rapid.Bool().Draw(c.r, "outsider") {
				req.Generation, req.MemberID = -1, ""
			}
			c.send(req, ignore)
		},
		"transactional commit": func(*rapid.T) {
			req := kmsg.NewPtrTxnOffsetCommitRequest()
			req.Version, req.Group, req.Generation = 5, c.member().group, -1
			req.ProducerID = rapid.Int64Range(1, 3).Draw(c.r, "producer")
			for _, topic := range c.offsetTopics() {
				req.Topics = append(req.Topics, kmsg.TxnOffsetCommitRequestTopic{Topic: topic.Topic, Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{
					{Partition: topic.Partitions[0].Partition, Offset: topic.Partitions[0].Offset}}})
			}
			c.send(req, ignore)
		},
		"mark": func(*rapid.T) {
			marker := coordinator.Marker{Commit: rapid.Bool().Draw(c.r, "commit")}
			marker.ProducerID = rapid.Int64Range(1, 3).Draw(c.r, "producer")
			c.Mark(marker)
		},
		"fetch": func(*rapid.T) {
			req := kmsg.NewPtrOffsetFetchRequest()
			req.Version, req.RequireStable = 8, rapid.Bool().Draw(c.r, "stable")
			req.Groups = []kmsg.OffsetFetchRequestGroup{{Group: "g"}, {Group: "h"}}
			c.send(req, ignore)
		},
		"delete": func(*rapid.T) {
			req := kmsg.NewPtrDeleteGroupsRequest()
			req.Groups = []string{c.member().group}
			c.send(req, ignore)
		},
		"delete offsets": func(*rapid.T) {
			req := kmsg.NewPtrOffsetDeleteRequest()
			req.Group = c.member().group
			req.Topics = []kmsg.OffsetDeleteRequestTopic{{Topic: "t", Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{Partition: 1}, {Partition: 1}}}}
			c.send(req, ignore)
		},
		"replace topic": func(*rapid.T) {
			c.DropTopic("u")
			c.CreateTopic("u")
			c.MetadataChanged()
		},
		"describe": func(*rapid.T) {
			req := kmsg.NewPtrDescribeGroupsRequest()
			req.Groups = []string{"g", "h"}
			c.send(req, ignore)
			c.send(kmsg.NewPtrListGroupsRequest(), ignore)
		},
		"pass": func(*rapid.T) {
			c.Pass(rapid.SampledFrom([]time.Duration{time.Millisecond, time.Second, 9 * time.Second, 2 * time.Minute}).Draw(c.r, "time"))
		},
		"hold":    func(*rapid.T) { c.Held = true },
		"release": func(*rapid.T) { c.Held = false; c.Commit() },
		"fail over": func(*rapid.T) {
			c.Take(c.Shard.Unload(kerr.NotCoordinator))
			if len(c.waits) > 0 {
				c.Fatalf("%d requests are left", len(c.waits))
			}
			kept := rapid.IntRange(int(c.Committed), len(c.Log)).Draw(c.r, "kept")
			for kept < len(c.Log) && c.Log[kept].Inner {
				kept-- // a batch is kept as a whole, or not
			}
			c.Log = c.Log[:kept]
			c.Load()
		},
	}
}

// durable is what of a machine must be the same after a replay, as text.
func durable(m *Machine, of map[string]bool) string {
	var b strings.Builder
	for _, id := range m.ids() {
		if !of[id] {
			continue
		}
		if g, ok := m.groups[id].(*consumer); ok {
			g.durable(&b)
			continue
		}
		g := m.groups[id].(*classic)
		fmt.Fprintf(&b, "%s: %v %v since %d, generation %d by %s %q, leader %q, topics %v\n", id, g.state, g.written, g.since, g.generation,
			g.protocolType, g.protocol, g.leader, slices.Sorted(maps.Keys(g.topics)))
		for _, mb := range g.order {
			fmt.Fprintf(&b, "  %s %q %d %d %x %s\n", mb.id, text(mb.instance), mb.sessionMs, mb.rebalanceMs, mb.metadata(g.protocol), mb.assignment)
		}
	}
	t := &turn{m: m}
	for _, id := range t.offsetGroups() {
		for _, tp := range m.offsets.partitions(id) {
			o, ok := m.offsets.get(id, tp)
			fmt.Fprintf(&b, "%s %v: %+v %v, %d pending\n", id, tp, o, ok, m.offsets.open[id][tp])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.offsets.topics)) {
		if n := m.offsets.topics[name].count; n > 0 {
			fmt.Fprintf(&b, "%s: %d\n", name, n)
		}
	}
	return b.String()
}

// checkReplay compares the machine with one that only saw the log. A group in the middle of
// a rebalance is ahead of its record.
func (c *crowd) checkReplay() {
	fresh := New(Config{Broker: c.Broker, Rand: c.rand})
	for i, l := range c.Log {
		if l.Marker != nil {
			fresh.ReplayMarker(*l.Marker, wire.Offset(i))
		} else {
			fresh.Replay(l.Entry)
		}
	}
	settled := make(map[string]bool)
	for id, g := range c.machine().groups {
		settled[id] = g.persisted() && (g.stateName() == "Stable" || g.empty())
	}
	if d := cmp.Diff(durable(c.machine(), settled), durable(fresh, settled)); d != "" {
		c.Fatalf("after a replay (-live +replayed):\n%s", d)
	}
}

// checkOffsets compares with what the log says, read as simply as possible: the last record
// of a key counts, except those of transactions that have not committed.
func (c *crowd) checkOffsets() {
	last := make(map[string]int)
	for i, l := range c.Log {
		if l.Marker != nil || keyVersion(l.Key) != offsetKeyVersion {
			continue
		}
		if by := l.Transaction; by != nil {
			end := slices.IndexFunc(c.Log[i:], func(l coordinatortest.Entry) bool { return l.Marker != nil && l.Marker.ProducerID == by.ProducerID })
			if end < 0 || !c.Log[i+end].Marker.Commit {
				continue
			}
		}
		last[string(l.Key)] = i
	}
	n := 0
	for key, i := range last {
		var k kmsg.OffsetCommitKey
		if err := k.ReadFrom([]byte(key)); err != nil {
			c.Fatal(err)
		}
		o, ok := c.machine().offsets.get(k.Group, wire.TopicPartition{Topic: k.Topic, Partition: k.Partition})
		if ok != (c.Log[i].Value != nil) || ok && o.logOffset != wire.Offset(i) {
			c.Fatalf("%+v is %+v %v, the log says record %d", k, o, ok, i)
		}
		if ok {
			n++
		}
	}
	for _, byPartition := range c.machine().offsets.byGroup {
		n -= len(byPartition)
	}
	if n != 0 {
		c.Fatalf("%d offsets more in the log than in the machine", n)
	}
}

func newCrowd(r *rapid.T) *crowd {
	c := &crowd{
		story: newStory(r), r: r, members: make(map[string]*crowdMember), owners: make(map[string]string),
		waits: make(map[coordinator.Token]func(kmsg.Response)),
	}
	c.Shell = c
	return c
}

func TestWhateverClientsDo(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		c := newCrowd(r)
		c.Configure("offsets.retention.minutes", "1")
		c.Configure("group.initial.rebalance.delay.ms", "100")
		c.Configure("offsets.retention.check.interval.ms", "30000")
		for i := range 4 {
			c.members[fmt.Sprint("d", i)] = &crowdMember{group: "g"}
		}
		for i := range 2 { // two processes each of two static members
			c.members[fmt.Sprint("x", i)] = &crowdMember{group: "g", instance: kmsg.StringPtr("x")}
			c.members[fmt.Sprint("y", i)] = &crowdMember{group: "g", instance: kmsg.StringPtr("y")}
		}
		c.members["h"] = &crowdMember{group: "h"}
		actions := c.actions()
		names := slices.Sorted(maps.Keys(actions))
		for range 60 {
			actions[rapid.SampledFrom(names).Draw(r, "action")](r)
			c.checkReplay()
			c.checkOffsets()
		}
	})
}

// Requests of any content are answered, or wait, and never end the machine.
func TestHostileRequests(t *testing.T) {
	huge := strings.Repeat("x", 40_000)
	rapid.Check(t, func(r *rapid.T) {
		s := newStory(r)
		s.Shell = answers{}
		name := rapid.SampledFrom([]string{"", "g", "t", "\x00", "\xff\xfe", huge, "-"})
		number := rapid.SampledFrom([]int32{-1 << 31, -2, -1, 0, 1, 6000, 1<<31 - 1})
		instance := func() *string {
			if rapid.Bool().Draw(r, "static") {
				return kmsg.StringPtr(name.Draw(r, "instance"))
			}
			return nil
		}
		for range rapid.IntRange(1, 30).Draw(r, "requests") {
			var req kmsg.Request
			group, member := name.Draw(r, "group"), name.Draw(r, "member")
			if g, ok := s.machine().groups[group].(*classic); ok && len(g.order) > 0 && rapid.Bool().Draw(r, "real") {
				member = g.order[0].id
			} else if ok && len(g.promised) > 0 {
				member = slices.Sorted(maps.Keys(g.promised))[0]
			}
			if g, ok := s.machine().groups[group].(*consumer); ok && len(g.members) > 0 && rapid.Bool().Draw(r, "real") {
				member = g.memberIDs()[0]
			}
			switch rapid.IntRange(0, 9).Draw(r, "kind") {
			case 0, 1:
				q := kmsg.NewPtrJoinGroupRequest()
				q.Group, q.MemberID, q.InstanceID, q.ProtocolType = group, member, instance(), name.Draw(r, "type")
				q.SessionTimeoutMillis, q.RebalanceTimeoutMillis = number.Draw(r, "session"), number.Draw(r, "rebalance")
				for range rapid.IntRange(0, 3).Draw(r, "protocols") {
					metadata := rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(r, "metadata")
					if rapid.Bool().Draw(r, "a consumer's") {
						q.ProtocolType, metadata = "consumer", consumerMetadata([]string{"t", name.Draw(r, "topic")})
					}
					q.Protocols = append(q.Protocols, kmsg.JoinGroupRequestProtocol{Name: name.Draw(r, "protocol"), Metadata: metadata})
				}
				req = q
			case 2:
				q := kmsg.NewPtrSyncGroupRequest()
				q.Group, q.MemberID, q.InstanceID, q.Generation = group, member, instance(), number.Draw(r, "generation")
				q.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: member, MemberAssignment: []byte{1}}, {MemberID: member}}
				req = q
			case 3:
				q := kmsg.NewPtrHeartbeatRequest()
				q.Group, q.MemberID, q.InstanceID, q.Generation = group, member, instance(), number.Draw(r, "generation")
				req = q
			case 4:
				q := kmsg.NewPtrLeaveGroupRequest()
				q.Group, q.MemberID = group, member
				q.Members = []kmsg.LeaveGroupRequestMember{{MemberID: member, InstanceID: instance()}, {MemberID: member}}
				req = q
			case 5:
				q := kmsg.NewPtrOffsetCommitRequest()
				q.Group, q.MemberID, q.InstanceID, q.Generation = group, member, instance(), number.Draw(r, "generation")
				q.RetentionTimeMillis = rapid.Int64().Draw(r, "retention")
				q.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: name.Draw(r, "topic"), Partitions: []kmsg.OffsetCommitRequestTopicPartition{
					{Partition: number.Draw(r, "partition"), Offset: rapid.Int64().Draw(r, "offset"), Metadata: kmsg.StringPtr(name.Draw(r, "metadata"))}}}}
				req = q
			case 6:
				q := kmsg.NewPtrOffsetFetchRequest()
				q.Group = group
				q.Topics = []kmsg.OffsetFetchRequestTopic{{Topic: name.Draw(r, "topic"), Partitions: []int32{number.Draw(r, "partition")}}}
				q.Groups = []kmsg.OffsetFetchRequestGroup{{Group: group}, {Group: group}}
				req = q
			case 7:
				q := kmsg.NewPtrDeleteGroupsRequest()
				q.Groups = []string{group, group}
				req = q
			case 8, 9:
				q := kmsg.NewPtrConsumerGroupHeartbeatRequest()
				q.Group, q.MemberID, q.InstanceID, q.RackID = group, member, instance(), instance()
				q.MemberEpoch = rapid.SampledFrom([]int32{-3, -2, -1, 0, 0, 0, 1, 2, 1<<31 - 1}).Draw(r, "epoch")
				q.RebalanceTimeoutMillis = number.Draw(r, "rebalance")
				q.ServerAssignor = rapid.SampledFrom([]*string{nil, kmsg.StringPtr("range"), kmsg.StringPtr("")}).Draw(r, "assignor")
				if rapid.Bool().Draw(r, "names") {
					q.SubscribedTopicNames = rapid.SliceOfN(name, 0, 3).Draw(r, "topics")
				}
				q.SubscribedTopicRegex = rapid.SampledFrom([]*string{nil, kmsg.StringPtr(""), kmsg.StringPtr("t|u"), kmsg.StringPtr("a)(b"), &huge}).Draw(r, "regex")
				q.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
				if rapid.Bool().Draw(r, "owns") {
					q.Topics = append(q.Topics, kmsg.ConsumerGroupHeartbeatRequestTopic{TopicID: [16]byte{15: 1}, Partitions: []int32{number.Draw(r, "partition"), 0, 0}})
				}
				req = q
			}
			lowest, highest := served(req.Key())
			req.SetVersion(rapid.Int16Range(lowest, highest).Draw(r, "version"))
			s.Held = true
			s.Ask(name.Draw(r, "client"), req)
			for range 3 {
				if s.Shard.Deadline() < coordinator.Never {
					s.Now = max(s.Now, s.Shard.Deadline())
				}
				s.Take(s.Shard.Tick(s.Moment()))
			}
			s.Commit()
		}
		s.Load() // what was written can be read
	})
}
