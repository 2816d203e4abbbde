package client_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/clienttest"
	"odradek/workloads/client/consumer"
	"odradek/workloads/client/producer"
)

// lossy makes every kind of thing go wrong with one request in five.
func lossy(rng *rand.Rand, calm *bool) func(wire.NodeID, kmsg.Request) clienttest.Fault {
	codes := []int16{
		kerr.NotLeaderForPartition.Code, kerr.RequestTimedOut.Code, kerr.NotEnoughReplicasAfterAppend.Code,
		kerr.UnknownTopicOrPartition.Code, kerr.KafkaStorageError.Code, kerr.NotEnoughReplicas.Code,
	}
	return func(_ wire.NodeID, req kmsg.Request) clienttest.Fault {
		if *calm || rng.IntN(5) != 0 {
			return clienttest.Fault{}
		}
		f := clienttest.Fault{Skip: rng.IntN(2) == 0}
		switch rng.IntN(4) {
		case 0:
			f.Cut = true
		case 1:
			f.Silence = true
		case 2:
			f.Delay = time.Duration(rng.IntN(100)) * time.Millisecond
			f.Skip = false
		default:
			f.Code = codes[rng.IntN(len(codes))]
			// The one code that promises that nothing was appended.
			f.Skip = f.Skip || f.Code == kerr.NotEnoughReplicas.Code
			if _, ok := req.(*kmsg.ProduceRequest); !ok {
				f.Code = kerr.NotLeaderForPartition.Code
			}
		}
		return f
	}
}

// TestLossyCluster: whatever goes wrong, what is acknowledged is at its offset in the
// log, what failed is nowhere, a consumer reads exactly the log, and with one request
// in flight first copies are in the order of sending.
func TestLossyCluster(t *testing.T) {
	reordered := false
	for seed := range uint64(30) {
		for _, inFlight := range []int{1, 5} {
			order := lossyRun(t, seed, inFlight)
			if inFlight == 1 && !order {
				t.Errorf("seed %d: reordered with one request in flight", seed)
			}
			reordered = reordered || !order
			if t.Failed() {
				t.FailNow()
			}
		}
	}
	if !reordered {
		t.Error("five in flight never reordered: the faults are too weak")
	}
}

func lossyRun(t *testing.T, seed uint64, inFlight int) (inOrder bool) {
	const records, partitions = 120, 2
	r := newRig(t, seed, 3)
	r.cluster.AddTopic("a", partitions)
	rng := rand.New(rand.NewPCG(seed, uint64(inFlight)))
	calm := false
	r.cluster.Inject = lossy(rng, &calm)
	cfg := producer.DefaultConfig()
	cfg.MaxInFlight = inFlight
	cfg.BatchSize = 120
	cfg.RequestTimeout = 2 * time.Second
	cfg.DeliveryTimeout = 20 * time.Second
	p := r.client.NewProducer(cfg)
	ccfg := consumer.DefaultConfig()
	ccfg.Reset = consumer.ResetEarliest
	ccfg.PartitionMaxBytes = 300
	c := r.client.NewConsumer(ccfg)
	var tps []wire.TopicPartition
	for i := range partitions {
		tps = append(tps, wire.TopicPartition{Topic: "a", Partition: int32(i)})
	}
	c.Assign(tps)

	results := make([]producer.Result, records)
	sent := 0
	r.env.Tasks.Go(func(task *env.Task) {
		for i := range records {
			p.SendAsync(record("a", int32(i%partitions), fmt.Sprint(i)), func(res producer.Result) { results[i] = res; sent++ })
			task.Sleep(r.env.Clock, time.Duration(rng.IntN(20))*time.Millisecond)
			if rng.IntN(30) == 0 {
				r.cluster.Lead(tps[rng.IntN(partitions)], wire.NodeID(rng.IntN(3)+1))
			}
		}
	})
	if !r.world.RunUntil(5*time.Minute, func() bool { return sent == records }) {
		t.Fatalf("seed %d: %d of %d records have a result", seed, sent, records)
	}
	calm = true
	read := make(map[wire.TopicPartition][]string)
	total := func() (n int) {
		for _, tp := range tps {
			n += int(r.cluster.Partition(tp).End())
		}
		return n
	}
	r.script(5*time.Minute, func(task *env.Task) {
		for n := 0; n < total(); {
			recs, events := c.Poll(task, time.Second)
			for _, e := range events {
				if e.Kind != consumer.WasReset {
					t.Errorf("seed %d: %v", seed, e)
				}
			}
			for _, rec := range recs {
				if want := wire.Offset(len(read[rec.TopicPartition])); rec.Offset != want {
					t.Errorf("seed %d: read offset %d, want %d", seed, rec.Offset, want)
				}
				read[rec.TopicPartition] = append(read[rec.TopicPartition], string(rec.Value))
				n++
			}
		}
	})

	inOrder = true
	for part, tp := range tps {
		log := r.cluster.Values(tp)
		if !slices.Equal(log, read[tp]) {
			t.Errorf("seed %d: read %v, log %v", seed, read[tp], log)
		}
		last := -1
		for i := part; i < records; i += partitions {
			res, value := results[i], fmt.Sprint(i)
			first := slices.Index(log, value)
			switch res.Outcome {
			case attempt.OK:
				if res.Offset < 0 || int(res.Offset) >= len(log) || log[res.Offset] != value {
					t.Errorf("seed %d: %s acknowledged at %d, log %v", seed, value, res.Offset, log)
				}
			case attempt.Failed:
				if first >= 0 {
					t.Errorf("seed %d: %s failed and is in the log at %d: %+v", seed, value, first, res)
				}
			}
			if first >= 0 {
				if first < last {
					inOrder = false
				}
				last = first
			}
		}
	}
	return inOrder
}

func TestSameSeedSameRun(t *testing.T) {
	run := func() (out []string) {
		r := newRig(t, 7, 3)
		r.cluster.AddTopic("a", 3)
		calm := false
		r.cluster.Inject = lossy(rand.New(rand.NewPCG(7, 7)), &calm)
		cfg := producer.DefaultConfig()
		cfg.RequestTimeout = 2 * time.Second
		p := r.client.NewProducer(cfg)
		r.script(time.Hour, func(task *env.Task) {
			for i := range 100 {
				res := p.Send(task, record("a", producer.AnyPartition, fmt.Sprint(i)))
				out = append(out, fmt.Sprint(r.env.Clock.Now(), res))
			}
		})
		return out
	}
	if a, b := run(), run(); !slices.Equal(a, b) {
		t.Error("two runs of one seed differ")
	}
}
