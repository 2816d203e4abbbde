package replica

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"

	"odradek/broker/wire"
)

// newTestLeader returns node 1 leading epoch 5 with a log of ten records and
// followers 2 and 3, all in the ISR.
func newTestLeader(cfg Config, minISR int) *Leader {
	l, _ := NewLeader(0, cfg, &testLog{}, LeaderStart{
		Self: 1, BrokerEpoch: 11, MinISR: minISR,
		Partition: Partition{LeaderEpoch: 5, PartitionEpoch: 7, Replicas: []wire.NodeID{3, 1, 2}, ISR: []wire.NodeID{1, 2, 3}},
		Brokers:   map[wire.NodeID]BrokerState{2: {Epoch: 12}, 3: {Epoch: 13}},
		LogEnd:    10, Flushed: 10, HighWatermark: 10,
	})
	return l
}

func fetchOf(id wire.NodeID, offset wire.Offset) FetchRequest {
	return FetchRequest{
		Replica: id, BrokerEpoch: wire.BrokerEpoch(10 + id), CurrentLeaderEpoch: 5,
		Offset: offset, LastFetchedEpoch: wire.NoLeaderEpoch,
	}
}

func TestHighWatermarkCountsOnlyFlushedWhenAsked(t *testing.T) {
	cfg := DefaultConfig()
	cfg.CountFlushed = true
	l := newTestLeader(cfg, 1)
	l.OnAppended(1, 12)
	l.OnFetch(2, fetchOf(2, 12))
	l.OnFetch(2, fetchOf(3, 12))
	if l.HighWatermark() != 10 {
		t.Fatalf("high watermark %d before the flush", l.HighWatermark())
	}
	if c := l.OnFlushed(3, 11); !c.HighWatermark || l.HighWatermark() != 11 {
		t.Fatalf("high watermark %d after a flush up to 11", l.HighWatermark())
	}
}

func TestProduceIsRefusedAfterAppendWhenTheISRIsTooSmallByThen(t *testing.T) {
	l := newTestLeader(DefaultConfig(), 2)
	if err := l.CheckProduce(); err != nil {
		t.Fatal(err)
	}
	l.OnAppended(1, 11)
	l.OnFetch(2, fetchOf(2, 11))
	if done, _ := l.Acked(11); done {
		t.Fatal("acknowledged without replica 3")
	}
	l.OnFetch(2, fetchOf(3, 11))
	l.OnMetadata(3, Partition{LeaderEpoch: 5, PartitionEpoch: 8, Replicas: []wire.NodeID{3, 1, 2}, ISR: []wire.NodeID{1}, ELR: []wire.NodeID{2}})
	if done, err := l.Acked(11); !done || err != kerr.NotEnoughReplicasAfterAppend {
		t.Fatalf("done %v, %v", done, err)
	}
	if err := l.CheckProduce(); err != kerr.NotEnoughReplicas {
		t.Fatalf("%v", err)
	}
}

// Every error of AlterPartition, and whether the proposal is given up, held until
// the metadata speaks, or sent again.
func TestAlterPartitionErrors(t *testing.T) {
	const withdrawn, held, again = "withdrawn", "held", "again"
	for _, c := range []struct {
		err  *kerr.Error
		want string
	}{
		{kerr.IneligibleReplica, withdrawn},
		{kerr.OperationNotAttempted, withdrawn},
		{kerr.FencedLeaderEpoch, held},
		{kerr.InvalidUpdateVersion, held},
		{kerr.NewLeaderElected, held},
		{kerr.UnknownTopicOrPartition, held},
		{kerr.UnknownTopicID, held},
		{kerr.InvalidRequest, held},
		{kerr.NotController, again},
		{kerr.StaleBrokerEpoch, again},
		{kerr.RequestTimedOut, again},
		{kerr.NetworkException, again},
		{kerr.UnknownServerError, again},
	} {
		l := newTestLeader(Config{LagTimeMax: 30 * time.Second, RetryBackoff: 50 * time.Millisecond}, 1)
		l.OnMetadata(1, Partition{LeaderEpoch: 5, PartitionEpoch: 8, Replicas: []wire.NodeID{3, 1, 2}, ISR: []wire.NodeID{1, 2}})
		_, change := l.OnFetch(2, fetchOf(3, 10))
		first := change.Propose
		if first == nil {
			t.Fatal("no proposal")
		}
		if c := l.OnAlterPartitionResult(3, first.ID, AlterPartitionResult{Err: c.err}); c.Propose != nil {
			t.Error("sent again at once")
		}
		pending := l.Snapshot().Pending
		at := l.Deadline()
		next := l.Tick(3 + int64(50*time.Millisecond)).Propose
		got := held
		switch {
		case pending && at == 3+int64(50*time.Millisecond) && next != nil && next.ID == first.ID:
			got = again
		case !pending && next != nil && next.ID != first.ID:
			got = withdrawn
		case !pending || next != nil || at < int64(time.Second):
			got = "something else"
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.err.Message, got, c.want)
		}
	}
}

