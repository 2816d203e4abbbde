package broker_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/coordinator"
	"odradek/broker/env"
	"odradek/broker/metadata"
	"odradek/broker/wire"
	"odradek/sim/disk"
)

// find asks a node for a group's coordinator until it knows one, and returns it with
// the errors of the answers before.
func (l *lab) find(task *env.Task, node wire.NodeID, group string) (wire.NodeID, []string) {
	l.t.Helper()
	conn := l.dial(task, node)
	defer conn.c.Close()
	var errs []string
	for range 100 {
		req := kmsg.NewPtrFindCoordinatorRequest()
		req.CoordinatorKeys = []string{group}
		c := conn.call(task, req, 4).(*kmsg.FindCoordinatorResponse).Coordinators[0]
		if c.ErrorCode == 0 {
			if c.Host != fmt.Sprintf("n%d", c.NodeID) || c.Port != 9092 || c.Key != group {
				l.t.Errorf("coordinator %+v", c)
			}
			return wire.NodeID(c.NodeID), errs
		}
		wantCode(l.t, "find coordinator", c.ErrorCode, kerr.CoordinatorNotAvailable)
		if c.ErrorMessage == nil {
			l.t.Error("COORDINATOR_NOT_AVAILABLE without a message")
		} else {
			errs = append(errs, *c.ErrorMessage)
		}
		task.Sleep(l.env.Clock, 50*time.Millisecond)
	}
	l.t.Fatalf("no coordinator of %s: %v", group, errs)
	return 0, nil
}

// settled asks a group's coordinator, wherever it is, until the answer is no error that
// passes. It returns the coordinator, the answer, and the errors before it.
func (l *lab) settled(task *env.Task, via wire.NodeID, group string, req kmsg.Request, version int16, codeOf func(kmsg.Response) int16) (wire.NodeID, kmsg.Response, []int16) {
	l.t.Helper()
	var errs []int16
	for range 200 {
		at, _ := l.find(task, via, group)
		conn := l.tryDial(task, at)
		for conn != nil {
			resp := conn.call(task, req, version)
			code := codeOf(resp)
			if code != kerr.CoordinatorLoadInProgress.Code && code != kerr.NotCoordinator.Code {
				conn.c.Close()
				return at, resp, errs
			}
			errs = append(errs, code)
			task.Sleep(l.env.Clock, 2*time.Millisecond)
			if code == kerr.NotCoordinator.Code {
				break
			}
		}
		if conn != nil {
			conn.c.Close()
		}
		task.Sleep(l.env.Clock, 20*time.Millisecond)
	}
	l.t.Fatalf("the coordinator of %s does not come up: %v", group, errs)
	return 0, nil, nil
}

// tryDial is dial for a node that may be down; nil if it is.
func (l *lab) tryDial(task *env.Task, node wire.NodeID) *rawConn {
	c, err := env.Await2(task, func(done func(env.Conn, error)) {
		l.env.Net.Dial(fmt.Sprintf("n%d:9092", node), time.Second, done)
	})
	if err != nil {
		return nil
	}
	return &rawConn{l: l, c: c}
}

