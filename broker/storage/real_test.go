package storage_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"odradek/broker/env"
	"odradek/broker/realenv"
	"odradek/broker/storage"
	"odradek/broker/wire"
)

// onRealDisk runs a program in one life of a process on the real disk.
func onRealDisk(t testing.TB, dir string, program func(task *env.Task, e *env.Env)) {
	t.Helper()
	w, err := realenv.Open(realenv.Options{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	w.Post(func() {
		w.Env().Tasks.Go(func(task *env.Task) {
			defer close(done) // t.Fatal ends the goroutine of the coroutine
			program(task, w.Env())
		})
	})
	go w.Run()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Error("the program hangs")
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

// TestRealDisk goes through stops of both kinds in the other world.
func TestRealDisk(t *testing.T) {
	dir := t.TempDir()
	var want []byte
	end := wire.Offset(0)
	for life := range 4 {
		clean := life%2 == 0
		onRealDisk(t, dir, func(task *env.Task, e *env.Env) {
			s, err := storage.OpenStore(task, e, testStore)
			if err != nil {
				t.Error(err)
				return
			}
			if prev := s.PreviousShutdown().Clean; prev != (life > 0 && !clean) {
				t.Errorf("life %d: previous shutdown clean %v", life, prev)
			}
			l, err := tryOpenT0(task, s, smallConfig())
			if err != nil {
				t.Error(err)
				return
			}
			if got, err := readAll(task, l); err != nil || !bytes.Equal(got, want) || l.LogEndOffset() != end {
				t.Errorf("life %d: %d bytes, want %d, log end %d: %v", life, len(got), len(want), l.LogEndOffset(), err)
				return
			}
			if life == 2 {
				if err := truncateTo(task, l, 5); err != nil {
					t.Error(err)
				}
				want = want[:5*len(want)/int(end)] // all batches have one size
				end = 5
			}
			for i := range 25 {
				raw := batch(0, 0, []int64{int64(i)}, 100, fmt.Sprint(life, "/", i))
				res, err := appendSync(task, l, raw, storage.AppendOptions{Sync: i%5 == 0, Epoch: wire.LeaderEpoch(life)})
				if err != nil || res.BaseOffset != end {
					t.Errorf("life %d: %+v, %v", life, res, err)
					return
				}
				want = append(want, raw...)
				end = res.NextOffset
			}
			if err := env.Await(task, s.Checkpoint); err != nil {
				t.Error(err)
			}
			if clean {
				if err := env.Await(task, func(done func(error)) { s.Close(1, done) }); err != nil {
					t.Error(err)
				}
			}
		})
		if t.Failed() {
			return
		}
	}
}

// TestRealCleaning compacts while appends go on: the map of keys and the batches are made
// off the loop here.
func TestRealCleaning(t *testing.T) {
	dir := t.TempDir()
	cfg := smallConfig()
	cfg.SegmentBytes, cfg.Compact, cfg.FileDeleteDelay = 2000, true, 0
	last := make(map[string]string)
	table := func(task *env.Task, l *storage.Log) map[string]string {
		raw, err := readAll(task, l)
		if err != nil {
			t.Error(err)
		}
		got := make(map[string]string)
		for h, b := range wire.Batches(raw, wire.RefuseTruncated, &err) {
			records, err := wire.NewCodec(1 << 20).Records(b)
			if err != nil {
				t.Errorf("batch at %d: %v", h.BaseOffset, err)
			}
			var r wire.Record
			for records.Next(&r) {
				got[string(r.Key)] = string(r.Value)
			}
		}
		return got
	}
	onRealDisk(t, dir, func(task *env.Task, e *env.Env) {
		s, err := storage.OpenStore(task, e, testStore)
		if err != nil {
			t.Error(err)
			return
		}
		l, err := tryOpenT0(task, s, cfg)
		if err != nil {
			t.Error(err)
			return
		}
		cleanings := 0
		var clean func()
		clean = func() {
			l.Clean(l.FlushedOffset(), storage.CleanerConfig{DedupeBytes: 1 << 16, BufferBytes: 5000}, func(_ storage.CleanStats, err error) {
				if err != nil && !errors.Is(err, storage.ErrClosed) && !errors.Is(err, storage.ErrInterrupted) {
					t.Errorf("cleaning: %v", err)
				}
				if cleanings++; err == nil {
					e.Clock.After(time.Millisecond, clean)
				}
			})
		}
		clean()
		codec := wire.NewCodec(1 << 20)
		for i := range 600 {
			b := wire.NewBuilder(wire.BatchOptions{Compression: wire.Compression(i % 5)})
			for k := range 4 {
				key, value := fmt.Sprint("k", (i*7+k)%20), fmt.Sprint(i, "/", k)
				last[key] = value
				b.Append(int64(i), []byte(key), []byte(value))
			}
			raw, _ := b.Build(nil, codec)
			if _, err := appendSync(task, l, raw, storage.AppendOptions{Sync: i%10 == 0}); err != nil {
				t.Error(err)
				return
			}
		}
		if got := table(task, l); !maps.Equal(got, last) {
			t.Errorf("the table is %v, want %v", got, last)
		}
		if cleanings < 2 || l.CleanedUpTo() == 0 {
			t.Errorf("%d cleanings, up to %d", cleanings, l.CleanedUpTo())
		}
		if err := env.Await(task, func(done func(error)) { s.Close(1, done) }); err != nil {
			t.Error(err)
		}
	})
	onRealDisk(t, dir, func(task *env.Task, e *env.Env) {
		s, err := storage.OpenStore(task, e, testStore)
		if err != nil {
			t.Error(err)
			return
		}
		if l, err := tryOpenT0(task, s, cfg); err != nil {
			t.Error(err)
		} else if got := table(task, l); !maps.Equal(got, last) {
			t.Errorf("after a restart the table is %v, want %v", got, last)
		}
	})
}

// BenchmarkRealAppend100BSync is group commit on whatever disk is below the temporary
// directory, with 64 appends in flight.
func BenchmarkRealAppend100BSync(b *testing.B) {
	onRealDisk(b, b.TempDir(), func(task *env.Task, e *env.Env) {
		s, err := storage.OpenStore(task, e, testStore)
		if err != nil {
			b.Error(err)
			return
		}
		l, err := tryOpenT0(task, s, storage.DefaultConfig())
		if err != nil {
			b.Error(err)
			return
		}
		template := one(1, 32)
		b.SetBytes(int64(len(template)))
		b.ReportAllocs()
		left := 0
		var wake func()
		for b.Loop() {
			left++
			l.Append(bytes.Clone(template), storage.AppendOptions{Sync: true}, func(_ storage.AppendResult, err error) {
				if err != nil {
					b.Error(err)
				}
				left--
				if wake != nil {
					w := wake
					wake = nil
					w()
				}
			})
			if left == 64 {
				task.Suspend(func(w func()) { wake = w })
			}
		}
	})
}
