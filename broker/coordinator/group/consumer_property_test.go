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

	"odradek/broker/coordinator/coordinatortest"
	"odradek/broker/failpoint"
	"odradek/broker/wire"
)

// durable is what of the group must be the same after a replay.
func (g *consumer) durable(b *strings.Builder) {
	fmt.Fprintf(b, "%s: %v epoch %d hash %d target %d statics %v\n", g.id, g.state(), g.epoch, g.hash, g.targetEpoch, g.statics)
	for _, id := range g.memberIDs() {
		mb := g.members[id]
		fmt.Fprintf(b, "  %s %q %q %q %q %v %q %d %q %+v\n", mb.id, text(mb.instance), text(mb.rack), mb.clientID, mb.clientHost, mb.topics, mb.pattern, mb.rebalanceMs, mb.assignor, mb.classic)
		fmt.Fprintf(b, "    epoch %d after %d, %d: %v, gives up %v, target %v\n", mb.epoch, mb.previous, mb.state, mb.assigned, mb.revoking, mb.target)
	}
	for _, text := range slices.Sorted(maps.Keys(g.patterns)) {
		fmt.Fprintf(b, "  %s: %v at %d\n", text, g.patterns[text].topics, g.patterns[text].resolved)
	}
}

// flock is clients of one group, of both protocols, that do as clients do at odd times.
type flock struct {
	*crowd
	birds []*bird
}

// bird is one client. It has at most one request under way.
type bird struct {
	name     string
	instance *string
	classic  bool
	id       string // "" is none
	epoch    int32  // or generation
	waits    bool
	told     bool // the coordinator knows all about it
	owns     partitions
	shall    partitions // what it was told that it may have
	topics   []string
	pattern  *string
	assignor *string
	others   []string // whom it leads
	synced   bool
	lives    int
}

func (f *flock) ask(b *bird, req kmsg.Request, done func(kmsg.Response)) {
	b.waits = true
	life := b.lives
	f.send(req, func(resp kmsg.Response) {
		if b.lives == life {
			b.waits = false
			done(resp)
		}
	})
}

// die forgets everything, and nobody is told.
func (b *bird) die() {
	b.lives++
	b.id, b.epoch, b.waits, b.told, b.owns, b.shall, b.synced, b.others = "", 0, false, false, nil, nil, false, nil
}

func (f *flock) heartbeat(b *bird, epoch int32) {
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Version, req.Group, req.MemberID, req.InstanceID = 1, "g", b.id, b.instance
	req.MemberEpoch, req.RebalanceTimeoutMillis = epoch, -1
	if epoch >= 0 && (!b.told || epoch == 0) {
		req.RebalanceTimeoutMillis, req.SubscribedTopicNames, req.SubscribedTopicRegex, req.ServerAssignor = 20_000, b.topics, b.pattern, b.assignor
		if req.SubscribedTopicNames == nil {
			req.SubscribedTopicNames = []string{}
		}
	}
	req.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	b.owns.eachTopic(func(topic wire.UUID, indexes []int32) {
		req.Topics = append(req.Topics, kmsg.ConsumerGroupHeartbeatRequestTopic{TopicID: topic, Partitions: indexes})
	})
	b.told = false
	f.ask(b, req, func(resp kmsg.Response) {
		h := resp.(*kmsg.ConsumerGroupHeartbeatResponse)
		switch h.ErrorCode {
		case 0:
			if b.epoch, b.told = h.MemberEpoch, true; b.epoch < 0 {
				b.die()
			}
			if h.Assignment == nil {
				return
			}
			var list []wire.TopicIDPartition
			for _, topic := range h.Assignment.Topics {
				for _, p := range topic.Partitions {
					list = append(list, wire.TopicIDPartition{TopicID: topic.TopicID, Partition: p})
				}
			}
			b.shall = setOf(list)
			b.owns = b.owns.or(b.shall) // takes at once what it gets, and gives up later
		case kerr.NotCoordinator.Code, kerr.CoordinatorNotAvailable.Code, kerr.CoordinatorLoadInProgress.Code:
		default:
			b.die()
		}
	})
}

// beat is the next request of a consumer.
func (f *flock) beat(b *bird) {
	switch {
	case b.waits:
	case b.classic:
		f.classicBeat(b)
	case b.id == "":
		b.id = fmt.Sprintf("%s-%d", b.name, b.lives)
		f.heartbeat(b, 0)
	default:
		f.heartbeat(b, b.epoch)
	}
}

