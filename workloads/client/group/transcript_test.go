package group

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/cluster"
	"odradek/workloads/client/transcript"
)

// TestTranscripts plays a member against answers written by hand. After each command the
// core is polled, and everything that came of it is shown: requests, changes that wait
// for the script, events, results, and where the member stands if that is news.
//
//	new classic|consumer [assignors=range,...] [instance=i] [rack=r] [stable]
//	subscribe a b
//	metadata a=4 b=2       partitions of the topics
//	polling | away         the script polls, or does something else
//	tell                   the script hears of the next change, and it is made
//	hear | heard           the same in two steps
//	pass 3s
//	answer #1 ...          see fill
//	fail #1 lost|not-sent|version
//	commit a-0=5,a-1=7 [once|retry|insist]
//	committed a-0 a-1
//	leave
//
// Times of transcripts have no jitter that shows: they are rounded.
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var s *stage
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "new" {
				s = newStage(t, d)
				return s.show()
			}
			if complaint := s.run(t, d); complaint != "" {
				return complaint + "\n"
			}
			return s.show()
		})
	})
}

type stage struct {
	core *Core
	meta *cluster.Metadata
	now  int64
	sent map[string]Request
	last string
}

func newStage(t *testing.T, d *datadriven.TestData) *stage {
	rng := rand.New(rand.NewPCG(1, 1))
	s := &stage{now: int64(time.Hour), sent: make(map[string]Request)}
	s.meta = cluster.New(cluster.Config{Backoff: attempt.Backoff{Initial: time.Millisecond, Max: time.Millisecond}, MaxAge: 10 * time.Hour}, rng)
	cfg := DefaultConfig("g")
	if d.CmdArgs[0].Key == "consumer" {
		cfg.Protocol = Consumer
	}
	for _, a := range d.CmdArgs[1:] {
		switch a.Key {
		case "instance":
			cfg.Instance = a.Vals[0]
		case "rack":
			cfg.Rack = a.Vals[0]
		case "assignor":
			cfg.RemoteAssignor = a.Vals[0]
		case "stable":
			cfg.RequireStable = true
		case "assignors":
			cfg.Assignors = nil
			for _, name := range a.Vals {
				for _, known := range []Assignor{Range, RoundRobin, Sticky, CooperativeSticky} {
					if known.Name() == name {
						cfg.Assignors = append(cfg.Assignors, known)
					}
				}
			}
		default:
			d.Fatalf(t, "no option %q", a.Key)
		}
	}
	s.core = New(cfg, s.meta, rng)
	if m, ok := s.core.membership.(*consumerMember); ok {
		m.id = "me"
	}
	return s
}

func topicID(name string) wire.UUID { return wire.UUID{15: name[0]} }

// run carries out a command, or says why it cannot be.
func (s *stage) run(t *testing.T, d *datadriven.TestData) (complaint string) {
	var words []string
	args := make(map[string]string)
	for _, a := range d.CmdArgs {
		words = append(words, a.Key)
		args[a.Key] = strings.Join(a.Vals, ",")
	}
	switch d.Cmd {
	case "subscribe":
		s.core.Subscribe(words)
	case "metadata":
		s.metadata(args)
	case "polling":
		s.core.Polling(s.now, true)
	case "away":
		s.core.Polling(s.now, false)
	case "hear", "tell":
		if s.core.Change() == nil {
			return "THERE IS NO CHANGE TO TELL"
		}
		if d.Cmd == "tell" {
			s.core.Changed(s.now)
		}
	case "heard":
		if !s.core.telling {
			return "NO CHANGE IS BEING TOLD"
		}
		s.core.Changed(s.now)
	case "pass":
		s.now += transcript.Duration(words[0])
	case "answer":
		r, ok := s.sent[words[0]]
		if !ok {
			return "NOTHING IS UNDER WAY AS " + words[0]
		}
		delete(s.sent, words[0])
		s.core.OnResponse(s.now, r.ID, fill(r.Msg, args))
	case "fail":
		r, ok := s.sent[words[0]]
		if !ok {
			return "NOTHING IS UNDER WAY AS " + words[0]
		}
		delete(s.sent, words[0])
		s.core.OnFailure(s.now, r.ID, map[string]error{
			"lost": attempt.ErrLost, "version": attempt.ErrVersion, "not-sent": attempt.ErrNotSent,
		}[words[1]])
	case "commit":
		offsets, effort := make(Offsets), Retry
		for key, value := range args {
			switch key {
			case "once":
				effort = Once
			case "retry":
			case "insist":
				effort = Insist
			default:
				offsets[transcript.Partition(key)] = Offset{Offset: wire.Offset(transcript.Number(value)), LeaderEpoch: wire.NoLeaderEpoch}
			}
		}
		s.core.Commit(s.now, offsets, effort)
	case "committed":
		var tps []wire.TopicPartition
		for _, w := range words {
			tps = append(tps, transcript.Partition(w))
		}
		s.core.Fetch(s.now, tps)
	case "leave":
		s.core.Leave(s.now)
	default:
		d.Fatalf(t, "no command %q", d.Cmd)
	}
	return ""
}

