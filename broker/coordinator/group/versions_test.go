package group

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/coordinator"
	"odradek/broker/coordinator/coordinatortest"
	"odradek/broker/wire"
)

// answers are kept as they come.
type answers map[coordinator.Token]kmsg.Response

func (a answers) Answered(r coordinator.Reply)   { a[r.Token] = r.Response }
func (a answers) Appended(coordinatortest.Entry) {}
func (a answers) Marked(coordinator.Marked)      {}
func (a answers) Happened(any)                   {}

// response asks for something that is answered at once.
func (s *story) response(req kmsg.Request) kmsg.Response {
	s.Helper()
	got, told := make(answers), s.Shell
	s.Shell = got
	resp := got[s.Ask("c", req)]
	s.Shell = told
	if resp == nil {
		s.Fatalf("%T is not answered", req)
	}
	if resp.GetVersion() != req.GetVersion() {
		s.Fatalf("%T of version %d is answered in version %d", req, req.GetVersion(), resp.GetVersion())
	}
	return resp
}

// over decodes what a client of the request's version sees.
func over[T kmsg.Response](s *story, req kmsg.Request) T {
	s.Helper()
	resp := s.response(req)
	seen := kmsg.ResponseForKey(req.Key())
	seen.SetVersion(req.GetVersion())
	if err := seen.ReadFrom(resp.AppendTo(nil)); err != nil {
		s.Fatalf("%T of version %d: %v", resp, req.GetVersion(), err)
	}
	return seen.(T)
}

func served(key int16) (lowest, highest int16) {
	r, _ := wire.ServedVersions(key).Lookup(key)
	return r.Min, r.Max
}

// Every version of the requests of a member does its work.
func TestEveryVersionOfTheRequestsOfAMember(t *testing.T) {
	lowest, highest := served(11)
	for v := lowest; v <= highest; v++ {
		s := newStory(t)
		s.Configure("group.initial.rebalance.delay.ms", "0")
		join := kmsg.NewPtrJoinGroupRequest()
		join.Version, join.Group, join.SessionTimeoutMillis, join.ProtocolType = v, "g", 10_000, "consumer"
		if v > 0 {
			join.RebalanceTimeoutMillis = 20_000
		}
		join.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: consumerMetadata([]string{"t"})}}
		if v >= 4 {
			required := over[*kmsg.JoinGroupResponse](s, join)
			if required.ErrorCode != kerr.MemberIDRequired.Code || required.MemberID == "" {
				t.Fatalf("version %d: %+v", v, required)
			}
			join.MemberID = required.MemberID
		}
		s.Token++
		token := s.Token
		s.Shard.Handle(s.Moment(), coordinator.Request{Token: token, ClientID: "c", Msg: join})
		out := s.Shard.Tick(s.Moment())
		if len(out.Replies) != 1 || out.Replies[0].Token != token {
			t.Fatalf("version %d: %+v", v, out)
		}
		joined := kmsg.NewPtrJoinGroupResponse()
		joined.Version = v
		if err := joined.ReadFrom(out.Replies[0].Response.AppendTo(nil)); err != nil {
			t.Fatal(err)
		}
		if joined.ErrorCode != 0 || joined.Generation != 1 || text(joined.Protocol) != "range" || joined.LeaderID != joined.MemberID ||
			len(joined.Members) != 1 || v >= 7 && text(joined.ProtocolType) != "consumer" {
			t.Fatalf("version %d: %+v", v, joined)
		}
		if g := s.machine().groups["g"].(*classic); g.rebalanceMs() != map[bool]int32{true: 10_000, false: 20_000}[v == 0] {
			t.Errorf("version %d: a rebalance time-out of %d ms", v, g.rebalanceMs())
		}

		sync := kmsg.NewPtrSyncGroupRequest()
		sync.Version, sync.Group, sync.Generation, sync.MemberID = min(v, 5), "g", 1, joined.MemberID
		sync.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: joined.MemberID, MemberAssignment: []byte("all")}}
		synced := over[*kmsg.SyncGroupResponse](s, sync)
		if synced.ErrorCode != 0 || string(synced.MemberAssignment) != "all" || sync.Version >= 5 && text(synced.Protocol) != "range" {
			t.Fatalf("version %d: %+v", sync.Version, synced)
		}

		beat := kmsg.NewPtrHeartbeatRequest()
		beat.Version, beat.Group, beat.Generation, beat.MemberID = min(v, 4), "g", 1, joined.MemberID
		if got := over[*kmsg.HeartbeatResponse](s, beat); got.ErrorCode != 0 {
			t.Errorf("version %d: %+v", beat.Version, got)
		}

		leave := kmsg.NewPtrLeaveGroupRequest()
		leave.Version, leave.Group, leave.MemberID = min(v, 5), "g", joined.MemberID
		leave.Members = []kmsg.LeaveGroupRequestMember{{MemberID: joined.MemberID}, {MemberID: "nobody"}}
		left := over[*kmsg.LeaveGroupResponse](s, leave)
		if left.ErrorCode != 0 || leave.Version >= 3 && (left.Members[0].ErrorCode != 0 || left.Members[1].ErrorCode != kerr.UnknownMemberID.Code) {
			t.Errorf("version %d: %+v", leave.Version, left)
		}
		leave.MemberID = "nobody"
		if left := over[*kmsg.LeaveGroupResponse](s, leave); leave.Version < 3 && left.ErrorCode != kerr.UnknownMemberID.Code {
			t.Errorf("version %d: %+v", leave.Version, left)
		}
	}
}