// classicBeat is the next request of an eager consumer.
func (f *flock) classicBeat(b *bird) {
	failed := func(code int16) {
		switch code {
		case 0:
		case kerr.UnknownMemberID.Code, kerr.FencedInstanceID.Code, kerr.InconsistentGroupProtocol.Code, kerr.GroupMaxSizeReached.Code:
			b.die()
		case kerr.IllegalGeneration.Code:
			b.epoch, b.owns = 0, nil
		case kerr.RebalanceInProgress.Code:
			b.epoch = 0
		}
	}
	switch {
	case b.epoch == 0:
		b.owns = nil
		req := kmsg.NewPtrJoinGroupRequest()
		req.Version, req.Group, req.MemberID, req.InstanceID, req.ProtocolType = 9, "g", b.id, b.instance, "consumer"
		req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = 10_000, 20_000
		req.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: consumerMetadata(b.topics)}}
		f.ask(b, req, func(resp kmsg.Response) {
			j := resp.(*kmsg.JoinGroupResponse)
			if failed(j.ErrorCode); j.ErrorCode == kerr.MemberIDRequired.Code {
				b.id = j.MemberID
			}
			if j.ErrorCode != 0 {
				return
			}
			b.id, b.epoch, b.others, b.synced = j.MemberID, j.Generation, nil, false
			for _, other := range j.Members {
				b.others = append(b.others, other.MemberID)
			}
		})
	case !b.synced:
		req := kmsg.NewPtrSyncGroupRequest()
		req.Version, req.Group, req.Generation, req.MemberID, req.InstanceID = 5, "g", b.epoch, b.id, b.instance
		for i, other := range b.others {
			m := kmsg.NewConsumerMemberAssignment()
			for _, topic := range []string{"t", "u"} {
				if f.Image.Topic(topic) == nil {
					continue
				}
				t := kmsg.ConsumerMemberAssignmentTopic{Topic: topic}
				for p := i; p < len(f.Image.Topic(topic).Partitions); p += len(b.others) {
					t.Partitions = append(t.Partitions, int32(p))
				}
				m.Topics = append(m.Topics, t)
			}
			req.GroupAssignment = append(req.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: other, MemberAssignment: m.AppendTo(nil)})
		}
		f.ask(b, req, func(resp kmsg.Response) {
			s := resp.(*kmsg.SyncGroupResponse)
			if failed(s.ErrorCode); s.ErrorCode == 0 {
				b.owns, _ = readAssignment(f.Image, s.MemberAssignment)
				b.synced = true
			}
		})
	default:
		req := kmsg.NewPtrHeartbeatRequest()
		req.Version, req.Group, req.Generation, req.MemberID, req.InstanceID = 4, "g", b.epoch, b.id, b.instance
		f.ask(b, req, func(resp kmsg.Response) { failed(resp.(*kmsg.HeartbeatResponse).ErrorCode) })
	}
}

// letGo gives up what it was told to give up.
func (b *bird) letGo() {
	if !b.classic {
		b.owns = b.owns.and(b.shall)
	}
}

// doubled is a partition that two clients use which are both members, "" if there is none.
func (f *flock) doubled() string {
	users := make(map[wire.TopicIDPartition]string)
	for _, b := range f.birds {
		switch g := f.machine().groups["g"].(type) {
		case *consumer:
			if g.members[b.id] == nil {
				continue
			}
		case *classic:
			if g.members[b.id] == nil {
				continue
			}
		default:
			continue
		}
		for _, p := range b.owns {
			if other := users[p]; other != "" {
				return fmt.Sprintf("%v is used by %s and %s", p, other, b.id)
			}
			users[p] = b.id
		}
	}
	return ""
}

func (f *flock) bird() *bird { return rapid.SampledFrom(f.birds).Draw(f.r, "client") }

