package load

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// catchUp reads all topics from their beginning to what is their end when it starts, again
// and again until ctx ends.
func (r *run) catchUp(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := r.catchUpOnce(ctx); err != nil && ctx.Err() == nil {
			return fmt.Errorf("reading from the beginning: %w", err)
		}
	}
	return nil
}

func (r *run) catchUpOnce(ctx context.Context) error {
	opts := append(r.clientOptions(), r.consumerOptions...)
	cl, err := kgo.NewClient(append(opts, kgo.ConsumeTopics(r.topics...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.KeepControlRecords())...) // what ends a log may be the marker of a transaction
	if err != nil {
		return err
	}
	defer cl.Close()
	ends, err := kadm.NewClient(cl).ListEndOffsets(ctx, r.topics...)
	if err != nil {
		return err
	}
	if err := ends.Error(); err != nil {
		return err
	}
	type partition struct {
		topic string
		index int32
	}
	left := make(map[partition]int64)
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[partition{o.Topic, o.Partition}] = o.Offset
		}
	})
	for len(left) > 0 {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return err
		}
		if r.measures(r.clock.now()) {
			r.caughtUp.Add(int64(fetches.NumRecords()))
		}
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			at := partition{p.Topic, p.Partition}
			if n := len(p.Records); n > 0 && p.Records[n-1].Offset+1 >= left[at] {
				delete(left, at)
			}
		})
	}
	return nil
}
