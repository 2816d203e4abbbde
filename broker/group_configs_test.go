package broker_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/wire"
)

// groupConfigs asks for changes to a group's configs by IncrementalAlterConfigs: names
// and values in turn, of which an empty one deletes.
func groupConfigs(group string, names ...string) *kmsg.IncrementalAlterConfigsRequest {
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	res := kmsg.NewIncrementalAlterConfigsRequestResource()
	res.ResourceType, res.ResourceName = kmsg.ConfigResourceTypeGroupConfig, group
	for i := 0; i < len(names); i += 2 {
		c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		c.Name, c.Value = names[i], kmsg.StringPtr(names[i+1])
		if names[i+1] == "" {
			c.Op, c.Value = kmsg.IncrementalAlterConfigOpDelete, nil
		}
		res.Configs = append(res.Configs, c)
	}
	req.Resources = append(req.Resources, res)
	return req
}

// describedGroup is a line for each config of a group, with where it comes from.
func (c *rawConn) describedGroup(task *env.Task, group string) []string {
	c.l.t.Helper()
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.IncludeSynonyms, req.IncludeDocumentation = true, true
	q := kmsg.NewDescribeConfigsRequestResource()
	q.ResourceType, q.ResourceName = kmsg.ConfigResourceTypeGroupConfig, group
	req.Resources = append(req.Resources, q)
	r := c.call(task, req, 4).(*kmsg.DescribeConfigsResponse).Resources[0]
	if r.ErrorCode != 0 {
		return []string{kerr.TypedErrorForCode(r.ErrorCode).Message}
	}
	var lines []string
	for _, e := range r.Configs {
		if e.Documentation == nil || *e.Documentation == "" || e.ReadOnly || e.ConfigType != kmsg.ConfigTypeInt {
			c.l.t.Errorf("%+v", e)
		}
		lines = append(lines, fmt.Sprintf("%s=%s from %d, in %d places", e.Name, *e.Value, e.Source, len(e.ConfigSynonyms)))
	}
	return lines
}

// listedGroups are the groups that ListConfigResources tells.
func (c *rawConn) listedGroups(task *env.Task, types ...int8) (groups []string) {
	req := kmsg.NewPtrListConfigResourcesRequest()
	req.ResourceTypes = types
	for _, r := range c.call(task, req, 1).(*kmsg.ListConfigResourcesResponse).ConfigResources {
		if r.Type == int8(kmsg.ConfigResourceTypeGroupConfig) {
			groups = append(groups, r.Name)
		}
	}
	return groups
}

func TestGroupConfigsAreSetDescribedAndListed(t *testing.T) {
	l := newLab(t, 1, map[string]string{"group.consumer.heartbeat.interval.ms": "6000"})
	l.do(func(task *env.Task) {
		conn := l.dial(task, 1)
		alter := func(req *kmsg.IncrementalAlterConfigsRequest) int16 {
			return conn.call(task, req, 1).(*kmsg.IncrementalAlterConfigsResponse).Resources[0].ErrorCode
		}
		described := func(what, group string, want ...string) {
			t.Helper()
			if diff := cmp.Diff(want, conn.describedGroup(task, group)); diff != "" {
				t.Errorf("%s: %s", what, diff)
			}
		}
		const heartbeat = "consumer.heartbeat.interval.ms=6000 from 4, in 2 places"
		const session = "consumer.session.timeout.ms=45000 from 5, in 1 places"
		described("nothing is set", "g", heartbeat, session)
		described("all groups", "", "INVALID_REQUEST")

		wantCode(t, "set", alter(groupConfigs("g", "consumer.session.timeout.ms", "50000")), nil)
		wantCode(t, "out of bounds", alter(groupConfigs("g", "consumer.session.timeout.ms", "1")), kerr.InvalidConfig)
		wantCode(t, "unknown", alter(groupConfigs("g", "retention.ms", "1")), kerr.InvalidConfig)
		wantCode(t, "no group", alter(groupConfigs("", "consumer.session.timeout.ms", "50000")), kerr.InvalidRequest)
		wantCode(t, "an id that no record can hold", alter(groupConfigs(strings.Repeat("g", 1<<15), "consumer.session.timeout.ms", "50000")), kerr.InvalidRequest)
		validate := groupConfigs("h", "consumer.session.timeout.ms", "50000")
		validate.ValidateOnly = true
		wantCode(t, "validate", alter(validate), nil)
		described("one is set", "g", heartbeat, "consumer.session.timeout.ms=50000 from 8, in 2 places")
		described("of another group", "h", heartbeat, session)

		// AlterConfigs replaces all that is set.
		replace := kmsg.NewPtrAlterConfigsRequest()
		res := kmsg.NewAlterConfigsRequestResource()
		res.ResourceType, res.ResourceName = kmsg.ConfigResourceTypeGroupConfig, "g"
		res.Configs = []kmsg.AlterConfigsRequestResourceConfig{{Name: "consumer.heartbeat.interval.ms", Value: kmsg.StringPtr("7000")}}
		replace.Resources = append(replace.Resources, res)
		wantCode(t, "replace", conn.call(task, replace, 2).(*kmsg.AlterConfigsResponse).Resources[0].ErrorCode, nil)
		described("after AlterConfigs", "g", "consumer.heartbeat.interval.ms=7000 from 8, in 3 places", session)

		wantCode(t, "set another's", alter(groupConfigs("1", "consumer.session.timeout.ms", "50000")), nil)
		for _, c := range []struct {
			types []int8
			want  []string
		}{{nil, []string{"1", "g"}}, {[]int8{32}, []string{"1", "g"}}, {[]int8{2, 4}, nil}} {
			if diff := cmp.Diff(c.want, conn.listedGroups(task, c.types...)); diff != "" {
				t.Errorf("groups among types %v: %s", c.types, diff)
			}
		}
		wantCode(t, "delete", alter(groupConfigs("g", "consumer.heartbeat.interval.ms", "")), nil)
		described("nothing is set again", "g", heartbeat, session)
		if diff := cmp.Diff([]string{"1"}, conn.listedGroups(task)); diff != "" {
			t.Errorf("a group that sets nothing is listed: %s", diff)
		}
	})
}

