package raft_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"odradek/broker/raft"
	"odradek/broker/wire"
)

// follower makes node 1 of three voters the follower of node 2 in epoch 3, with a
// log of two records of epoch 1, and returns its fetch.
func follower(t *testing.T) (*raft.Raft, raft.SendRequest) {
	t.Helper()
	r := mustNew(t, config(1, 1, 2, 3), raft.Restored{
		Quorum: raft.QuorumState{LeaderID: 2, LeaderEpoch: 3, VotedID: wire.NoNode},
		Log:    raft.RestoredLog{EndOffset: 2, Epochs: []raft.EpochStart{{Epoch: 1}}},
	})
	sent := find[raft.SendRequest](r.Take())
	want := []raft.SendRequest{{ID: 1, To: 2, Request: raft.FetchRequest{
		ReplicaID: 1, CurrentLeaderEpoch: 3, FetchOffset: 2, LastFetchedEpoch: 1, MaxWait: 500 * time.Millisecond, MaxBytes: 8 << 20,
	}}}
	if diff := cmp.Diff(want, sent); diff != "" {
		t.Fatalf("sent (-want +got):\n%s", diff)
	}
	return r, sent[0]
}

func from2(resp raft.FetchResponse) raft.FetchResponse {
	resp.LeaderAndEpoch = raft.LeaderAndEpoch{LeaderID: 2, LeaderEpoch: 3}
	if resp.DivergingEpoch == (raft.OffsetAndEpoch{}) {
		resp.DivergingEpoch = raft.NoOffsetAndEpoch
	}
	if resp.SnapshotID == (raft.OffsetAndEpoch{}) {
		resp.SnapshotID = raft.NoOffsetAndEpoch
	}
	return resp
}

func TestFollowerFetchesOnWhenItsLogIsOnDisk(t *testing.T) {
	r, m := follower(t)
	r.Response(1, m.ID, from2(raft.FetchResponse{
		HighWatermark: 3, Records: []byte("two batches"),
		Batches: []raft.Batch{{BaseOffset: 2, LastOffset: 2, Epoch: 2}, {BaseOffset: 3, LastOffset: 4, Epoch: 3}},
	}))
	effects := r.Take()
	if len(find[raft.AppendFetched](effects)) != 1 || len(effects) != 2 || effects[1] != (raft.AdvanceHighWatermark{Offset: 2}) {
		t.Fatalf("%+v", effects)
	}
	r.Written(2, 5)
	if got := r.Take(); len(got) != 1 || got[0] != (raft.AdvanceHighWatermark{Offset: 3}) {
		t.Fatalf("once written: %+v", got)
	}
	r.Flushed(3, 5)
	sent := find[raft.SendRequest](r.Take())
	if len(sent) != 1 {
		t.Fatalf("once flushed: %+v", sent)
	}
	if q := sent[0].Request.(raft.FetchRequest); q.FetchOffset != 5 || q.LastFetchedEpoch != 3 || q.HighWatermark != 3 {
		t.Errorf("%+v", q)
	}
}

// What a leader cannot have said changes nothing and is asked for again later.
func TestFollowerRefusesNonsense(t *testing.T) {
	batch := func(base, last wire.Offset, epoch wire.LeaderEpoch) raft.FetchResponse {
		return raft.FetchResponse{Records: []byte("x"), Batches: []raft.Batch{{BaseOffset: base, LastOffset: last, Epoch: epoch}}}
	}
	for name, resp := range map[string]raft.FetchResponse{
		"a gap":                       batch(3, 3, 3),
		"records it has":              batch(1, 2, 1),
		"an epoch of the past":        batch(2, 2, 0),
		"an epoch of the future":      batch(2, 2, 4),
		"an empty batch":              batch(2, 1, 3),
		"bytes without batches":       {Records: []byte("x")},
		"divergence that is none":     {DivergingEpoch: raft.OffsetAndEpoch{Offset: 9, Epoch: 1}},
		"a snapshot of what it knows": {SnapshotID: raft.OffsetAndEpoch{Offset: 0, Epoch: 1}},
		"an unexpected error":         {ResponseHeader: raft.ResponseHeader{ErrorCode: 56}},
	} {
		t.Run(name, func(t *testing.T) {
			r, m := follower(t)
			r.Response(1, m.ID, from2(resp))
			if got := r.Take(); len(got) != 0 {
				t.Fatalf("effects %+v", got)
			}
			again := r.Deadline()
			if want := 1 + int64(20*time.Millisecond); again != want {
				t.Fatalf("deadline %d, want %d", again, want)
			}
			r.Tick(again)
			sent := find[raft.SendRequest](r.Take())
			if len(sent) != 1 || sent[0].ID == m.ID {
				t.Fatalf("sent %+v", sent)
			}
			if diff := cmp.Diff(m.Request, sent[0].Request); diff != "" {
				t.Errorf("request (-first +second):\n%s", diff)
			}
		})
	}
}

