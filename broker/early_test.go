package broker_test

import (
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
)

// A broker that does not know the feature levels yet is no reason for members of groups to
// give up: they take the lack of their protocol for final.
func TestRestartedNodeDoesNotDenyTheGroupProtocol(t *testing.T) {
	l := newLab(t, 3, nil)
	l.do(func(task *env.Task) {
		l.c.Node(1).Crash()
		l.c.Net.Partition([]string{"n1"}, []string{"n2", "n3"})
		l.c.Node(1).Up()
		task.Sleep(l.env.Clock, 500*time.Millisecond)
		resp := l.dial(task, 1).call(task, kmsg.NewPtrApiVersionsRequest(), 0).(*kmsg.ApiVersionsResponse)
		for _, key := range []kmsg.Key{kmsg.ConsumerGroupHeartbeat, kmsg.ConsumerGroupDescribe} {
			if !slices.ContainsFunc(resp.ApiKeys, func(k kmsg.ApiVersionsResponseApiKey) bool { return k.ApiKey == key.Int16() }) {
				t.Errorf("%s is not advertised", key.Name())
			}
		}
	})
}
