package load

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"odradek/bench"
	"odradek/bench/target"
)

func fake(t *testing.T) target.System {
	t.Helper()
	sys, err := target.Fake(target.Options{BrokerConfig: map[string]string{"group.initial.rebalance.delay.ms": "0"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sys.Close() })
	return sys
}

func scenario(t *testing.T, text string) *bench.Scenario {
	t.Helper()
	list, err := bench.Parse([]byte("name: test\nwarmupDuration: 100ms\ntestDuration: 400ms\n" + text))
	if err != nil {
		t.Fatal(err)
	}
	return &list[0]
}

func measure(t *testing.T, sys target.System, s *bench.Scenario, rate float64) bench.Sample {
	t.Helper()
	sample, err := Run(t.Context(), sys, s, rate, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return sample
}

func TestEveryRecordDueInTheTimeIsSentOnceAndReceivedByEveryGroup(t *testing.T) {
	s := scenario(t, "topics: 2\npartitionsPerTopic: 3\nproducersPerTopic: 2\nsubscriptionsPerTopic: 3\nconsumerPerSubscription: 2\nkeyDistributor: ZIPFIAN\n")
	got := measure(t, fake(t), s, 1000)
	// 400 ms at 1,000 a second, however slow the machine.
	if got.Sent != 400 || got.Failed != 0 || got.Lost != 0 || got.Duplicated != 0 {
		t.Errorf("sent %d, failed %d, lost %d, duplicated %d; want 400 sent and nothing else", got.Sent, got.Failed, got.Lost, got.Duplicated)
	}
	if got.Ack.Count() != 400 || got.EndToEnd.Count() != 3*400 || got.Lateness.Count() != 400 {
		t.Errorf("latencies of %d, %d and %d records", got.Ack.Count(), got.EndToEnd.Count(), got.Lateness.Count())
	}
	if got.Seconds != 0.4 || got.Rate != 1000 {
		t.Errorf("%v s at %v", got.Seconds, got.Rate)
	}
}

func TestAsFastAsPossibleIsBoundedAndLosesNothing(t *testing.T) {
	got := measure(t, fake(t), scenario(t, "messageSize: 100000\n"), 0)
	if got.Sent == 0 || got.Acked != got.Sent || got.Received != got.Sent || got.Lost != 0 || got.Lateness.Count() != 0 {
		t.Errorf("sent %d, acked %d, received %d, lost %d, lateness of %d", got.Sent, got.Acked, got.Received, got.Lost, got.Lateness.Count())
	}
}

func TestWithoutReadersNothingIsCountedAsLost(t *testing.T) {
	got := measure(t, fake(t), scenario(t, "subscriptionsPerTopic: 0\n"), 500)
	if got.Lost != -1 || got.Duplicated != -1 || got.Received != 0 || got.Sent != 200 {
		t.Errorf("%+v", got)
	}
}

func TestBacklogIsReadWhole(t *testing.T) {
	s := scenario(t, "producersPerTopic: 0\npartitionsPerTopic: 2\nconsumerBacklogSizeGB: 0.002\nmessageSize: 1000\n")
	got := measure(t, fake(t), s, 0)
	if got.Acked != 2000 || got.Received != 2000 || got.EndToEnd.Count() != 2000 || got.Lost != 0 || got.Seconds <= 0 {
		t.Errorf("acked %d, received %d, latencies of %d, lost %d, %v s", got.Acked, got.Received, got.EndToEnd.Count(), got.Lost, got.Seconds)
	}
}

func TestBacklogIsReadWhileProducersGoOn(t *testing.T) {
	s := scenario(t, "consumerBacklogSizeGB: 0.001\nmessageSize: 1000\n")
	got := measure(t, fake(t), s, 200)
	if got.Sent < 1000 || got.Lost != 0 || got.Failed != 0 {
		t.Errorf("sent %d, lost %d, failed %d", got.Sent, got.Lost, got.Failed)
	}
}

func TestTransactionsAreCommitted(t *testing.T) {
	s := scenario(t, "recordsPerTransaction: 7\nconsumerConfig: {isolation.level: read_committed}\n")
	got := measure(t, fake(t), s, 500)
	if got.Sent != 200 || got.Lost != 0 || got.Failed != 0 || got.Ack.Count() != 200 {
		t.Errorf("sent %d, lost %d, failed %d, latencies of %d", got.Sent, got.Lost, got.Failed, got.Ack.Count())
	}
}

func TestCatchUpReadersReadWhatIsThere(t *testing.T) {
	if got := measure(t, fake(t), scenario(t, "catchUpReaders: 1\n"), 2000); got.CatchUp == 0 {
		t.Error("they read nothing")
	}
}

func TestConsumersComeAndGo(t *testing.T) {
	s := scenario(t, "partitionsPerTopic: 4\nfaults: [{kind: add-consumer, at: 50ms, for: 200ms}]\n")
	got := measure(t, fake(t), s, 500)
	if got.Lost != 0 || len(got.Marks) == 0 || !strings.Contains(got.Marks[0].What, "joins") {
		t.Errorf("lost %d, marks %v", got.Lost, got.Marks)
	}
}

func TestWhatCannotBeDoneIsSaidBeforehand(t *testing.T) {
	sys := fake(t)
	for name, c := range map[string]struct{ text, want string }{
		"kill":       {"faults: [{kind: kill-leader, at: 100ms}]", "cannot do that"},
		"nobody":     {"subscriptionsPerTopic: 0\nfaults: [{kind: add-consumer, at: 100ms}]", "no consumers"},
		"idempotent": {"producerConfig: {acks: \"1\", enable.idempotence: \"true\"}", "need acks=all"},
		"in flight":  {"producerConfig: {max.in.flight.requests.per.connection: \"3\"}", "has 5"},
		"codec":      {"producerConfig: {compression.type: rot13}", "want one of"},
		"protocol":   {"consumerConfig: {group.protocol: share}", "want one of"},
		"endless":    {"consumerBacklogSizeGB: 1", "nobody catches up"},
	} {
		if _, err := Run(t.Context(), sys, scenario(t, c.text), 0, Options{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestInterruptEndsTheRun(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("enough")
	time.AfterFunc(200*time.Millisecond, func() { cancel(stop) })
	s := scenario(t, "")
	s.TestDuration = time.Hour
	if _, err := Run(ctx, fake(t), s, 100, Options{}); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
}
