package raft_test

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"odradek/broker/raft"
	"odradek/broker/wire"
)

func config(id wire.NodeID, voters ...wire.NodeID) raft.Config {
	c := raft.DefaultConfig()
	c.NodeID, c.Voters = id, voters
	c.Rand = rand.New(rand.NewPCG(1, uint64(id)))
	return c
}

func mustNew(t *testing.T, c raft.Config, restored raft.Restored) *raft.Raft {
	t.Helper()
	r, err := raft.New(0, c, restored)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// settle reports every Persist as done and every append as flushed until there is
// nothing left to report, and returns the other effects.
func settle(r *raft.Raft, now int64) []raft.Effect {
	var out []raft.Effect
	for {
		effects := r.Take()
		if len(effects) == 0 {
			return out
		}
		for _, e := range effects {
			switch e := e.(type) {
			case raft.Persist:
				r.Persisted(now, e.Seq)
			case raft.AppendLeaderChange:
				out = append(out, e)
				r.Flushed(now, e.BaseOffset+1)
			default:
				out = append(out, e)
			}
		}
	}
}

// find returns the effects of one type.
func find[E raft.Effect](effects []raft.Effect) []E {
	var out []E
	for _, e := range effects {
		if e, ok := e.(E); ok {
			out = append(out, e)
		}
	}
	return out
}

func empty() raft.Restored { return raft.Restored{Quorum: raft.EmptyQuorumState()} }

func TestSoleVoterLeadsWithoutWaiting(t *testing.T) {
	r := mustNew(t, config(1, 1), empty())
	effects := settle(r, 0)
	if got := r.Status(); got.State != raft.Leader || !got.Ready || got.HighWatermark != 1 {
		t.Fatalf("%+v", got)
	}
	if len(find[raft.LeaderReady](effects)) != 1 {
		t.Errorf("not told that it is ready: %v", effects)
	}
	base, err := r.Append(0, 1, 3)
	if err != nil || base != 1 {
		t.Fatalf("append: %d, %v", base, err)
	}
	r.Written(0, 4)
	if r.HighWatermark() != 1 {
		t.Error("committed what is not on disk")
	}
	r.Flushed(0, 4)
	if r.HighWatermark() != 4 {
		t.Errorf("high watermark %d after the flush", r.HighWatermark())
	}
	r.Take()
	var notLeader *raft.ErrNotLeader
	if _, err := r.Append(0, 7, 1); !errors.As(err, &notLeader) || notLeader.Current != (raft.LeaderAndEpoch{LeaderID: 1, LeaderEpoch: 1}) {
		t.Errorf("append in another epoch: %v", err)
	}

	// After a restart it leads the next epoch, at once.
	again := mustNew(t, config(1, 1), raft.Restored{
		Quorum: raft.QuorumState{LeaderID: 1, LeaderEpoch: 1, VotedID: 1},
		Log:    raft.RestoredLog{EndOffset: 4, Epochs: []raft.EpochStart{{Epoch: 1}}},
	})
	settle(again, 0)
	if got := again.Status(); got.State != raft.Leader || got.Quorum.LeaderEpoch <= 1 || got.HighWatermark != 5 {
		t.Errorf("after a restart: %+v", got)
	}
}

// leader makes node 1 of three voters the leader of epoch 1, with its first record
// on its own disk only.
func leader(t *testing.T) (*raft.Raft, int64) {
	t.Helper()
	r := mustNew(t, config(1, 1, 2, 3), empty())
	now := r.Deadline()
	settle(r, 0)
	r.Tick(now)
	for range 2 {
		for _, m := range find[raft.SendRequest](settle(r, now)) {
			q := m.Request.(raft.VoteRequest)
			r.Response(now, m.ID, raft.VoteResponse{
				ResponseHeader: raft.ResponseHeader{LeaderAndEpoch: raft.LeaderAndEpoch{LeaderID: wire.NoNode, LeaderEpoch: q.CandidateEpoch}},
				VoteGranted:    true,
			})
			break
		}
	}
	settle(r, now)
	if got := r.Status(); got.State != raft.Leader || got.Quorum.LeaderEpoch != 1 || got.Ready {
		t.Fatalf("%+v", got)
	}
	return r, now
}

func TestLeaderRefusesWithKafkasErrors(t *testing.T) {
	fetch := func(id wire.NodeID, epoch wire.LeaderEpoch, offset wire.Offset, last wire.LeaderEpoch) raft.FetchRequest {
		return raft.FetchRequest{ReplicaID: id, CurrentLeaderEpoch: epoch, FetchOffset: offset, LastFetchedEpoch: last, MaxBytes: 1}
	}
	snapshot := func(id raft.OffsetAndEpoch, epoch wire.LeaderEpoch, position int64) raft.FetchSnapshotRequest {
		return raft.FetchSnapshotRequest{ReplicaID: 2, CurrentLeaderEpoch: epoch, SnapshotID: id, Position: position, MaxBytes: 1}
	}
	vote := raft.VoteRequest{VoterID: 1, CandidateID: 2, CandidateEpoch: 1}
	at := raft.OffsetAndEpoch{Offset: 1, Epoch: 1}
	for _, c := range []struct {
		name string
		req  raft.Request
		want raft.ErrorCode
	}{
		{"fetch in an older epoch", fetch(2, 0, 0, 0), raft.ErrFencedLeaderEpoch},
		{"fetch in a newer epoch", fetch(2, 2, 0, 0), raft.ErrUnknownLeaderEpoch},
		{"fetch before the log", fetch(2, 1, -1, 0), raft.ErrInvalidRequest},
		{"fetch with an impossible last epoch", fetch(2, 1, 1, 2), raft.ErrInvalidRequest},
		{"fetch under the leader's own id", fetch(1, 1, 0, 0), raft.ErrInvalidRequest},
		{"snapshot in an older epoch", snapshot(at, 0, 0), raft.ErrFencedLeaderEpoch},
		{"unknown snapshot", snapshot(raft.OffsetAndEpoch{Offset: 9, Epoch: 1}, 1, 0), raft.ErrSnapshotNotFound},
		{"snapshot before its start", snapshot(at, 1, -1), raft.ErrPositionOutOfRange},
		{"snapshot past its end", snapshot(at, 1, 10), raft.ErrPositionOutOfRange},
		{"vote in an older epoch", raft.VoteRequest{VoterID: 1, CandidateID: 2, CandidateEpoch: 0, PreVote: true}, raft.ErrFencedLeaderEpoch},
		{"vote with a log from the future", raft.VoteRequest{VoterID: 1, CandidateID: 2, CandidateEpoch: 1, LastOffset: 1, LastOffsetEpoch: 1}, raft.ErrInvalidRequest},
		{"vote for a node that is no voter", raft.VoteRequest{VoterID: 1, CandidateID: 9, CandidateEpoch: 5}, raft.ErrInconsistentVoterSet},
		{"vote meant for another node", raft.VoteRequest{VoterID: 3, CandidateID: 2, CandidateEpoch: 1}, raft.ErrInvalidVoterKey},
		{"vote while this node leads", vote, raft.ErrNone},
		{"begin of an older epoch", raft.BeginQuorumEpochRequest{VoterID: 1, LeaderID: 2, LeaderEpoch: 0}, raft.ErrFencedLeaderEpoch},
		{"begin by a node that is no voter", raft.BeginQuorumEpochRequest{VoterID: 1, LeaderID: 9, LeaderEpoch: 5}, raft.ErrInconsistentVoterSet},
		{"end of an older epoch", raft.EndQuorumEpochRequest{LeaderID: 2, LeaderEpoch: 0}, raft.ErrFencedLeaderEpoch},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, now := leader(t)
			commit(t, r, now)
			r.SnapshotCreated(now, raft.Snapshot{ID: at, Size: 10})
			r.Take()
			r.Request(now, 77, c.req)
			answers := find[raft.SendResponse](r.Take())
			if len(answers) != 1 || answers[0].Token != 77 {
				t.Fatalf("answers %+v", answers)
			}
			code, header := codeOf(answers[0].Response)
			if code != c.want {
				t.Errorf("%v, want %v", code, c.want)
			}
			if want := (raft.LeaderAndEpoch{LeaderID: 1, LeaderEpoch: 1}); header != want {
				t.Errorf("leader %+v, want %+v", header, want)
			}
			if v, ok := answers[0].Response.(raft.VoteResponse); ok && v.VoteGranted {
				t.Error("vote granted")
			}
			if r.Status().State != raft.Leader {
				t.Errorf("now %v", r.Status().State)
			}
		})
	}
}

