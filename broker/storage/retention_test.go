package storage_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"odradek/broker/env"
	"odradek/broker/storage"
	"odradek/broker/wire"
	"odradek/sim/disk"
)

func TestSegmentsRoll(t *testing.T) {
	hour := int64(time.Hour / time.Millisecond)
	for _, c := range []struct {
		name  string
		set   func(*storage.Config)
		raws  [][]byte
		bases []wire.Offset
	}{
		{"at segment.bytes", func(c *storage.Config) { c.SegmentBytes = 250 }, [][]byte{one(1, 32), one(1, 32), one(1, 32)}, []wire.Offset{0, 2}},
		{"around a large append", func(c *storage.Config) { c.SegmentBytes = 250 }, [][]byte{one(1, 1), one(1, 500), one(1, 1)}, []wire.Offset{0, 1, 2}},
		{"at segment.ms", func(c *storage.Config) { c.SegmentTime = time.Hour },
			[][]byte{one(5, 1), one(5+hour, 1), one(6+hour, 1), one(7, 1)}, []wire.Offset{0, 2}},
		{"when the index is full", func(c *storage.Config) { c.IndexIntervalBytes, c.IndexBytes = 0, 36 },
			[][]byte{one(1, 1), one(2, 1), one(3, 1), one(4, 1), one(5, 1)}, []wire.Offset{0, 3}}, // a third time entry is kept for sealing
	} {
		cfg := storage.DefaultConfig()
		c.set(&cfg)
		withLog(t, cfg, func(m *machine, task *env.Task, l *storage.Log) {
			for _, raw := range c.raws {
				mustAppend(t, task, l, raw, storage.AppendOptions{})
			}
			var got []string
			for path := range m.files() {
				if strings.HasSuffix(path, ".log") {
					got = append(got, path)
				}
			}
			for _, base := range c.bases {
				if _, exists := m.files()[fmt.Sprintf("t-0/%020d.log", base)]; !exists || len(got) != len(c.bases) {
					t.Errorf("%s: segments %q, want %d", c.name, got, c.bases)
				}
			}
		})
	}
}

func TestRetention(t *testing.T) {
	m := newMachine(t, 1)
	m.must(func(task *env.Task) {
		cfg := smallConfig()
		cfg.SegmentBytes = 250
		cfg.FileDeleteDelay = time.Second
		l := openT0(t, task, openStore(t, task, m.e), cfg)
		now := m.e.Clock.Wall() / int64(time.Millisecond)
		for i := range 12 { // two to a segment, a second apart, the last one now
			mustAppend(t, task, l, one(now-int64(11-i)*1000, 32), storage.AppendOptions{})
		}
		retain := func(hw wire.Offset) int {
			n, err := env.Await2(task, func(done func(int, error)) { l.ApplyRetention(hw, done) })
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		if n := retain(12); n != 0 {
			t.Errorf("%d segments deleted without limits", n)
		}
		cfg.RetentionTime = 8500 * time.Millisecond
		l.SetConfig(cfg)
		if n := retain(1); n != 0 {
			t.Errorf("%d segments deleted above the high watermark", n)
		}
		reader := storage.ReadRequest{From: 0, UpTo: 2, MaxBytes: 1000}
		res, err := env.Await2(task, func(done func(storage.ReadResult, error)) { l.Read(reader, done) })
		if err != nil || res.Size != 200 {
			t.Fatalf("%+v, %v", res, err)
		}
		if n := retain(12); n != 1 || l.LogStartOffset() != 2 {
			t.Errorf("retention.ms: %d segments deleted, log start %d", n, l.LogStartOffset())
		}
		var outOfRange *storage.OffsetOutOfRangeError
		if _, _, err := l.TryRead(reader); !errors.As(err, &outOfRange) || outOfRange.Start != 2 || outOfRange.End != 12 {
			t.Errorf("reading what was deleted: %v", err)
		}
		if _, exists := m.files()["t-0/00000000000000000000.log.deleted"]; !exists {
			t.Error("the deleted segment was not renamed")
		}
		task.Sleep(m.e.Clock, 1100*time.Millisecond)
		for path := range m.files() {
			if strings.HasSuffix(path, ".deleted") {
				t.Errorf("%s is still there", path)
			}
		}
		cfg.RetentionTime, cfg.RetentionBytes = -1, 500
		l.SetConfig(cfg)
		if n := retain(12); n != 2 || l.LogStartOffset() != 6 {
			t.Errorf("retention.bytes: %d segments deleted, log start %d", n, l.LogStartOffset())
		}
		cfg.RetentionTime, cfg.RetentionBytes = 0, -1
		l.SetConfig(cfg)
		task.Sleep(m.e.Clock, time.Second)
		if n := retain(12); n != 3 || l.LogStartOffset() != 12 || l.Size() != 0 {
			t.Errorf("everything: %d segments deleted, log start %d, %d bytes", n, l.LogStartOffset(), l.Size())
		}
		if res := mustAppend(t, task, l, one(now, 1), storage.AppendOptions{}); res.BaseOffset != 12 {
			t.Errorf("append after that: %+v", res)
		}
	})
}

// A segment that could not be deleted ends deleting: a hole behind it would make recovery drop
// everything after.
func TestFailedDeletionLeavesNoHole(t *testing.T) {
	m := newMachine(t, 1)
	cfg := smallConfig()
	cfg.SegmentBytes = 250
	m.must(func(task *env.Task) {
		l := openT0(t, task, openStore(t, task, m.e), cfg)
		for range 12 { // two to a segment
			mustAppend(t, task, l, one(1, 32), storage.AppendOptions{Sync: true})
		}
		m.dev.FailNext(disk.OpRename, "00000000000000000000.log", 1)
		left := 2
		task.Suspend(func(wake func()) {
			for _, bytes := range []int64{1000, 800} {
				cfg.RetentionBytes = bytes
				l.SetConfig(cfg)
				l.ApplyRetention(12, func(n int, err error) {
					if err == nil {
						t.Errorf("%d segments deleted in spite of the error", n)
					}
					if left--; left == 0 {
						wake()
					}
				})
			}
		})
	})
	m.crash(true)
	m.must(func(task *env.Task) {
		l := openT0(t, task, openStore(t, task, m.e), smallConfig())
		if l.LogStartOffset() != 0 || l.LogEndOffset() != 12 {
			t.Errorf("log is [%d, %d), want [0, 12)", l.LogStartOffset(), l.LogEndOffset())
		}
	})
}