func (s *stage) metadata(counts map[string]string) {
	var topics []kmsg.MetadataResponseTopic
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		s.meta.Want(name)
		topic := transcript.Topic(name)
		topic.TopicID = topicID(name)
		for p := range int32(transcript.Number(counts[name])) {
			transcript.Lead(&topic, p, 1, 0)
		}
		if len(topic.Partitions) == 0 {
			topic.ErrorCode = transcript.Code("UNKNOWN_TOPIC_OR_PARTITION")
		}
		topics = append(topics, topic)
	}
	s.now = transcript.Refresh(s.meta, s.now, 1, topics...)
}

func words(tps []wire.TopicPartition) string {
	if len(tps) == 0 {
		return "none"
	}
	var out []string
	for _, tp := range tps {
		out = append(out, tp.String())
	}
	return strings.Join(out, ",")
}

func (s *stage) show() string {
	var out strings.Builder
	for _, r := range s.core.Poll(s.now) {
		id := fmt.Sprintf("#%d", r.ID)
		s.sent[id] = r
		fmt.Fprintf(&out, "%s %s\n", id, describe(r))
	}
	for _, e := range s.core.Events() {
		fmt.Fprintf(&out, "%s as %s/%d", e.Kind, e.ID, e.Generation)
		if e.Err != nil {
			fmt.Fprintf(&out, ": %v", e.Err)
		}
		out.WriteByte('\n')
	}
	for _, k := range s.core.Commits() {
		fmt.Fprintf(&out, "commit %d: %s after %d attempts", k.ID, k.Outcome, len(k.Attempts))
		for _, tp := range slices.SortedFunc(maps.Keys(k.Partitions), wire.TopicPartition.Compare) {
			fmt.Fprintf(&out, " %s=%s", tp, k.Partitions[tp])
		}
		if (k.Err == nil) != (k.Outcome == attempt.OK) {
			panic("an error if and only if not OK")
		}
		if k.Err != nil {
			fmt.Fprintf(&out, ": %v", k.Err)
		}
		out.WriteByte('\n')
	}
	for _, f := range s.core.Fetches() {
		fmt.Fprintf(&out, "committed:")
		for _, tp := range slices.SortedFunc(maps.Keys(f.Offsets), wire.TopicPartition.Compare) {
			fmt.Fprintf(&out, " %s=%d/%d", tp, f.Offsets[tp].Offset, f.Offsets[tp].LeaderEpoch)
		}
		for _, tp := range slices.SortedFunc(maps.Keys(f.Refused), wire.TopicPartition.Compare) {
			fmt.Fprintf(&out, " %s: %v", tp, f.Refused[tp])
		}
		if f.Err != nil {
			fmt.Fprintf(&out, " %v", f.Err)
		}
		out.WriteByte('\n')
	}
	if len(s.core.changes) > 0 {
		verb := "wants to"
		if s.core.telling {
			verb = "is telling to"
		}
		for _, ch := range s.core.changes {
			fmt.Fprintf(&out, "%s %s %s as %s/%d\n", verb, ch.Kind, words(ch.Partitions), ch.Member.ID, ch.Member.Generation)
			verb = "then to"
		}
	}
	if d := s.core.Deadline(); d != cluster.Never {
		if d <= s.now {
			fmt.Fprintf(&out, "SPINS\n")
		}
		fmt.Fprintf(&out, "again in %v\n", time.Duration(d-s.now).Round(50*time.Millisecond))
	}
	m := s.core.Member()
	is := fmt.Sprintf("%s, owns %s, as %s/%d", s.core.State(), words(s.core.Owned()), m.ID, m.Generation)
	switch {
	case s.core.Err() != nil:
		is = "failed"
	case s.core.Over():
		is = "over"
	}
	if is != s.last {
		fmt.Fprintf(&out, "is %s\n", is)
		s.last = is
	}
	if out.Len() == 0 {
		return "nothing\n"
	}
	return out.String()
}

func or(s *string) string {
	if s == nil {
		return ""
	}
	return "/" + *s
}