func codeOf(resp raft.Response) (raft.ErrorCode, raft.LeaderAndEpoch) {
	switch q := resp.(type) {
	case raft.VoteResponse:
		return q.ErrorCode, q.LeaderAndEpoch
	case raft.BeginQuorumEpochResponse:
		return q.ErrorCode, q.LeaderAndEpoch
	case raft.EndQuorumEpochResponse:
		return q.ErrorCode, q.LeaderAndEpoch
	case raft.FetchResponse:
		return q.ErrorCode, q.LeaderAndEpoch
	case raft.FetchSnapshotResponse:
		return q.ErrorCode, q.LeaderAndEpoch
	}
	return -1, raft.LeaderAndEpoch{}
}

// commit lets node 2 fetch from the end of the leader's log.
func commit(t *testing.T, r *raft.Raft, now int64) {
	t.Helper()
	st := r.Status()
	r.Request(now, 1, raft.FetchRequest{
		ReplicaID: 2, CurrentLeaderEpoch: st.Quorum.LeaderEpoch, FetchOffset: st.LogEndOffset,
		LastFetchedEpoch: st.LastEpoch, HighWatermark: st.LogEndOffset, MaxWait: 500 * time.Millisecond, MaxBytes: 1,
	})
	r.Take()
	if r.HighWatermark() != st.LogEndOffset {
		t.Fatalf("high watermark %d of %d", r.HighWatermark(), st.LogEndOffset)
	}
}

