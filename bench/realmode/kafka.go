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

// producing is how a producer writes, besides franz-go's defaults.
type producing struct {
	plain    bool // without idempotence
	compress bool
	// perTransaction is how many records a transaction has, 0 if there are none.
	perTransaction int
}

func (p producing) options(k *kafka) []kgo.Opt {
	opts := []kgo.Opt{kgo.SeedBrokers(k.addr), kgo.DefaultProduceTopic(k.topic)}
	if p.plain {
		// As many requests in flight as with idempotence; by default it would be one.
		opts = append(opts, kgo.DisableIdempotentWrite(), kgo.MaxProduceRequestsInflightPerBroker(5))
	}
	if !p.compress {
		opts = append(opts, kgo.ProducerBatchCompression(kgo.NoCompression()))
	}
	if p.perTransaction > 0 {
		opts = append(opts, kgo.TransactionalID(k.topic))
	}
	return opts
}

// produce sends the workload to a new topic of one partition. Timed: from the first
// record to the last acknowledgement, or the end of the last transaction.
func (k *kafka) produce(how producing) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	k.topics++
	k.topic = fmt.Sprintf("bench-%d", k.topics)
	cl, err := kgo.NewClient(how.options(k)...)
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	if _, err := kadm.NewClient(cl).CreateTopic(ctx, 1, 1, nil, k.topic); err != nil {
		return 0, err
	}
	var failed atomic.Pointer[error]
	done := func(_ *kgo.Record, err error) {
		if err != nil {
			failed.CompareAndSwap(nil, &err)
		}
	}
	// write sends records, as a transaction if there are any.
	write := func(from, until int, value func(int) []byte) error {
		if how.perTransaction > 0 {
			if err := cl.BeginTransaction(); err != nil {
				return err
			}
		}
		for i := from; i < until; i++ {
			cl.Produce(ctx, &kgo.Record{Value: value(i)}, done)
		}
		if how.perTransaction == 0 && until < k.w.records {
			return nil
		}
		if err := cl.Flush(ctx); err != nil {
			return err
		}
		if how.perTransaction > 0 {
			return cl.EndTransaction(ctx, kgo.TryCommit)
		}
		return nil
	}
	// The connection, the metadata and the producer's id are there before the clock
	// starts.
	if err := write(0, 1, func(int) []byte { return []byte("warm") }); err != nil {
		return 0, err
	}
	if err := cl.Flush(ctx); err != nil {
		return 0, err
	}
	begin := time.Now()
	step := k.w.records
	if how.perTransaction > 0 {
		step = how.perTransaction
	}
	for i := 0; i < k.w.records; i += step {
		if err := write(i, min(i+step, k.w.records), k.w.value); err != nil {
			return 0, err
		}
	}
	took := time.Since(begin)
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return took, nil
}

// produceOnly is produce for a topic that nobody reads.
func (k *kafka) produceOnly(how producing) (time.Duration, error) {
	took, err := k.produce(how)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cl, err := kgo.NewClient(kgo.SeedBrokers(k.addr))
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	_, err = kadm.NewClient(cl).DeleteTopic(ctx, k.topic)
	return took, err
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
