package broker_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
)

// A request that waits behind a Fetch is dispatched while a read is under way into the
// buffer behind it; what that read brings must still be found.
func TestReadUnderWayIsNotLostWhenAStalledRequestGoesOn(t *testing.T) {
	l := newLab(t, 1, nil)
	l.do(func(task *env.Task) {
		l.createTopic(task, "a", nil, []int32{1})
		c := l.dial(task, 1)
		for range 3 {
			fetch := fetchFrom("a", l.topicID("a"), 0, 0)
			metadata := kmsg.NewPtrMetadataRequest()
			c.send(fetch, 12)
			fetchCorr := c.corr
			c.send(metadata, 12)
			c.answer(task, fetchCorr, fetch)
			c.answer(task, c.corr, metadata)
			c.call(task, kmsg.NewPtrMetadataRequest(), 12)
		}
	})
}
