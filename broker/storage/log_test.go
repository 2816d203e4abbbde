package storage_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"odradek/broker/env"
	"odradek/broker/failpoint"
	"odradek/broker/storage"
	"odradek/broker/wire"
	"odradek/sim/disk"
)

// withLog runs a test with a new log t-0.
func withLog(t *testing.T, cfg storage.Config, test func(m *machine, task *env.Task, l *storage.Log)) {
	t.Helper()
	m := newMachine(t, 1)
	m.must(func(task *env.Task) { test(m, task, openT0(t, task, openStore(t, task, m.e), cfg)) })
}

func one(ts int64, size int) []byte { return batch(0, 0, []int64{ts}, size, "v") }

func mustAppend(t *testing.T, task *env.Task, l *storage.Log, raw []byte, opts storage.AppendOptions) storage.AppendResult {
	t.Helper()
	res, err := appendSync(task, l, raw, opts)
	if err != nil {
		t.Fatalf("append: %v", err)
	}
	return res
}

func TestAppendsThatGatherAreWrittenAtOnce(t *testing.T) {
	withLog(t, storage.DefaultConfig(), func(m *machine, task *env.Task, l *storage.Log) {
		writes, syncs := m.dev.Stats().Ops[disk.OpWrite], m.dev.Stats().Ops[disk.OpSync]
		var order []wire.Offset
		inside := true
		for range 100 {
			l.Append(one(1, 10), storage.AppendOptions{Sync: true}, func(res storage.AppendResult, err error) {
				if err != nil || inside {
					t.Errorf("append: %v, inside the call: %v", err, inside)
				}
				order = append(order, res.BaseOffset)
			})
		}
		inside = false
		if l.NextOffset() != 100 || l.LogEndOffset() != 0 {
			t.Errorf("next %d, log end %d", l.NextOffset(), l.LogEndOffset())
		}
		if err := env.Await(task, l.Flush); err != nil {
			t.Fatal(err)
		}
		for i, o := range order {
			if o != wire.Offset(i) {
				t.Fatalf("acknowledged in the order %v", order)
			}
		}
		if len(order) != 100 || l.FlushedOffset() != 100 {
			t.Errorf("%d acknowledged, flushed %d", len(order), l.FlushedOffset())
		}
		stats := m.dev.Stats()
		// Appends also write the epoch file: one write, one sync.
		if w, s := stats.Ops[disk.OpWrite]-writes, stats.Ops[disk.OpSync]-syncs; w > 3 || s > 3 {
			t.Errorf("%d writes and %d syncs for 100 appends", w, s)
		}
	})
}

func TestFlushPolicies(t *testing.T) {
	cfg := storage.DefaultConfig()
	cfg.FlushMessages = 3
	withLog(t, cfg, func(m *machine, task *env.Task, l *storage.Log) {
		for i, want := range []wire.Offset{0, 0, 3, 3, 3, 6} {
			mustAppend(t, task, l, one(1, 10), storage.AppendOptions{})
			if l.FlushedOffset() != want {
				t.Errorf("flush.messages: flushed %d after %d records, want %d", l.FlushedOffset(), i+1, want)
			}
		}
	})
	cfg = storage.DefaultConfig()
	cfg.FlushTime = 10 * time.Millisecond
	withLog(t, cfg, func(m *machine, task *env.Task, l *storage.Log) {
		mustAppend(t, task, l, one(1, 10), storage.AppendOptions{})
		task.Sleep(m.e.Clock, 9*time.Millisecond)
		if l.FlushedOffset() != 0 {
			t.Error("flush.ms: flushed too early")
		}
		task.Sleep(m.e.Clock, 3*time.Millisecond)
		if l.FlushedOffset() != 1 {
			t.Error("flush.ms: not flushed")
		}
	})
}

