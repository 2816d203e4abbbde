package load

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"odradek/bench"
	"odradek/bench/target"
)

// Options of a run.
type Options struct {
	// Tick is the length of the timeline's intervals, from 100 ms to 1 s; 0 is a tenth of
	// a second, or more in a long run.
	Tick time.Duration
	// Progress, if not nil, is called some times a second.
	Progress func(Progress)
}

// Progress is how far a run is.
type Progress struct {
	Phase string // what it does at present
	// At and Of are of the phase, 0 of those whose end nobody knows.
	At, Of time.Duration
	// Acked and Received so far, warm-up included.
	Acked, Received int64
}

// clock is in ns since the run began, from 1 on.
type clock struct{ base time.Time }

func (c clock) now() int64 { return int64(time.Since(c.base)) + 1 }

// run is one under way.
type run struct {
	sys   target.System
	s     *bench.Scenario
	rate  float64
	o     Options
	clock clock
	name  string
	// topics of the run, its producers and groups.
	topics          []string
	producing       []*producer
	groups          []*group
	consumerOptions []kgo.Opt
	memberOptions   []kgo.Opt
	adm             *kadm.Client
	consuming       sync.WaitGroup
	cancel          context.CancelCauseFunc

	// The time measured, 0 and without end until it is known.
	from, until atomic.Int64
	ticks       ticks
	timeline    []bench.Tick
	usage       *usage
	outage      atomic.Pointer[outage]
	caughtUp    atomic.Int64 // records that catch-up readers have read

	mu    sync.Mutex // guards what follows
	marks []struct {
		at   int64
		what string
	}
	down []int32 // brokers that were killed
}

// runs numbers those of this process.
var runs atomic.Int64

// Run measures a scenario at a rate, in records a second over all producers; 0 is as fast
// as they can. It makes its own topics and groups, and deletes them.
func Run(ctx context.Context, sys target.System, s *bench.Scenario, rate float64, o Options) (bench.Sample, error) {
	producerOptions, err := ProducerOptions(s)
	consumerOptions, memberOptions, consumerErr := ConsumerOptions(s)
	if err := errors.Join(err, consumerErr, possible(sys, s)); err != nil {
		return bench.Sample{}, err
	}
	if s.ConsumerBacklogSizeGB > 0 && (s.Groups() == 0 || s.ProducersPerTopic > 0 && rate == 0) {
		return bench.Sample{}, errors.New("consumerBacklogSizeGB: want consumers to read it, and a rate if producers write on: nobody catches up with producers that are as fast as they can")
	}
	if o.Tick == 0 {
		o.Tick = min(max(100*time.Millisecond, s.TestDuration/200), time.Second)
	}
	r := &run{
		sys: sys, s: s, rate: rate, o: o, clock: clock{time.Now()}, usage: newUsage(sys),
		name:            fmt.Sprintf("bench-%d-%d", time.Now().UnixMilli(), runs.Add(1)),
		consumerOptions: consumerOptions, memberOptions: memberOptions,
	}
	r.ticks.length = int64(o.Tick)
	r.until.Store(math.MaxInt64)
	for i := range s.Topics {
		r.topics = append(r.topics, fmt.Sprintf("%s-%d", r.name, i))
	}
	ctx, r.cancel = context.WithCancelCause(ctx)
	defer r.cancel(nil)
	cl, err := kgo.NewClient(r.clientOptions()...)
	if err != nil {
		return bench.Sample{}, err
	}
	defer cl.Close()
	r.adm = kadm.NewClient(cl)
	r.adm.SetTimeoutMillis(int32(patience.Milliseconds()))
	if err := createTopics(ctx, r.adm, s, r.topics); err != nil {
		return bench.Sample{}, err
	}
	err = r.phases(ctx, producerOptions)
	if cause := context.Cause(ctx); cause != nil {
		err = cause // which ended the phases
	}
	within := patience
	if err != nil {
		within = 5 * time.Second // what it was may keep the rest from working, too
	}
	if err := errors.Join(err, r.heal(), r.end(within)); err != nil {
		return bench.Sample{}, err
	}
	return r.sample()
}

// clientOptions are those of every client of the run.
func (r *run) clientOptions() []kgo.Opt {
	return []kgo.Opt{
		kgo.SeedBrokers(r.sys.Addrs()...), kgo.ClientID("odradek-bench"),
		// Who has lost a leader asks for the next one as often as Kafka's clients do
		// (retry.backoff.ms), not every 5 s.
		kgo.MetadataMinAge(100 * time.Millisecond),
		kgo.DisableClientMetrics(),
	}
}

// producers is how many there are; a backlog is written even if nobody writes after it.
func (r *run) producers() int { return r.s.Topics * max(1, r.s.ProducersPerTopic) }

// fail ends the run.
func (r *run) fail(err error) { r.cancel(err) }

func (r *run) mark(at int64, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.marks = append(r.marks, struct {
		at   int64
		what string
	}{at, fmt.Sprintf(format, args...)})
}

// measures reports whether a record that was due then belongs to the time measured.
func (r *run) measures(due int64) bool {
	from := r.from.Load()
	return due == backlog || from > 0 && due >= from && due < r.until.Load()
}

// dueTime is when a record was due: the backlog's when the readers start.
func (r *run) dueTime(due int64) int64 {
	if due == backlog {
		return r.from.Load()
	}
	return due
}

// cutoff is when the last records must be there to count as in time.
func (r *run) cutoff() int64 {
	until := r.until.Load()
	if until == math.MaxInt64 {
		return until
	}
	return until + int64(100*time.Millisecond+r.s.TestDuration/100)
}

// unreceived notes that no group of a topic got a record while the run lasted.
func (r *run) unreceived(topic string, age int64) {
	for _, g := range r.groups {
		if g.topic == topic {
			g.missing(age)
		}
	}
}

// sleepUntil is false if ctx has ended before.
func (r *run) sleepUntil(ctx context.Context, at int64) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(time.Duration(at - r.clock.now())):
		return true
	}
}

func (r *run) progress(phase string, since int64, of time.Duration) {
	if r.o.Progress == nil {
		return
	}
	acked, received := r.ticks.totals()
	r.o.Progress(Progress{Phase: phase, At: time.Duration(r.clock.now() - since), Of: of, Acked: acked, Received: received})
}