func TestFetchWaitsForNews(t *testing.T) {
	for name, c := range map[string]struct {
		news func(r *raft.Raft, now int64) // from when commit's fetch waits
		want func(e raft.Effect) bool
	}{
		"records": {
			func(r *raft.Raft, now int64) {
				if _, err := r.Append(now, 1, 2); err != nil {
					panic(err)
				}
				r.Written(now, 3)
			},
			func(e raft.Effect) bool { f, ok := e.(raft.ReadLog); return ok && f.Token == 1 && f.Offset == 1 },
		},
		"its time is over": {
			func(r *raft.Raft, now int64) { r.Tick(now + int64(500*time.Millisecond)) },
			func(e raft.Effect) bool {
				f, ok := e.(raft.SendResponse)
				return ok && f.Token == 1 && f.Response.(raft.FetchResponse).HighWatermark == 1
			},
		},
		"the end of the leadership": {
			func(r *raft.Raft, now int64) { r.Resign(now, 1) },
			func(e raft.Effect) bool {
				f, ok := e.(raft.SendResponse)
				return ok && f.Token == 1 && f.Response.(raft.FetchResponse).ErrorCode == raft.ErrBrokerNotAvailable
			},
		},
		"the replica's next fetch": {
			func(r *raft.Raft, now int64) {
				r.Request(now, 2, raft.FetchRequest{ReplicaID: 2, CurrentLeaderEpoch: 1})
			},
			func(e raft.Effect) bool { f, ok := e.(raft.SendResponse); return ok && f.Token == 1 },
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, now := leader(t)
			commit(t, r, now)
			c.news(r, now)
			for _, e := range r.Take() {
				if c.want(e) {
					return
				}
			}
			t.Error("not answered")
		})
	}
}

func TestHighWatermarkIsNewsToAReplicaThatDoesNotKnowIt(t *testing.T) {
	r, now := leader(t)
	r.Request(now, 5, raft.FetchRequest{
		ReplicaID: 3, CurrentLeaderEpoch: 1, FetchOffset: 1, LastFetchedEpoch: 1, HighWatermark: 0, MaxWait: time.Second, MaxBytes: 1,
	})
	answers := find[raft.SendResponse](r.Take())
	if len(answers) != 1 || answers[0].Response.(raft.FetchResponse).HighWatermark != 1 {
		t.Fatalf("%+v", answers)
	}
}

func TestDescribeListsVotersAndObservers(t *testing.T) {
	r, now := leader(t)
	commit(t, r, now)
	r.Request(now+5, 3, raft.FetchRequest{ReplicaID: 9, CurrentLeaderEpoch: 1, MaxBytes: 1})
	voters, observers, ok := r.Describe()
	if !ok {
		t.Fatal("not the leader")
	}
	wantVoters := []raft.ReplicaState{
		{ID: 1, LogEndOffset: 1, LastFetch: -1, LastCaughtUp: -1},
		{ID: 2, LogEndOffset: 1, LastFetch: now, LastCaughtUp: now},
		{ID: 3, LogEndOffset: wire.NoOffset, LastFetch: -1, LastCaughtUp: -1},
	}
	wantObservers := []raft.ReplicaState{{ID: 9, LogEndOffset: 0, LastFetch: now + 5, LastCaughtUp: -1}}
	if diff := cmp.Diff(wantVoters, voters); diff != "" {
		t.Errorf("voters (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wantObservers, observers); diff != "" {
		t.Errorf("observers (-want +got):\n%s", diff)
	}
}
