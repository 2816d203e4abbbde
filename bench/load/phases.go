package load

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"odradek/bench"
)

// phases goes through the run from the first client to the last record.
func (r *run) phases(ctx context.Context, producerOptions []kgo.Opt) error {
	for i := range r.producers() {
		p, err := newProducer(r, i, producerOptions)
		if err != nil {
			return err
		}
		r.producing = append(r.producing, p)
	}
	drain := r.s.ConsumerBacklogSizeGB > 0
	if drain {
		if err := r.writeBacklog(ctx); err != nil {
			return err
		}
	}
	if err := r.joinGroups(ctx, drain); err != nil {
		return err
	}

	start := r.clock.now()
	if drain {
		r.from.Store(start)
		for _, g := range r.groups {
			g.resume()
		}
	} else {
		r.from.Store(start + int64(r.s.WarmupDuration))
		r.until.Store(r.from.Load() + int64(r.s.TestDuration))
	}
	var producing sync.WaitGroup
	if r.s.ProducersPerTopic > 0 {
		for _, p := range r.producing {
			producing.Go(func() {
				if err := r.startProducing(ctx, p, start); err != nil {
					r.fail(err)
				}
			})
		}
	}
	reading, stopReading := context.WithCancel(ctx)
	defer stopReading()
	var readers sync.WaitGroup
	for range r.s.CatchUpReaders {
		readers.Go(func() {
			if err := r.catchUp(reading); err != nil {
				r.fail(err)
			}
		})
	}

	err := r.measure(ctx, drain)
	stopReading()
	readers.Wait()
	if err == nil {
		r.sleepUntil(ctx, r.cutoff())
	} else {
		r.fail(err)
	}
	for _, p := range r.producing {
		p.slots.end()
	}
	producing.Wait()
	if err == nil {
		err = r.heal()
	}
	if err == nil {
		r.settle(ctx)
	}
	return err
}

func (r *run) startProducing(ctx context.Context, p *producer, start int64) error {
	if r.rate == 0 {
		return p.produceMost(ctx)
	}
	return p.produce(ctx, start)
}

// writeBacklog writes what readers find.
func (r *run) writeBacklog(ctx context.Context) error {
	total := int64(r.s.ConsumerBacklogSizeGB * 1e9 / float64(r.s.MessageSize))
	if total < 1 {
		return errors.New("consumerBacklogSizeGB: that is not one record")
	}
	begin := r.clock.now()
	each := (total + int64(r.producers()) - 1) / int64(r.producers())
	var writing sync.WaitGroup
	errs := make([]error, len(r.producing))
	done := make(chan struct{})
	for i, p := range r.producing {
		writing.Go(func() { errs[i] = p.produceBacklog(ctx, each) })
	}
	go func() {
		writing.Wait()
		close(done)
	}()
	for {
		select {
		case <-done:
			for _, p := range r.producing {
				errs = append(errs, p.firstFailure())
			}
			return errors.Join(errs...)
		case <-ctx.Done():
			for _, p := range r.producing {
				p.slots.end()
			}
			<-done
			return context.Cause(ctx)
		case <-time.After(200 * time.Millisecond):
			r.progress("writing the backlog", begin, 0)
		}
	}
}

// joinGroups brings all consumers up and waits until each partition has one: what a new
// group waits for is no latency of records.
func (r *run) joinGroups(ctx context.Context, paused bool) error {
	for _, topic := range r.topics {
		for n := range r.s.Groups() {
			r.groups = append(r.groups, newGroup(r, topic, n))
		}
	}
	for _, g := range r.groups {
		for range r.s.ConsumerPerSubscription {
			if err := g.join(ctx, paused); err != nil {
				return err
			}
		}
	}
	begin := r.clock.now()
	for _, g := range r.groups {
		for !g.settled() {
			if r.clock.now()-begin > int64(patience) {
				g.mu.Lock()
				defer g.mu.Unlock()
				return fmt.Errorf("group %s: %d of %d partitions have a member, not evenly, after %v (%w)", g.name, g.assigned, r.s.PartitionsPerTopic, patience, errors.Join(g.failing, errNone))
			}
			if !r.sleepUntil(ctx, r.clock.now()+int64(10*time.Millisecond)) {
				return context.Cause(ctx)
			}
			r.progress("consumers join", begin, 0)
		}
	}
	return nil
}

var errNone = errors.New("no member has said why")

// measure lasts from the warm-up to the end of the time measured.
func (r *run) measure(ctx context.Context, drain bool) error {
	begin := r.clock.now()
	from := r.from.Load()
	for now := begin; now < from; now = r.clock.now() {
		if !r.sleepUntil(ctx, min(from, now+int64(200*time.Millisecond))) {
			return context.Cause(ctx)
		}
		r.progress("warm-up", begin, r.s.WarmupDuration)
	}
	if err := r.usage.start(); err != nil {
		return err
	}
	r.ticks.start(from)
	striking, stopStriking := context.WithCancel(ctx)
	var faults sync.WaitGroup
	// A fault of which the end coincides with that of the run is taken back before.
	defer faults.Wait()
	defer stopStriking()
	for _, f := range r.s.Faults {
		faults.Go(func() {
			if err := r.strike(striking, f); err != nil {
				r.fail(err)
			}
		})
	}
	if drain {
		if err := r.drain(ctx); err != nil {
			return err
		}
	} else {
		for now := r.clock.now(); now < r.until.Load(); now = r.clock.now() {
			if !r.sleepUntil(ctx, min(r.until.Load(), now+int64(lookEvery))) {
				return context.Cause(ctx)
			}
			if err := r.usage.look(); err != nil {
				return err
			}
			r.progress("measuring", from, r.s.TestDuration)
		}
	}
	r.timeline = r.ticks.stop(r.until.Load())
	return nil
}

