package producer

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/cluster"
	"odradek/workloads/client/transcript"
)

const ms = int64(time.Millisecond)

// bench is a core with a cluster of two nodes and topic "a".
type bench struct {
	*Core
	t    *testing.T
	meta *cluster.Metadata
	now  int64
}

func newBench(t *testing.T, partitions int, change func(*Config)) *bench {
	cfg := DefaultConfig()
	if change != nil {
		change(&cfg)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	b := &bench{t: t, now: 1000 * ms}
	b.meta = cluster.New(cluster.Config{Backoff: cfg.Backoff, MaxAge: time.Hour}, rng)
	b.Core = New(cfg, b.meta, rng)
	b.meta.Want("a")
	b.lead(partitions, 1, 0)
	return b
}

// lead gives partition i to node first+i%2, in the epoch.
func (b *bench) lead(partitions int, first, epoch int32) {
	topic := transcript.Topic("a")
	for i := range int32(partitions) {
		transcript.Lead(&topic, i, (first-1+i)%2+1, epoch)
	}
	b.now = transcript.Refresh(b.meta, b.now, 2, topic)
}

func (b *bench) send(partition int32, value string) Token {
	return b.Send(b.now, 5, Record{Topic: "a", Partition: partition, Value: []byte(value)})
}

// poll describes the requests that are made: node, and values by partition.
func (b *bench) poll() (reqs []Request, desc []string) {
	reqs = b.Poll(b.now)
	codec := wire.NewCodec(1 << 20)
	for _, r := range reqs {
		if _, ok := r.Msg.(*kmsg.InitProducerIDRequest); ok {
			desc = append(desc, "InitProducerId")
			continue
		}
		var parts []string
		for _, t := range r.Msg.(*kmsg.ProduceRequest).Topics {
			for _, p := range t.Partitions {
				recs, err := codec.Records(p.Records)
				if err != nil || !wire.CheckCRC(p.Records) {
					b.t.Fatal("not a batch", err)
				}
				var values []string
				var rec wire.Record
				for recs.Next(&rec) {
					values = append(values, string(rec.Value))
				}
				parts = append(parts, fmt.Sprintf("%d:%s", p.Partition, strings.Join(values, ",")))
			}
		}
		desc = append(desc, fmt.Sprintf("node %d %s", r.Node, strings.Join(parts, " ")))
	}
	return reqs, desc
}

func (b *bench) want(want ...string) []Request {
	b.t.Helper()
	reqs, got := b.poll()
	if diff := cmp.Diff(want, got); diff != "" {
		b.t.Fatal(diff)
	}
	return reqs
}

// answer gives every partition of a request the same code.
func (b *bench) answer(r Request, code int16, base int64) {
	req := r.Msg.(*kmsg.ProduceRequest)
	resp := kmsg.NewPtrProduceResponse()
	for _, t := range req.Topics {
		pt := kmsg.NewProduceResponseTopic()
		pt.Topic = t.Topic
		for _, p := range t.Partitions {
			pp := kmsg.NewProduceResponseTopicPartition()
			pp.Partition, pp.ErrorCode, pp.BaseOffset, pp.LogAppendTime = p.Partition, code, base, -1
			pt.Partitions = append(pt.Partitions, pp)
		}
		resp.Topics = append(resp.Topics, pt)
	}
	b.OnResponse(b.now, r.ID, resp)
}

func (b *bench) pass(d time.Duration) { b.now += int64(d) }

func (b *bench) outcomes() (out []string) {
	for _, r := range b.Results() {
		out = append(out, fmt.Sprint(r.Token, " ", r.Outcome, " ", r.Offset))
	}
	return out
}

func (b *bench) wantOutcomes(want ...string) {
	b.t.Helper()
	if diff := cmp.Diff(want, b.outcomes()); diff != "" {
		b.t.Fatal(diff)
	}
}

func TestOneRequestForEachLeaderWithOneBatchForEachPartition(t *testing.T) {
	b := newBench(t, 4, nil)
	for i := range int32(8) {
		b.send(i%4, fmt.Sprint(i))
	}
	reqs := b.want("node 1 0:0,4 2:2,6", "node 2 1:1,5 3:3,7")
	b.answer(reqs[0], 0, 10)
	b.wantOutcomes("1 ok 10", "5 ok 11", "3 ok 10", "7 ok 11")
}

func TestLingerWaitsUnlessTheBatchIsFull(t *testing.T) {
	b := newBench(t, 2, func(c *Config) { c.Linger, c.BatchSize = 10*time.Millisecond, 100 })
	b.send(0, "x")
	b.want()
	if d := b.Deadline(); d != b.now+10*ms {
		t.Fatalf("deadline in %d ns", d-b.now)
	}
	b.send(1, strings.Repeat("y", 90)) // a batch of its own
	b.want("node 2 1:" + strings.Repeat("y", 90))
	b.pass(10 * time.Millisecond)
	b.want("node 1 0:x")
}

func TestFlushDoesNotLinger(t *testing.T) {
	b := newBench(t, 1, func(c *Config) { c.Linger = time.Hour })
	b.send(0, "x")
	b.want()
	b.Flush()
	b.want("node 1 0:x")
	b.send(0, "y") // after the flush
	b.want()
}

func TestBatchSizeCutsBatches(t *testing.T) {
	b := newBench(t, 1, func(c *Config) { c.BatchSize = 61 + 3*9; c.MaxInFlight = 1 })
	for i := range 5 {
		b.send(0, fmt.Sprint(i))
	}
	r := b.want("node 1 0:0,1,2")
	b.answer(r[0], 0, 0)
	b.want("node 1 0:3,4")
}

func TestMaxRequestSizeSpreadsPartitionsFairly(t *testing.T) {
	b := newBench(t, 6, func(c *Config) { c.MaxRequestSize = 200; c.MaxInFlight = 1 })
	for round := range 2 {
		for _, p := range []int32{0, 2, 4} {
			b.send(p, fmt.Sprint("a value of 30 bytes or so ", p, round))
		}
		r, desc := b.poll()
		if len(r) != 1 || strings.Count(desc[0], "value") >= 3*(round+1) {
			t.Fatalf("round %d: %q", round, desc)
		}
		b.answer(r[0], 0, 0)
	}
	r, desc := b.poll()
	if len(r) != 1 || !strings.Contains(desc[0], "4:") {
		t.Fatalf("partition 4 starves: %q", desc)
	}
}

func TestInFlightLimit(t *testing.T) {
	b := newBench(t, 1, func(c *Config) { c.BatchSize = 70; c.MaxInFlight = 2 })
	for i := range 4 {
		b.send(0, fmt.Sprint(i))
	}
	r := b.want("node 1 0:0", "node 1 0:1")
	b.want()
	if b.Deadline() < b.now+int64(time.Second) {
		t.Fatal("a core that waits for an answer asks to be polled")
	}
	b.answer(r[0], 0, 0)
	b.want("node 1 0:2")
}

func TestRetryReordersOnlyWithSeveralInFlight(t *testing.T) {
	for _, inFlight := range []int{1, 2} {
		b := newBench(t, 1, func(c *Config) { c.BatchSize = 70; c.MaxInFlight = inFlight })
		b.send(0, "first")
		b.send(0, "second")
		r, _ := b.poll()
		if len(r) != inFlight {
			t.Fatalf("%d requests", len(r))
		}
		b.answer(r[0], kerr.NotEnoughReplicas.Code, -1)
		var appended []string
		if inFlight == 2 {
			b.answer(r[1], 0, 0)
			appended = append(appended, "second")
		}
		b.want() // backing off
		for range 2 {
			b.pass(time.Second)
			for _, r := range b.Poll(b.now) {
				appended = append(appended, map[Token]string{1: "first", 2: "second"}[r.Batches[0].Tokens[0]])
				b.answer(r, 0, int64(len(appended)))
			}
		}
		want := map[int]string{1: "first,second", 2: "second,first"}[inFlight]
		if got := strings.Join(appended, ","); got != want {
			t.Errorf("%d in flight: %s, want %s", inFlight, got, want)
		}
	}
}

func TestOneInFlightKeepsOrderAcrossLeaders(t *testing.T) {
	b := newBench(t, 1, func(c *Config) { c.BatchSize = 70; c.MaxInFlight = 1 })
	b.send(0, "first")
	b.send(0, "second")
	r := b.want("node 1 0:first")
	b.lead(1, 2, 1)
	b.want() // node 2 is idle, but the first batch may still land
	b.OnFailure(b.now, r[0].ID, attempt.ErrLost)
	b.want("node 2 0:first") // at once: the leader is new
}

func TestRetryBacksOffExponentially(t *testing.T) {
	b := newBench(t, 1, nil)
	b.send(0, "x")
	var waits []time.Duration
	for range 6 {
		r := b.want("node 1 0:x")
		b.answer(r[0], kerr.RequestTimedOut.Code, -1)
		b.want()
		waits = append(waits, time.Duration(b.Deadline()-b.now).Round(100*time.Millisecond/2))
		b.now = b.Deadline()
	}
	for i, base := range []int{100, 200, 400, 800, 1000, 1000} {
		base := time.Duration(base) * time.Millisecond
		if waits[i] < base*3/4 || waits[i] > base*5/4 {
			t.Errorf("wait %d is %v, want about %v", i, waits[i], base)
		}
	}
}

func TestBufferMemoryHoldsRecordsBackInOrder(t *testing.T) {
	b := newBench(t, 2, func(c *Config) { c.BufferMemory = 200; c.Linger = time.Hour; c.MaxBlock = time.Second })
	big := strings.Repeat("x", 110)
	b.send(0, big)
	b.send(1, big)                 // does not fit
	b.send(0, "s")                 // would, but keeps its place
	r := b.want("node 1 0:" + big) // and nothing lingers meanwhile
	b.want()
	b.answer(r[0], 0, 0)
	b.wantOutcomes("1 ok 0")
	r = b.want("node 2 1:" + big)
	b.answer(r[0], 0, 0)
	b.wantOutcomes("2 ok 0")
	b.want() // all are in, so the last one lingers
	b.send(0, big)
	b.send(1, big)
	b.want("node 1 0:s," + big)
	b.pass(time.Second)
	b.want()
	rs := b.Results()
	if len(rs) != 1 || rs[0].Token != 5 || rs[0].Err != ErrBlockTimeout || rs[0].Outcome != attempt.Failed {
		t.Fatalf("%+v", rs)
	}
}

func TestTooLargeBatchIsSplitTooLargeRecordRefused(t *testing.T) {
	b := newBench(t, 1, func(c *Config) { c.MaxInFlight = 1; c.MaxRequestSize = 300 })
	for i := range 4 {
		b.send(0, fmt.Sprint(i))
	}
	r := b.want("node 1 0:0,1,2,3")
	b.answer(r[0], kerr.MessageTooLarge.Code, -1)
	r = b.want("node 1 0:0,1")
	b.answer(r[0], kerr.MessageTooLarge.Code, -1)
	r = b.want("node 1 0:0")
	b.answer(r[0], kerr.MessageTooLarge.Code, -1)
	b.wantOutcomes("1 failed -1")
	r = b.want("node 1 0:1")
	b.answer(r[0], 0, 7)
	b.wantOutcomes("2 ok 7")
	b.want("node 1 0:2,3")
	b.send(0, strings.Repeat("x", 300))
	if rs := b.Results(); len(rs) != 1 || !errors.Is(rs[0].Err, ErrRecordTooLarge) {
		t.Fatalf("%+v", rs)
	}
}

func TestRetriesBound(t *testing.T) {
	b := newBench(t, 1, func(c *Config) { c.Retries = 1 })
	b.send(0, "x")
	for range 2 {
		r := b.want("node 1 0:x")
		b.answer(r[0], kerr.NotEnoughReplicas.Code, -1)
		b.pass(time.Second)
	}
	b.wantOutcomes("1 failed -1")
}

// TestOutcomes is the table of what a checker may conclude.
func TestOutcomes(t *testing.T) {
	code := func(e *kerr.Error) func(*bench, Request) {
		return func(b *bench, r Request) { b.answer(r, e.Code, -1) }
	}
	broken := func(err error) func(*bench, Request) {
		return func(b *bench, r Request) { b.OnFailure(b.now, r.ID, err) }
	}
	ok := func(b *bench, r Request) { b.answer(r, 0, 3) }
	for _, c := range []struct {
		name     string
		attempts []func(*bench, Request)
		want     string
	}{
		{"acknowledged", []func(*bench, Request){ok}, "ok"},
		{"acknowledged at last", []func(*bench, Request){broken(attempt.ErrLost), ok}, "ok"},
		{"time-out", []func(*bench, Request){broken(attempt.ErrTimedOut)}, "unknown"},
		{"connection loss", []func(*bench, Request){broken(attempt.ErrLost)}, "unknown"},
		{"malformed answer", []func(*bench, Request){broken(attempt.ErrMalformed)}, "unknown"},
		{"never sent", []func(*bench, Request){broken(attempt.ErrNotSent)}, "failed"},
		{"no version", []func(*bench, Request){broken(attempt.ErrVersion)}, "failed"},
		{"NOT_LEADER_OR_FOLLOWER", []func(*bench, Request){code(kerr.NotLeaderForPartition)}, "unknown"},
		{"UNKNOWN_SERVER_ERROR", []func(*bench, Request){code(kerr.UnknownServerError)}, "unknown"},
		{"NOT_ENOUGH_REPLICAS_AFTER_APPEND", []func(*bench, Request){code(kerr.NotEnoughReplicasAfterAppend)}, "unknown"},
		{"REQUEST_TIMED_OUT", []func(*bench, Request){code(kerr.RequestTimedOut)}, "unknown"},
		{"KAFKA_STORAGE_ERROR", []func(*bench, Request){code(kerr.KafkaStorageError)}, "unknown"},
		{"UNKNOWN_TOPIC_OR_PARTITION", []func(*bench, Request){code(kerr.UnknownTopicOrPartition)}, "unknown"},
		{"an unheard-of code", []func(*bench, Request){code(&kerr.Error{Code: 9999})}, "unknown"},
		{"NOT_ENOUGH_REPLICAS", []func(*bench, Request){code(kerr.NotEnoughReplicas)}, "failed"},
		{"MESSAGE_TOO_LARGE", []func(*bench, Request){code(kerr.MessageTooLarge)}, "failed"},
		{"INVALID_RECORD", []func(*bench, Request){code(kerr.InvalidRecord)}, "failed"},
		{"INVALID_PRODUCER_EPOCH", []func(*bench, Request){code(kerr.InvalidProducerEpoch)}, "failed"},
		{"the last error hides nothing", []func(*bench, Request){broken(attempt.ErrTimedOut), code(kerr.NotEnoughReplicas)}, "unknown"},
		{"failed every time", []func(*bench, Request){code(kerr.NotEnoughReplicas), broken(attempt.ErrNotSent), code(kerr.MessageTooLarge)}, "failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, 1, func(c *Config) { c.DeliveryTimeout = time.Minute })
			b.send(0, "x")
			for _, end := range c.attempts {
				reqs := b.want("node 1 0:x")
				end(b, reqs[0])
				b.pass(2 * time.Second)
			}
			b.pass(time.Minute)
			b.Poll(b.now)
			rs := b.Results()
			if len(rs) != 1 || rs[0].Outcome.String() != c.want || (rs[0].Err == nil) != (c.want == "ok") {
				t.Fatalf("%+v, want %s", rs, c.want)
			}
			if len(rs[0].Attempts) < len(c.attempts) {
				t.Errorf("%d attempts kept of %d", len(rs[0].Attempts), len(c.attempts))
			}
		})
	}
}

