package load

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"odradek/bench"
)

const (
	// A record is at most this late because the client slept. Waking up for each one of
	// 100,000 a second would take a core.
	shortestPause = 50 * time.Microsecond
	// Kafka's buffer.memory: what a producer that is as fast as it can buffers.
	bufferMemory = 32 << 20
	// What all producers together may have under way before a fixed schedule has to wait:
	// seconds of a system that stalls.
	scheduleMemory = 256 << 20
	mostUnderWay   = 1 << 20
)

// producer hands over records when they are due.
type producer struct {
	r       *run
	index   int
	topic   string
	cl      *kgo.Client
	payload *payload
	slots   *slots

	// Of the goroutine that produces.
	number   int64 // of the next record
	freeFrom int64 // when the system last let go of the client after it had held it up
	open     []*slot
	lateness bench.Histogram
	sent     int64 // of the time measured

	mu sync.Mutex // guards what follows, which the client library calls back for
	producerCounts
	txnFailed error // why the transaction that is open cannot be committed
}

// producerCounts are what has become of records.
type producerCounts struct {
	there   numbers // acknowledged, over the whole run
	total   int64   // how many that are
	acked   int64   // of the time measured, and in time
	failed  int64   // of the time measured
	failure error   // the first
	ack     bench.Histogram
}

func newProducer(r *run, index int, opts []kgo.Opt) (*producer, error) {
	s := r.s
	p := &producer{r: r, index: index, topic: r.topics[index%len(r.topics)], payload: newPayload(s, index)}
	memory := bufferMemory
	if r.rate > 0 {
		memory = scheduleMemory / r.producers()
	}
	most := min(max(memory/(s.MessageSize+recordOverhead), 16, 2*s.RecordsPerTransaction), mostUnderWay)
	p.slots = newSlots(most, p.newSlot)
	opts = append(r.clientOptions(), opts...)
	// The slots are the bound, and the library must not be one before.
	opts = append(opts, kgo.MaxBufferedRecords(2*most+16))
	if s.RecordsPerTransaction > 0 {
		opts = append(opts, kgo.TransactionalID(fmt.Sprintf("%s-%d", r.name, index)))
	}
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("producer: %w", err)
	}
	p.cl = cl
	return p, nil
}

func (p *producer) newSlot() *slot {
	s := &slot{value: p.payload.value()}
	s.done = func(_ *kgo.Record, err error) { p.ended(s, err) }
	return s
}

// schedule is when a producer's records are due. All producers take turns.
type schedule struct {
	start, interval float64 // ns; the interval is that of this producer
}

func (s schedule) due(i int64) int64 { return int64(s.start + float64(i)*s.interval) }

func (p *producer) schedule(start int64) schedule {
	each := 1e9 / p.r.rate
	return schedule{float64(start) + float64(p.index)*each, each * float64(p.r.producers())}
}

// produce follows the schedule until the time measured is over. Records that are due by
// then and could not be handed over even in the grace are counted as not acknowledged.
func (p *producer) produce(ctx context.Context, start int64) error {
	alarm, err := newAlarm()
	if err != nil {
		return err
	}
	defer alarm.close()
	s := p.schedule(start)
	var i int64
	for ctx.Err() == nil {
		now := p.r.clock.now()
		until := p.r.until.Load()
		for due := s.due(i); due <= now && due < until; due = s.due(i) {
			if now >= p.r.cutoff() {
				return p.leave(ctx, s, i)
			}
			ok, err := p.hand(ctx, due, now)
			if err != nil {
				return err
			}
			if !ok {
				return p.leave(ctx, s, i)
			}
			// While there is much to catch up, time goes on.
			if i++; i%16 == 0 || p.freeFrom > now {
				now = p.r.clock.now()
			}
		}
		next := s.due(i)
		if next >= until {
			break
		}
		// Not past the end, which comes earlier when a backlog has been caught up.
		if err := alarm.sleep(min(max(time.Duration(next-now), shortestPause), 100*time.Millisecond)); err != nil {
			return err
		}
	}
	return p.leave(ctx, s, i)
}

// produceMost hands over records as fast as the system takes them.
func (p *producer) produceMost(ctx context.Context) error {
	for ctx.Err() == nil {
		now := p.r.clock.now()
		if now >= p.r.until.Load() {
			break
		}
		if ok, err := p.hand(ctx, 0, now); !ok || err != nil {
			return err
		}
	}
	return p.commit(ctx)
}

// produceBacklog writes so many records that are there before readers start.
func (p *producer) produceBacklog(ctx context.Context, n int64) error {
	for range n {
		if ok, err := p.hand(ctx, backlog, p.r.clock.now()); !ok || err != nil {
			return err
		}
	}
	if err := p.commit(ctx); err != nil {
		return err
	}
	return p.cl.Flush(ctx)
}

