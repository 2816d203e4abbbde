package reference

import (
	"cmp"
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"odradek/bench"
)

// load is one measurement under way. Its times are in ns since begin.
type load struct {
	Config
	servers *cluster
	fail    context.CancelCauseFunc
	begin   time.Time

	connecting sync.Mutex // close may come meanwhile
	producers  []*producer
	readers    []*reader
	running    sync.WaitGroup
	// done is set when nothing more is expected, and connections end in good order.
	done atomic.Bool

	from, until int64 // what is due in between is measured
	sent        []tally
	acked, read []tally
	server      bench.Usage
	client      bench.Usage
}

// tally counts what was due in the time measured and happened within it, and how late
// that was, within it or not. Each has one goroutine.
type tally struct {
	count int64
	late  bench.Histogram
}

func (l *load) add(t *tally, due, now int64) {
	if due < l.from || due >= l.until {
		return
	}
	t.late.Record(now - due)
	if now < l.until {
		t.count++
	}
}

func (l *load) now() int64 { return int64(time.Since(l.begin)) }

// spawn runs what must not fail while the load is under way.
func (l *load) spawn(f func() error) {
	l.running.Go(func() {
		if err := f(); err != nil && !l.done.Load() {
			l.fail(err)
		}
	})
}

func (l *load) close() {
	l.connecting.Lock()
	defer l.connecting.Unlock()
	for _, p := range l.producers {
		p.conn.Close()
	}
	for _, r := range l.readers {
		r.conn.Close()
	}
}

// connectProducers readies as many as there are, with their acknowledgements counted.
func (l *load) connectProducers() error {
	l.connecting.Lock()
	defer l.connecting.Unlock()
	window := max(2, cmp.Or(l.Window, 4<<20)/l.Frame)
	if l.Rate > 0 {
		// No bound that a socket's buffers do not reach first.
		window = max(window, 1<<16)
	}
	payload := noise(l.Frame)
	l.sent, l.acked = make([]tally, l.Producers), make([]tally, l.Producers)
	for i := range l.Producers {
		p, err := newProducer(uint32(i), l.servers.addr, payload, window)
		if err != nil {
			return err
		}
		l.producers = append(l.producers, p)
	}
	return nil
}

func (l *load) connectReaders() error {
	l.connecting.Lock()
	defer l.connecting.Unlock()
	l.read = make([]tally, l.Readers)
	for range l.Readers {
		r, err := newReader(l.servers.addr, l.Producers)
		if err != nil {
			return err
		}
		l.readers = append(l.readers, r)
	}
	return nil
}

// produce spawns producers that send while more says so of the number of the next frame
// and when it is due. It returns a function that waits until all they sent is
// acknowledged and says how many frames that was.
func (l *load) produce(more func(number, due int64) bool) func(context.Context) (int64, error) {
	var sending sync.WaitGroup
	for i, p := range l.producers {
		l.spawn(func() error {
			return p.acks(func(due int64) { l.add(&l.acked[i], due, l.now()) })
		})
		sending.Add(1)
		l.spawn(func() error {
			defer sending.Done()
			if l.Rate > 0 {
				precisely()
			}
			for number := int64(0); p.waitForRoom(); number++ {
				due := l.due(p, number)
				if !more(number, due) {
					return nil
				}
				l.sleepUntil(due)
				l.add(&l.sent[i], due, l.now())
				if err := p.send(due); err != nil {
					return err
				}
			}
			return nil // acks has told why
		})
	}
	return func(ctx context.Context) (frames int64, err error) {
		sending.Wait()
		for _, p := range l.producers {
			if err := until(ctx, func() bool { return p.acked.Load() == p.sent }); err != nil {
				return 0, err
			}
			frames += p.sent
		}
		return frames, nil
	}
}

