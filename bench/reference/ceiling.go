package reference

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"odradek/bench"
)

// CeilingConfig is a load by franz-go on kfake, which does as good as nothing: what comes
// out is what the client can do on this machine beside a process that reads and writes
// sockets. No broker is faster than that through this client.
type CeilingConfig struct {
	// Record is the bytes of a record's value.
	Record int
	// Consume measures fetching, instead of producing with acks=all, as an idempotent
	// producer and without compression.
	Consume          bool
	Warmup, Duration time.Duration
	// Program is the command line of a program that runs [Main].
	Program []string
}

// Info says what is measured.
func (c CeilingConfig) Info() bench.Target {
	what := "produce"
	if c.Consume {
		what = "consume"
	}
	return bench.Target{Name: "franz-go on kfake, " + what, Mode: "external"}
}

// MeasureCeiling starts kfake, measures as fast as possible, and ends it. Records that
// are fetched count as received, and their bytes as the sample's.
func MeasureCeiling(ctx context.Context, c CeilingConfig) (s bench.Sample, err error) {
	if c.Record < 1 || c.Duration <= 0 || len(c.Program) == 0 {
		return s, fmt.Errorf("ceiling: records of %d bytes for %v by program %q", c.Record, c.Duration, c.Program)
	}
	p, err := Start(c.Program, "kfake", "--record", fmt.Sprint(c.Record))
	if err != nil {
		return s, err
	}
	defer func() {
		if log := p.Close(); err != nil {
			err = fmt.Errorf("%w\n%s", err, log)
		}
	}()
	const topic = "ceiling"
	cl, err := kgo.NewClient(
		kgo.SeedBrokers(p.Addr), kgo.DefaultProduceTopic(topic), kgo.AllowAutoTopicCreation(),
		kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ProducerLinger(0),
	)
	if err != nil {
		return s, err
	}
	defer cl.Close()
	// Connections, metadata, and the topic are there before the clock starts.
	if err := cl.ProduceSync(ctx, &kgo.Record{Value: noise(c.Record)}).FirstErr(); err != nil {
		return s, err
	}
	m := &ceiling{CeilingConfig: c, client: cl}
	var running sync.WaitGroup
	work := m.produce
	if c.Consume {
		cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}})
		work = m.consume
	}
	ctx, stop := context.WithTimeoutCause(ctx, c.Warmup+c.Duration, errMeasured)
	defer stop()
	running.Go(func() { work(ctx) })
	time.Sleep(c.Warmup)
	before, errBefore := look([]int{p.PID()})
	count := m.count.Load()
	from := time.Now()
	<-ctx.Done()
	s.Seconds = time.Since(from).Seconds()
	records := m.count.Load() - count
	after, errAfter := look([]int{p.PID()})
	running.Wait()
	if cause := context.Cause(ctx); cause != errMeasured {
		return s, cause
	}
	if err := m.failed.Load(); err != nil {
		return s, *err
	}
	if err := errors.Join(errBefore, errAfter); err != nil {
		return s, err
	}
	s.Target, s.Bytes = c.Info().Name, records*int64(c.Record)
	s.Server, s.Client = since(before.server, after.server), since(before.client, after.client)
	if c.Consume {
		s.Received = records
	} else {
		s.Sent, s.Acked = records, records
	}
	return s, nil
}

var errMeasured = errors.New("the time is over")

type ceiling struct {
	CeilingConfig
	client *kgo.Client
	count  atomic.Int64 // records acknowledged or fetched
	failed atomic.Pointer[error]
}

// produce sends until the context ends; what is in flight then is given up.
func (m *ceiling) produce(ctx context.Context) {
	value := noise(m.Record)
	free := sync.Pool{New: func() any { return new(kgo.Record) }}
	done := func(r *kgo.Record, err error) {
		switch {
		case err == nil:
			m.count.Add(1)
		case ctx.Err() == nil:
			m.failed.CompareAndSwap(nil, &err)
		}
		*r = kgo.Record{}
		free.Put(r)
	}
	for ctx.Err() == nil && m.failed.Load() == nil {
		r := free.Get().(*kgo.Record)
		r.Value = value
		m.client.Produce(ctx, r, done)
	}
}

func (m *ceiling) consume(ctx context.Context) {
	for ctx.Err() == nil {
		got := m.client.PollFetches(ctx)
		if err := got.Err(); err != nil && ctx.Err() == nil {
			m.failed.CompareAndSwap(nil, &err)
			return
		}
		m.count.Add(int64(got.NumRecords()))
	}
}