// backlog is the due time of records of the backlog: they are due when readers start.
const backlog = -1

// hand gives the next record to the client library, once there is room for it. With the due
// time 0 it is due at that moment. False if the run is over.
func (p *producer) hand(ctx context.Context, due, now int64) (bool, error) {
	s, waited := p.slots.take()
	if s == nil {
		return false, nil
	}
	if waited {
		now = p.r.clock.now()
		p.freeFrom = now
	}
	if due == 0 {
		due = now
	}
	if p.r.s.RecordsPerTransaction > 0 && len(p.open) == 0 {
		if err := p.cl.BeginTransaction(); err != nil {
			return false, fmt.Errorf("beginning a transaction: %w", err)
		}
	}
	s.id, s.due, s.sent = id{p.index, p.number}, due, now
	p.number++
	if p.r.measures(due) {
		p.sent++
		if due > 0 && p.r.rate > 0 {
			p.lateness.Record(now - max(due, min(p.freeFrom, now)))
		}
	}
	s.id.write(s.value, due)
	s.record = kgo.Record{Topic: p.topic, Key: p.payload.key(), Value: s.value}
	p.cl.Produce(ctx, &s.record, s.done)
	if p.r.s.RecordsPerTransaction > 0 {
		if p.open = append(p.open, s); len(p.open) == p.r.s.RecordsPerTransaction {
			return true, p.commit(ctx)
		}
	}
	return true, nil
}

// leave ends what is open and counts what was due and never handed over.
func (p *producer) leave(ctx context.Context, s schedule, i int64) error {
	if ctx.Err() != nil {
		return nil // the run has failed; it may have no end
	}
	end, until := p.r.cutoff(), p.r.until.Load()
	p.mu.Lock()
	for due := s.due(i); due < until; due = s.due(i) {
		if p.r.measures(due) {
			p.ack.Record(end - due)
			p.r.unreceived(p.topic, end-due)
		}
		i++
	}
	p.mu.Unlock()
	return p.commit(ctx)
}

// ended is called when the library is done with a record.
func (p *producer) ended(s *slot, err error) {
	now := p.r.clock.now()
	p.mu.Lock()
	if p.r.s.RecordsPerTransaction > 0 {
		if p.txnFailed == nil {
			p.txnFailed = err
		}
		p.mu.Unlock()
		return // whether it is there is known when the transaction has ended
	}
	p.settle(s, now, err)
	p.mu.Unlock()
	if err != nil {
		// The library may still have it in a request that it is writing.
		s.value = p.payload.again(s.value)
	}
	p.slots.put(s)
}

// settle counts a record that has come to its end. The mutex is held.
func (p *producer) settle(s *slot, now int64, err error) {
	measured := p.r.measures(s.due)
	if err != nil {
		if p.failure == nil {
			p.failure = err
			p.r.mark(now, "first failure: %v", err)
		}
		if measured {
			p.failed++
			if s.due > 0 {
				p.ack.Record(now - s.due) // it took at least as long
			}
		}
		return
	}
	p.there.add(s.id.number)
	p.total++
	due := p.r.dueTime(s.due)
	p.r.ticks.ack(now, now-due)
	p.r.acknowledged(s)
	if !measured {
		return
	}
	if s.due > 0 { // readers, not producers, are who a backlog is due to
		p.ack.Record(now - due)
	}
	if p.r.rate == 0 || s.due == backlog || now < p.r.cutoff() {
		p.acked++
	}
}

// commit ends the transaction that is open, if there is one.
func (p *producer) commit(ctx context.Context) error {
	if len(p.open) == 0 {
		return nil
	}
	if err := p.cl.Flush(ctx); err != nil {
		return err
	}
	p.mu.Lock()
	failed := p.txnFailed
	p.txnFailed = nil
	p.mu.Unlock()
	// A commit that is cancelled leaves the library not knowing what it has.
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	if failed == nil {
		failed = p.cl.EndTransaction(ending, kgo.TryCommit)
	}
	if failed != nil {
		if err := p.cl.EndTransaction(ending, kgo.TryAbort); err != nil {
			return fmt.Errorf("aborting a transaction after %w: %w", failed, err)
		}
	}
	now := p.r.clock.now()
	p.freeFrom = now
	p.mu.Lock()
	for _, s := range p.open {
		p.settle(s, now, failed)
	}
	p.mu.Unlock()
	for _, s := range p.open {
		p.slots.put(s)
	}
	p.open = p.open[:0]
	return nil
}

// await waits until nothing is under way, or ctx ends.
func (p *producer) await(ctx context.Context) {
	for p.slots.underWay() > 0 && ctx.Err() == nil {
		time.Sleep(5 * time.Millisecond)
	}
}

func (p *producer) firstFailure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failure
}