// Every version of OffsetCommit stores what every version of OffsetFetch reads.
func TestEveryVersionOfOffsetCommitAndOffsetFetch(t *testing.T) {
	s := newStory(t)
	lowest, highest := served(8)
	fetchLowest, fetchHighest := served(9)
	for v := lowest; v <= highest; v++ {
		commit := kmsg.NewPtrOffsetCommitRequest()
		commit.Version, commit.Group, commit.Generation = v, "g", -1
		epoch := int32(-1)
		if v >= 6 {
			epoch = 3
		}
		commit.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "t", Partitions: []kmsg.OffsetCommitRequestTopicPartition{
			{Partition: 1, Offset: int64(v), LeaderEpoch: epoch, Metadata: kmsg.StringPtr("m")}}}}
		if got := over[*kmsg.OffsetCommitResponse](s, commit); got.Topics[0].Partitions[0].ErrorCode != 0 {
			t.Fatalf("version %d: %+v", v, got)
		}
		for f := fetchLowest; f <= fetchHighest; f++ {
			fetch := kmsg.NewPtrOffsetFetchRequest()
			fetch.Version, fetch.Group = f, "g"
			fetch.Groups = []kmsg.OffsetFetchRequestGroup{{Group: "g", MemberEpoch: -1}, {Group: "other", MemberEpoch: -1}}
			if f < 2 {
				fetch.Topics = []kmsg.OffsetFetchRequestTopic{{Topic: "t", Partitions: []int32{1}}}
			}
			got := over[*kmsg.OffsetFetchResponse](s, fetch)
			var p kmsg.OffsetFetchResponseGroupTopicPartition
			if f >= 8 {
				if len(got.Groups) != 2 || len(got.Groups[1].Topics) != 0 {
					t.Fatalf("version %d: %+v", f, got)
				}
				p = got.Groups[0].Topics[0].Partitions[0]
			} else {
				p = kmsg.OffsetFetchResponseGroupTopicPartition(got.Topics[0].Partitions[0])
			}
			if p.Partition != 1 || p.Offset != int64(v) || text(p.Metadata) != "m" || f >= 5 && p.LeaderEpoch != epoch {
				t.Errorf("commit of version %d, fetch of version %d: %+v", v, f, p)
			}
		}
	}
}

