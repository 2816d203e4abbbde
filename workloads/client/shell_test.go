package client_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/workloads/client"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/clienttest"
	"odradek/workloads/client/consumer"
	"odradek/workloads/client/producer"
)

func TestFlushWaitsForWhatWasSentBefore(t *testing.T) {
	r := newRig(t, 1, 1)
	r.cluster.AddTopic("a", 1)
	cfg := producer.DefaultConfig()
	cfg.Linger = time.Hour
	cfg.DeliveryTimeout = 10 * time.Hour
	p := r.client.NewProducer(cfg)
	r.script(time.Minute, func(task *env.Task) {
		done := 0
		for range 10 {
			p.SendAsync(record("a", 0, "x"), func(producer.Result) { done++ })
		}
		task.Sleep(r.env.Clock, time.Second)
		if done != 0 || p.Pending() != 10 {
			t.Errorf("%d done, %d pending while lingering", done, p.Pending())
		}
		p.Flush(task)
		if done != 10 || p.Pending() != 0 {
			t.Errorf("%d done, %d pending after the flush", done, p.Pending())
		}
		p.Flush(task) // of nothing
	})
}

func TestSmallMemoryStillSendsEverythingInOrder(t *testing.T) {
	r := newRig(t, 1, 1)
	r.cluster.AddTopic("a", 1)
	cfg := producer.DefaultConfig()
	cfg.BufferMemory = 200
	cfg.MaxInFlight = 1
	p := r.client.NewProducer(cfg)
	var want []string
	r.script(time.Minute, func(task *env.Task) {
		for i := range 50 {
			v := fmt.Sprint(i, strings.Repeat(".", 40))
			want = append(want, v)
			p.SendAsync(record("a", 0, v), func(res producer.Result) {
				if res.Offset != wire.Offset(i) {
					t.Errorf("%d is at %d: %v", i, res.Offset, res.Err)
				}
			})
		}
		p.Flush(task)
	})
	if diff := cmp.Diff(want, r.cluster.Values(a0)); diff != "" {
		t.Error(diff)
	}
}

func TestSeekToBeginningEndAndTimestamp(t *testing.T) {
	r := newRig(t, 1, 1)
	r.cluster.AddTopic("a", 1)
	p := r.client.NewProducer(producer.DefaultConfig())
	c := r.client.NewConsumer(consumer.DefaultConfig())
	r.script(time.Minute, func(task *env.Task) {
		for i := range 10 {
			rec := record("a", 0, fmt.Sprint(i))
			rec.Timestamp = int64(1000 * (i + 1))
			if res := p.Send(task, rec); res.Timestamp != rec.Timestamp {
				t.Errorf("%+v", res)
			}
		}
		c.Assign([]wire.TopicPartition{a0})
		if !c.Stopped(a0) {
			t.Error("a partition without a position is not stopped")
		}
		if recs, events := c.Poll(task, time.Second); len(recs)+len(events) > 0 {
			t.Errorf("%v %v", recs, events)
		}
		for _, step := range []struct {
			to        consumer.Reset
			timestamp int64
			want      wire.Offset
		}{{consumer.ResetEarliest, 0, 0}, {consumer.ResetTimestamp, 4500, 4}, {consumer.ResetLatest, 0, 10}} {
			c.SeekTo(a0, step.to, step.timestamp)
			_, events := c.Poll(task, time.Second)
			if len(events) != 1 || events[0].Kind != consumer.WasReset || events[0].To.Offset != step.want {
				t.Errorf("%+v, want a reset to %d", events, step.want)
			}
		}
		c.SeekTo(a0, consumer.ResetTimestamp, 99999)
		_, events := c.Poll(task, time.Second)
		if len(events) != 1 || events[0].Err != consumer.ErrNoOffset || !c.Stopped(a0) {
			t.Errorf("%+v", events)
		}
		c.Seek(a0, consumer.Position{Offset: 8, Epoch: wire.NoLeaderEpoch})
		var got string
		for len(got) < 2 {
			recs, _ := c.Poll(task, time.Second)
			for _, rec := range recs {
				got += string(rec.Value)
			}
		}
		if got != "89" {
			t.Errorf("read %q", got)
		}
	})
}

func TestPollWaitsNoLongerThanAsked(t *testing.T) {
	r := newRig(t, 1, 1)
	r.cluster.AddTopic("a", 1)
	cfg := consumer.DefaultConfig()
	cfg.Reset = consumer.ResetEarliest
	c := r.client.NewConsumer(cfg)
	p := r.client.NewProducer(producer.DefaultConfig())
	r.script(time.Minute, func(task *env.Task) {
		c.Assign([]wire.TopicPartition{a0})
		c.Poll(task, time.Second) // the reset
		start := r.env.Clock.Now()
		c.Poll(task, 700*time.Millisecond)
		if took := r.env.Clock.Now().Sub(start); took != 700*time.Millisecond {
			t.Errorf("an empty poll took %v", took)
		}
		// A record wakes the poll that waits for it.
		r.env.Clock.After(100*time.Millisecond, func() { p.SendAsync(record("a", 0, "x"), func(producer.Result) {}) })
		start = r.env.Clock.Now()
		recs, _ := c.Poll(task, 10*time.Second)
		if took := r.env.Clock.Now().Sub(start); len(recs) != 1 || took > 150*time.Millisecond {
			t.Errorf("%d records after %v", len(recs), took)
		}
	})
}

