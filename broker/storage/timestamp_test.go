package storage_test

import (
	"testing"
	"time"

	"odradek/broker/env"
	"odradek/broker/storage"
	"odradek/broker/wire"
)

func TestTimestamps(t *testing.T) {
	cfg := smallConfig()
	cfg.LogAppendTime = true
	withLog(t, cfg, func(m *machine, task *env.Task, l *storage.Log) {
		res := mustAppend(t, task, l, batch(0, 0, []int64{1, 2}, 1, ""), storage.AppendOptions{})
		now := m.e.Clock.Wall() / int64(time.Millisecond)
		if res.AppendTime > now || res.AppendTime < now-1 || res.MaxTimestamp != res.AppendTime {
			t.Errorf("append time: %+v at %d", res, now)
		}
		raw, err := readAll(task, l)
		if err != nil || !wire.CheckCRC(raw) {
			t.Errorf("CRC is wrong after stamping: %v", err)
		}
		got, err := env.Await2(task, l.OffsetOfMaxTimestamp)
		if err != nil || got.Offset != 0 || got.Timestamp != res.AppendTime {
			t.Errorf("max timestamp: %+v, %v", got, err)
		}
	})
	withLog(t, smallConfig(), func(m *machine, task *env.Task, l *storage.Log) {
		if got, err := env.Await2(task, l.OffsetOfMaxTimestamp); err != nil || got.Offset != -1 {
			t.Errorf("max timestamp of nothing: %+v, %v", got, err)
		}
		codec := wire.NewCodec(1 << 20)
		for i := range 30 {
			b := wire.NewBuilder(wire.BatchOptions{Compression: wire.Zstd})
			for _, ts := range []int64{100, 300, 200} {
				b.Append(ts+int64(i%20)*1000, nil, make([]byte, 100))
			}
			raw, err := b.Build(nil, codec)
			if err != nil {
				t.Fatal(err)
			}
			mustAppend(t, task, l, raw, storage.AppendOptions{Epoch: 3})
		}
		if got, err := env.Await2(task, l.OffsetOfMaxTimestamp); err != nil || got != (storage.TimestampOffset{Timestamp: 19300, Offset: 19*3 + 1, Epoch: 3}) {
			t.Errorf("max timestamp: %+v, %v", got, err)
		}
		if err := env.Await(task, func(done func(error)) { l.DeleteRecords(60, done) }); err != nil {
			t.Fatal(err)
		}
		if got, err := env.Await2(task, l.OffsetOfMaxTimestamp); err != nil || got != (storage.TimestampOffset{Timestamp: 9300, Offset: 29*3 + 1, Epoch: 3}) {
			t.Errorf("max timestamp of what is left: %+v, %v", got, err)
		}
	})
}

func TestTimestampsAreFoundInOrder(t *testing.T) {
	withLog(t, smallConfig(), func(m *machine, task *env.Task, l *storage.Log) {
		for i := range 30 {
			mustAppend(t, task, l, batch(0, 0, []int64{100 + int64(i%20)*1000, 300 + int64(i%20)*1000, 200 + int64(i%20)*1000}, 100, ""), storage.AppendOptions{})
		}
		for ts, want := range map[int64]wire.Offset{0: 0, 101: 1, 300: 1, 301: 3, 5150: 16, 19300: 58, 19301: -1} {
			got, err := env.Await2(task, func(done func(storage.TimestampOffset, error)) { l.OffsetForTimestamp(ts, done) })
			if err != nil || got.Offset != want {
				t.Errorf("timestamp %d: %+v, %v, want offset %d", ts, got, err, want)
			}
		}
	})
}
