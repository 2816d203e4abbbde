package client

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/coordinator"
	"odradek/workloads/client/group"
)

// GroupListing is a group as listed by ListGroups.
type GroupListing struct {
	ID           string
	ProtocolType string
	// State is empty if the broker is too old to tell, and so is Type ("classic",
	// "consumer").
	State, Type string
}

// ListGroups asks every broker that is not fenced for the groups it coordinates, sorted by
// id.
func (a *Admin) ListGroups(t *env.Task) ([]GroupListing, error) {
	var groups []GroupListing
	err := a.everywhere(t, func(wire.NodeID) operation {
		return operation{
			minVersion: 0, maxVersion: 5,
			request: func(time.Duration) kmsg.Request { return kmsg.NewPtrListGroupsRequest() },
			read: func(r kmsg.Response) (int16, *string) {
				resp := r.(*kmsg.ListGroupsResponse)
				if resp.ErrorCode != 0 {
					return resp.ErrorCode, nil
				}
				for _, g := range resp.Groups {
					groups = append(groups, GroupListing{ID: g.Group, ProtocolType: g.ProtocolType, State: g.GroupState, Type: g.GroupType})
				}
				return 0, nil
			},
		}
	})
	slices.SortFunc(groups, func(a, b GroupListing) int { return strings.Compare(a.ID, b.ID) })
	// A group whose coordinator moved meanwhile may have been listed twice.
	return slices.CompactFunc(groups, func(a, b GroupListing) bool { return a.ID == b.ID }), err
}

// GroupDescription is a group as described by its coordinator.
type GroupDescription struct {
	ID       string
	Protocol group.Protocol
	State    string
	// Assignor that is in use, empty if none is.
	Assignor string
	// Epoch and AssignmentEpoch of a consumer group; 0 for a classic one, whose generation
	// is not told.
	Epoch, AssignmentEpoch int32
	// Members are sorted by id.
	Members []GroupMember
}

// GroupMember is a member of a described group.
type GroupMember struct {
	ID, Instance     string
	ClientID, Host   string
	Epoch            int32
	Topics           []string
	Assigned, Target []wire.TopicPartition
}

// DescribeGroup asks a group's coordinator about it: as about a consumer group first, then
// as about a classic one. A group that does not exist is GROUP_ID_NOT_FOUND.
func (a *Admin) DescribeGroup(t *env.Task, id string) (GroupDescription, error) {
	d, err := a.describeConsumerGroup(t, id)
	if errors.Is(err, kerr.GroupIDNotFound) || errors.Is(err, attempt.ErrVersion) {
		return a.describeClassicGroup(t, id)
	}
	return d, err
}

func (a *Admin) describeConsumerGroup(t *env.Task, id string) (GroupDescription, error) {
	d := GroupDescription{ID: id, Protocol: group.Consumer}
	err := a.run(t, operation{
		of: coordinated{coordinator.Group, id}, minVersion: 0, maxVersion: 1,
		request: func(time.Duration) kmsg.Request {
			req := kmsg.NewPtrConsumerGroupDescribeRequest()
			req.Groups = []string{id}
			return req
		},
		read: func(r kmsg.Response) (int16, *string) {
			resp := r.(*kmsg.ConsumerGroupDescribeResponse)
			if len(resp.Groups) != 1 {
				return missing()
			}
			g := &resp.Groups[0]
			d.State, d.Assignor, d.Epoch, d.AssignmentEpoch = g.State, g.AssignorName, g.Epoch, g.AssignmentEpoch
			d.Members = nil
			for i := range g.Members {
				m := &g.Members[i]
				d.Members = append(d.Members, GroupMember{
					ID: m.MemberID, Instance: value(m.InstanceID), ClientID: m.ClientID, Host: m.ClientHost,
					Epoch: m.MemberEpoch, Topics: m.SubscribedTopics,
					Assigned: assignmentOf(m.Assignment), Target: assignmentOf(m.TargetAssignment),
				})
			}
			d.sort()
			return g.ErrorCode, g.ErrorMessage
		},
	})
	return d, err
}

func (a *Admin) describeClassicGroup(t *env.Task, id string) (GroupDescription, error) {
	d := GroupDescription{ID: id, Protocol: group.Classic}
	err := a.run(t, operation{
		of: coordinated{coordinator.Group, id}, minVersion: 0, maxVersion: 6,
		request: func(time.Duration) kmsg.Request {
			req := kmsg.NewPtrDescribeGroupsRequest()
			req.Groups = []string{id}
			return req
		},
		read: func(r kmsg.Response) (int16, *string) {
			resp := r.(*kmsg.DescribeGroupsResponse)
			if len(resp.Groups) != 1 {
				return missing()
			}
			g := &resp.Groups[0]
			if g.ErrorCode == 0 && g.State == "Dead" {
				return kerr.GroupIDNotFound.Code, nil // as before version 6
			}
			d.State, d.Assignor, d.Members = g.State, g.Protocol, nil
			for i := range g.Members {
				m := &g.Members[i]
				member := GroupMember{ID: m.MemberID, Instance: value(m.InstanceID), ClientID: m.ClientID, Host: m.ClientHost}
				if g.ProtocolType == "consumer" {
					// What members tell each other may be anything; then it is left out.
					member.Topics, member.Assigned, _ = group.ReadClassicMember(m.ProtocolMetadata, m.MemberAssignment)
				}
				d.Members = append(d.Members, member)
			}
			d.sort()
			return g.ErrorCode, g.ErrorMessage
		},
	})
	return d, err
}

