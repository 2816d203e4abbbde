package client_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/workloads/client"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/clienttest"
	"odradek/workloads/client/consumer"
	"odradek/workloads/client/producer"
)

// rig is a scripted cluster and a client of it.
type rig struct {
	t       *testing.T
	world   *clienttest.World
	cluster *clienttest.Cluster
	env     *env.Env
	client  *client.Client
}

func newRig(t *testing.T, seed uint64, nodes int) *rig {
	w := clienttest.NewWorld(seed)
	c := clienttest.NewCluster(w, nodes)
	e := w.Env("user")
	return &rig{t: t, world: w, cluster: c, env: e, client: client.New(e, client.DefaultConfig("user", c.Addrs()...))}
}

// script runs a coroutine to its end.
func (r *rig) script(limit time.Duration, fn func(t *env.Task)) {
	r.t.Helper()
	done := false
	r.env.Tasks.Go(func(t *env.Task) {
		fn(t)
		done = true
	})
	if !r.world.RunUntil(limit, func() bool { return done }) {
		r.t.Fatalf("the script did not end within %v", limit)
	}
}

func record(topic string, partition int32, value string) producer.Record {
	return producer.Record{Topic: topic, Partition: partition, Value: []byte(value)}
}

var a0 = wire.TopicPartition{Topic: "a", Partition: 0}

func TestWhatIsSentIsRead(t *testing.T) {
	for _, compression := range []wire.Compression{wire.None, wire.Gzip, wire.Snappy, wire.LZ4, wire.Zstd} {
		t.Run(compression.String(), func(t *testing.T) {
			r := newRig(t, 1, 3)
			r.cluster.AddTopic("a", 3)
			cfg := producer.DefaultConfig()
			cfg.Compression = compression
			p := r.client.NewProducer(cfg)
			ccfg := consumer.DefaultConfig()
			ccfg.Reset = consumer.ResetEarliest
			c := r.client.NewConsumer(ccfg)
			var got, want []string
			r.script(time.Minute, func(task *env.Task) {
				for i := range 30 {
					rec := record("a", int32(i%3), fmt.Sprint(i))
					rec.Key = []byte("k")
					rec.Headers = []wire.Header{{Key: "h", Value: []byte("v")}}
					res := p.Send(task, rec)
					if res.Outcome != attempt.OK || res.Err != nil || res.Offset != wire.Offset(i/3) {
						t.Errorf("record %d: %+v", i, res)
					}
				}
				c.Assign([]wire.TopicPartition{{Topic: "a", Partition: 2}, a0, {Topic: "a", Partition: 1}})
				for len(got) < 30 {
					recs, _ := c.Poll(task, time.Second)
					for _, rec := range recs {
						got = append(got, fmt.Sprint(rec.Partition, rec.Offset, string(rec.Key), string(rec.Value), rec.Headers[0].Key))
					}
				}
			})
			for i := range 30 {
				want = append(want, fmt.Sprint(i%3, i/3, "k", i, "h"))
			}
			if diff := cmp.Diff(sorted(want), sorted(got)); diff != "" {
				t.Error(diff)
			}
			if p, _ := c.Position(a0); p.Offset != 10 {
				t.Errorf("position %v, want 10", p)
			}
			if p := c.Progress(a0); p.HighWatermark != 10 || p.LogStart != 0 {
				t.Errorf("progress %+v", p)
			}
		})
	}
}

func TestVersionZeroGreeting(t *testing.T) {
	r := newRig(t, 1, 1)
	r.cluster.OldGreeting = true
	r.cluster.AddTopic("a", 1)
	p := r.client.NewProducer(producer.DefaultConfig())
	r.script(10*time.Second, func(task *env.Task) {
		if res := p.Send(task, record("a", 0, "x")); res.Outcome != attempt.OK {
			t.Errorf("%+v", res)
		}
	})
}

func TestAcksNoneIsNotAnswered(t *testing.T) {
	r := newRig(t, 1, 1)
	r.cluster.AddTopic("a", 1)
	cfg := producer.DefaultConfig()
	cfg.Acks = producer.AcksNone
	p := r.client.NewProducer(cfg)
	r.script(10*time.Second, func(task *env.Task) {
		for range 3 {
			res := p.Send(task, record("a", 0, "x"))
			if res.Outcome != attempt.OK || res.Offset != wire.NoOffset {
				t.Errorf("%+v", res)
			}
		}
		task.Sleep(r.env.Clock, time.Second)
	})
	if n := len(r.cluster.Values(a0)); n != 3 {
		t.Errorf("%d records in the log, want 3", n)
	}
}

