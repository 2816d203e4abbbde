package load

import (
	"sync"

	"odradek/bench"
)

// ticks sums up what happens in intervals of equal length.
type ticks struct {
	length int64

	mu        sync.Mutex // guards what follows
	from      int64      // of the interval under way; what comes before the first is left out
	begin     int64      // of the first
	started   bool
	tick      bench.Tick
	latencies bench.Histogram
	list      []bench.Tick
	// Since the start, warm-up and backlog included.
	acked, received int64
}

// start begins the first interval.
func (t *ticks) start(now int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.started, t.begin, t.from = true, now, now
}

// acks notes an acknowledgement that came so long after its record was due.
func (t *ticks) ack(now, latency int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.acked++
	if !t.started {
		return
	}
	t.advance(now)
	t.tick.Acked++
	t.latencies.Record(latency)
}

func (t *ticks) receive(now, n int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.received += n
	if t.started {
		t.advance(now)
		t.tick.Received += n
	}
}

// totals are of the whole run.
func (t *ticks) totals() (acked, received int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.acked, t.received
}

// advance closes the intervals that are over. Whoever read the clock a little before another
// who was here first is counted with it.
func (t *ticks) advance(now int64) {
	for now >= t.from+t.length {
		t.end(t.length)
	}
}

func (t *ticks) end(length int64) {
	t.tick.At, t.tick.Seconds = seconds(t.from-t.begin), seconds(length)
	if t.latencies.Count() > 0 {
		t.tick.P50, t.tick.P99, t.tick.Max = t.latencies.Quantile(0.5), t.latencies.Quantile(0.99), t.latencies.Max()
		t.latencies = bench.Histogram{}
	}
	t.list = append(t.list, t.tick)
	t.tick = bench.Tick{}
	t.from += length
}

// stop ends the last interval and returns all. What comes later is in no interval.
func (t *ticks) stop(now int64) []bench.Tick {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.advance(now)
	// A sliver would look like an outage in a plot.
	if now-t.from >= t.length/10 {
		t.end(now - t.from)
	}
	t.started = false
	return t.list
}

func seconds(ns int64) float64 { return float64(ns) / 1e9 }
