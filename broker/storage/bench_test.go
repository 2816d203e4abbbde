package storage_test

import (
	"encoding/binary"
	"testing"

	"odradek/broker/env"
	"odradek/broker/producers"
	"odradek/broker/storage"
	"odradek/broker/wire"
)

// The benchmarks run on the simulated disk: they measure what the log itself computes and
// allocates, plus the simulation's share, not a device.

func benchmarkLog(b *testing.B, cfg storage.Config, program func(task *env.Task, l *storage.Log)) {
	m := newMachine(b, 1)
	m.must(func(task *env.Task) {
		program(task, openT0(b, task, openStore(b, task, m.e), cfg))
	})
}

func benchmarkAppend(b *testing.B, size, inFlight int, opts storage.AppendOptions) {
	cfg := storage.DefaultConfig()
	cfg.RetentionBytes = 0
	benchmarkLog(b, cfg, func(task *env.Task, l *storage.Log) {
		template := one(1, size)
		b.SetBytes(int64(len(template)))
		b.ReportAllocs()
		left := 0
		var wake func()
		done := func(_ storage.AppendResult, err error) {
			if err != nil {
				b.Fatal(err)
			}
			if left--; left == 0 {
				wake()
			}
		}
		for i := 0; b.Loop(); i++ {
			l.Append(append([]byte(nil), template...), opts, done)
			if left++; left == inFlight {
				task.Suspend(func(w func()) { wake = w })
			}
			if i%1000 == 999 { // keeps the simulated disk small
				b.StopTimer()
				if err := env.Await(task, func(done func(error)) { l.TruncateFullyAndStartAt(l.NextOffset(), done) }); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		}
	})
}

// BenchmarkAppendIdempotent100B is BenchmarkAppend100B by ten producers in turn, each batch
// judged by the producer's sequence.
func BenchmarkAppendIdempotent100B(b *testing.B) {
	cfg := storage.DefaultConfig()
	cfg.RetentionBytes = 0
	benchmarkLog(b, cfg, func(task *env.Task, l *storage.Log) {
		var templates [10][]byte
		for id := range templates {
			builder := wire.NewBuilder(wire.BatchOptions{Producer: &wire.Producer{ID: int64(id)}})
			builder.Append(1, nil, make([]byte, 32))
			templates[id], _ = builder.Build(nil, nil)
		}
		b.SetBytes(int64(len(templates[0])))
		b.ReportAllocs()
		left := 0
		var wake func()
		done := func(res storage.AppendResult, err error) {
			if err != nil || res.Duplicate {
				b.Fatal(err, res)
			}
			if left--; left == 0 {
				wake()
			}
		}
		opts := storage.AppendOptions{Rules: producers.Rules{Origin: producers.Client}}
		sequence := int32(0)
		for i := 0; b.Loop(); i++ {
			batch := append([]byte(nil), templates[i%10]...)
			binary.BigEndian.PutUint32(batch[53:], uint32(sequence)) // the log does not check CRCs
			l.Append(batch, opts, done)
			if left++; left == 10 {
				task.Suspend(func(w func()) { wake = w })
				sequence++
			}
			if i%1000 == 999 { // keeps the simulated disk small
				b.StopTimer()
				if err := env.Await(task, func(done func(error)) { l.TruncateFullyAndStartAt(l.NextOffset(), done) }); err != nil {
					b.Fatal(err)
				}
				sequence = 0
				b.StartTimer()
			}
		}
	})
}

func BenchmarkAppend100B(b *testing.B) { benchmarkAppend(b, 32, 10, storage.AppendOptions{}) }
func BenchmarkAppend100BSync(b *testing.B) {
	benchmarkAppend(b, 32, 10, storage.AppendOptions{Sync: true})
}
func BenchmarkAppend1MiB(b *testing.B) { benchmarkAppend(b, 1<<20, 1, storage.AppendOptions{}) }

func filled(b *testing.B, cfg storage.Config, read func(task *env.Task, l *storage.Log)) {
	benchmarkLog(b, cfg, func(task *env.Task, l *storage.Log) {
		for range 2000 {
			if _, err := appendSync(task, l, one(1, 1000), storage.AppendOptions{}); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportAllocs()
		read(task, l)
	})
}

func BenchmarkTailRead(b *testing.B) {
	filled(b, storage.DefaultConfig(), func(_ *env.Task, l *storage.Log) {
		end := l.LogEndOffset()
		for b.Loop() {
			if res, ok, err := l.TryRead(storage.ReadRequest{From: end - 10, UpTo: end, MaxBytes: 1 << 20}); !ok || err != nil || res.NextOffset != end {
				b.Fatal(res, ok, err)
			}
		}
	})
}

func BenchmarkColdRead(b *testing.B) {
	cfg := storage.DefaultConfig()
	cfg.SegmentBytes = 200_000
	m := newMachine(b, 1)
	m.must(func(task *env.Task) {
		s := openStore(b, task, m.e)
		l := openT0(b, task, s, cfg)
		for range 2000 {
			if _, err := appendSync(task, l, one(1, 1000), storage.AppendOptions{}); err != nil {
				b.Fatal(err)
			}
		}
		if err := env.Await(task, func(done func(error)) { s.Close(1, done) }); err != nil {
			b.Fatal(err)
		}
	})
	m.crash(false)
	m.must(func(task *env.Task) {
		l := openT0(b, task, openStore(b, task, m.e), cfg)
		b.ReportAllocs()
		from := wire.Offset(0)
		for b.Loop() {
			res, err := env.Await2(task, func(done func(storage.ReadResult, error)) {
				l.Read(storage.ReadRequest{From: from, UpTo: 2000, MaxBytes: 50_000}, done)
			})
			if err != nil || res.Size == 0 {
				b.Fatal(res, err)
			}
			if from = res.NextOffset; from == 2000 {
				from = 0
			}
		}
	})
}