// describe a request in a line.
func describe(r Request) string {
	var out strings.Builder
	if r.Node == wire.NoNode {
		fmt.Fprintf(&out, "any node: ")
	} else {
		fmt.Fprintf(&out, "node %d: ", r.Node)
	}
	switch m := r.Msg.(type) {
	case *kmsg.FindCoordinatorRequest:
		fmt.Fprintf(&out, "find-coordinator %s", m.CoordinatorKey)
	case *kmsg.JoinGroupRequest:
		fmt.Fprintf(&out, "join as %q%s", m.MemberID, or(m.InstanceID))
		for _, p := range m.Protocols {
			sub, err := readSubscription("", nil, p.Metadata, named{p.Name})
			if err != nil {
				panic(err)
			}
			fmt.Fprintf(&out, " %s(%s", p.Name, strings.Join(sub.Topics, ","))
			if len(sub.Owned) > 0 {
				fmt.Fprintf(&out, " has %s", words(sub.Owned))
			}
			fmt.Fprintf(&out, " in %d)", sub.Generation)
		}
		fmt.Fprintf(&out, " within %v", r.Timeout)
	case *kmsg.SyncGroupRequest:
		fmt.Fprintf(&out, "sync as %s%s/%d %s", m.MemberID, or(m.InstanceID), m.Generation, *m.Protocol)
		for _, a := range m.GroupAssignment {
			tps, err := readAssignment(a.MemberAssignment)
			if err != nil {
				panic(err)
			}
			fmt.Fprintf(&out, " %s=%s", a.MemberID, words(tps))
		}
	case *kmsg.HeartbeatRequest:
		fmt.Fprintf(&out, "heartbeat as %s%s/%d", m.MemberID, or(m.InstanceID), m.Generation)
	case *kmsg.LeaveGroupRequest:
		fmt.Fprintf(&out, "leave as %s", m.MemberID)
	case *kmsg.OffsetCommitRequest:
		fmt.Fprintf(&out, "commit as %s%s/%d", m.MemberID, or(m.InstanceID), m.Generation)
		for _, t := range m.Topics {
			for _, p := range t.Partitions {
				fmt.Fprintf(&out, " %s-%d=%d", t.Topic, p.Partition, p.Offset)
			}
		}
	case *kmsg.OffsetFetchRequest:
		fmt.Fprintf(&out, "committed")
		g := m.Groups[0]
		if g.MemberID != nil {
			fmt.Fprintf(&out, " as %s/%d", *g.MemberID, g.MemberEpoch)
		}
		for _, t := range g.Topics {
			fmt.Fprintf(&out, " %s%v", t.Topic, t.Partitions)
		}
		if m.RequireStable {
			out.WriteString(" stable")
		}
	case *kmsg.ConsumerGroupHeartbeatRequest:
		fmt.Fprintf(&out, "heartbeat as %s%s/%d", m.MemberID, or(m.InstanceID), m.MemberEpoch)
		if m.SubscribedTopicNames != nil {
			fmt.Fprintf(&out, " topics=%s", strings.Join(m.SubscribedTopicNames, ","))
		}
		if m.RebalanceTimeoutMillis >= 0 {
			fmt.Fprintf(&out, " rebalance-timeout=%v", time.Duration(m.RebalanceTimeoutMillis)*time.Millisecond)
		}
		if m.ServerAssignor != nil {
			fmt.Fprintf(&out, " assignor=%s", *m.ServerAssignor)
		}
		if m.RackID != nil {
			fmt.Fprintf(&out, " rack=%s", *m.RackID)
		}
		if m.Topics != nil {
			var tps []wire.TopicPartition
			for _, t := range m.Topics {
				tps = appendPartitions(tps, string(rune(t.TopicID[15])), t.Partitions)
			}
			fmt.Fprintf(&out, " owns=%s", words(tps))
		}
	}
	return out.String()
}

// named is enough of an assignor to read a subscription.
type named struct{ name string }

func (n named) Name() string                                   { return n.name }
func (named) Cooperative() bool                                { return false }
func (named) Assign(Division) map[string][]wire.TopicPartition { return nil }

