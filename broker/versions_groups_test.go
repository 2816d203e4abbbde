package broker_test

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// servedGroups are the group APIs of a node that coordinates group "versions", which has
// offset 7 of orders-0 and no members.
func servedGroups() map[kmsg.Key]served {
	code := func(want *kerr.Error, of func(v int16, resp kmsg.Response) int16) func(*testing.T, int16, kmsg.Response) {
		return func(t *testing.T, v int16, resp kmsg.Response) {
			t.Helper()
			wantCode(t, "answer", of(v, resp), want)
		}
	}
	return map[kmsg.Key]served{
		kmsg.FindCoordinator: {0, 6, func(int16) kmsg.Request {
			r := kmsg.NewPtrFindCoordinatorRequest()
			r.CoordinatorKey, r.CoordinatorKeys = "versions", []string{"versions", "another"}
			return r
		}, func(t *testing.T, v int16, resp kmsg.Response) {
			r := resp.(*kmsg.FindCoordinatorResponse)
			if v < 4 && (r.ErrorCode != 0 || r.NodeID != 1 || r.Host != "n1" || r.Port != 9092) {
				t.Errorf("answer %+v", r)
			}
			if v >= 4 && (len(r.Coordinators) != 2 || r.Coordinators[1].Key != "another" || r.Coordinators[1].ErrorCode != 0 || r.Coordinators[1].NodeID != 1) {
				t.Errorf("answer %+v", r)
			}
		}},
		kmsg.OffsetCommit: {2, 9, func(int16) kmsg.Request { return commitOf("versions", "", -1, "orders", 7) },
			code(nil, func(_ int16, resp kmsg.Response) int16 { return commitCode(resp) })},
		kmsg.OffsetFetch: {1, 9, func(int16) kmsg.Request {
			r := offsetsOf("versions")
			r.Group = "versions"
			r.Topics = []kmsg.OffsetFetchRequestTopic{{Topic: "orders", Partitions: []int32{0, 1}}}
			return r
		}, func(t *testing.T, v int16, resp kmsg.Response) {
			r := resp.(*kmsg.OffsetFetchResponse)
			switch {
			case v < 8:
				p := r.Topics[0].Partitions
				if r.ErrorCode != 0 || p[0].Offset != 7 || p[0].ErrorCode != 0 || p[1].Offset != -1 || p[1].ErrorCode != 0 {
					t.Errorf("answer %+v", r)
				}
			case len(r.Groups) != 1 || r.Groups[0].Group != "versions" || fetched(r)[0] != 7:
				t.Errorf("answer %+v", r)
			}
		}},
		kmsg.JoinGroup: {0, 9, func(v int16) kmsg.Request {
			r := kmsg.NewPtrJoinGroupRequest()
			r.Group, r.SessionTimeoutMillis, r.RebalanceTimeoutMillis, r.ProtocolType = fmt.Sprintf("join-%d", v), 10000, 10000, "consumer"
			r.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte("m")}}
			return r
		}, func(t *testing.T, v int16, resp kmsg.Response) {
			r := resp.(*kmsg.JoinGroupResponse)
			if v >= 4 { // KIP-394
				wantCode(t, "join", r.ErrorCode, kerr.MemberIDRequired)
			} else if r.ErrorCode != 0 || r.Generation != 1 || r.LeaderID != r.MemberID || len(r.Members) != 1 {
				t.Errorf("answer %+v", r)
			}
			if r.MemberID == "" {
				t.Error("no member id")
			}
		}},
		kmsg.SyncGroup: {0, 5, func(int16) kmsg.Request {
			r := kmsg.NewPtrSyncGroupRequest()
			r.Group, r.MemberID = "versions", "stranger"
			return r
		}, code(kerr.UnknownMemberID, func(_ int16, resp kmsg.Response) int16 { return resp.(*kmsg.SyncGroupResponse).ErrorCode })},
		kmsg.Heartbeat: {0, 4, func(int16) kmsg.Request {
			r := kmsg.NewPtrHeartbeatRequest()
			r.Group, r.MemberID = "versions", "stranger"
			return r
		}, code(kerr.UnknownMemberID, func(_ int16, resp kmsg.Response) int16 { return resp.(*kmsg.HeartbeatResponse).ErrorCode })},
		kmsg.LeaveGroup: {0, 5, func(int16) kmsg.Request {
			r := kmsg.NewPtrLeaveGroupRequest()
			r.Group, r.MemberID = "versions", "stranger"
			r.Members = []kmsg.LeaveGroupRequestMember{{MemberID: "stranger"}}
			return r
		}, code(kerr.UnknownMemberID, func(v int16, resp kmsg.Response) int16 {
			if r := resp.(*kmsg.LeaveGroupResponse); v >= 3 && r.ErrorCode == 0 {
				return r.Members[0].ErrorCode
			}
			return resp.(*kmsg.LeaveGroupResponse).ErrorCode
		})},
		kmsg.ConsumerGroupHeartbeat: {0, 1, func(v int16) kmsg.Request {
			r := kmsg.NewPtrConsumerGroupHeartbeatRequest()
			r.Group, r.RebalanceTimeoutMillis = fmt.Sprintf("heartbeat-%d", v), 10000
			r.SubscribedTopicNames, r.Topics = []string{"orders"}, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
			if v >= 1 { // KIP-1082
				r.MemberID = "me"
			}
			return r
		}, func(t *testing.T, v int16, resp kmsg.Response) {
			r := resp.(*kmsg.ConsumerGroupHeartbeatResponse)
			if r.ErrorCode != 0 || r.MemberEpoch != 1 || r.HeartbeatIntervalMillis <= 0 || r.MemberID == nil || *r.MemberID == "" || (v >= 1 && *r.MemberID != "me") {
				t.Errorf("answer %+v", r)
			}
			if r.Assignment == nil || len(r.Assignment.Topics) != 1 || len(r.Assignment.Topics[0].Partitions) == 0 {
				t.Errorf("assignment %+v", r.Assignment)
			}
		}},
		kmsg.ConsumerGroupDescribe: {0, 1, func(int16) kmsg.Request {
			return &kmsg.ConsumerGroupDescribeRequest{Groups: []string{"versions", "nothing"}}
		}, func(t *testing.T, _ int16, resp kmsg.Response) {
			for i, g := range resp.(*kmsg.ConsumerGroupDescribeResponse).Groups {
				wantCode(t, []string{"a classic group", "a group that is not there"}[i], g.ErrorCode, kerr.GroupIDNotFound)
			}
		}},
		kmsg.DescribeGroups: {0, 6, func(int16) kmsg.Request {
			return &kmsg.DescribeGroupsRequest{Groups: []string{"versions", "nothing"}}
		}, func(t *testing.T, v int16, resp kmsg.Response) {
			g := resp.(*kmsg.DescribeGroupsResponse).Groups
			if len(g) != 2 || g[0].Group != "versions" || g[0].State != "Empty" || g[1].State != "Dead" {
				t.Errorf("answer %+v", g)
			}
			if v >= 6 {
				wantCode(t, "a group that is not there", g[1].ErrorCode, kerr.GroupIDNotFound)
			}
		}},
		kmsg.ListGroups: {0, 5, func(int16) kmsg.Request { return kmsg.NewPtrListGroupsRequest() },
			func(t *testing.T, v int16, resp kmsg.Response) {
				for _, g := range resp.(*kmsg.ListGroupsResponse).Groups {
					if g.Group == "versions" && (v < 4 || g.GroupState == "Empty") && (v < 5 || g.GroupType == "classic") {
						return
					}
				}
				t.Errorf("answer %+v", resp)
			}},
		kmsg.DeleteGroups: {0, 2, func(int16) kmsg.Request { return &kmsg.DeleteGroupsRequest{Groups: []string{"nothing"}} },
			code(kerr.GroupIDNotFound, func(_ int16, resp kmsg.Response) int16 { return resp.(*kmsg.DeleteGroupsResponse).Groups[0].ErrorCode })},
		kmsg.OffsetDelete: {0, 0, func(int16) kmsg.Request {
			return &kmsg.OffsetDeleteRequest{Group: "nothing", Topics: []kmsg.OffsetDeleteRequestTopic{{Topic: "orders", Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{}}}}}
		}, code(kerr.GroupIDNotFound, func(_ int16, resp kmsg.Response) int16 { return resp.(*kmsg.OffsetDeleteResponse).ErrorCode })},
	}
}