func TestNodeHaltsWhenWhatWasPromisedIsLost(t *testing.T) {
	for name, input := range map[string]func(r *raft.Raft, m raft.SendRequest){
		"committed records": func(r *raft.Raft, m raft.SendRequest) {
			r.Response(1, m.ID, from2(raft.FetchResponse{HighWatermark: 2}))
			sent := find[raft.SendRequest](r.Take())
			r.Response(2, sent[0].ID, from2(raft.FetchResponse{DivergingEpoch: raft.OffsetAndEpoch{Offset: 1, Epoch: 1}}))
		},
		"an election": func(r *raft.Raft, m raft.SendRequest) {
			r.Request(1, 1, raft.BeginQuorumEpochRequest{VoterID: 1, LeaderID: 3, LeaderEpoch: 3})
		},
		"its own quorum state": func(r *raft.Raft, m raft.SendRequest) {
			resp := from2(raft.FetchResponse{})
			resp.LeaderAndEpoch = raft.LeaderAndEpoch{LeaderID: 1, LeaderEpoch: 4}
			r.Response(1, m.ID, resp)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, m := follower(t)
			input(r, m)
			effects := r.Take()
			if h := find[raft.Halt](effects); len(h) != 1 || len(find[raft.TruncateTo](effects)) != 0 {
				t.Fatalf("%+v", effects)
			}
			r.Tick(int64(time.Hour))
			r.Request(int64(time.Hour), 1, raft.FetchRequest{})
			if got := r.Take(); len(got) != 0 {
				t.Errorf("goes on: %+v", got)
			}
		})
	}
}

func TestFollowerStartsOverWhenTheSnapshotIsGone(t *testing.T) {
	r, m := follower(t)
	id := raft.OffsetAndEpoch{Offset: 10, Epoch: 2}
	r.Response(1, m.ID, from2(raft.FetchResponse{SnapshotID: id}))
	sent := find[raft.SendRequest](r.Take())
	header := raft.ResponseHeader{LeaderAndEpoch: raft.LeaderAndEpoch{LeaderID: 2, LeaderEpoch: 3}}
	r.Response(2, sent[0].ID, raft.FetchSnapshotResponse{ResponseHeader: header, SnapshotID: id, Size: 9, Bytes: []byte("half")})
	sent = find[raft.SendRequest](r.Take())
	if q := sent[0].Request.(raft.FetchSnapshotRequest); q.Position != 4 || q.SnapshotID != id {
		t.Fatalf("%+v", q)
	}
	header.ErrorCode = raft.ErrSnapshotNotFound
	r.Response(3, sent[0].ID, raft.FetchSnapshotResponse{ResponseHeader: header})
	if got := r.Take(); len(got) != 1 || got[0] != (raft.AbortSnapshot{ID: id}) {
		t.Fatalf("%+v", got)
	}
	r.Tick(r.Deadline())
	sent = find[raft.SendRequest](r.Take())
	if q, ok := sent[0].Request.(raft.FetchRequest); !ok || q.FetchOffset != 2 {
		t.Errorf("%+v", sent[0].Request)
	}
}

// Records that were never committed do not keep a node from a snapshot, whatever
// their epoch.
func TestSnapshotReplacesUncommittedRecordsOfALaterEpoch(t *testing.T) {
	r := mustNew(t, config(1, 1, 2, 3), raft.Restored{
		Quorum: raft.QuorumState{LeaderID: 2, LeaderEpoch: 8, VotedID: wire.NoNode},
		Log:    raft.RestoredLog{EndOffset: 5, Epochs: []raft.EpochStart{{Epoch: 2}, {Epoch: 7, StartOffset: 4}}},
	})
	sent := find[raft.SendRequest](r.Take())
	header := raft.ResponseHeader{LeaderAndEpoch: raft.LeaderAndEpoch{LeaderID: 2, LeaderEpoch: 8}}
	id := raft.OffsetAndEpoch{Offset: 6, Epoch: 3}
	r.Response(1, sent[0].ID, raft.FetchResponse{ResponseHeader: header, SnapshotID: id, DivergingEpoch: raft.NoOffsetAndEpoch})
	sent = find[raft.SendRequest](r.Take())
	r.Response(2, sent[0].ID, raft.FetchSnapshotResponse{ResponseHeader: header, SnapshotID: id, Size: 4, Bytes: []byte("full")})
	if got := find[raft.InstallSnapshot](r.Take()); len(got) != 1 || got[0].ID != id {
		t.Fatalf("%+v", got)
	}
	r.SnapshotInstalled(3, id)
	sent = find[raft.SendRequest](r.Take())
	if q := sent[0].Request.(raft.FetchRequest); q.FetchOffset != 6 || q.LastFetchedEpoch != 3 {
		t.Errorf("%+v", q)
	}
}

func TestObserverNeitherVotesNorCampaigns(t *testing.T) {
	r := mustNew(t, config(9, 1, 2, 3), empty())
	sent := find[raft.SendRequest](settle(r, 0))
	if len(sent) != 1 {
		t.Fatalf("asks %+v for the leader", sent)
	}
	r.Request(0, 1, raft.VoteRequest{VoterID: 9, CandidateID: 2, CandidateEpoch: 3})
	answers := find[raft.SendResponse](settle(r, 0))
	if code, _ := codeOf(answers[0].Response); code != raft.ErrInconsistentVoterSet {
		t.Errorf("vote answered with %v", code)
	}
	r.Response(1, sent[0].ID, raft.FetchResponse{ResponseHeader: raft.ResponseHeader{
		ErrorCode: raft.ErrNotLeaderOrFollower, LeaderAndEpoch: raft.LeaderAndEpoch{LeaderID: 3, LeaderEpoch: 4}}})
	sent = find[raft.SendRequest](settle(r, 1))
	if len(sent) != 1 || sent[0].To != 3 {
		t.Fatalf("told of leader 3, it asks %+v", sent)
	}
	asked := map[wire.NodeID]bool{}
	now := int64(1)
	for range 500 {
		now = r.Deadline()
		r.Tick(now)
		for _, m := range find[raft.SendRequest](settle(r, now)) {
			asked[m.To] = true
			r.RequestFailed(now, m.ID)
		}
		if got := r.Status().State; got != raft.Follower {
			t.Fatalf("became %v", got)
		}
	}
	if len(asked) != 3 {
		t.Errorf("with its leader gone it asked %v only", asked)
	}
}
