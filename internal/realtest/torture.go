package realtest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TortureOptions say how a node is killed.
type TortureOptions struct {
	Binary  string
	DataDir string // empty
	Kills   int
	// Flush sets flush.messages=1: acknowledged records are on the disk, not only in the
	// page cache. A kill -9 leaves the page cache alone, so nothing may be lost without,
	// either.
	Flush bool
	// Rate is how many records a second are offered.
	Rate int
	// MinLife and MaxLife bound how long the node serves until the next kill.
	MinLife, MaxLife time.Duration
	// Seed decides when to kill.
	Seed uint64
	// Progress, if not nil, is called after each restart.
	Progress func(kill int)
}

// TortureReport is what a torture has shown. Lost and Misplaced must be empty.
type TortureReport struct {
	Kills        int
	Acknowledged int
	// Refused is how many records the client gave up on: outcome unknown.
	Refused int
	// Why is the first such error.
	Why error
	// Duplicates are records found more than once.
	Duplicates int
	// Ready is the time from launching to "ready", for every restart, and Acked that to
	// the next acknowledgement that a client got: it includes the client's back-off.
	Ready, Acked []time.Duration
	// Lost are acknowledged records that are not there, Misplaced those found only at
	// another offset than the one acknowledged.
	Lost, Misplaced []uint64
}

// Err is nil if the node kept its promises.
func (r *TortureReport) Err() error {
	if len(r.Lost)+len(r.Misplaced) == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d acknowledged records lost (first: %v), %d misplaced",
		len(r.Lost), r.Acknowledged, r.Lost[:min(3, len(r.Lost))], len(r.Misplaced))
}

// Median of durations, 0 of none.
func Median(ds []time.Duration) time.Duration {
	if len(ds) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(ds))
	return sorted[len(sorted)/2]
}

const (
	tortureTopic      = "torture"
	torturePartitions = 4
)

// Torture produces with acks=all at a steady rate while it kills and restarts the node,
// then reads everything and judges.
func Torture(o TortureOptions) (*TortureReport, error) {
	p, err := Start(o.Binary, o.DataDir, "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := p.Addr
	defer func() { p.Kill() }()
	if err := createTortureTopic(addr, o.Flush); err != nil {
		return nil, err
	}
	t := &torture{o: o, acked: make(map[uint64]kgo.Record)}
	producing, stopProducing := context.WithCancel(context.Background())
	defer stopProducing()
	finished := make(chan error, 1)
	go func() { finished <- t.produce(producing, addr) }()

	random := rand.New(rand.NewPCG(o.Seed, 0))
	for kill := range o.Kills {
		time.Sleep(o.MinLife + time.Duration(random.Int64N(int64(o.MaxLife-o.MinLife)+1)))
		p.Kill()
		again, err := Start(o.Binary, o.DataDir, addr)
		if err != nil {
			return nil, fmt.Errorf("restart %d: %w", kill+1, err)
		}
		p = again
		t.report.Ready = append(t.report.Ready, time.Since(p.Started()))
		at, err := t.nextAck()
		if err != nil {
			return nil, fmt.Errorf("restart %d: %w\n%s", kill+1, err, p.Log())
		}
		t.report.Acked = append(t.report.Acked, at.Sub(p.Started()))
		t.report.Kills++
		if o.Progress != nil {
			o.Progress(kill + 1)
		}
	}
	stopProducing()
	if err := <-finished; err != nil {
		return nil, err
	}
	if err := t.judge(addr); err != nil {
		return nil, err
	}
	return &t.report, p.Stop()
}

func createTortureTopic(addr string, flush bool) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr))
	if err != nil {
		return err
	}
	defer cl.Close()
	configs := make(map[string]*string)
	if flush {
		configs["flush.messages"] = kadm.StringPtr("1")
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	_, err = kadm.NewClient(cl).CreateTopic(ctx, torturePartitions, 1, configs, tortureTopic)
	return err
}

// torture is one under way.
type torture struct {
	o      TortureOptions
	report TortureReport

	mu    sync.Mutex
	acked map[uint64]kgo.Record // by number; without the value
	wait  chan time.Time        // gets the time of the next acknowledgement
}

// nextAck waits for a record to be acknowledged.
func (t *torture) nextAck() (time.Time, error) {
	next := make(chan time.Time, 1)
	t.mu.Lock()
	t.wait = next
	t.mu.Unlock()
	select {
	case at := <-next:
		return at, nil
	case <-time.After(startTimeout):
		return time.Time{}, errors.New("nothing was acknowledged after the restart")
	}
}

// produce offers numbered records until ctx ends, then waits for those under way.
func (t *torture) produce(ctx context.Context, addr string) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.DefaultProduceTopic(tortureTopic),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.RecordDeliveryTimeout(startTimeout),
		kgo.MetadataMinAge(50*time.Millisecond), kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }))
	if err != nil {
		return err
	}
	defer cl.Close()
	const turn = 5 * time.Millisecond
	tick := time.NewTicker(turn)
	defer tick.Stop()
	burst := max(1, t.o.Rate*int(turn)/int(time.Second))
	for n := uint64(0); ; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return cl.Flush(context.Background())
		}
		for range burst {
			r := &kgo.Record{Partition: int32(n % torturePartitions), Value: binary.BigEndian.AppendUint64(make([]byte, 0, 128), n)[:128]}
			cl.Produce(context.Background(), r, t.done)
			n++
		}
	}
}

func (t *torture) done(r *kgo.Record, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		if t.report.Refused++; t.report.Why == nil {
			t.report.Why = err
		}
		return
	}
	t.acked[binary.BigEndian.Uint64(r.Value)] = kgo.Record{Partition: r.Partition, Offset: r.Offset}
	if t.wait != nil {
		t.wait <- time.Now()
		t.wait = nil
	}
}

// judge reads everything and compares.
func (t *torture) judge(addr string) error {
	found := make(map[uint64][]int64) // offsets by number
	err := ReadAll(addr, tortureTopic, func(r *kgo.Record) {
		n := binary.BigEndian.Uint64(r.Value)
		found[n] = append(found[n], r.Offset)
	})
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.report.Acknowledged = len(t.acked)
	for n, r := range t.acked {
		switch offsets := found[n]; {
		case len(offsets) == 0:
			t.report.Lost = append(t.report.Lost, n)
		case !slices.Contains(offsets, r.Offset):
			t.report.Misplaced = append(t.report.Misplaced, n)
		}
	}
	for _, offsets := range found {
		t.report.Duplicates += len(offsets) - 1
	}
	slices.Sort(t.report.Lost)
	slices.Sort(t.report.Misplaced)
	return nil
}

// ReadAll hands over every record of a topic, up to where its partitions end now.
func ReadAll(addr, topic string, use func(*kgo.Record)) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return err
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	ends, err := kadm.NewClient(cl).ListEndOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return err
	}
	left := make(map[int32]int64)
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[o.Partition] = o.Offset
		}
	})
	for len(left) > 0 {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("reading %s, %d partitions from their end: %w", topic, len(left), err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			end, open := left[r.Partition]
			if !open || r.Offset >= end {
				return
			}
			use(r)
			if r.Offset == end-1 {
				delete(left, r.Partition)
			}
		})
	}
	return nil
}