func TestLeaderChangeIsFollowed(t *testing.T) {
	r := newRig(t, 1, 3)
	r.cluster.AddTopic("a", 1)
	p := r.client.NewProducer(producer.DefaultConfig())
	ccfg := consumer.DefaultConfig()
	ccfg.Reset = consumer.ResetEarliest
	c := r.client.NewConsumer(ccfg)
	c.Assign([]wire.TopicPartition{a0})
	var got []string
	r.script(time.Minute, func(task *env.Task) {
		for i := range 6 {
			r.cluster.Lead(a0, wire.NodeID(i%3+1))
			res := p.Send(task, record("a", 0, fmt.Sprint(i)))
			if res.Outcome != attempt.OK {
				t.Fatalf("%+v", res)
			}
			for len(got) <= i {
				recs, events := c.Poll(task, time.Second)
				for _, e := range events {
					if e.Kind != consumer.WasReset {
						t.Errorf("event %v", e)
					}
				}
				for _, rec := range recs {
					got = append(got, string(rec.Value))
				}
			}
		}
	})
	if diff := cmp.Diff([]string{"0", "1", "2", "3", "4", "5"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestBootstrapAgainWhenEveryBrokerMoved(t *testing.T) {
	r := newRig(t, 1, 2)
	r.cluster.AddTopic("a", 1)
	p := r.client.NewProducer(producer.DefaultConfig())
	r.script(5*time.Minute, func(task *env.Task) {
		if res := p.Send(task, record("a", 0, "x")); res.Outcome != attempt.OK {
			t.Errorf("%+v", res)
		}
		r.cluster.Stop(1)
		r.cluster.Stop(2)
		task.Sleep(r.env.Clock, 10*time.Second)
		r.cluster.Start(1)
		r.cluster.Start(2)
		if res := p.Send(task, record("a", 0, "y")); res.Outcome != attempt.OK {
			t.Errorf("%+v", res)
		}
	})
}

func TestOneSilentAnswerTimesOutAndIsRetried(t *testing.T) {
	r := newRig(t, 1, 1)
	r.cluster.AddTopic("a", 1)
	silent := 1
	r.cluster.Inject = func(_ wire.NodeID, req kmsg.Request) clienttest.Fault {
		if _, ok := req.(*kmsg.ProduceRequest); ok && silent > 0 {
			silent--
			return clienttest.Fault{Silence: true}
		}
		return clienttest.Fault{}
	}
	cfg := producer.DefaultConfig()
	cfg.RequestTimeout = 3 * time.Second
	p := r.client.NewProducer(cfg)
	r.script(time.Minute, func(task *env.Task) {
		res := p.Send(task, record("a", 0, "x"))
		if res.Outcome != attempt.OK || res.Offset != 1 || len(res.Attempts) != 2 {
			t.Fatalf("%+v", res)
		}
		if a := res.Attempts[0]; a.Outcome != attempt.Unknown || a.Err != attempt.ErrTimedOut {
			t.Errorf("first attempt %+v", a)
		}
	})
	// The first attempt was appended: without idempotence a duplicate is right.
	if diff := cmp.Diff([]string{"x", "x"}, r.cluster.Values(a0)); diff != "" {
		t.Error(diff)
	}
}

func TestDeliveryTimeoutWhileUnanswered(t *testing.T) {
	r := newRig(t, 1, 1)
	r.cluster.AddTopic("a", 1)
	r.cluster.Inject = func(_ wire.NodeID, req kmsg.Request) clienttest.Fault {
		_, produce := req.(*kmsg.ProduceRequest)
		return clienttest.Fault{Silence: produce}
	}
	cfg := producer.DefaultConfig()
	cfg.RequestTimeout = 3 * time.Second
	cfg.DeliveryTimeout = 10 * time.Second
	p := r.client.NewProducer(cfg)
	r.script(time.Minute, func(task *env.Task) {
		start := r.env.Clock.Now()
		res := p.Send(task, record("a", 0, "x"))
		if res.Outcome != attempt.Unknown || res.Err != producer.ErrDeliveryTimeout {
			t.Errorf("%+v", res)
		}
		if took := r.env.Clock.Now().Sub(start); took < 10*time.Second || took > 11*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func TestNothingSentIsFailedNotUnknown(t *testing.T) {
	r := newRig(t, 1, 1)
	r.cluster.AddTopic("a", 1)
	cfg := producer.DefaultConfig()
	cfg.DeliveryTimeout = 10 * time.Second
	cfg.MaxBlock = 10 * time.Second
	p := r.client.NewProducer(cfg)
	r.script(time.Minute, func(task *env.Task) {
		p.Send(task, record("a", 0, "x"))
		r.cluster.Stop(1)
		task.Sleep(r.env.Clock, time.Second) // the client notices
		res := p.Send(task, record("a", 0, "y"))
		if res.Outcome != attempt.Failed || res.Err != producer.ErrDeliveryTimeout || len(res.Attempts) == 0 {
			t.Errorf("%+v", res)
		}
		res = p.Send(task, record("nosuch", 0, "y"))
		if res.Outcome != attempt.Failed || res.Err != producer.ErrBlockTimeout {
			t.Errorf("%+v", res)
		}
	})
}

func TestCloseEndsWhatIsPending(t *testing.T) {
	r := newRig(t, 1, 1)
	r.cluster.AddTopic("a", 1)
	r.cluster.Inject = func(_ wire.NodeID, req kmsg.Request) clienttest.Fault {
		_, metadata := req.(*kmsg.MetadataRequest)
		return clienttest.Fault{Silence: !metadata}
	}
	p := r.client.NewProducer(producer.DefaultConfig())
	c := r.client.NewConsumer(consumer.DefaultConfig())
	a := r.client.NewAdmin()
	ended := 0
	r.env.Tasks.Go(func(task *env.Task) {
		if res := p.Send(task, record("a", 0, "x")); res.Err != producer.ErrClosed || res.Outcome != attempt.Unknown {
			t.Errorf("%+v", res)
		}
		ended++
	})
	r.env.Tasks.Go(func(task *env.Task) {
		if recs, events := c.Poll(task, time.Hour); len(recs)+len(events) != 0 {
			t.Errorf("%v %v", recs, events)
		}
		ended++
	})
	r.env.Tasks.Go(func(task *env.Task) {
		err := a.DeleteTopic(task, "a")
		if e, ok := err.(*client.AdminError); !ok || e.Err != attempt.ErrClosed || e.Outcome != attempt.Unknown {
			t.Errorf("%v", err)
		}
		ended++
	})
	r.world.Run(time.Second)
	r.client.Close()
	r.world.Run(time.Second)
	if ended != 3 {
		t.Errorf("%d of 3 tasks ended", ended)
	}
	if r.env.Tasks.Len() != 0 {
		t.Errorf("%d tasks live", r.env.Tasks.Len())
	}
}

func TestAdminChangesTopics(t *testing.T) {
	r := newRig(t, 1, 3)
	r.cluster.Controller = 3
	a := r.client.NewAdmin()
	r.script(time.Minute, func(task *env.Task) {
		id, err := a.CreateTopic(task, client.NewTopic{Name: "a", Partitions: 2, ReplicationFactor: 1, Configs: map[string]string{"retention.ms": "5"}})
		if err != nil || id != r.cluster.Topic("a").ID {
			t.Fatal(id, err)
		}
		if err := a.CreatePartitions(task, "a", 4); err != nil {
			t.Fatal(err)
		}
		if err := a.AlterTopicConfigs(task, "a", []client.ConfigChange{{Name: "retention.ms", Delete: true}, {Name: "segment.bytes", Value: "100"}}); err != nil {
			t.Fatal(err)
		}
		configs, err := a.DescribeTopicConfigs(task, "a")
		if diff := cmp.Diff([]client.ConfigEntry{{Name: "segment.bytes", Value: "100", Source: -1}}, configs); diff != "" || err != nil {
			t.Error(diff, err)
		}
		info, err := a.DescribeTopic(task, "a")
		if err != nil || len(info.Partitions) != 4 || info.ID != id || info.Partitions[1].Leader != 2 {
			t.Error(info, err)
		}
		cluster, err := a.DescribeCluster(task)
		if err != nil || cluster.Controller != 3 || len(cluster.Brokers) != 3 {
			t.Error(cluster, err)
		}
		if o, err := a.ListOffset(task, a0, client.LatestOffset, false); err != nil || o.Offset != 0 {
			t.Error(o, err)
		}
		if err := a.DeleteTopic(task, "a"); err != nil {
			t.Fatal(err)
		}
		err = a.DeleteTopic(task, "a")
		if e, ok := err.(*client.AdminError); !ok || e.Outcome != attempt.Failed || e.Attempts[0].Code != kerr.UnknownTopicOrPartition.Code {
			t.Errorf("second deletion: %v", err)
		}
	})
}

func TestAdminFollowsTheController(t *testing.T) {
	r := newRig(t, 1, 3)
	a := r.client.NewAdmin()
	r.script(time.Minute, func(task *env.Task) {
		if _, err := a.CreateTopic(task, client.NewTopic{Name: "a", Partitions: 1, ReplicationFactor: 1}); err != nil {
			t.Fatal(err)
		}
		r.cluster.Controller = 2
		if err := a.DeleteTopic(task, "a"); err != nil {
			t.Fatal(err)
		}
	})
}

func TestAdminKeepsWhatAnEarlierAttemptLeftUnknown(t *testing.T) {
	r := newRig(t, 1, 1)
	cut := 1
	r.cluster.Inject = func(_ wire.NodeID, req kmsg.Request) clienttest.Fault {
		if _, ok := req.(*kmsg.CreateTopicsRequest); ok && cut > 0 {
			cut--
			return clienttest.Fault{Cut: true}
		}
		return clienttest.Fault{}
	}
	a := r.client.NewAdmin()
	r.script(time.Minute, func(task *env.Task) {
		_, err := a.CreateTopic(task, client.NewTopic{Name: "a", Partitions: 1, ReplicationFactor: 1})
		e, ok := err.(*client.AdminError)
		if !ok || e.Outcome != attempt.Unknown || e.Attempts[1].Code != kerr.TopicAlreadyExists.Code {
			t.Errorf("%+v", err)
		}
	})
}