func (f *flock) actions() map[string]func() {
	beat := func() { f.beat(f.bird()) }
	return map[string]func(){
		"beat": beat, "beat more": beat, "beat still more": beat,
		"let go": func() { f.bird().letGo() },
		"all": func() {
			for _, b := range f.birds {
				f.beat(b)
				b.letGo()
			}
		},
		"crash": func() { f.bird().die() },
		"leave": func() {
			b := f.bird()
			switch {
			case b.waits || b.id == "":
			case b.classic:
				req := kmsg.NewPtrLeaveGroupRequest()
				req.Version, req.Group = 5, "g"
				req.Members = []kmsg.LeaveGroupRequestMember{{MemberID: b.id, InstanceID: b.instance}}
				f.send(req, func(kmsg.Response) {})
				b.die()
			case b.epoch > 0:
				b.owns = nil
				epoch := leaveEpoch
				if b.instance != nil && rapid.Bool().Draw(f.r, "away") {
					epoch = awayEpoch
				}
				f.heartbeat(b, epoch)
			}
		},
		"subscribe": func() {
			b := f.bird()
			b.topics, b.told = rapid.SampledFrom([][]string{{"t"}, {"u"}, {"t", "u"}}).Draw(f.r, "topics"), false
			b.pattern = rapid.SampledFrom([]*string{nil, kmsg.StringPtr(""), kmsg.StringPtr("u.*")}).Draw(f.r, "pattern")
		},
		"grow topic": func() {
			if len(f.Image.Topic("t").Partitions) < 8 {
				f.GrowTopic("t")
				f.MetadataChanged()
			}
		},
		"replace topic": func() {
			f.DropTopic("u")
			f.CreateTopic("u")
			f.MetadataChanged()
		},
		"commit": func() {
			b := f.bird()
			req := kmsg.NewPtrOffsetCommitRequest()
			req.Version, req.Group, req.Generation, req.MemberID, req.Topics = 9, "g", b.epoch, b.id, f.offsetTopics()
			f.send(req, func(kmsg.Response) {})
		},
		"delete": func() {
			req := kmsg.NewPtrDeleteGroupsRequest()
			req.Groups = []string{"g"}
			f.send(req, func(kmsg.Response) {})
		},
		"describe": func() {
			req := kmsg.NewPtrConsumerGroupDescribeRequest()
			req.Groups = []string{"g", "h"}
			f.send(req, func(kmsg.Response) {})
			f.machine().Groups(f.Image)
		},
		"pass": func() {
			f.Pass(rapid.SampledFrom([]time.Duration{time.Second, 5 * time.Second, 21 * time.Second}).Draw(f.r, "time"))
		},
		"long pass": func() { f.Pass(time.Minute) },
		"hold":      func() { f.Held = true },
		"release":   func() { f.Held = false; f.Commit() },
		"fail over": func() { f.crowd.actions()["fail over"](f.r) },
	}
}

func newFlock(r *rapid.T) *flock {
	f := &flock{crowd: newCrowd(r)}
	f.Configure("group.initial.rebalance.delay.ms", "100")
	for i, name := range []string{"a", "b", "c", "s", "k", "l"} {
		b := &bird{name: name, topics: []string{"t"}, classic: name >= "k" && name < "s"}
		if name == "s" {
			b.instance = kmsg.StringPtr("x")
		}
		if i == 1 {
			b.assignor = kmsg.StringPtr("range")
		}
		f.birds = append(f.birds, b)
	}
	return f
}

// check is what always holds.
func (f *flock) check() {
	f.checkReplay()
	f.checkOffsets()
	if d := f.doubled(); d != "" {
		f.Fatal(d)
	}
	g, ok := f.machine().groups["g"].(*consumer)
	if !ok {
		return
	}
	users := make(map[string]int)
	owned := 0
	for _, mb := range g.members {
		users[mb.pattern]++
		for _, p := range mb.assigned.or(mb.revoking) {
			owned++
			if g.owners[p] != mb {
				f.Fatalf("%v is %s's, but counts as %q's", p, mb.id, idOf(g.owners[p]))
			}
		}
	}
	if owned != len(g.owners) {
		f.Fatalf("%d partitions have owners, members have %d", len(g.owners), owned)
	}
	delete(users, "")
	if len(users) != len(g.patterns) {
		f.Fatalf("patterns %v, members use %v", g.patterns, users)
	}
	for text, p := range g.patterns {
		if p.users != users[text] {
			f.Fatalf("%q has %d users, not %d", text, p.users, users[text])
		}
	}
}

