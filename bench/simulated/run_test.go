package simulated

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"odradek/bench"
)

func scenario(t *testing.T, text string) *bench.Scenario {
	t.Helper()
	for _, d := range []string{"warmupDuration: 200ms\n", "testDuration: 500ms\n"} {
		if field, _, _ := strings.Cut(d, " "); !strings.Contains(text, field) {
			text = d + text
		}
	}
	list, err := bench.Parse([]byte("name: t\n" + text))
	if err != nil {
		t.Fatal(err)
	}
	return &list[0]
}

func profile(t *testing.T, name string) Profile {
	t.Helper()
	p, err := BuiltIn(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func simulate(t *testing.T, s *bench.Scenario, rate float64, p Profile, seed uint64) bench.Sample {
	t.Helper()
	x, err := Run(s, rate, p, Options{Seed: seed})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestSameSeedGivesTheSameBytes(t *testing.T) {
	s := scenario(t, "brokers: 3\nreplicationFactor: 3\npartitionsPerTopic: 3\nkeyDistributor: ZIPFIAN\nproducersPerTopic: 2\nconsumerPerSubscription: 2\n")
	p := profile(t, "cloud-nvme-10gbe")
	var texts [3][]byte
	for i, seed := range []uint64{7, 7, 8} {
		text, err := json.Marshal(simulate(t, s, 2000, p, seed))
		if err != nil {
			t.Fatal(err)
		}
		texts[i] = text
	}
	if !bytes.Equal(texts[0], texts[1]) {
		t.Errorf("two runs of one seed differ:\n%s\n%s", texts[0], texts[1])
	}
	if bytes.Equal(texts[0], texts[2]) {
		t.Error("runs of two seeds are the same")
	}
}

func TestEveryRecordIsAcknowledgedAndReceivedOnce(t *testing.T) {
	s := scenario(t, "partitionsPerTopic: 2\nsubscriptionsPerTopic: 2\ncatchUpReaders: 1\ntopics: 2\n")
	x := simulate(t, s, 1000, profile(t, "laptop"), 1)
	if x.Sent != 500 || x.Acked != 500 || x.Received != 1000 || x.Failed != 0 || x.Lost != 0 || x.Duplicated != 0 {
		t.Errorf("sent %d, acked %d, received %d, failed %d, lost %d, duplicated %d", x.Sent, x.Acked, x.Received, x.Failed, x.Lost, x.Duplicated)
	}
	if x.Ack.Count() != 500 || x.EndToEnd.Count() != 1000 || x.Bytes != 500*1024 || x.Seconds != 0.5 || !x.KeptUp(2) {
		t.Errorf("%d latencies of acks and %d end to end, %d bytes in %v s", x.Ack.Count(), x.EndToEnd.Count(), x.Bytes, x.Seconds)
	}
	var acked int64
	for _, k := range x.Timeline {
		acked += k.Acked
	}
	if acked < 495 || acked > 505 {
		t.Errorf("the timeline has %d of 500 acknowledgements", acked)
	}
}

// What a request, a flush and a byte are is known here, so the counters can be.
func TestCountersAreExact(t *testing.T) {
	s := scenario(t, "subscriptionsPerTopic: 0\nbrokerConfig: {log.flush.interval.messages: \"1\"}\n")
	x := simulate(t, s, 100, profile(t, "cloud-nvme-10gbe"), 1) // one at a time
	for name, want := range map[string]int64{"requests.Produce": 50, "requests.Fetch": 0} {
		if got := x.Counters[name]; got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
	if n := x.Counters["disk_syncs"]; n < 50 || n > 60 {
		t.Errorf("%d flushes for 50 batches, want one each and a few of metadata", n)
	}
	if n := x.Counters["bytes_on_wire"]; n < 50*1024 || n > 50*1600 {
		t.Errorf("%d bytes on the wire for 50 records of 1 KiB", n)
	}
	if x.Lost != -1 || x.Server.CPUSeconds <= 0 || x.Client.CPUSeconds <= 0 {
		t.Errorf("lost %d, CPU %v and %v", x.Lost, x.Server, x.Client)
	}
}

func TestMoreThanTheMachineCanDoIsNotKeptUpWith(t *testing.T) {
	s := scenario(t, "")
	p := profile(t, "laptop")
	p.Cores = 1
	slow, fast := simulate(t, s, 1000, p, 1), simulate(t, s, 1_000_000, p, 1)
	if !slow.KeptUp(1) {
		t.Errorf("1,000/s: %v/s", slow.Throughput())
	}
	if fast.KeptUp(1) || fast.Ack.Quantile(0.5) < 10*slow.Ack.Quantile(0.5) {
		t.Errorf("1,000,000/s: %v/s, median %d ns against %d", fast.Throughput(), fast.Ack.Quantile(0.5), slow.Ack.Quantile(0.5))
	}
	least := simulate(t, s, 0, p, 1)
	p.Cores = 4
	if most := simulate(t, s, 0, p, 1); most.Throughput() < 1.2*least.Throughput() {
		t.Errorf("4 cores carry %v/s, 1 core %v/s", most.Throughput(), least.Throughput())
	}
}

func TestDistanceAndFlushesAreInTheLatency(t *testing.T) {
	three := scenario(t, "brokers: 3\nreplicationFactor: 3\ntopicConfig: {min.insync.replicas: \"2\"}\n")
	far := simulate(t, three, 200, profile(t, "three-regions"), 1)
	near := simulate(t, three, 200, profile(t, "cloud-nvme-10gbe"), 1)
	// All replicas have to have it: at least the way to the farthest and back.
	if p50 := time.Duration(far.Ack.Quantile(0.5)); p50 < 50*time.Millisecond || p50 > 250*time.Millisecond {
		t.Errorf("between regions: %v", p50)
	}
	if p50 := time.Duration(near.Ack.Quantile(0.5)); p50 > 3*time.Millisecond {
		t.Errorf("within one: %v", p50)
	}
	flushed := simulate(t, scenario(t, "brokerConfig: {log.flush.interval.messages: \"1\"}\n"), 20, profile(t, "hdd"), 1)
	if p50 := time.Duration(flushed.Ack.Quantile(0.5)); p50 < 8*time.Millisecond || p50 > 60*time.Millisecond {
		t.Errorf("flushed to a hard disk: %v", p50)
	}
}

func TestKilledLeaderIsReplaced(t *testing.T) {
	s := scenario(t, "brokers: 3\nreplicationFactor: 3\ntestDuration: 14s\nfaults: [{kind: kill-leader, at: 1s, for: 3s}]\n")
	x := simulate(t, s, 200, profile(t, "cloud-nvme-10gbe"), 2)
	if len(x.Marks) != 2 || x.Marks[0].At != 1 || x.Marks[1].At != 4 {
		t.Errorf("marks %+v", x.Marks)
	}
	if x.Acked != 2800 || x.Lost != 0 || time.Duration(x.Ack.Max()) < time.Second {
		t.Errorf("acked %d of 2800, lost %d, longest %v", x.Acked, x.Lost, time.Duration(x.Ack.Max()))
	}
}

func TestMembersComeAndGo(t *testing.T) {
	s := scenario(t, `partitionsPerTopic: 4
consumerPerSubscription: 2
testDuration: 12s
faults: [{kind: add-consumer, at: 1s, for: 4s}, {kind: remove-consumer, at: 6s, for: 3s}]
`)
	x := simulate(t, s, 200, profile(t, "laptop"), 1)
	if len(x.Marks) != 4 || x.Lost != 0 || x.EndToEnd.Count() != 2400 {
		t.Errorf("marks %+v, lost %d, heard of %d of 2400", x.Marks, x.Lost, x.EndToEnd.Count())
	}
}

func TestBacklogIsMeasuredUntilItIsRead(t *testing.T) {
	s := scenario(t, "producersPerTopic: 0\nwarmupDuration: 0s\nconsumerBacklogSizeGB: 0.01\n")
	x := simulate(t, s, 0, profile(t, "laptop"), 1)
	want := int64(9765) // 10 MB by 1 KiB
	if x.Acked != want || x.Received != want || x.Lost != 0 {
		t.Errorf("acked %d, received %d, lost %d, want %d", x.Acked, x.Received, x.Lost, want)
	}
	if x.Seconds <= 0 || x.Seconds > 10 || x.EndToEnd.Count() != want || x.Ack.Count() != 0 {
		t.Errorf("%v s, %d latencies of readers and %d of acks", x.Seconds, x.EndToEnd.Count(), x.Ack.Count())
	}
}

func TestTransactionsAreAcknowledgedWhenTheyHaveCommitted(t *testing.T) {
	s := scenario(t, "recordsPerTransaction: 10\nconsumerConfig: {isolation.level: read_committed}\n")
	x := simulate(t, s, 100, profile(t, "laptop"), 1)
	if x.Acked != 50 || x.Received != 50 || x.Counters["requests.EndTxn"] != 5 {
		t.Errorf("acked %d, received %d in %d transactions", x.Acked, x.Received, x.Counters["requests.EndTxn"])
	}
	// 9 of 10 wait for those that follow, 10 ms apart.
	if p50 := time.Duration(x.Ack.Quantile(0.5)); p50 < 30*time.Millisecond || p50 > 70*time.Millisecond {
		t.Errorf("median %v, want half of a transaction of 100 ms", p50)
	}
}

func TestMemoryEndsTheTimeMeasured(t *testing.T) {
	s := scenario(t, "subscriptionsPerTopic: 0\n")
	x, err := Run(s, 10_000, profile(t, "laptop"), Options{Seed: 1, MaxBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if x.Seconds > 0.15 || x.Acked < 1000 || x.Acked > 1200 || !x.KeptUp(0) {
		t.Errorf("%d records in %v s, want about 1024 in 0.1", x.Acked, x.Seconds)
	}
}