func TestDeliveryTimeoutDoesNotWaitForTheAnswer(t *testing.T) {
	b := newBench(t, 1, func(c *Config) { c.DeliveryTimeout = time.Minute })
	b.send(0, "x")
	r := b.want("node 1 0:x")
	b.pass(time.Minute)
	b.want()
	rs := b.Results()
	if len(rs) != 1 || rs[0].Outcome != attempt.Unknown || rs[0].Err != ErrDeliveryTimeout {
		t.Fatalf("%+v", rs)
	}
	kept := rs[0].Attempts[0]
	// The late answer tells the observer, and nobody else.
	b.answer(r[0], 0, 3)
	if len(b.Results()) != 0 || rs[0].Attempts[0] != kept {
		t.Fatal("a result was given twice or changed")
	}
	if b.Unanswered() {
		t.Fatal("memory is still in use")
	}
}

func TestKeyedRecordsGoWhereJavaPutsThem(t *testing.T) {
	b := newBench(t, 10, nil)
	b.Send(b.now, 5, Record{Topic: "a", Partition: AnyPartition, Key: []byte("21"), Value: []byte("v")})
	want := (-973932308 & 0x7fffffff) % 10
	b.want(fmt.Sprintf("node %d %d:v", want%2+1, want))
}

func TestStickyPartitionSwitchesAfterABatch(t *testing.T) {
	b := newBench(t, 5, func(c *Config) { c.BatchSize = 200; c.Linger = time.Hour; c.MaxInFlight = 1000 })
	parts := make(map[int32][]int)
	for i := range 400 {
		token := b.send(AnyPartition, "0123456789")
		for _, p := range b.acc.parts {
			if n := len(p.queue); n > 0 && p.queue[n-1].tokens[len(p.queue[n-1].tokens)-1] == token {
				parts[p.Partition] = append(parts[p.Partition], i)
			}
		}
	}
	runs, spread := 0, 0
	for _, at := range parts {
		spread++
		for i := range at {
			if i == 0 || at[i] != at[i-1]+1 {
				runs++
			}
		}
	}
	if spread != 5 {
		t.Errorf("%d of 5 partitions used", spread)
	}
	// About 8 records make a batch, two batches a switch unless the first ends exactly
	// at the limit, and a switch may stay where it is.
	if runs < 15 || runs > 60 {
		t.Errorf("%d runs of 400 records", runs)
	}
}

func TestStickyAvoidsLeaderlessPartitions(t *testing.T) {
	topic := &cluster.Topic{Partitions: []cluster.Partition{{Leader: wire.NoNode}, {Leader: 3}, {Leader: wire.NoNode}}}
	rng := rand.New(rand.NewPCG(1, 1))
	for range 100 {
		if p := chooseSticky(topic, rng); p != 1 {
			t.Fatalf("partition %d", p)
		}
	}
}

func TestUnknownTopicWaitsForMetadata(t *testing.T) {
	b := newBench(t, 1, nil)
	b.Send(b.now, 5, Record{Topic: "new", Value: []byte("v")})
	b.want()
	if got := b.meta.Wanted(); !cmp.Equal(got, []string{"a", "new"}) || b.meta.Deadline() > b.now {
		t.Fatalf("wanted %v", got)
	}
}