func TestEveryVersionOfTheRequestsOfAdministrators(t *testing.T) {
	s := newStory(t)
	commit := kmsg.NewPtrOffsetCommitRequest()
	commit.Version, commit.Group, commit.Generation = 2, "g", -1
	commit.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "t", Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Offset: 1}}}}
	s.response(commit)
	for v := range int16(7) {
		req := kmsg.NewPtrDescribeGroupsRequest()
		req.Version, req.Groups, req.IncludeAuthorizedOperations = v, []string{"g", "nope"}, v >= 3
		got := over[*kmsg.DescribeGroupsResponse](s, req)
		want := int16(0)
		if v >= 6 {
			want = kerr.GroupIDNotFound.Code
		}
		if g, nope := got.Groups[0], got.Groups[1]; g.State != "Empty" || nope.State != "Dead" || nope.ErrorCode != want || v >= 3 && g.AuthorizedOperations != groupOperations {
			t.Errorf("version %d: %+v", v, got)
		}
	}
	for v := range int16(6) {
		req := kmsg.NewPtrListGroupsRequest()
		req.Version = v
		if v >= 4 {
			req.StatesFilter = []string{"empty", "Stable"}
		}
		if v >= 5 {
			req.TypesFilter = []string{"Classic"}
		}
		if got := over[*kmsg.ListGroupsResponse](s, req); len(got.Groups) != 1 || got.Groups[0].Group != "g" || v >= 5 && got.Groups[0].GroupType != "classic" {
			t.Errorf("version %d: %+v", v, got)
		}
		if req.StatesFilter = []string{"Stable"}; v >= 4 {
			if got := over[*kmsg.ListGroupsResponse](s, req); len(got.Groups) != 0 {
				t.Errorf("version %d: %+v", v, got)
			}
		}
	}
	for v := range int16(3) {
		req := kmsg.NewPtrDeleteGroupsRequest()
		req.Version, req.Groups = v, []string{"g", "g", "nope"}
		got := over[*kmsg.DeleteGroupsResponse](s, req)
		if len(got.Groups) != 3 || got.Groups[0].ErrorCode != 0 || got.Groups[1].ErrorCode != 0 || got.Groups[2].ErrorCode != kerr.GroupIDNotFound.Code {
			t.Errorf("version %d: %+v", v, got)
		}
		s.response(commit)
	}
}

// The bytes of a record are Kafka's: what CoordinatorRecordSerde of 3.9 and DumpLogSegments
// read. Spelled out, so that a change of schema is seen.
func TestRecordsAreKafkas(t *testing.T) {
	r := offsetRecord("g", wire.TopicPartition{Topic: "t", Partition: 2}, offset{at: 5, leaderEpoch: 7, metadata: "m", committed: 9, expires: noExpiry})
	key := []byte{0, 1, 0, 1, 'g', 0, 1, 't', 0, 0, 0, 2}
	value := append(append([]byte{0, 3}, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 7, 0, 1, 'm'), 0, 0, 0, 0, 0, 0, 0, 9)
	if d := cmp.Diff(coordinator.Record{Key: key, Value: value}, r); d != "" {
		t.Error(d)
	}
	r = offsetRecord("g", wire.TopicPartition{Topic: "t"}, offset{at: 5, committed: 9, expires: 11})
	value = []byte{0, 1, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 11}
	if !bytes.Equal(r.Value, value) {
		t.Errorf("with a retention: %v", r.Value)
	}

	g := newClassic(nil, "g")
	g.protocolType, g.generation, g.protocol = "consumer", 4, "range"
	g.add(&member{id: "m", instance: kmsg.StringPtr("i"), clientID: "c", clientHost: "/h", rebalanceMs: 6, sessionMs: 5,
		protocols: []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte{1}}}})
	r = groupRecord(g, 8, func(*member) []byte { return []byte{2} })
	var want []byte
	want = kbin.AppendInt16(want, 3)
	want = kbin.AppendString(want, "consumer")
	want = kbin.AppendInt32(want, 4)
	want = kbin.AppendNullableString(want, kmsg.StringPtr("range"))
	want = kbin.AppendNullableString(want, kmsg.StringPtr("m"))
	want = kbin.AppendInt64(want, 8)
	want = kbin.AppendArrayLen(want, 1)
	want = kbin.AppendString(want, "m")
	want = kbin.AppendNullableString(want, kmsg.StringPtr("i"))
	want = kbin.AppendString(want, "c")
	want = kbin.AppendString(want, "/h")
	want = kbin.AppendInt32(want, 6)
	want = kbin.AppendInt32(want, 5)
	want = kbin.AppendBytes(want, []byte{1})
	want = kbin.AppendBytes(want, []byte{2})
	if d := cmp.Diff(coordinator.Record{Key: []byte{0, 2, 0, 1, 'g'}, Value: want}, r); d != "" {
		t.Error(d)
	}
}

