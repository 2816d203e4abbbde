package raft_test

import (
	"errors"
	"math/rand/v2"
	"strings"
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

func TestRestoreRepeatsAnInterruptedInstallation(t *testing.T) {
	log := raft.RestoredLog{EndOffset: 8, Epochs: []raft.EpochStart{{Epoch: 1}, {Epoch: 4, StartOffset: 5}}}
	for name, c := range map[string]struct {
		snapshot raft.OffsetAndEpoch
		install  bool
	}{
		"beyond the log":                  {raft.OffsetAndEpoch{Offset: 20, Epoch: 5}, true},
		"beyond a log of a later epoch":   {raft.OffsetAndEpoch{Offset: 20, Epoch: 2}, true},
		"where the log went another way":  {raft.OffsetAndEpoch{Offset: 6, Epoch: 1}, true},
		"that the log contains":           {raft.OffsetAndEpoch{Offset: 6, Epoch: 4}, false},
		"at the log's end":                {raft.OffsetAndEpoch{Offset: 8, Epoch: 4}, false},
		"at the start of the log's epoch": {raft.OffsetAndEpoch{Offset: 5, Epoch: 1}, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := mustNew(t, config(1, 1, 2, 3), raft.Restored{
				Quorum:    raft.QuorumState{LeaderID: 2, LeaderEpoch: 6, VotedID: wire.NoNode},
				Log:       log,
				Snapshots: []raft.Snapshot{{ID: c.snapshot, Size: 1}},
			})
			effects := r.Take()
			installs := find[raft.InstallSnapshot](effects)
			if got := len(installs) == 1; got != c.install {
				t.Fatalf("%+v", effects)
			}
			if !c.install {
				if r.HighWatermark() != c.snapshot.Offset {
					t.Errorf("high watermark %d", r.HighWatermark())
				}
				return
			}
			if sent := find[raft.SendRequest](effects); len(sent) != 0 {
				t.Errorf("fetches for a log that is going to be replaced: %+v", sent)
			}
			r.SnapshotInstalled(1, c.snapshot)
			sent := find[raft.SendRequest](r.Take())
			if len(sent) != 1 {
				t.Fatalf("%+v", sent)
			}
			if q := sent[0].Request.(raft.FetchRequest); q.FetchOffset != c.snapshot.Offset || q.LastFetchedEpoch != c.snapshot.Epoch {
				t.Errorf("%+v", q)
			}
		})
	}
}

func TestNewRefusesADamagedDisk(t *testing.T) {
	quorum := raft.QuorumState{LeaderID: 2, LeaderEpoch: 6, VotedID: wire.NoNode}
	for name, c := range map[string]struct {
		restored raft.Restored
		want     string
	}{
		"a log that starts nowhere": {raft.Restored{Quorum: quorum, Log: raft.RestoredLog{StartOffset: 5, EndOffset: 5}}, "no snapshot covers"},
		"a snapshot with a gap after it": {raft.Restored{
			Quorum:    quorum,
			Log:       raft.RestoredLog{StartOffset: 5, EndOffset: 6, Epochs: []raft.EpochStart{{Epoch: 1, StartOffset: 5}}},
			Snapshots: []raft.Snapshot{{ID: raft.OffsetAndEpoch{Offset: 4, Epoch: 1}, Size: 1}},
		}, "no snapshot covers"},
		"records without epoch": {raft.Restored{Quorum: quorum, Log: raft.RestoredLog{EndOffset: 5}}, "epochs"},
		"epochs out of order": {raft.Restored{Quorum: quorum, Log: raft.RestoredLog{
			EndOffset: 5, Epochs: []raft.EpochStart{{Epoch: 2}, {Epoch: 1, StartOffset: 3}}}}, "epochs"},
		"a leader that is no voter": {raft.Restored{Quorum: raft.QuorumState{LeaderID: 8, LeaderEpoch: 1, VotedID: wire.NoNode}}, "no voter"},
	} {
		_, err := raft.New(0, config(1, 1, 2, 3), c.restored)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestLogProvesAnEpochThatTheQuorumStateLost(t *testing.T) {
	r := mustNew(t, config(1, 1, 2, 3), raft.Restored{
		Quorum: raft.EmptyQuorumState(),
		Log:    raft.RestoredLog{EndOffset: 2, Epochs: []raft.EpochStart{{Epoch: 7}}},
	})
	persists := find[raft.Persist](r.Take())
	if len(persists) != 1 || persists[0].State.LeaderEpoch != 7 {
		t.Errorf("%+v", persists)
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