// The coordinators and controllers that come after have them, by the log or by a snapshot.
func TestGroupConfigsOutliveTheirCoordinator(t *testing.T) {
	l := newLab(t, 3, map[string]string{"metadata.log.max.record.bytes.between.snapshots": "1000"})
	l.do(func(task *env.Task) {
		l.createTopic(task, "orders", nil, []int32{1, 2, 3})
		conn := l.dial(task, 1)
		set := groupConfigs("g", "consumer.session.timeout.ms", "46000", "consumer.heartbeat.interval.ms", "7000")
		wantCode(t, "set", conn.call(task, set, 1).(*kmsg.IncrementalAlterConfigsResponse).Resources[0].ErrorCode, nil)

		beat := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		beat.Group, beat.MemberID, beat.RebalanceTimeoutMillis = "g", "m", 30_000
		beat.SubscribedTopicNames, beat.Topics = []string{"orders"}, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		codeOf := func(r kmsg.Response) int16 { return r.(*kmsg.ConsumerGroupHeartbeatResponse).ErrorCode }
		heard := func(via wire.NodeID) (wire.NodeID, int32) {
			at, resp, _ := l.settled(task, via, "g", beat, 1, codeOf)
			wantCode(t, "heartbeat", codeOf(resp), nil)
			r := resp.(*kmsg.ConsumerGroupHeartbeatResponse)
			beat.MemberEpoch, beat.RebalanceTimeoutMillis, beat.SubscribedTopicNames, beat.Topics = r.MemberEpoch, -1, nil, nil
			return at, r.HeartbeatIntervalMillis
		}
		at, interval := heard(1)
		if interval != 7000 {
			t.Errorf("the member is to report every %d ms", interval)
		}
		for i := range 5 { // a snapshot is due
			l.createTopic(task, fmt.Sprintf("t%d", i), nil, []int32{1, 2, 3})
		}
		l.c.Node(at).Crash()
		via := at%3 + 1
		next := at
		for next == at {
			next, interval = heard(via)
		}
		if interval != 7000 {
			t.Errorf("to the new coordinator every %d ms", interval)
		}
		l.c.Node(at).Up()
		if diff := cmp.Diff([]string{"g"}, l.back(task, at).listedGroups(task, 32)); diff != "" {
			t.Errorf("a node that was down: %s", diff)
		}

		// Silent for 46 seconds, and not 45, the member is gone.
		heard(next)
		member := func() bool {
			req := kmsg.NewPtrConsumerGroupDescribeRequest()
			req.Groups = []string{"g"}
			_, resp, _ := l.settled(task, next, "g", req, 1, func(r kmsg.Response) int16 { return r.(*kmsg.ConsumerGroupDescribeResponse).Groups[0].ErrorCode })
			return len(resp.(*kmsg.ConsumerGroupDescribeResponse).Groups[0].Members) == 1
		}
		task.Sleep(l.env.Clock, 45500*time.Millisecond)
		if !member() {
			t.Error("the member has expired before its group's time-out")
		}
		task.Sleep(l.env.Clock, time.Second)
		if member() {
			t.Error("the member has not expired")
		}
	})
}