// What a newer or broken writer left in the log is skipped.
func TestUnknownRecordsAreSkipped(t *testing.T) {
	m := newStory(t).machine()
	good := offsetRecord("g", wire.TopicPartition{Topic: "t"}, offset{at: 5, expires: noExpiry})
	for _, r := range []coordinator.Record{
		{}, {Key: []byte{0}}, {Key: []byte{0, 99, 1, 2, 3}, Value: []byte{1}}, {Key: []byte{0, 1, 0, 9, 'g'}, Value: good.Value},
		{Key: good.Key, Value: []byte{}}, {Key: good.Key, Value: []byte{0, 9, 1}}, {Key: good.Key, Value: good.Value[:9]},
		{Key: groupTombstone("g").Key, Value: []byte{0, 3, 0}}, {Key: groupTombstone("g").Key[:3]},
	} {
		m.Replay(coordinator.Entry{Record: r})
	}
	if len(m.groups) != 0 {
		t.Errorf("%d groups", len(m.groups))
	}
	m.Replay(coordinator.Entry{Record: good})
	if o, ok := m.offsets.get("g", wire.TopicPartition{Topic: "t"}); !ok || o.at != 5 {
		t.Errorf("%+v %v", o, ok)
	}
}

// A group that fits no batch is refused where it would be written, and the shard lives.
func TestAssignmentTooLargeForABatch(t *testing.T) {
	s := newStory(t)
	s.Configure("group.initial.rebalance.delay.ms", "0")
	s.Configure("message.max.bytes", "2000")
	join := kmsg.NewPtrJoinGroupRequest()
	join.Version, join.Group, join.SessionTimeoutMillis, join.ProtocolType = 3, "g", 10_000, "consumer"
	join.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: make([]byte, 3000)}}
	if got := s.response(join).(*kmsg.JoinGroupResponse); got.ErrorCode != kerr.InvalidRequest.Code {
		t.Errorf("metadata of 3000 bytes: %v", coordinatortest.ErrorName(got.ErrorCode))
	}
	join.Protocols[0].Metadata = make([]byte, 100)
	s.ask("a", "join", join)
	s.clients["a"] = &storyClient{}
	s.Pass(time.Second)
	sync := kmsg.NewPtrSyncGroupRequest()
	sync.Version, sync.Group, sync.Generation, sync.MemberID = 3, "g", 1, s.clients["a"].id
	sync.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: s.clients["a"].id, MemberAssignment: make([]byte, 3000)}}
	if got := s.response(sync).(*kmsg.SyncGroupResponse); got.ErrorCode != kerr.UnknownServerError.Code {
		t.Errorf("assignment of 3000 bytes: %v", coordinatortest.ErrorName(got.ErrorCode))
	}
	if g := s.machine().groups["g"]; g.stateName() != "PreparingRebalance" {
		t.Errorf("in state %v", g.stateName())
	}

	commit := kmsg.NewPtrOffsetCommitRequest()
	commit.Version, commit.Group, commit.Generation = 8, "other", -1
	for range 100 {
		commit.Topics = append(commit.Topics, kmsg.OffsetCommitRequestTopic{Topic: "t", Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Offset: 1}}})
	}
	if got := s.response(commit).(*kmsg.OffsetCommitResponse); got.Topics[0].Partitions[0].ErrorCode != kerr.InvalidCommitOffsetSize.Code {
		t.Errorf("100 offsets: %v", coordinatortest.ErrorName(got.Topics[0].Partitions[0].ErrorCode))
	}
}