func TestObserverHearsOfProgress(t *testing.T) {
	m := newMachine(t, 1)
	m.must(func(task *env.Task) {
		s := openStore(t, task, m.e)
		var heard []string
		obs := storage.Observer{
			Advanced: func(l *storage.Log) {
				heard = append(heard, fmt.Sprintf("end %d flushed %d", l.LogEndOffset(), l.FlushedOffset()))
			},
			WentOffline: func(l *storage.Log, err error) { heard = append(heard, "offline") },
		}
		l, err := env.Await2(task, func(done func(*storage.Log, error)) {
			s.CreatePartition(storage.Partition{TopicPartition: tp0}, storage.DefaultConfig(), obs, done)
		})
		if err != nil {
			t.Fatal(err)
		}
		mustAppend(t, task, l, one(1, 10), storage.AppendOptions{Sync: true})
		m.dev.FailNext(disk.OpWrite, ".log", 1)
		if _, err := appendSync(task, l, one(1, 10), storage.AppendOptions{}); err == nil {
			t.Error("a failed write was acknowledged")
		}
		task.Sleep(m.e.Clock, 1)
		want := []string{"end 1 flushed 0", "end 1 flushed 1", "offline"}
		if strings.Join(heard, ", ") != strings.Join(want, ", ") {
			t.Errorf("heard %q, want %q", heard, want)
		}
	})
}

func TestFailpointsTakeTheLogOffline(t *testing.T) {
	for _, name := range []failpoint.Name{failpoint.StorageAppend, failpoint.StorageSync, failpoint.StorageRoll} {
		for terms, want := range map[string]error{`1*return("io")`: env.ErrIO, `1*return("nospace")`: env.ErrNoSpace} {
			withLog(t, smallConfig(), func(m *machine, task *env.Task, l *storage.Log) {
				mustAppend(t, task, l, one(1, 700), storage.AppendOptions{Sync: true})
				if err := m.fail.Arm(name, terms); err != nil {
					t.Fatal(err)
				}
				var results []error
				for range 3 {
					l.Append(one(1, 700), storage.AppendOptions{Sync: true}, func(_ storage.AppendResult, err error) { results = append(results, err) })
				}
				err := env.Await(task, l.Flush)
				var offline *storage.OfflineError
				if !errors.As(err, &offline) || !errors.Is(err, want) || offline.Dir != "t-0" {
					t.Errorf("%s %s: flush: %v", name, terms, err)
				}
				for _, err := range results {
					if !errors.As(err, &offline) {
						t.Errorf("%s %s: append: %v", name, terms, err)
					}
				}
				if len(results) != 3 {
					t.Errorf("%s: %d of 3 appends were answered", name, len(results))
				}
				if _, err := appendSync(task, l, one(1, 1), storage.AppendOptions{}); !errors.As(err, &offline) {
					t.Errorf("%s: a later append: %v", name, err)
				}
				if _, _, err := l.TryRead(storage.ReadRequest{From: 0, UpTo: 1, MaxBytes: 1000}); !errors.As(err, &offline) {
					t.Errorf("%s: a later read: %v", name, err)
				}
			})
		}
	}
}

func TestAppendRefuses(t *testing.T) {
	withLog(t, storage.DefaultConfig(), func(m *machine, task *env.Task, l *storage.Log) {
		mustAppend(t, task, l, batch(0, 0, []int64{1, 2, 3}, 10, ""), storage.AppendOptions{Epoch: 4})
		for _, raw := range [][]byte{nil, make([]byte, 100), one(1, 10)[:70], append(one(1, 10), 1, 2, 3)} {
			var invalid *storage.InvalidBatchError
			if _, err := appendSync(task, l, raw, storage.AppendOptions{Epoch: 4}); !errors.As(err, &invalid) {
				t.Errorf("%d bytes: %v", len(raw), err)
			}
		}
		var stale *storage.StaleEpochError
		if _, err := appendSync(task, l, one(1, 1), storage.AppendOptions{Epoch: 3}); !errors.As(err, &stale) || stale.Latest != 4 {
			t.Errorf("an old epoch: %v", err)
		}
		if _, err := follow(task, l, batch(3, 3, []int64{1}, 1, "")); !errors.As(err, &stale) {
			t.Errorf("an old epoch: %v", err)
		}
		for _, base := range []wire.Offset{0, 2, 3 + 1<<31} {
			var unexpected *storage.UnexpectedOffsetError
			if _, err := follow(task, l, batch(base, 4, []int64{1}, 1, "")); !errors.As(err, &unexpected) || unexpected.Want != 3 {
				t.Errorf("a follower's batch at %d: %v", base, err)
			}
		}
		if l.NextOffset() != 3 || l.LogEndOffset() != 3 || l.LatestEpoch() != 4 || l.Err() != nil {
			t.Errorf("refused appends left a trace: next %d, end %d, epoch %d, %v", l.NextOffset(), l.LogEndOffset(), l.LatestEpoch(), l.Err())
		}
	})
}