// joined makes the client the only member of a group, and returns its coordinator.
func (l *lab) joined(task *env.Task, via wire.NodeID, group string) (at wire.NodeID, member string, generation int32) {
	l.t.Helper()
	join := kmsg.NewPtrJoinGroupRequest()
	join.Group, join.SessionTimeoutMillis, join.RebalanceTimeoutMillis, join.ProtocolType = group, 30000, 30000, "consumer"
	join.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte("subscription")}}
	codeOf := func(r kmsg.Response) int16 { return r.(*kmsg.JoinGroupResponse).ErrorCode }
	at, resp, _ := l.settled(task, via, group, join, 5, codeOf)
	wantCode(l.t, "join without an id", codeOf(resp), kerr.MemberIDRequired)
	join.MemberID = resp.(*kmsg.JoinGroupResponse).MemberID
	at, resp, _ = l.settled(task, via, group, join, 5, codeOf)
	j := resp.(*kmsg.JoinGroupResponse)
	wantCode(l.t, "join", j.ErrorCode, nil)
	sync := kmsg.NewPtrSyncGroupRequest()
	sync.Group, sync.MemberID, sync.Generation = group, j.MemberID, j.Generation
	sync.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: j.MemberID, MemberAssignment: []byte("everything")}}
	_, resp, _ = l.settled(task, via, group, sync, 3, func(r kmsg.Response) int16 { return r.(*kmsg.SyncGroupResponse).ErrorCode })
	if s := resp.(*kmsg.SyncGroupResponse); s.ErrorCode != 0 || string(s.MemberAssignment) != "everything" {
		l.t.Errorf("sync %+v", s)
	}
	return at, j.MemberID, j.Generation
}

func commitOf(group, member string, generation int32, topic string, offset int64) *kmsg.OffsetCommitRequest {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.MemberID, req.Generation = group, member, generation
	req.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: topic, Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Offset: offset, LeaderEpoch: -1, Metadata: kmsg.StringPtr("m")}}}}
	return req
}

func commitCode(r kmsg.Response) int16 {
	return r.(*kmsg.OffsetCommitResponse).Topics[0].Partitions[0].ErrorCode
}

func offsetsOf(groups ...string) *kmsg.OffsetFetchRequest {
	req := kmsg.NewPtrOffsetFetchRequest()
	for _, g := range groups {
		f := kmsg.NewOffsetFetchRequestGroup()
		f.Group = g
		req.Groups = append(req.Groups, f)
	}
	return req
}

func fetchCode(r kmsg.Response) int16 { return r.(*kmsg.OffsetFetchResponse).Groups[0].ErrorCode }

func fetched(r kmsg.Response) (offsets []int64) {
	for _, t := range r.(*kmsg.OffsetFetchResponse).Groups[0].Topics {
		for _, p := range t.Partitions {
			offsets = append(offsets, p.Offset)
		}
	}
	return offsets
}

func TestGroupOutlivesItsCoordinator(t *testing.T) {
	l := newLab(t, 3, nil)
	l.do(func(task *env.Task) {
		l.createTopic(task, "orders", nil, []int32{1, 2, 3})
		at, member, generation := l.joined(task, 1, "g")
		_, resp, _ := l.settled(task, 1, "g", commitOf("g", member, generation, "orders", 42), 6, commitCode)
		wantCode(t, "commit", commitCode(resp), nil)
		for range 2 { // the second time the group comes from what the second wrote, or not at all
			l.c.Node(at).Crash()
			via := at%3 + 1
			next := at
			var errs []int16
			for next == at {
				next, resp, errs = l.settled(task, via, "g", offsetsOf("g"), 8, fetchCode)
			}
			wantCode(t, "fetch offsets", fetchCode(resp), nil)
			if diff := cmp.Diff([]int64{42}, fetched(resp)); diff != "" {
				t.Errorf("offsets at node %d (after %v): %s", next, errs, diff)
			}
			beat := kmsg.NewPtrHeartbeatRequest()
			beat.Group, beat.MemberID, beat.Generation = "g", member, generation
			conn := l.dial(task, next)
			wantCode(t, "the member's heartbeat at the new coordinator", conn.call(task, beat, 3).(*kmsg.HeartbeatResponse).ErrorCode, nil)
			l.c.Node(at).Up()
			for range 100 {
				if l.inSync(offsets(4, "g")) == 3 {
					break
				}
				task.Sleep(l.env.Clock, 100*time.Millisecond)
			}
			at = next
		}
	})
}

// offsets is the partition of a group, if there are n.
func offsets(n int32, group string) wire.TopicPartition {
	return wire.TopicPartition{Topic: "__consumer_offsets", Partition: coordinator.PartitionFor(group, n)}
}