// fill makes an answer of words:
//
//	find-coordinator  node=1
//	join              generation=1 me=m1 leader=m1 protocol=range [m1=a,b] [m2=a:a-0/3 ...] [skip]
//	                  where a member has topics, and after the colon what it owns in which generation
//	sync              gets=a-0,a-1
//	commit            [a-0=NAME]  by partition
//	committed         a-0=5 a-1=NAME
//	heartbeat (consumer)  epoch=1 [interval=3s] [gets=a-0,a-1|none]
//	any               error=NAME
func fill(msg kmsg.Request, args map[string]string) kmsg.Response {
	num := func(key string) int64 { return transcript.Number(args[key]) }
	failure := transcript.Code(args["error"])
	switch m := msg.(type) {
	case *kmsg.FindCoordinatorRequest:
		resp := kmsg.NewPtrFindCoordinatorResponse()
		resp.Version = 6
		c := kmsg.NewFindCoordinatorResponseCoordinator()
		c.Key, c.NodeID, c.ErrorCode = m.CoordinatorKey, -1, failure
		if failure == 0 {
			c.NodeID, c.Host, c.Port = int32(num("node")), "h", 1
		}
		resp.Coordinators = append(resp.Coordinators, c)
		return resp
	case *kmsg.JoinGroupRequest:
		resp := kmsg.NewPtrJoinGroupResponse()
		resp.ErrorCode, resp.MemberID, resp.Generation = failure, args["me"], -1
		if failure != 0 {
			return resp
		}
		resp.Generation, resp.LeaderID, resp.Protocol = int32(num("generation")), args["leader"], kmsg.StringPtr(args["protocol"])
		_, resp.SkipAssignment = args["skip"]
		for _, id := range slices.Sorted(maps.Keys(args)) {
			if !strings.HasPrefix(id, "m") || id == "me" {
				continue
			}
			topics, has, _ := strings.Cut(args[id], ":")
			sub := Subscriber{Topics: strings.Split(topics, ","), Generation: -1}
			var assignor Assignor = Range
			if has != "" {
				owned, in, _ := strings.Cut(has, "/")
				sub.Owned = transcript.Partitions(owned)
				n, _ := strconv.Atoi(in)
				sub.Generation = int32(n)
				assignor = CooperativeSticky
			}
			rm := kmsg.NewJoinGroupResponseMember()
			rm.MemberID, rm.ProtocolMetadata = id, sub.appendSubscription(assignor)
			resp.Members = append(resp.Members, rm)
		}
		return resp
	case *kmsg.SyncGroupRequest:
		resp := kmsg.NewPtrSyncGroupResponse()
		resp.ErrorCode = failure
		if failure == 0 {
			resp.MemberAssignment = appendAssignment(transcript.Partitions(args["gets"]))
		}
		return resp
	case *kmsg.HeartbeatRequest:
		resp := kmsg.NewPtrHeartbeatResponse()
		resp.ErrorCode = failure
		return resp
	case *kmsg.LeaveGroupRequest:
		resp := kmsg.NewPtrLeaveGroupResponse()
		resp.ErrorCode = failure
		return resp
	case *kmsg.OffsetCommitRequest:
		resp := kmsg.NewPtrOffsetCommitResponse()
		for _, t := range m.Topics {
			rt := kmsg.NewOffsetCommitResponseTopic()
			rt.Topic = t.Topic
			for _, p := range t.Partitions {
				rp := kmsg.NewOffsetCommitResponseTopicPartition()
				rp.Partition, rp.ErrorCode = p.Partition, failure
				if name, ok := args[fmt.Sprintf("%s-%d", t.Topic, p.Partition)]; ok {
					rp.ErrorCode = transcript.Code(name)
				}
				rt.Partitions = append(rt.Partitions, rp)
			}
			resp.Topics = append(resp.Topics, rt)
		}
		return resp
	case *kmsg.OffsetFetchRequest:
		resp := kmsg.NewPtrOffsetFetchResponse()
		resp.Version = 9
		g := kmsg.NewOffsetFetchResponseGroup()
		g.Group, g.ErrorCode = "g", failure
		for _, t := range m.Groups[0].Topics {
			rt := kmsg.NewOffsetFetchResponseGroupTopic()
			rt.Topic = t.Topic
			for _, p := range t.Partitions {
				rp := kmsg.NewOffsetFetchResponseGroupTopicPartition()
				rp.Partition, rp.Offset, rp.LeaderEpoch = p, -1, -1
				if v, ok := args[fmt.Sprintf("%s-%d", t.Topic, p)]; ok {
					if n, err := strconv.Atoi(v); err == nil {
						rp.Offset = int64(n)
					} else {
						rp.ErrorCode = transcript.Code(v)
					}
				}
				rt.Partitions = append(rt.Partitions, rp)
			}
			g.Topics = append(g.Topics, rt)
		}
		resp.Groups = append(resp.Groups, g)
		return resp
	case *kmsg.ConsumerGroupHeartbeatRequest:
		resp := kmsg.NewPtrConsumerGroupHeartbeatResponse()
		resp.ErrorCode, resp.HeartbeatIntervalMillis = failure, 3000
		if failure != 0 {
			return resp
		}
		if _, ok := args["epoch"]; ok {
			resp.MemberEpoch = int32(num("epoch"))
		}
		if gets, ok := args["gets"]; ok {
			a := kmsg.NewConsumerGroupHeartbeatResponseAssignment()
			tps := transcript.Partitions(gets)
			slices.SortFunc(tps, wire.TopicPartition.Compare)
			eachTopic(tps, func(topic string, partitions []int32) {
				a.Topics = append(a.Topics, kmsg.ConsumerGroupHeartbeatResponseAssignmentTopic{TopicID: topicID(topic), Partitions: partitions})
			})
			resp.Assignment = &a
		}
		return resp
	}
	panic("no answer to this")
}
