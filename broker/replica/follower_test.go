package replica

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"

	"odradek/broker/wire"
)

// newTestFollower follows node 2 in epoch 4 with records m0/1 m1/1 m2/3.
func newTestFollower(hw wire.Offset) (*Follower, *testLog) {
	log := &testLog{}
	for i, e := range []wire.LeaderEpoch{1, 1, 3} {
		log.append(record{e, "m" + string(rune('0'+i))})
	}
	f := NewFollower(DefaultConfig(), log, FollowerStart{LogEnd: 3, HighWatermark: hw})
	f.OnLeader(0, 2, 4)
	return f, log
}

func mustFetch(t *testing.T, f *Follower, now int64) FetchPosition {
	t.Helper()
	p, ok := f.Fetch(now)
	if !ok {
		t.Fatalf("does not fetch: %s", f.State())
	}
	return p
}

func TestFetchSaysWhereTheLogEnds(t *testing.T) {
	f, _ := newTestFollower(1)
	want := FetchPosition{Leader: 2, CurrentLeaderEpoch: 4, Offset: 3, LastFetchedEpoch: 3}
	if diff := cmp.Diff(want, mustFetch(t, f, 0)); diff != "" {
		t.Error(diff)
	}
}

func TestHighWatermarkFollowsTheLeaderOnlyForward(t *testing.T) {
	f, _ := newTestFollower(2)
	answer := func(hw wire.Offset) FollowerStep {
		return f.OnFetched(0, mustFetch(t, f, 0), FetchedPartition{HighWatermark: hw, Diverging: NoEpochEnd, Base: 3, Next: 3})
	}
	// A leader just elected may know less than we do.
	if s := answer(1); s.HighWatermark || f.HighWatermark() != 2 {
		t.Fatalf("high watermark %d after the leader's 1", f.HighWatermark())
	}
	if s := answer(9); !s.HighWatermark || f.HighWatermark() != 3 {
		t.Fatalf("high watermark %d after the leader's 9, the log ends at 3", f.HighWatermark())
	}
}

func TestRecordsWithGapsOfCompactionAreAppended(t *testing.T) {
	f, log := newTestFollower(1)
	s := f.OnFetched(0, mustFetch(t, f, 0), FetchedPartition{HighWatermark: 9, Diverging: NoEpochEnd, Base: 5, Next: 9})
	if s.Op != OpAppend || f.State() != Appending {
		t.Fatalf("%s, %s", s.Op, f.State())
	}
	if _, ok := f.Fetch(0); ok {
		t.Fatal("fetches while the append is under way")
	}
	log.assign(4, 5)
	if s := f.OnAppended(1, 9); !s.HighWatermark || f.HighWatermark() != 9 {
		t.Fatalf("high watermark %d", f.HighWatermark())
	}
	if p := mustFetch(t, f, 1); p.Offset != 9 || p.LastFetchedEpoch != 4 {
		t.Fatalf("%+v", p)
	}
}

// What a peer can send, however wrong, is waited out and changes nothing.
// DeleteRecords may put the log start into a batch.
func TestLogStartsWithinABatch(t *testing.T) {
	f := NewFollower(DefaultConfig(), &testLog{}, FollowerStart{LogStart: 5, LogEnd: 5, HighWatermark: 5})
	f.OnLeader(0, 2, 4)
	answer := func(base, next wire.Offset) FollowerStep {
		return f.OnFetched(0, mustFetch(t, f, 0), FetchedPartition{HighWatermark: 9, LogStart: 5, Diverging: NoEpochEnd, Base: base, Next: next})
	}
	if s := answer(3, 7); s.Op != OpAppend || f.State() != Appending {
		t.Fatalf("an empty log does not take the batch that it begins in: %s, %s", s.Op, f.State())
	}
	f.OnAppended(0, 7)
	if s := answer(3, 9); s.Op != OpNone || f.State() != Waiting {
		t.Fatalf("a batch that the log has is appended again: %s, %s", s.Op, f.State())
	}
	f = NewFollower(DefaultConfig(), &testLog{}, FollowerStart{LogStart: 5, LogEnd: 7, HighWatermark: 5})
	f.OnLeader(0, 2, 4)
	f.truncate(6)
	f.OnTruncated(0, 3) // the batch that contains 6 went as a whole
	if f.LogStart() != 3 || f.HighWatermark() != 3 || f.LogEnd() != 3 {
		t.Errorf("log start %d, high watermark %d, log end %d", f.LogStart(), f.HighWatermark(), f.LogEnd())
	}
}

