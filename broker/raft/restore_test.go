package raft_test

import (
	"strings"
	"testing"

	"odradek/broker/raft"
	"odradek/broker/wire"
)

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