func TestProposalNamesEachReplicaByItsIncarnation(t *testing.T) {
	l := newTestLeader(DefaultConfig(), 1)
	l.OnMetadata(1, Partition{LeaderEpoch: 5, PartitionEpoch: 8, Replicas: []wire.NodeID{3, 1, 2}, ISR: []wire.NodeID{1, 2}})
	_, c := l.OnFetch(2, fetchOf(3, 10))
	want := &AlterPartition{ID: 1, LeaderEpoch: 5, PartitionEpoch: 8, ISR: []ISRMember{{1, 11}, {2, 12}, {3, 13}}}
	if diff := cmp.Diff(want, c.Propose); diff != "" {
		t.Error(diff)
	}
	// Another one waits until this is settled.
	if c := l.OnAppended(int64(time.Minute), 11); c.Propose != nil {
		t.Errorf("two proposals in flight: %v", c.Propose)
	}
	if c := l.OnAlterPartitionResult(int64(time.Minute), 99, AlterPartitionResult{}); c.ISR || !l.Snapshot().Pending {
		t.Error("an answer to another proposal was taken")
	}
}

func TestReassignedReplicaIsFollowedFromTheMetadata(t *testing.T) {
	l := newTestLeader(DefaultConfig(), 1)
	if a, _ := l.OnFetch(1, FetchRequest{Replica: 4, BrokerEpoch: 14, CurrentLeaderEpoch: 5, LastFetchedEpoch: -1}); a.Err != kerr.NotLeaderForPartition {
		t.Fatalf("stranger: %v", a.Err)
	}
	l.OnMetadata(2, Partition{LeaderEpoch: 5, PartitionEpoch: 8, Replicas: []wire.NodeID{1, 2, 4}, ISR: []wire.NodeID{1, 2}})
	l.OnBrokerState(2, 4, BrokerState{Epoch: 14})
	a, c := l.OnFetch(3, FetchRequest{Replica: 4, BrokerEpoch: 14, CurrentLeaderEpoch: 5, Offset: 10, LastFetchedEpoch: -1})
	if a.Err != nil || c.Propose == nil {
		t.Fatalf("%v, proposal %v", a.Err, c.Propose)
	}
	if a, _ := l.OnFetch(4, fetchOf(3, 10)); a.Err != kerr.NotLeaderForPartition {
		t.Fatalf("dropped replica: %v", a.Err)
	}
}

func TestDeadlineIsTheFirstLapse(t *testing.T) {
	l := newTestLeader(Config{LagTimeMax: 30 * time.Second}, 1)
	l.OnFetch(int64(5*time.Second), fetchOf(2, 10))
	l.OnFetch(int64(6*time.Second), fetchOf(3, 10))
	if l.Deadline() != Never {
		t.Fatalf("deadline %d with nothing to wait for", l.Deadline())
	}
	l.OnAppended(int64(7*time.Second), 11)
	if want := int64(35*time.Second) + 1; l.Deadline() != want {
		t.Fatalf("deadline %d, want %d", l.Deadline(), want)
	}
	if c := l.Tick(int64(35 * time.Second)); c.Propose != nil {
		t.Fatal("shrank early")
	}
	c := l.Tick(int64(35*time.Second) + 1)
	if c.Propose == nil || len(c.Propose.ISR) != 2 || c.Propose.ISR[1].Node != 3 {
		t.Fatalf("proposal %v", c.Propose)
	}
}

func TestLowWatermarkCountsLiveReplicas(t *testing.T) {
	l := newTestLeader(DefaultConfig(), 1)
	l.OnLogStart(1, 6)
	if l.LowWatermark() != wire.NoOffset {
		t.Fatalf("low watermark %d before the followers told", l.LowWatermark())
	}
	two, three := fetchOf(2, 10), fetchOf(3, 10)
	two.LogStart, three.LogStart = 6, 3
	l.OnFetch(2, two)
	l.OnFetch(2, three)
	if l.LowWatermark() != 3 {
		t.Fatalf("low watermark %d", l.LowWatermark())
	}
	l.OnBrokerState(3, 3, BrokerState{Epoch: 13, Fenced: true})
	if l.LowWatermark() != 6 {
		t.Fatalf("low watermark %d with replica 3 fenced", l.LowWatermark())
	}
}

func TestImpossibleInputsPanic(t *testing.T) {
	for name, do := range map[string]func(l *Leader){
		"log end goes back":  func(l *Leader) { l.OnAppended(1, 9) },
		"leader epoch ahead": func(l *Leader) { l.OnMetadata(1, Partition{LeaderEpoch: 6, PartitionEpoch: 9}) },
		"leader not in ISR": func(l *Leader) {
			l.OnMetadata(1, Partition{LeaderEpoch: 5, PartitionEpoch: 9, Replicas: []wire.NodeID{1, 2}, ISR: []wire.NodeID{2}})
		},
		"log start above high watermark": func(l *Leader) { l.OnLogStart(1, 11) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("accepted")
				}
			}()
			do(newTestLeader(DefaultConfig(), 1))
		})
	}
}

func BenchmarkFollowerFetch(b *testing.B) {
	l := newTestLeader(DefaultConfig(), 1)
	b.ReportAllocs()
	for now := int64(1); b.Loop(); now++ {
		l.OnFetch(now, fetchOf(2, 10))
	}
}
