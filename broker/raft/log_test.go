package raft

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"odradek/broker/wire"
)

// testLog has records of epoch 2 in [10, 15), of 5 in [15, 18) and of 6 in
// [18, 20), after snapshots at 10 (whose last record is of epoch 1) and 16.
func testLog() logView {
	return logView{
		start: 10, end: 20, readable: 20, flushed: 20,
		epochs:    []EpochStart{{2, 10}, {5, 15}, {6, 18}},
		snapshots: []Snapshot{{ID: OffsetAndEpoch{10, 1}, Size: 1}, {ID: OffsetAndEpoch{16, 5}, Size: 1}},
	}
}

func TestLeaderLocatesTheEndOfAReplica(t *testing.T) {
	l := testLog()
	type answer struct {
		Place place
		At    OffsetAndEpoch
	}
	for at, want := range map[OffsetAndEpoch]answer{
		{20, 6}: {placeValid, NoOffsetAndEpoch},
		{17, 5}: {placeValid, NoOffsetAndEpoch},
		{18, 5}: {placeValid, NoOffsetAndEpoch},
		{10, 1}: {placeValid, NoOffsetAndEpoch}, // the end of the oldest snapshot

		{21, 6}: {placeDiverging, OffsetAndEpoch{20, 6}}, // longer than the leader's
		{19, 5}: {placeDiverging, OffsetAndEpoch{18, 5}}, // epoch 5 is longer there
		{17, 4}: {placeDiverging, OffsetAndEpoch{15, 2}}, // no such epoch here: the one before (KIP-279)
		{25, 9}: {placeDiverging, OffsetAndEpoch{20, 6}},
		{12, 1}: {placeDiverging, OffsetAndEpoch{10, 1}},

		{0, 0}:  {placeSnapshot, OffsetAndEpoch{16, 5}},
		{9, 1}:  {placeSnapshot, OffsetAndEpoch{16, 5}}, // before the log
		{10, 0}: {placeSnapshot, OffsetAndEpoch{16, 5}}, // another record before the log
		{10, 2}: {placeSnapshot, OffsetAndEpoch{16, 5}},
		{30, 0}: {placeSnapshot, OffsetAndEpoch{16, 5}}, // only epochs that are gone
	} {
		var got answer
		got.Place, got.At = l.locate(at)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("replica ends at %v (-want +got):\n%s", at, diff)
		}
	}
}

func TestEmptyLogFetchesRecordsUnlessThereIsASnapshot(t *testing.T) {
	l := logView{end: 5, epochs: []EpochStart{{1, 0}}}
	if got, _ := l.locate(OffsetAndEpoch{}); got != placeValid {
		t.Errorf("without snapshot: %v", got)
	}
	l.snapshots = []Snapshot{{ID: OffsetAndEpoch{3, 1}, Size: 1}}
	if got, id := l.locate(OffsetAndEpoch{}); got != placeSnapshot || id != l.snapshots[0].ID {
		t.Errorf("with snapshot: %v %v", got, id)
	}
}

func TestFollowerTruncatesToTheEndOfACommonEpoch(t *testing.T) {
	for diverging, want := range map[OffsetAndEpoch]wire.Offset{
		{19, 6}: 19, // the leader's epoch is shorter
		{40, 5}: 18, // ours is
		{16, 4}: 15, // epoch 4 is unknown here: the end of epoch 2
		{10, 1}: 10, // nothing is common but the snapshot
	} {
		l := testLog()
		if got := l.truncationFor(diverging); got != want {
			t.Errorf("diverging at %v: truncated to %d, want %d", diverging, got, want)
		}
	}
}

func TestLogRemembersItsLastEpoch(t *testing.T) {
	l := testLog()
	l.truncate(18)
	if got, want := l.last(), (OffsetAndEpoch{18, 5}); got != want {
		t.Errorf("after truncation: %v, want %v", got, want)
	}
	l.deletePrefix(16)
	l.snapshots = l.snapshots[1:]
	if diff := cmp.Diff([]EpochStart{{5, 15}}, l.epochs); diff != "" {
		t.Errorf("epochs (-want +got):\n%s", diff)
	}
	l.truncate(16)
	if got, want := l.last(), (OffsetAndEpoch{16, 5}); got != want {
		t.Errorf("after truncation to the snapshot: %v, want %v", got, want)
	}
	l.append(7, 17)
	l.reset(Snapshot{ID: OffsetAndEpoch{30, 6}, Size: 1})
	if got, want := l.last(), (OffsetAndEpoch{30, 6}); got != want {
		t.Errorf("after a snapshot: %v, want %v", got, want)
	}
	if got, _ := l.locate(OffsetAndEpoch{30, 6}); got != placeValid {
		t.Errorf("a replica with the same snapshot: %v", got)
	}
}

func TestLogKnowsWhichSnapshotsItContains(t *testing.T) {
	l := testLog()
	for id, want := range map[OffsetAndEpoch]bool{
		{10, 1}: true,
		{15, 2}: true,
		{16, 5}: true,
		{20, 6}: true,
		{16, 2}: false, // the log went another way
		{21, 6}: false,
	} {
		if got := l.covers(id); got != want {
			t.Errorf("%v: %v, want %v", id, got, want)
		}
	}
}