func TestTruncationIsToldNotSkipped(t *testing.T) {
	for _, fetchEpochs := range []bool{false, true} {
		r := newRig(t, 1, 2)
		r.cluster.AddTopic("a", 1)
		p := r.client.NewProducer(producer.DefaultConfig())
		cfg := consumer.DefaultConfig()
		cfg.FetchEpochs = fetchEpochs
		c := r.client.NewConsumer(cfg)
		r.script(time.Minute, func(task *env.Task) {
			c.Assign([]wire.TopicPartition{a0})
			c.SeekTo(a0, consumer.ResetEarliest, 0)
			for i := range 5 {
				p.Send(task, record("a", 0, fmt.Sprint(i)))
			}
			for n := 0; n < 5; {
				recs, _ := c.Poll(task, time.Second)
				n += len(recs)
			}
			// An unclean election: the new leader has only three of the five, and goes on.
			part := r.cluster.Partition(a0)
			part.Truncate(3)
			r.cluster.Lead(a0, 2)
			for range 4 {
				p.Send(task, record("a", 0, "other"))
			}
			var told []consumer.Event
			for range 20 {
				recs, events := c.Poll(task, 500*time.Millisecond)
				if len(recs) > 0 && len(told) == 0 {
					t.Fatalf("read on at %d without a word", recs[0].Offset)
				}
				told = append(told, events...)
			}
			want := consumer.Event{
				TopicPartition: a0, Kind: consumer.Truncated, Stopped: true,
				From: consumer.Position{Offset: 5, Epoch: 0}, To: consumer.Position{Offset: 3, Epoch: 0},
			}
			if diff := cmp.Diff([]consumer.Event{want}, told); diff != "" {
				t.Errorf("fetch epochs %v: %s", fetchEpochs, diff)
			}
		})
	}
}

// watcher checks what an observer is promised.
type watcher struct {
	client.NopObserver
	t        *testing.T
	open     map[uint64]kmsg.Request
	attempts map[string]bool
	ended    map[attempt.Outcome]int
}

func (w *watcher) Request(r client.RequestInfo) {
	if w.open[r.Serial] != nil {
		w.t.Errorf("request %d twice", r.Serial)
	}
	w.open[r.Serial] = r.Msg
}

func (w *watcher) Response(r client.ResponseInfo) {
	if w.open[r.Serial] != r.Msg || (r.Response == nil) == (r.Err == nil) {
		w.t.Errorf("%+v", r)
	}
	delete(w.open, r.Serial)
}

func (w *watcher) Attempt(a client.AttemptInfo) {
	key := fmt.Sprint(a.TopicPartition, a.Attempt.ID)
	if w.attempts[key] || len(a.Tokens) == 0 || a.Attempt.Done != 0 {
		w.t.Errorf("%+v", a)
	}
	w.attempts[key] = true
}

func (w *watcher) AttemptDone(a client.AttemptInfo) {
	key := fmt.Sprint(a.TopicPartition, a.Attempt.ID)
	if !w.attempts[key] || a.Attempt.Done == 0 || (a.BaseOffset >= 0) != (a.Attempt.Outcome == attempt.OK) {
		w.t.Errorf("%+v", a)
	}
	delete(w.attempts, key)
	w.ended[a.Attempt.Outcome]++
}

func TestObserverSeesEveryRequestAndItsEnd(t *testing.T) {
	r := newRig(t, 1, 3)
	r.cluster.AddTopic("a", 2)
	n := 0
	r.cluster.Inject = func(_ wire.NodeID, req kmsg.Request) clienttest.Fault {
		n++
		return clienttest.Fault{Cut: n%7 == 0}
	}
	w := &watcher{t: t, open: make(map[uint64]kmsg.Request), attempts: make(map[string]bool), ended: make(map[attempt.Outcome]int)}
	cfg := client.DefaultConfig("watched", r.cluster.Addrs()...)
	cfg.Observer = w
	p := client.New(r.env, cfg).NewProducer(producer.DefaultConfig())
	r.script(time.Hour, func(task *env.Task) {
		for i := range 60 {
			p.Send(task, record("a", int32(i%2), "x"))
		}
		task.Sleep(r.env.Clock, time.Minute)
	})
	if len(w.attempts) != 0 || w.ended[attempt.OK] != 60 || w.ended[attempt.Unknown] == 0 {
		t.Errorf("open %d, ended %v", len(w.attempts), w.ended)
	}
	for serial, msg := range w.open {
		t.Errorf("request %d (%T) never ended", serial, msg)
	}
}