func TestImpossibleAnswersAreWaitedOut(t *testing.T) {
	for name, got := range map[string]FetchedPartition{
		"records that we have":   {Diverging: NoEpochEnd, Base: 1, Next: 5},
		"records that end first": {Diverging: NoEpochEnd, Base: 5, Next: 4},
		"negative divergence":    {Diverging: EpochEnd{1, -7}},
		"an unknown error":       {Err: kerr.UnknownServerError, Diverging: NoEpochEnd},
	} {
		t.Run(name, func(t *testing.T) {
			f, log := newTestFollower(1)
			s := f.OnFetched(5, mustFetch(t, f, 5), got)
			if s.Op != OpNone || !s.ForgetSession || f.State() != Waiting || log.end() != 3 {
				t.Fatalf("%+v, %s", s, f.State())
			}
			if f.Deadline() != 5+int64(time.Second) {
				t.Fatalf("deadline %d", f.Deadline())
			}
			mustFetch(t, f, f.Deadline())
		})
	}
}

// A leader that answers a divergence which is none would be asked for ever.
func TestDivergenceThatCutsNothingIsNotHammered(t *testing.T) {
	f, log := newTestFollower(1)
	s := f.OnFetched(0, mustFetch(t, f, 0), FetchedPartition{Diverging: EpochEnd{3, 9}})
	if s.Op != OpTruncate || s.Offset != 3 {
		t.Fatalf("%+v", s)
	}
	log.truncate(3)
	if s := f.OnTruncated(0, 3); !s.ForgetSession || f.State() != Waiting {
		t.Fatalf("%+v, %s", s, f.State())
	}
}

func TestTruncationBelowTheHighWatermarkIsReported(t *testing.T) {
	f, log := newTestFollower(3)
	s := f.OnFetched(0, mustFetch(t, f, 0), FetchedPartition{Diverging: EpochEnd{1, 2}})
	if s.Op != OpTruncate || s.Offset != 2 || !s.BelowHighWatermark {
		t.Fatalf("%+v", s)
	}
	// Storage may cut at the start of a batch below the offset.
	log.truncate(1)
	f.OnTruncated(0, 1)
	if f.HighWatermark() != 1 || f.LogEnd() != 1 {
		t.Fatalf("high watermark %d, log end %d", f.HighWatermark(), f.LogEnd())
	}
}

func TestNewEpochDuringStorageWorkTakesEffectAfterIt(t *testing.T) {
	f, log := newTestFollower(1)
	sent := mustFetch(t, f, 0)
	f.OnFetched(0, sent, FetchedPartition{HighWatermark: 1, Diverging: NoEpochEnd, Base: 3, Next: 4})
	f.OnLeader(1, 3, 5)
	if f.State() != Appending {
		t.Fatalf("%s", f.State())
	}
	log.append(record{4, "m3"})
	f.OnAppended(2, 4)
	p := mustFetch(t, f, 2)
	if p.Leader != 3 || p.CurrentLeaderEpoch != 5 || p.Offset != 4 {
		t.Fatalf("%+v", p)
	}
	// The old leader's late answer is about an epoch that is over.
	if s := f.OnFetched(3, sent, FetchedPartition{HighWatermark: 4, Diverging: NoEpochEnd, Base: 3, Next: 4}); s.Op != OpNone || !s.ForgetSession {
		t.Fatalf("%+v", s)
	}
}