// inSync is how many replicas the metadata of a running node count as in sync.
func (l *lab) inSync(tp wire.TopicPartition) int {
	for _, n := range l.c.Nodes {
		if n.Broker == nil {
			continue
		}
		image, _ := n.Broker.Image()
		if p := image.Partition(tp.Topic, tp.Partition); p != nil {
			return len(p.ISR)
		}
	}
	return 0
}

// back dials a node that is starting, until it listens and knows what it leads.
func (l *lab) back(task *env.Task, node wire.NodeID) *rawConn {
	l.t.Helper()
	for range 2000 {
		task.Sleep(l.env.Clock, 5*time.Millisecond)
		if n := l.c.Node(node); n.Broker != nil {
			if image, _ := n.Broker.Image(); image.Broker(node).Active() {
				return l.dial(task, node)
			}
		}
	}
	l.t.Fatalf("node %d does not come back", node)
	return nil
}

// reloading is a node that was restarted with 300 commits of group "g" on a slow disk,
// which it reads in small pieces.
func (l *lab) reloading(task *env.Task) (conn *rawConn) {
	l.createTopic(task, "orders", nil, []int32{1})
	_, resp, _ := l.settled(task, 1, "g", commitOf("g", "", -1, "orders", 1), 6, commitCode)
	wantCode(l.t, "commit", commitCode(resp), nil)
	conn = l.dial(task, 1)
	for i := range 300 {
		wantCode(l.t, "commit", commitCode(conn.call(task, commitOf("g", "", -1, "orders", int64(i)), 6)), nil)
	}
	n := l.c.Node(1)
	n.Crash()
	n.Disk.SetSlow(20)
	n.Up()
	conn = l.back(task, 1)
	for range 1000 {
		code := fetchCode(conn.call(task, offsetsOf("g"), 8))
		if code == kerr.CoordinatorLoadInProgress.Code {
			return conn
		}
		wantCode(l.t, "before the leadership", code, kerr.NotCoordinator)
		task.Sleep(l.env.Clock, time.Millisecond)
	}
	l.t.Fatal("nobody saw the coordinator load")
	return nil
}

var reloading = map[string]string{"offsets.load.buffer.size": "100", "offsets.topic.num.partitions": "1"}

func TestLoadingCoordinatorDoesNotAnswer(t *testing.T) {
	l := newLab(t, 1, reloading)
	l.do(func(task *env.Task) {
		conn := l.reloading(task)
		beat := kmsg.NewPtrHeartbeatRequest()
		beat.Group, beat.MemberID = "g", "m"
		wantCode(t, "a heartbeat while loading", conn.call(task, beat, 3).(*kmsg.HeartbeatResponse).ErrorCode, nil)
		list := conn.call(task, kmsg.NewPtrListGroupsRequest(), 4).(*kmsg.ListGroupsResponse)
		wantCode(t, "a list while loading", list.ErrorCode, kerr.CoordinatorLoadInProgress)
		_, resp, _ := l.settled(task, 1, "g", offsetsOf("g"), 8, fetchCode)
		wantCode(t, "fetch offsets", fetchCode(resp), nil)
		if diff := cmp.Diff([]int64{299}, fetched(resp)); diff != "" {
			t.Errorf("offsets after loading: %s", diff)
		}
		wantCode(t, "a heartbeat of nobody", conn.call(task, beat, 3).(*kmsg.HeartbeatResponse).ErrorCode, kerr.UnknownMemberID)
	})
}