func (d *GroupDescription) sort() {
	slices.SortFunc(d.Members, func(a, b GroupMember) int { return cmp.Compare(a.ID, b.ID) })
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func assignmentOf(a kmsg.Assignment) []wire.TopicPartition {
	var tps []wire.TopicPartition
	for _, t := range a.TopicPartitions {
		for _, p := range t.Partitions {
			tps = append(tps, wire.TopicPartition{Topic: t.Topic, Partition: p})
		}
	}
	slices.SortFunc(tps, wire.TopicPartition.Compare)
	return tps
}

// DeleteGroup deletes a group without members, and its committed offsets.
func (a *Admin) DeleteGroup(t *env.Task, id string) error {
	return a.run(t, operation{
		of: coordinated{coordinator.Group, id}, minVersion: 0, maxVersion: 2,
		request: func(time.Duration) kmsg.Request {
			req := kmsg.NewPtrDeleteGroupsRequest()
			req.Groups = []string{id}
			return req
		},
		read: func(r kmsg.Response) (int16, *string) {
			resp := r.(*kmsg.DeleteGroupsResponse)
			if len(resp.Groups) != 1 {
				return missing()
			}
			return resp.Groups[0].ErrorCode, resp.Groups[0].ErrorMessage
		},
	})
}

// ListConsumerGroupOffsets reads a group's committed offsets: those of the given
// partitions, or all if tps is nil. Partitions without one are left out. stable waits for
// transactions that may change them.
func (a *Admin) ListConsumerGroupOffsets(t *env.Task, id string, tps []wire.TopicPartition, stable bool) (group.Offsets, error) {
	if tps != nil {
		tps = slices.SortedFunc(slices.Values(tps), wire.TopicPartition.Compare)
		tps = slices.Compact(tps)
	}
	offsets := make(group.Offsets)
	_, lowest := group.OffsetFetchRequest(id, tps, stable)
	err := a.run(t, operation{
		of: coordinated{coordinator.Group, id}, minVersion: lowest, maxVersion: 9,
		request: func(time.Duration) kmsg.Request {
			req, _ := group.OffsetFetchRequest(id, tps, stable)
			return req
		},
		read: func(r kmsg.Response) (int16, *string) {
			code, answers := group.ReadOffsetFetch(r.(*kmsg.OffsetFetchResponse))
			if code != 0 {
				return code, nil
			}
			clear(offsets)
			for _, tp := range slices.SortedFunc(maps.Keys(answers), wire.TopicPartition.Compare) {
				o := answers[tp]
				if o.Code != 0 {
					return o.Code, nil
				}
				if o.Offset.Offset >= 0 {
					offsets[tp] = o.Offset
				}
			}
			return 0, nil
		},
	})
	return offsets, err
}

// AlterConsumerGroupOffsets commits offsets for a group without active members. Unless the
// outcome of the error is Failed, any of them may have been committed.
func (a *Admin) AlterConsumerGroupOffsets(t *env.Task, id string, offsets group.Offsets) error {
	some := false
	err := a.run(t, operation{
		of: coordinated{coordinator.Group, id}, minVersion: 2, maxVersion: 9,
		request: func(time.Duration) kmsg.Request {
			return group.OffsetCommitRequest(group.Member{Group: id, Generation: -1}, offsets)
		},
		read: func(r kmsg.Response) (int16, *string) {
			codes := group.ReadOffsetCommit(r.(*kmsg.OffsetCommitResponse))
			for _, code := range codes { //odradek:unordered whether there is one
				some = some || group.Classify(code).Outcome != attempt.Failed
			}
			return group.Worst(offsets, codes), nil
		},
	})
	var failed *AdminError
	if some && errors.As(err, &failed) && failed.Outcome == attempt.Failed {
		failed.Outcome = attempt.Unknown // as a whole
	}
	return err
}

// DeleteConsumerGroupOffsets deletes a group's committed offsets of topics that no member
// subscribes to.
func (a *Admin) DeleteConsumerGroupOffsets(t *env.Task, id string, tps []wire.TopicPartition) error {
	tps = slices.SortedFunc(slices.Values(tps), wire.TopicPartition.Compare)
	return a.run(t, operation{
		of: coordinated{coordinator.Group, id}, minVersion: 0, maxVersion: 0,
		request: func(time.Duration) kmsg.Request {
			req := kmsg.NewPtrOffsetDeleteRequest()
			req.Group = id
			for _, tp := range tps {
				if n := len(req.Topics); n == 0 || req.Topics[n-1].Topic != tp.Topic {
					req.Topics = append(req.Topics, kmsg.OffsetDeleteRequestTopic{Topic: tp.Topic})
				}
				rt := &req.Topics[len(req.Topics)-1]
				rt.Partitions = append(rt.Partitions, kmsg.OffsetDeleteRequestTopicPartition{Partition: tp.Partition})
			}
			return req
		},
		read: func(r kmsg.Response) (int16, *string) {
			resp := r.(*kmsg.OffsetDeleteResponse)
			if resp.ErrorCode != 0 {
				return resp.ErrorCode, nil
			}
			for _, rt := range resp.Topics {
				for _, rp := range rt.Partitions {
					if rp.ErrorCode != 0 {
						return rp.ErrorCode, nil
					}
				}
			}
			return 0, nil
		},
	})
}
