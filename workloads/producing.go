package workloads

import (
	"fmt"
	"math/rand/v2"
	"time"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/checker/history"
	"odradek/workloads/client/producer"
)

// producer is the i-th producer.
func (w *feed) producer(i int) User {
	name := fmt.Sprintf("producer-%d", i)
	return User{Name: name, Run: func(t *env.Task, s *Site) {
		defer func() { w.producing-- }()
		w.produce(t, s, name, i)
	}}
}

func (w *feed) producerConfig(i int) producer.Config {
	cfg := producer.DefaultConfig()
	cfg.Acks = []producer.Acks{producer.AcksAll, producer.AcksLeader, producer.AcksNone}[i%3]
	if w.params["all-acks"] != 0 {
		cfg.Acks = producer.AcksAll
	}
	cfg.Idempotent = w.params["idempotent"] != 0 && cfg.Acks == producer.AcksAll
	cfg.ResendDoubtful = w.params["resend-doubtful"] != 0
	cfg.MaxInFlight = []int{1, 5}[i%2]
	if w.params["compressed"] != 0 {
		cfg.Compression = []wire.Compression{wire.None, wire.LZ4, wire.Zstd, wire.Snappy, wire.Gzip}[i%5]
	}
	cfg.BatchSize = w.params["batch-bytes"]
	cfg.Linger = w.duration("linger-us", time.Microsecond)
	cfg.RequestTimeout = w.requestTimeout()
	cfg.DeliveryTimeout = max(w.duration("delivery-timeout-ms", time.Millisecond), cfg.RequestTimeout+cfg.Linger)
	cfg.MaxBlock = cfg.DeliveryTimeout
	return cfg
}

// goesOn reports whether a producer that has sent n records sends another.
func (w *feed) goesOn(s *Site, n int) bool {
	if w.lastValue < uint64(w.params["at-least"]) {
		return true
	}
	return (w.params["operations"] == 0 || n < w.params["operations"]) && !s.stopping()
}

// plain makes a record that has nothing but a unique value, and what the history says of it.
func (w *feed) plain(rng *rand.Rand, tp wire.TopicPartition) (history.Event, producer.Record) {
	value, bytes := w.nextValue(rng)
	return history.Event{Topic: tp.Topic, Partition: tp.Partition, Value: value},
		producer.Record{Topic: tp.Topic, Partition: tp.Partition, Value: bytes}
}

// produce sends records to random partitions, each as soon as there is room among the
// outstanding ones and a pause has passed.
func (w *feed) produce(t *env.Task, s *Site, name string, i int) {
	cfg := w.producerConfig(i)
	records := newAppends(s, name, &cfg)
	c := s.client(name, cfg.RequestTimeout, records)
	defer c.Close()
	p := c.NewProducer(cfg)
	rng := s.Env.Rand.Stream("workload/" + name)
	tps := w.partitions()
	pace := w.duration("pace-us", time.Microsecond)

	outstanding := 0
	var room func() // wakes the user when there is room again
	for n := 0; w.goesOn(s, n); n++ {
		e, record := w.compose(rng, tps[rng.IntN(len(tps))])
		outstanding++
		records.send(p, e, record, func(r producer.Result) {
			if w.acknowledged != nil && r.Err == nil {
				w.acknowledged(s, wire.TopicPartition{Topic: r.Topic, Partition: r.Partition})
			}
			outstanding--
			if wake := room; wake != nil {
				room = nil
				wake()
			}
		})
		if outstanding >= w.params["outstanding"] {
			t.Suspend(func(wake func()) { room = wake })
		}
		if pace > 0 && !s.stopping() {
			s.sleep(t, about(rng, pace))
		}
	}
	p.Flush(t)
}