// A coordinator whose log cannot be read must not answer for what it has read of it
// (KAFKA-16030).
func TestCoordinatorThatCannotLoadStaysInactive(t *testing.T) {
	l := newLab(t, 1, reloading)
	l.do(func(task *env.Task) {
		conn := l.reloading(task)
		n := l.c.Node(1)
		files := n.Disk.Snapshot()
		f := files[slices.IndexFunc(files, func(f disk.FileState) bool {
			return strings.HasSuffix(f.Path, "__consumer_offsets-0/00000000000000000000.log")
		})]
		flip := func() {
			if !n.Disk.Corrupt(f.Path, int64(len(f.Data)-2), 1) {
				t.Fatal("nothing to corrupt")
			}
		}
		flip()
		for range 40 {
			task.Sleep(l.env.Clock, 100*time.Millisecond)
			if code := fetchCode(conn.call(task, offsetsOf("g"), 8)); code != kerr.CoordinatorLoadInProgress.Code {
				t.Fatalf("a coordinator that has not read its log answers %v", kerr.ErrorForCode(code))
			}
		}
		if l.count("coordinator-load-failed") == 0 {
			t.Error("no load has failed")
		}
		flip()
		_, resp, _ := l.settled(task, 1, "g", offsetsOf("g"), 8, fetchCode)
		wantCode(t, "after the log can be read", fetchCode(resp), nil)
		if diff := cmp.Diff([]int64{299}, fetched(resp)); diff != "" {
			t.Error(diff)
		}
	})
}

// count is how often an event was recorded.
func (l *lab) count(kind string) (n uint64) {
	for _, kc := range l.k.Counts() {
		if kc.Kind == kind {
			n += kc.Count
		}
	}
	return n
}

// What an answer speaks of must have reached every replica in sync. Without them it is
// COORDINATOR_NOT_AVAILABLE in the end, also for a reader that might have seen it.
func TestCommitWaitsForReplicas(t *testing.T) {
	l := newLab(t, 3, map[string]string{"offsets.commit.timeout.ms": "1000", "min.insync.replicas": "3"})
	l.do(func(task *env.Task) {
		l.createTopic(task, "orders", nil, []int32{1, 2, 3})
		at, resp, _ := l.settled(task, 1, "g", commitOf("g", "", -1, "orders", 1), 6, commitCode)
		wantCode(t, "commit", commitCode(resp), nil)
		conn, reader := l.dial(task, at), l.dial(task, at)
		follower := l.c.Node(at%3 + 1)
		follower.Crash()
		asked := l.env.Clock.Now()
		commit, read := commitOf("g", "", -1, "orders", 2), offsetsOf("g")
		conn.send(commit, 6)
		task.Sleep(l.env.Clock, 10*time.Millisecond)
		reader.send(read, 8)
		wantCode(t, "a commit that is not replicated", commitCode(conn.answer(task, conn.corr, commit)), kerr.CoordinatorNotAvailable)
		if took := l.env.Clock.Now().Sub(asked); took < time.Second || took > 1100*time.Millisecond {
			t.Errorf("that came after %v", took)
		}
		wantCode(t, "a read that has seen it", fetchCode(reader.answer(task, reader.corr, read)), kerr.CoordinatorNotAvailable)
		follower.Up()
		for range 100 {
			task.Sleep(l.env.Clock, 100*time.Millisecond)
			if resp = reader.call(task, read, 8); fetchCode(resp) == 0 {
				break
			}
		}
		if diff := cmp.Diff([]int64{2}, fetched(resp)); diff != "" {
			t.Errorf("in the end the commit stands: %s", diff)
		}
	})
}