func TestLeaderWithAShorterLogOfTheSameEpochsCutsOurs(t *testing.T) {
	f, _ := newTestFollower(1)
	if s := f.OnFetched(0, mustFetch(t, f, 0), FetchedPartition{Err: kerr.OffsetOutOfRange, Diverging: NoEpochEnd}); s.Op != OpAskOffsets {
		t.Fatalf("%+v", s)
	}
	s := f.OnLeaderOffsets(0, 4, LeaderOffsets{LogStart: 0, LogEnd: 2})
	if s.Op != OpTruncate || s.Offset != 2 {
		t.Fatalf("%+v", s)
	}
}

func TestLeaderWhoseLogOverlapsOursCutsNothing(t *testing.T) {
	f, _ := newTestFollower(1)
	f.OnFetched(0, mustFetch(t, f, 0), FetchedPartition{Err: kerr.OffsetOutOfRange, Diverging: NoEpochEnd})
	if s := f.OnLeaderOffsets(0, 4, LeaderOffsets{LogStart: 1, LogEnd: 8}); s.Op != OpNone || f.State() != Waiting {
		t.Fatalf("%+v, %s", s, f.State())
	}
}

func TestStoppedAndFailedFollowersDoNothing(t *testing.T) {
	f, _ := newTestFollower(1)
	sent := mustFetch(t, f, 0)
	f.Stop()
	if s := f.OnFetched(0, sent, FetchedPartition{HighWatermark: 3, Diverging: NoEpochEnd, Base: 3, Next: 5}); s.Op != OpNone {
		t.Fatalf("%+v", s)
	}
	f.OnLeader(1, 2, 4) // the same epoch again, after Stop
	mustFetch(t, f, 1)
	f.OnStorageError()
	f.OnLeader(2, 2, 9)
	if _, ok := f.Fetch(2); ok || f.State() != Failed || f.Deadline() != Never {
		t.Fatalf("%s", f.State())
	}
}

// The leader has deleted what it could have compared the beginning of our log with: its
// oldest epoch begins where its log does. Seen with retention.bytes and a leader that was
// cut off for long: its records of an outdated epoch would have stayed below its new log
// start, for a crash to bring back.
func TestWhatLiesBelowTheLeadersLogStartIsNotKept(t *testing.T) {
	f, _ := newTestFollower(1)
	diverge := func(end, logStart wire.Offset) FollowerStep {
		return f.OnFetched(0, mustFetch(t, f, 0), FetchedPartition{
			HighWatermark: 9, LogStart: logStart, Diverging: EpochEnd{Epoch: 3, End: end}, Base: 3, Next: 3,
		})
	}
	if s := diverge(2, 2); s.Op != OpRestart || s.Offset != 2 {
		t.Errorf("%s to %d, want a restart at 2", s.Op, s.Offset)
	}
	f, _ = newTestFollower(1)
	if s := diverge(2, 1); s.Op != OpTruncate || s.Offset != 2 {
		t.Errorf("%s to %d, want a truncation to 2: what is before is the leader's, too", s.Op, s.Offset)
	}
}

func TestCutBelowTheLogStartRestartsTheLog(t *testing.T) {
	f, _ := newTestFollower(3)
	f.OnLogStart(2) // retention
	if p := mustFetch(t, f, 0); p.LogStart != 2 {
		t.Errorf("the leader is told log start %d", p.LogStart)
	}
	s := f.OnFetched(0, mustFetch(t, f, 0), FetchedPartition{Diverging: EpochEnd{Epoch: 1, End: 1}, Base: 3, Next: 3})
	if s.Op != OpRestart || s.Offset != 1 || !s.BelowHighWatermark {
		t.Errorf("%s to %d, want a restart at 1", s.Op, s.Offset)
	}
	f.OnLogStart(2) // of the log that is being cut
	f.OnTruncated(0, 1)
	if f.LogStart() != 1 || f.HighWatermark() != 1 {
		t.Errorf("log start %d, high watermark %d after the restart at 1", f.LogStart(), f.HighWatermark())
	}
}