// due is when a producer's frame is: at once, or when the rate says, the producers taking
// turns.
func (l *load) due(p *producer, number int64) int64 {
	if l.Rate == 0 {
		return l.now()
	}
	interval := float64(l.Frame/l.Record) / l.Rate * 1e9 // between frames of all producers
	return int64((float64(number)*float64(l.Producers) + float64(p.id)) * interval)
}

// run is a time of producing, with readers that keep up if there are any.
func (l *load) run(ctx context.Context) error {
	if err := l.connectProducers(); err != nil {
		return err
	}
	if err := l.connectReaders(); err != nil {
		return err
	}
	l.begin = time.Now()
	l.from, l.until = int64(l.Warmup), int64(l.Warmup+l.Duration)
	for i, r := range l.readers {
		l.spawn(func() error {
			return r.read(math.MaxInt64, func(due int64) { l.add(&l.read[i], due, l.now()) })
		})
	}
	acked := l.produce(func(_, due int64) bool { return due < l.until })
	if err := l.pause(ctx, l.from); err != nil {
		return err
	}
	looked, err := l.look()
	if err != nil {
		return err
	}
	if err := l.pause(ctx, l.until); err != nil {
		return err
	}
	if err := l.used(looked); err != nil {
		return err
	}
	frames, err := acked(ctx)
	if err != nil {
		return err
	}
	for _, r := range l.readers {
		if err := until(ctx, func() bool { return r.frames.Load() >= frames }); err != nil {
			return err
		}
	}
	return nil
}

// catchUp writes a backlog, then measures how it is read.
func (l *load) catchUp(ctx context.Context) error {
	if err := l.connectProducers(); err != nil {
		return err
	}
	each := max(1, l.Backlog/int64(l.Frame)/int64(l.Producers))
	frames, err := l.produce(func(number, _ int64) bool { return number < each })(ctx)
	if err != nil {
		return err
	}
	looked, err := l.look()
	if err != nil {
		return err
	}
	l.begin = time.Now()
	if err := l.connectReaders(); err != nil {
		return err
	}
	var reading sync.WaitGroup
	for i, r := range l.readers {
		reading.Add(1)
		l.spawn(func() error {
			defer reading.Done()
			return r.read(frames, func(int64) { l.read[i].count++ })
		})
	}
	reading.Wait()
	l.until = l.now()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return l.used(looked)
}

// look is what the servers and this process have taken.
func (l *load) look() (taken, error) { return look(l.servers.pids()) }

// used is what they took since an earlier look.
func (l *load) used(before taken) error {
	after, err := l.look()
	l.server, l.client = since(before.server, after.server), since(before.client, after.client)
	return err
}

// sample is what came of it, when nothing runs any more.
func (l *load) sample() bench.Sample {
	perFrame := int64(l.Frame / l.Record)
	s := bench.Sample{
		Target: l.Info().Name, Rate: l.Rate, Seconds: time.Duration(l.until - l.from).Seconds(),
		Server: l.server, Client: l.client,
	}
	for i := range l.sent {
		s.Sent += l.sent[i].count * perFrame
		s.Acked += l.acked[i].count * perFrame
		s.Lateness.Merge(l.sent[i].late)
		s.Ack.Merge(l.acked[i].late)
	}
	s.Bytes = s.Acked * int64(l.Record)
	for i, r := range l.readers {
		s.Received += l.read[i].count * perFrame
		s.EndToEnd.Merge(l.read[i].late)
		s.Lost += r.lost * perFrame
		s.Duplicated += r.duplicated * perFrame
	}
	if l.Backlog > 0 {
		s.Bytes = s.Received * int64(l.Record)
	}
	return s
}

// pause waits for a time of the load.
func (l *load) pause(ctx context.Context, at int64) error {
	t := time.NewTimer(time.Duration(at - l.now()))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func (l *load) sleepUntil(due int64) {
	if d := due - l.now(); d > 0 {
		sleep(time.Duration(d))
	}
}

// until waits for what comes soon.
func until(ctx context.Context, reached func() bool) error {
	for !reached() {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		time.Sleep(time.Millisecond)
	}
	return nil
}