// When the leadership ends, everybody who waits hears so.
func TestWaitingMembersAreToldOfTheEndOfTheirCoordinator(t *testing.T) {
	l := newLab(t, 3, map[string]string{"group.initial.rebalance.delay.ms": "60000", "offsets.topic.num.partitions": "1"})
	l.do(func(task *env.Task) {
		at, _, _ := l.settled(task, 1, "g", offsetsOf("g"), 8, fetchCode)
		join := kmsg.NewPtrJoinGroupRequest()
		join.Group, join.SessionTimeoutMillis, join.RebalanceTimeoutMillis, join.ProtocolType = "g", 30000, 60000, "consumer"
		join.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range"}}
		conn, gone := l.dial(task, at), l.dial(task, at)
		conn.send(join, 2)
		gone.send(join, 2)
		task.Sleep(l.env.Clock, 100*time.Millisecond)
		gone.c.Close()
		if held := l.c.Node(at).Broker.Held(); held.Coordinated != 2 {
			t.Errorf("%d requests are held by the coordinator", held.Coordinated)
		}
		// Another node takes the leadership over: a reassignment without this one.
		others := []int32{int32(at%3 + 1), int32((at+1)%3 + 1)}
		move := kmsg.NewPtrAlterPartitionAssignmentsRequest()
		move.TimeoutMillis = 5000
		move.Topics = []kmsg.AlterPartitionAssignmentsRequestTopic{{Topic: "__consumer_offsets", Partitions: []kmsg.AlterPartitionAssignmentsRequestTopicPartition{{Replicas: others}}}}
		admin := l.dial(task, at)
		if r := admin.call(task, move, 0).(*kmsg.AlterPartitionAssignmentsResponse); r.ErrorCode != 0 || r.Topics[0].Partitions[0].ErrorCode != 0 {
			t.Fatalf("reassign: %+v", r)
		}
		r := conn.answer(task, conn.corr, join).(*kmsg.JoinGroupResponse)
		wantCode(t, "a member that waits", r.ErrorCode, kerr.NotCoordinator)
		if held := l.c.Node(at).Broker.Held(); held.Coordinated != 0 {
			t.Errorf("%d requests are still held", held.Coordinated)
		}
		wantCode(t, "asking again", fetchCode(admin.call(task, offsetsOf("g"), 8)), kerr.NotCoordinator)
	})
}

func TestInternalTopicIsCreatedWhenNeeded(t *testing.T) {
	l := newLab(t, 3, map[string]string{"offsets.topic.num.partitions": "7", "offsets.topic.replication.factor": "2", "offsets.topic.segment.bytes": "12345"})
	l.do(func(task *env.Task) {
		conn := l.dial(task, 2)
		wantCode(t, "commit before there is a topic", commitCode(conn.call(task, commitOf("g", "", -1, "t", 1), 6)), kerr.NotCoordinator)
		list := conn.call(task, kmsg.NewPtrListGroupsRequest(), 4).(*kmsg.ListGroupsResponse)
		if list.ErrorCode != 0 || len(list.Groups) != 0 {
			t.Errorf("list %+v", list)
		}
		at, errs := l.find(task, 2, "g")
		if len(errs) == 0 || !strings.Contains(errs[0], "is being created") {
			t.Errorf("told meanwhile: %q", errs)
		}
		image, _ := l.c.Node(2).Broker.Image()
		topic := image.Topic("__consumer_offsets")
		if len(topic.Partitions) != 7 || len(topic.Partitions[0].Replicas) != 2 {
			t.Errorf("%d partitions, %d replicas", len(topic.Partitions), len(topic.Partitions[0].Replicas))
		}
		configs := image.Configs(metadata.Resource{Type: metadata.TopicResource, Name: topic.Name})
		want := []metadata.ConfigEntry{{Name: "cleanup.policy", Value: "compact"}, {Name: "compression.type", Value: "producer"}, {Name: "segment.bytes", Value: "12345"}}
		if diff := cmp.Diff(want, configs); diff != "" {
			t.Error(diff)
		}
		if leader := topic.Partitions[coordinator.PartitionFor("g", 7)].Leader; leader != at {
			t.Errorf("node %d coordinates, %d leads", at, leader)
		}
		// The older versions ask for one.
		req := kmsg.NewPtrFindCoordinatorRequest()
		req.CoordinatorKey = "g"
		for v := int16(0); v < 4; v++ {
			if r := conn.call(task, req, v).(*kmsg.FindCoordinatorResponse); r.ErrorCode != 0 || wire.NodeID(r.NodeID) != at || r.Host == "" || r.Port != 9092 {
				t.Errorf("version %d: %+v", v, r)
			}
		}
	})
}

