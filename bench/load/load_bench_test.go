package load

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"odradek/bench"
)

// How late a goroutine wakes up, which bounds what latencies can be told apart.
func BenchmarkAlarm(b *testing.B) {
	a, err := newAlarm()
	if err != nil {
		b.Fatal(err)
	}
	defer a.close()
	var late bench.Histogram
	for b.Loop() {
		const d = 200 * time.Microsecond
		begin := time.Now()
		if err := a.sleep(d); err != nil {
			b.Fatal(err)
		}
		late.Record(int64(time.Since(begin) - d))
	}
	b.ReportMetric(float64(late.Quantile(0.5)), "p50-late-ns")
	b.ReportMetric(float64(late.Quantile(0.99)), "p99-late-ns")
}

func benchmarked() *run {
	r := &run{s: &bench.Scenario{Topics: 1, ProducersPerTopic: 1, PartitionsPerTopic: 1, MessageSize: 100}, rate: 1, clock: clock{time.Now()}, topics: []string{"t"}}
	r.ticks.length = int64(100 * time.Millisecond)
	r.from.Store(1)
	r.until.Store(int64(time.Hour))
	r.ticks.start(1)
	return r
}

// What the accounting of an acknowledgement adds to the client library's work.
func BenchmarkAcknowledgement(b *testing.B) {
	p := &producer{r: benchmarked()}
	p.slots = newSlots(1, func() *slot { return &slot{} })
	b.ReportAllocs()
	for b.Loop() {
		s, _ := p.slots.take()
		s.id.number, s.due = p.number, 1+p.number
		p.number++
		p.ended(s, nil)
	}
}

// What the accounting of a record that was received adds.
func BenchmarkReceipt(b *testing.B) {
	g := newGroup(benchmarked(), "t", 0)
	rec := &kgo.Record{Value: make([]byte, 100)}
	const poll = 100
	var n int64
	b.ReportAllocs()
	for b.Loop() {
		err := g.receive(g.r.clock.now(), func(each func(*kgo.Record)) {
			for range poll {
				id{0, n}.write(rec.Value, 1+n)
				n++
				each(rec)
			}
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/poll, "ns/record")
}
