package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// kafka measures the broker through an ordinary client.
type kafka struct {
	addr   string
	w      *workload
	topics int
	topic  string // of the last produce, for consume
}

const patience = 2 * time.Minute

// produce sends the workload to a new topic of one partition. Timed: from the first
// record to the last acknowledgement.
func (k *kafka) produce(compress bool) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	k.topics++
	k.topic = fmt.Sprintf("bench-%d", k.topics)
	opts := []kgo.Opt{kgo.SeedBrokers(k.addr), kgo.DefaultProduceTopic(k.topic)}
	if !compress {
		opts = append(opts, kgo.ProducerBatchCompression(kgo.NoCompression()))
	}
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	if _, err := kadm.NewClient(cl).CreateTopic(ctx, 1, 1, nil, k.topic); err != nil {
		return 0, err
	}
	// The connection and the metadata are there before the clock starts.
	if err := cl.ProduceSync(ctx, &kgo.Record{Value: []byte("warm")}).FirstErr(); err != nil {
		return 0, err
	}
	var failed atomic.Pointer[error]
	done := func(_ *kgo.Record, err error) {
		if err != nil {
			failed.CompareAndSwap(nil, &err)
		}
	}
	begin := time.Now()
	for i := range k.w.records {
		cl.Produce(ctx, &kgo.Record{Value: k.w.value(i)}, done)
	}
	if err := cl.Flush(ctx); err != nil {
		return 0, err
	}
	took := time.Since(begin)
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return took, nil
}

// consume reads the topic of the last produce and deletes it. Timed: from making the
// client to the last record.
func (k *kafka) consume() (time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	begin := time.Now()
	cl, err := kgo.NewClient(kgo.SeedBrokers(k.addr), kgo.ConsumeTopics(k.topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	for left := k.w.records + 1; left > 0; {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return 0, err
		}
		left -= fetches.NumRecords()
	}
	took := time.Since(begin)
	_, err = kadm.NewClient(cl).DeleteTopic(ctx, k.topic)
	return took, err
}