func TestInternalTopicNeedsEnoughBrokers(t *testing.T) {
	l := newLab(t, 2, map[string]string{"offsets.topic.replication.factor": "3"})
	l.do(func(task *env.Task) {
		conn := l.dial(task, 1)
		for range 3 {
			req := kmsg.NewPtrFindCoordinatorRequest()
			req.CoordinatorKey = "g"
			r := conn.call(task, req, 3).(*kmsg.FindCoordinatorResponse)
			wantCode(t, "find", r.ErrorCode, kerr.CoordinatorNotAvailable)
			if r.ErrorMessage == nil || !strings.Contains(*r.ErrorMessage, "offsets.topic.replication.factor is 3, but only 2") {
				t.Errorf("told %v", r.ErrorMessage)
			}
		}
	})
	if n := l.count("internal-topic-not-created"); n != 1 {
		t.Errorf("said %d times in the log", n)
	}
}

// Requests for several groups are answered for each by itself.
func TestGroupsOfSeveralCoordinators(t *testing.T) {
	l := newLab(t, 3, nil)
	l.do(func(task *env.Task) {
		l.createTopic(task, "orders", nil, []int32{1, 2, 3})
		var groups []string
		at := make(map[string]wire.NodeID)
		for i := range 8 {
			g := fmt.Sprintf("g%d", i)
			groups = append(groups, g)
			var resp kmsg.Response
			at[g], resp, _ = l.settled(task, 1, g, commitOf(g, "", -1, "orders", int64(i)), 6, commitCode)
			wantCode(t, "commit", commitCode(resp), nil)
		}
		led := 0
		for node := wire.NodeID(1); node <= 3; node++ {
			conn := l.dial(task, node)
			var here []string
			expect := func(what, g string, code int16) {
				if at[g] == node {
					wantCode(t, what+" of "+g, code, nil)
				} else {
					wantCode(t, what+" of "+g, code, kerr.NotCoordinator)
				}
			}
			offsets := conn.call(task, offsetsOf(groups...), 8).(*kmsg.OffsetFetchResponse)
			describe := &kmsg.DescribeGroupsRequest{Groups: groups}
			described := conn.call(task, describe, 5).(*kmsg.DescribeGroupsResponse)
			for i, g := range groups {
				if at[g] == node {
					here = append(here, g)
				}
				if offsets.Groups[i].Group != g || described.Groups[i].Group != g {
					t.Errorf("answer %d is for %s and %s, not %s", i, offsets.Groups[i].Group, described.Groups[i].Group, g)
				}
				expect("offsets", g, offsets.Groups[i].ErrorCode)
				expect("description", g, described.Groups[i].ErrorCode)
				if at[g] == node && offsets.Groups[i].Topics[0].Partitions[0].Offset != int64(i) {
					t.Errorf("offset of %s: %+v", g, offsets.Groups[i])
				}
			}
			var listed []string
			for _, g := range conn.call(task, kmsg.NewPtrListGroupsRequest(), 5).(*kmsg.ListGroupsResponse).Groups {
				listed = append(listed, g.Group)
			}
			slices.Sort(listed)
			if diff := cmp.Diff(here, listed); diff != "" {
				t.Errorf("node %d lists: %s", node, diff)
			}
			if len(here) > 0 {
				led++
			}
			deleted := conn.call(task, &kmsg.DeleteGroupsRequest{Groups: groups}, 2).(*kmsg.DeleteGroupsResponse)
			for i, g := range groups {
				expect("deletion", g, deleted.Groups[i].ErrorCode)
			}
			if r := conn.call(task, kmsg.NewPtrListGroupsRequest(), 5).(*kmsg.ListGroupsResponse); len(r.Groups) != 0 {
				t.Errorf("node %d still lists %+v", node, r.Groups)
			}
		}
		if led < 2 {
			t.Errorf("%d nodes coordinate all the groups", led)
		}
	})
}