// settles has everybody send heartbeats, until nothing is left to be done.
func (f *flock) settles() {
	f.Held = false
	f.Commit()
	for range 40 {
		for _, b := range f.birds {
			f.beat(b)
			b.letGo()
			if d := f.doubled(); d != "" {
				f.Fatal(d)
			}
		}
		f.Pass(2 * time.Second)
	}
	f.check()
	g := f.machine().groups["g"]
	if g.stateName() != "Stable" {
		f.Fatalf("the group is %s", g.stateName())
	}
	c, ok := g.(*consumer)
	if !ok {
		return
	}
	for _, b := range f.birds {
		mb := c.members[b.id]
		if mb == nil || !slices.Equal(mb.assigned, b.owns) || !slices.Equal(mb.target, mb.assigned) {
			f.Fatalf("%s owns %v, for the coordinator it is %+v", b.id, b.owns, mb)
		}
	}
	for _, topic := range c.subscribed(f.Image) {
		for _, p := range topic.Partitions {
			if tp := (wire.TopicIDPartition{TopicID: topic.ID, Partition: int32(p.Index)}); c.owners[tp] == nil {
				f.Fatalf("nobody has %v", tp)
			}
		}
	}
}

func TestWhateverConsumersDo(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		f := newFlock(r)
		actions := f.actions()
		names := slices.Sorted(maps.Keys(actions))
		for range 60 {
			actions[rapid.SampledFrom(names).Draw(r, "action")]()
			f.check()
		}
		f.settles()
	})
}

// Two clients use a partition with the bug of KAFKA-16147, and the check above sees it.
func TestPartitionEpochLostIsFound(t *testing.T) {
	found := false
	for range 3 {
		rapid.Check(t, func(r *rapid.T) {
			f := newFlock(r)
			if err := f.Fail.Arm(failpoint.ZooPartitionEpochLost, "return(true)"); err != nil {
				t.Fatal(err)
			}
			for range 60 {
				b := f.birds[rapid.IntRange(0, 2).Draw(r, "client")]
				switch rapid.IntRange(0, 3).Draw(r, "action") {
				case 0:
					if b.id != "" && b.epoch > 0 {
						b.owns = nil
						f.heartbeat(b, leaveEpoch)
					}
				case 1:
					b.letGo()
				default:
					f.beat(b)
				}
				found = found || f.doubled() != ""
			}
		})
		if found {
			return
		}
	}
	t.Error("nobody noticed")
}

// What white-box checks are shown of groups of either kind.
func TestGroupsShowsWhatMembersOwn(t *testing.T) {
	s := newStory(t)
	for _, cmd := range []string{"enter a", "enter b", "report a"} {
		verb, who, _ := strings.Cut(cmd, " ")
		s.do(t, coordinatortest.Directive(verb, who))
	}
	g := kmsg.NewPtrJoinGroupRequest()
	g.Version, g.Group, g.ProtocolType, g.SessionTimeoutMillis = 3, "h", "consumer", 10_000
	g.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: consumerMetadata([]string{"t"})}}
	s.clients["k"] = &storyClient{}
	s.ask("k", "join", g)
	s.Pass(6 * time.Second)
	sync := kmsg.NewPtrSyncGroupRequest()
	sync.Group, sync.MemberID, sync.Generation = "h", s.clients["k"].id, 1
	m := kmsg.ConsumerMemberAssignment{Topics: []kmsg.ConsumerMemberAssignmentTopic{{Topic: "t", Partitions: []int32{3, 1}}, {Topic: "gone", Partitions: []int32{0}}}}
	sync.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: sync.MemberID, MemberAssignment: m.AppendTo(nil)}}
	s.ask("k", "sync", sync)

	of := func(indexes ...int32) (tps []wire.TopicIDPartition) {
		for _, i := range indexes {
			tps = append(tps, wire.TopicIDPartition{TopicID: s.Image.Topic("t").ID, Partition: i})
		}
		return tps
	}
	want := []Snapshot{
		{ID: "g", Type: "consumer", State: "Reconciling", Epoch: 2, TargetEpoch: 2, Members: []MemberSnapshot{
			{ID: "a", Epoch: 1, Assigned: of(0, 1), Revoking: of(2, 3), Target: of(0, 1)},
			{ID: "b", Epoch: 2, Target: of(2, 3)},
		}},
		{ID: "h", Type: "classic", State: "Stable", Epoch: 1, TargetEpoch: 1, Members: []MemberSnapshot{
			{ID: s.clients["k"].id, Classic: true, Epoch: 1, Assigned: of(1, 3)},
		}},
	}
	if d := cmp.Diff(want, s.machine().Groups(s.Image)); d != "" {
		t.Error(d)
	}
}
