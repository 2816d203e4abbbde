package client_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/workloads/client"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/consumer"
	"odradek/workloads/client/group"
)

// script runs a script on a machine of a simulated cluster to its end.
func (s *simulated) script(limit time.Duration, fn func(task *env.Task, c *client.Client)) {
	s.t.Helper()
	over := false
	s.user("c1", func(task *env.Task, cl *client.Client) {
		fn(task, cl)
		over = true
	})
	s.until(limit, nil, func() bool { return over })
}

func TestGroupsAreAdministered(t *testing.T) {
	s := simulate(t, 3, nil)
	s.script(3*time.Minute, func(task *env.Task, cl *client.Client) {
		createTopic(t, task, cl, "a", 2)
		admin := cl.NewAdmin()
		if _, err := admin.DescribeGroup(task, "g"); !errors.Is(err, kerr.GroupIDNotFound) {
			t.Errorf("a group that does not exist: %v", err)
		}
		a1 := wire.TopicPartition{Topic: "a", Partition: 1}
		offsets := group.Offsets{a0: {Offset: 5, LeaderEpoch: 0, Metadata: "m"}, a1: {Offset: 7, LeaderEpoch: wire.NoLeaderEpoch}}
		if err := admin.AlterConsumerGroupOffsets(task, "g", offsets); err != nil {
			t.Error(err)
		}
		got, err := admin.ListConsumerGroupOffsets(task, "g", nil, true)
		if diff := cmp.Diff(offsets, got); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
		if got, err := admin.ListConsumerGroupOffsets(task, "g", []wire.TopicPartition{a1}, false); err != nil || len(got) != 1 || got[a1].Offset != 7 {
			t.Errorf("%v, %v", got, err)
		}
		if d, err := admin.DescribeGroup(task, "g"); err != nil || d.State != "Empty" {
			t.Errorf("%+v, %v", d, err)
		}
		// Members, and what they keep others from doing.
		c := cl.NewGroupConsumer(consumer.DefaultConfig(), group.DefaultConfig("g"), nil)
		c.Subscribe("a")
		for len(c.Assignment()) < 2 {
			c.Poll(task, 100*time.Millisecond)
		}
		d, err := admin.DescribeGroup(task, "g")
		if err != nil || d.State != "Stable" || d.Assignor != "range" || len(d.Members) != 1 ||
			!cmp.Equal(d.Members[0].Assigned, []wire.TopicPartition{a0, a1}) || d.Members[0].ID != c.Metadata().Member {
			t.Errorf("%+v, %v", d, err)
		}
		listed, err := admin.ListGroups(task)
		if diff := cmp.Diff([]client.GroupListing{{ID: "g", ProtocolType: "consumer", State: "Stable", Type: "classic"}}, listed); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
		var failed *client.AdminError
		if err := admin.DeleteGroup(task, "g"); !errors.Is(err, kerr.NonEmptyGroup) || !errors.As(err, &failed) || failed.Outcome != attempt.Failed {
			t.Errorf("a group with members: %v", err)
		}
		if err := admin.AlterConsumerGroupOffsets(task, "g", offsets); !errors.Is(err, kerr.UnknownMemberID) {
			t.Errorf("commits for a group with members: %v", err)
		}
		if err := admin.DeleteConsumerGroupOffsets(task, "g", []wire.TopicPartition{a0}); !errors.Is(err, kerr.GroupSubscribedToTopic) {
			t.Errorf("deleting offsets of a topic in use: %v", err)
		}
		c.Leave(task)
		if err := admin.DeleteConsumerGroupOffsets(task, "g", []wire.TopicPartition{a0}); err != nil {
			t.Error(err)
		}
		if got, err := admin.ListConsumerGroupOffsets(task, "g", nil, false); err != nil || len(got) != 1 {
			t.Errorf("%v, %v", got, err)
		}
		if err := admin.DeleteGroup(task, "g"); err != nil {
			t.Error(err)
		}
		if err := admin.DeleteGroup(task, "g"); !errors.Is(err, kerr.GroupIDNotFound) {
			t.Errorf("deleting twice: %v", err)
		}
		// The coordinator's machine goes, and another takes over.
		if err := admin.AlterConsumerGroupOffsets(task, "g", offsets); err != nil {
			t.Error(err)
		}
		s.c.Node(1).Crash()
		if got, err := admin.ListConsumerGroupOffsets(task, "g", nil, false); err != nil || len(got) != 2 {
			t.Errorf("after a crash %v, %v", got, fmt.Sprint(err))
		}
	})
}