// Whether there are gaps is for the leader to say: its topic may have been compacted once.
func TestFollowerTakesGapsFromItsLeader(t *testing.T) {
	cfg := smallConfig()
	const far = 282 + 1<<31 - 5 // too far for the relative offsets of the segment before
	m := newMachine(t, 1)
	var want []byte
	m.must(func(task *env.Task) {
		s := openStore(t, task, m.e)
		l := openT0(t, task, s, cfg)
		for i := range 30 {
			raw := batch(wire.Offset(10*i), 1, []int64{int64(i), int64(i)}, 60, "")
			if i == 29 {
				raw = batch(far, 1, []int64{int64(i)}, 60, "")
			}
			want = append(want, raw...)
			if _, err := follow(task, l, raw); err != nil {
				t.Fatal(err)
			}
		}
		got, err := readAll(task, l)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("read %d of %d bytes: %v", len(got), len(want), err)
		}
		if err := env.Await(task, l.Flush); err != nil {
			t.Fatal(err)
		}
	})
	m.crash(true)
	m.must(func(task *env.Task) {
		l := openT0(t, task, openStore(t, task, m.e), cfg)
		if l.LogEndOffset() != far+1 {
			t.Fatalf("log end %d", l.LogEndOffset())
		}
		got, err := readAll(task, l)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("read %d of %d bytes: %v", len(got), len(want), err)
		}
		res, err := env.Await2(task, func(done func(storage.ReadResult, error)) {
			l.Read(storage.ReadRequest{From: 45, UpTo: 1 << 50, MaxBytes: 150, MinOneBatch: true}, done)
		})
		if err != nil || res.BaseOffset != 50 {
			t.Errorf("read in a gap: %+v, %v", res, err)
		}
	})
}

// stuckDisk never finishes to open files whose name contains a string.
type stuckDisk struct {
	env.Disk
	stuck string
}

func (d stuckDisk) Open(path string, mode env.OpenMode, done func(env.File, error)) {
	if !strings.Contains(path, d.stuck) {
		d.Disk.Open(path, mode, done)
	}
}

// Recovery derives epochs only from what lies above the recovery point, which therefore must
// not pass an epoch that is not durable.
func TestRecoveryPointWaitsForTheEpochs(t *testing.T) {
	m := newMachine(t, 1)
	m.e.Disk = stuckDisk{m.e.Disk, "leader-epoch-checkpoint.tmp"}
	m.must(func(task *env.Task) {
		s := openStore(t, task, m.e)
		l := openT0(t, task, s, smallConfig())
		for i := range 20 {
			mustAppend(t, task, l, one(1, 200), storage.AppendOptions{Sync: true, Epoch: wire.LeaderEpoch(i / 10)})
		}
		if l.FlushedOffset() != 20 || l.RecoveryPoint() != 0 {
			t.Errorf("flushed %d, recovery point %d", l.FlushedOffset(), l.RecoveryPoint())
		}
		if err := env.Await(task, s.Checkpoint); err != nil {
			t.Fatal(err)
		}
	})
	m.crash(true)
	m.must(func(task *env.Task) {
		l := openT0(t, task, openStore(t, task, m.e), smallConfig())
		if epoch, end := l.EndOffsetForEpoch(0); epoch != 0 || end != 10 || l.LatestEpoch() != 1 {
			t.Errorf("end of epoch 0 is (%d, %d), latest %d", epoch, end, l.LatestEpoch())
		}
	})
}