const lookEvery = 250 * time.Millisecond

// drain lasts until the groups have caught up: with the backlog, and with all that was
// acknowledged a moment ago.
func (r *run) drain(ctx context.Context) error {
	from := r.from.Load()
	progressed, last := from, int64(0)
	looked := from
	for {
		want := make([]int64, len(r.groups))
		for i, g := range r.groups {
			want[i] = r.ackedOf(g.topic)
		}
		if !r.sleepUntil(ctx, r.clock.now()+int64(2*time.Millisecond)) {
			return context.Cause(ctx)
		}
		now := r.clock.now()
		if !slices.ContainsFunc(r.groups, func(g *group) bool { return g.has() < want[slices.Index(r.groups, g)] }) {
			r.until.Store(now)
			return r.usage.look()
		}
		if _, received := r.ticks.totals(); received > last {
			last, progressed = received, now
		}
		if now-progressed > int64(patience) {
			return fmt.Errorf("draining the backlog: nothing was received for %v, %d records were before", patience, last)
		}
		if now-looked >= int64(lookEvery) {
			looked = now
			if err := r.usage.look(); err != nil {
				return err
			}
			r.progress("draining the backlog", from, 0)
		}
	}
}

// settle waits for what is under way, as long as it comes: acknowledgements, then what
// groups have not received yet.
func (r *run) settle(ctx context.Context) {
	const most, idle = 30 * time.Second, 5 * time.Second
	waiting, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	begin := r.clock.now()
	r.progress("waiting for the last records", begin, 0)
	for _, p := range r.producing {
		p.await(waiting)
	}
	_, last := r.ticks.totals()
	progressed := r.clock.now()
	for _, g := range r.groups {
		for g.has() < r.ackedOf(g.topic) && r.sleepUntil(waiting, r.clock.now()+int64(5*time.Millisecond)) {
			now := r.clock.now()
			if _, received := r.ticks.totals(); received > last {
				last, progressed = received, now
			}
			if now-progressed > int64(idle) {
				break
			}
		}
	}
}

// ackedOf is how many records of a topic are there.
func (r *run) ackedOf(topic string) int64 {
	var n int64
	for _, p := range r.producing {
		if p.topic == topic {
			p.mu.Lock()
			n += p.total
			p.mu.Unlock()
		}
	}
	return n
}

// end closes all clients and deletes what the run has made.
func (r *run) end(within time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	var names []string
	var leaving sync.WaitGroup
	for _, g := range r.groups {
		names = append(names, g.name)
		leaving.Go(func() { g.leaveAll(ctx) })
	}
	for _, p := range r.producing {
		leaving.Go(func() {
			p.cl.Close()
			p.await(ctx) // closing fails what is under way, in other goroutines
		})
	}
	leaving.Wait()
	r.consuming.Wait()
	return deleteTopics(ctx, r.adm, r.topics, names)
}

// sample sums everything up.
func (r *run) sample() (bench.Sample, error) {
	from, until := r.from.Load(), r.until.Load()
	s := bench.Sample{
		Target: r.sys.Info().Name, Variant: r.s.Variant, Rate: r.rate, Seconds: seconds(until - from),
		Lost: -1, Duplicated: -1, Timeline: r.timeline, CatchUp: r.caughtUp.Load(),
	}
	var failure error
	for _, p := range r.producing {
		p.mu.Lock()
		s.Sent += p.sent
		s.Acked += p.acked
		s.Failed += p.failed
		s.Ack.Merge(p.ack)
		s.Lateness.Merge(p.lateness)
		if failure == nil {
			failure = p.failure
		}
		p.mu.Unlock()
	}
	s.Bytes = s.Acked * int64(r.s.MessageSize)
	if len(r.groups) > 0 {
		s.Lost, s.Duplicated = 0, 0
	}
	for _, g := range r.groups {
		g.mu.Lock()
		s.Received += g.received
		s.Duplicated += g.duplicated
		s.EndToEnd.Merge(g.endToEnd)
		for i := range g.seen {
			if p := r.producing[i]; p.topic == g.topic {
				p.mu.Lock()
				s.Lost += p.there.without(&g.seen[i])
				p.mu.Unlock()
			}
		}
		for _, at := range g.whole {
			r.mark(at, "all partitions of a group have a consumer")
		}
		g.mu.Unlock()
	}
	r.mu.Lock()
	for _, m := range r.marks {
		if m.at >= from && m.at < until {
			s.Marks = append(s.Marks, bench.Mark{At: seconds(m.at - from), What: m.what})
		}
	}
	r.mu.Unlock()
	slices.SortStableFunc(s.Marks, func(a, b bench.Mark) int {
		switch {
		case a.At < b.At:
			return -1
		case a.At > b.At:
			return 1
		}
		return 0
	})
	s.Server, s.Client = r.usage.taken()
	if s.Acked == 0 && failure != nil {
		return bench.Sample{}, fmt.Errorf("no record was acknowledged: %w", failure)
	}
	return s, nil
}