// TestEndOffsetForEpoch is the table of KIP-279.
func TestEndOffsetForEpoch(t *testing.T) {
	withLog(t, storage.DefaultConfig(), func(m *machine, task *env.Task, l *storage.Log) {
		check := func(epoch, wantEpoch wire.LeaderEpoch, wantEnd wire.Offset) {
			t.Helper()
			if e, end := l.EndOffsetForEpoch(epoch); e != wantEpoch || end != wantEnd {
				t.Errorf("epoch %d ends at (%d, %d), want (%d, %d)", epoch, e, end, wantEpoch, wantEnd)
			}
		}
		check(0, -1, -1)
		for _, epoch := range []wire.LeaderEpoch{2, 2, 5, 5, 5, 7} {
			mustAppend(t, task, l, one(1, 1), storage.AppendOptions{Epoch: epoch})
		}
		check(-1, -1, -1)
		check(0, 0, 0)
		check(1, 1, 0)
		check(2, 2, 2)
		check(3, 2, 2)
		check(4, 2, 2)
		check(5, 5, 5)
		check(6, 5, 5)
		check(7, 7, 6)
		check(8, -1, -1)
		l.AssignEpochStart(9)
		check(8, 7, 6)
		check(9, 9, 6)
		if err := truncateTo(task, l, 6); err != nil { // removes no record, but epoch 9
			t.Fatal(err)
		}
		check(9, -1, -1)
		if err := truncateTo(task, l, 4); err != nil {
			t.Fatal(err)
		}
		check(7, -1, -1)
		check(5, 5, 4)
		if err := env.Await(task, func(done func(error)) { l.DeleteRecords(3, done) }); err != nil {
			t.Fatal(err)
		}
		check(2, 2, 3)
		check(5, 5, 4)
	})
}

func TestTruncationRefusesAppendsMeanwhile(t *testing.T) {
	withLog(t, storage.DefaultConfig(), func(m *machine, task *env.Task, l *storage.Log) {
		for range 5 {
			mustAppend(t, task, l, batch(0, 0, []int64{1, 1, 1}, 5, ""), storage.AppendOptions{})
		}
		finished := false
		l.TruncateTo(7, func(err error) { // within the batch [6, 9)
			if err != nil {
				t.Error(err)
			}
			finished = true
		})
		if _, err := appendSync(task, l, one(1, 1), storage.AppendOptions{}); err != storage.ErrTruncating {
			t.Errorf("append meanwhile: %v", err)
		}
		for !finished {
			task.Sleep(m.e.Clock, time.Millisecond)
		}
		if l.LogEndOffset() != 6 || l.NextOffset() != 6 || l.FlushedOffset() != 6 {
			t.Errorf("log end %d, next %d, flushed %d", l.LogEndOffset(), l.NextOffset(), l.FlushedOffset())
		}
		var outOfRange *storage.OffsetOutOfRangeError
		if err := truncateTo(task, l, -1); !errors.As(err, &outOfRange) {
			t.Errorf("truncation below the start: %v", err)
		}
		if err := env.Await(task, l.Close); err != nil {
			t.Fatal(err)
		}
		if err := truncateTo(task, l, 1); err != storage.ErrClosed {
			t.Errorf("truncation after Close: %v", err)
		}
	})
}

func TestTailIsReadWithoutTheDisk(t *testing.T) {
	cfg := storage.DefaultConfig()
	cfg.CacheBytes = 1000
	withLog(t, cfg, func(m *machine, task *env.Task, l *storage.Log) {
		for i := range 20 {
			mustAppend(t, task, l, one(int64(i), 32), storage.AppendOptions{})
		}
		reads := m.dev.Stats().Ops[disk.OpRead]
		res, ok, err := l.TryRead(storage.ReadRequest{From: 15, UpTo: 18, MaxBytes: 1 << 20})
		if !ok || err != nil || res.Size != 300 || res.BaseOffset != 15 || res.NextOffset != 18 || res.Segments[0].Bytes == nil {
			t.Errorf("from memory: %+v, %v, %v", res, ok, err)
		}
		// Older ones are known by position: regions of the file, then memory.
		res, ok, err = l.TryRead(storage.ReadRequest{From: 8, UpTo: 20, MaxBytes: 1 << 20})
		if !ok || err != nil || res.Size != 1200 || res.Segments[0].File == nil || res.Segments[0].Len != 200 {
			t.Errorf("from the file: %+v, %v, %v", res, ok, err)
		}
		if res, ok, err = l.TryRead(storage.ReadRequest{From: 20, UpTo: 99, MaxBytes: 1}); !ok || err != nil || res.Size != 0 || res.NextOffset != 20 {
			t.Errorf("at the end: %+v, %v, %v", res, ok, err)
		}
		var outOfRange *storage.OffsetOutOfRangeError
		if _, _, err = l.TryRead(storage.ReadRequest{From: 21, UpTo: 99, MaxBytes: 1}); !errors.As(err, &outOfRange) {
			t.Errorf("beyond the end: %v", err)
		}
		if m.dev.Stats().Ops[disk.OpRead] != reads {
			t.Error("the disk was read")
		}
	})
}
