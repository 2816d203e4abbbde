package storage_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"odradek/broker/env"
	"odradek/broker/storage"
	"odradek/broker/wire"
	"odradek/sim/disk"
)

func TestStoreRefusesAnotherNodesDirectory(t *testing.T) {
	m := newMachine(t, 1)
	m.must(func(task *env.Task) {
		id := openStore(t, task, m.e).DirectoryID()
		if again := openStore(t, task, m.e).DirectoryID(); id.IsZero() || id != again {
			t.Errorf("directory id %s, then %s", id, again)
		}
		for field, cfg := range map[string]storage.StoreConfig{
			"cluster.id": {ClusterID: "cluster-B", NodeID: 1},
			"node.id":    {ClusterID: "cluster-A", NodeID: 2},
		} {
			_, err := storage.OpenStore(task, m.e, cfg)
			var identity *storage.IdentityError
			if !errors.As(err, &identity) || identity.Field != field || !strings.Contains(err.Error(), "meta.properties") {
				t.Errorf("%+v: %v", cfg, err)
			}
		}
	})
}

func TestCleanShutdownIsKnownOnce(t *testing.T) {
	m := newMachine(t, 1)
	expect := func(want storage.CleanShutdown, what func(task *env.Task, s *storage.Store)) {
		t.Helper()
		m.must(func(task *env.Task) {
			s := openStore(t, task, m.e)
			if s.PreviousShutdown() != want {
				t.Errorf("previous shutdown %+v, want %+v", s.PreviousShutdown(), want)
			}
			what(task, s)
		})
		m.crash(true)
	}
	none := storage.CleanShutdown{BrokerEpoch: -1}
	closeIt := func(task *env.Task, s *storage.Store) {
		l := openT0(t, task, s, smallConfig())
		mustAppend(t, task, l, one(1, 10), storage.AppendOptions{})
		if err := env.Await(task, func(done func(error)) { s.Close(42, done) }); err != nil {
			t.Fatal(err)
		}
	}
	clean := storage.CleanShutdown{Clean: true, BrokerEpoch: 42}
	expect(none, closeIt)
	expect(clean, func(*env.Task, *storage.Store) {})                                             // crashes right after the start
	expect(none, func(task *env.Task, s *storage.Store) { closeStoreWithoutOpening(t, task, s) }) // recovered nothing: not clean
	expect(none, closeIt)
	expect(clean, func(task *env.Task, s *storage.Store) {
		l := openT0(t, task, s, smallConfig())
		if l.LogEndOffset() != 2 {
			t.Errorf("log end %d", l.LogEndOffset())
		}
		m.dev.FailNext(disk.OpSync, ".log", 1)
		if err := env.Await(task, func(done func(error)) {
			l.Append(one(1, 1), storage.AppendOptions{Sync: true}, func(_ storage.AppendResult, err error) { done(err) })
		}); err == nil {
			t.Error("a failed sync was acknowledged")
		}
		if err := env.Await(task, func(done func(error)) { s.Close(42, done) }); err == nil {
			t.Error("Close hides that the log is offline")
		}
	})
	expect(none, closeIt)
	expect(clean, func(task *env.Task, s *storage.Store) {
		m.dev.FailNext(disk.OpOpen, ".log", 1)
		if _, err := s.OpenLog(task, tp0, smallConfig(), storage.Observer{}); err == nil {
			t.Error("the log opened")
		}
		closeStoreWithoutOpening(t, task, s)
	})
	expect(none, func(*env.Task, *storage.Store) {})
}

func closeStoreWithoutOpening(t *testing.T, task *env.Task, s *storage.Store) {
	if err := env.Await(task, func(done func(error)) { s.Close(42, done) }); err != nil {
		t.Fatal(err)
	}
}

func TestRecreatedPartitionForgetsThePrevious(t *testing.T) {
	m := newMachine(t, 1)
	create := func(task *env.Task, s *storage.Store, id byte) *storage.Log {
		l, err := env.Await2(task, func(done func(*storage.Log, error)) {
			s.CreatePartition(storage.Partition{TopicPartition: tp0, TopicID: wire.UUID{id}}, smallConfig(), storage.Observer{}, done)
		})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	m.must(func(task *env.Task) {
		s := openStore(t, task, m.e)
		l := create(task, s, 1)
		for range 20 {
			mustAppend(t, task, l, one(1, 200), storage.AppendOptions{Sync: true})
		}
		if err := env.Await(task, func(done func(error)) { l.DeleteRecords(3, done) }); err != nil {
			t.Fatal(err)
		}
		if err := env.Await(task, s.Checkpoint); err != nil {
			t.Fatal(err)
		}
		hw := storage.PartitionOffset{TopicPartition: tp0, Offset: 17}
		if err := env.Await(task, func(done func(error)) { s.CheckpointHighWatermarks([]storage.PartitionOffset{hw}, done) }); err != nil {
			t.Fatal(err)
		}
		if _, err := env.Await2(task, func(done func(*storage.Log, error)) {
			s.CreatePartition(storage.Partition{TopicPartition: tp0}, smallConfig(), storage.Observer{}, done)
		}); !errors.Is(err, fs.ErrExist) {
			t.Errorf("creating it twice: %v", err)
		}
		var pending error
		l.Append(one(1, 200), storage.AppendOptions{Sync: true}, func(_ storage.AppendResult, err error) { pending = err })
		remove := func(done func(error)) { s.DeletePartition(tp0, done) }
		if err := env.Await(task, remove); err != nil {
			t.Fatal(err)
		}
		if pending != storage.ErrClosed || l.Err() != storage.ErrClosed {
			t.Errorf("pending append: %v, log: %v", pending, l.Err())
		}
		if err := env.Await(task, remove); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("deleting it twice: %v", err)
		}
		l = create(task, s, 2)
		if l.LogStartOffset() != 0 || l.LogEndOffset() != 0 || s.HighWatermark(tp0) != 0 {
			t.Errorf("new partition: [%d, %d), high watermark %d", l.LogStartOffset(), l.LogEndOffset(), s.HighWatermark(tp0))
		}
		mustAppend(t, task, l, one(1, 10), storage.AppendOptions{Sync: true})
	})
	m.crash(true)
	m.must(func(task *env.Task) {
		s := openStore(t, task, m.e)
		want := []storage.Partition{{TopicPartition: tp0, TopicID: wire.UUID{2}}}
		if diff := cmp.Diff(want, s.Partitions()); diff != "" {
			t.Error(diff)
		}
		l := openT0(t, task, s, smallConfig())
		if l.LogStartOffset() != 0 || l.LogEndOffset() != 1 || s.HighWatermark(tp0) != 0 {
			t.Errorf("after power loss: [%d, %d), high watermark %d", l.LogStartOffset(), l.LogEndOffset(), s.HighWatermark(tp0))
		}
		task.Sleep(m.e.Clock, 100_000_000)
	})
	for path := range m.files() {
		if strings.Contains(path, "-delete") {
			t.Errorf("%s is still there", path)
		}
	}
}

// TestPartitionIsCreatedAndDeletedAsAWhole crashes at every effect of creating and deleting.
func TestPartitionIsCreatedAndDeletedAsAWhole(t *testing.T) {
	for at := uint64(1); ; at++ {
		m := newMachine(t, 1)
		created, deleted := false, false
		m.stopAt = at
		over := m.run(func(task *env.Task) {
			s := openStore(t, task, m.e)
			openT0(t, task, s, smallConfig())
			created = true
			if err := env.Await(task, func(done func(error)) { s.DeletePartition(tp0, done) }); err != nil {
				t.Fatal(err)
			}
			deleted = true
			task.Sleep(m.e.Clock, 10_000_000)
		})
		m.crash(at%2 == 0)
		m.must(func(task *env.Task) {
			s := openStore(t, task, m.e)
			exists := len(s.Partitions()) == 1
			if deleted && exists {
				t.Errorf("crash after effect %d: the deleted partition is back", at)
			}
			if exists && s.Partitions()[0].TopicID.IsZero() {
				t.Errorf("crash after effect %d: a partition without topic id", at)
			}
			_ = created // it may be deleted already
			openT0(t, task, s, smallConfig())
		})
		if over {
			return
		}
	}
}

func TestManyLogsOpen(t *testing.T) {
	m := newMachine(t, 1)
	var tps []wire.TopicPartition
	m.must(func(task *env.Task) {
		s := openStore(t, task, m.e)
		for i := range int32(11) {
			tp := wire.TopicPartition{Topic: "a-topic", Partition: i}
			tps = append(tps, tp)
			l, err := env.Await2(task, func(done func(*storage.Log, error)) {
				s.CreatePartition(storage.Partition{TopicPartition: tp, TopicID: wire.UUID{9}}, smallConfig(), storage.Observer{}, done)
			})
			if err != nil {
				t.Fatal(err)
			}
			for range i {
				mustAppend(t, task, l, one(1, 10), storage.AppendOptions{Sync: true})
			}
		}
	})
	m.crash(true)
	m.must(func(task *env.Task) {
		s := openStore(t, task, m.e)
		seen := 0
		s.OpenLogs(task, tps, func(wire.TopicPartition) (storage.Config, storage.Observer) { return smallConfig(), storage.Observer{} },
			func(tp wire.TopicPartition, l *storage.Log, err error) {
				seen++
				if err != nil || l.LogEndOffset() != wire.Offset(tp.Partition) || s.Log(tp) != l {
					t.Errorf("%s: %v", tp, err)
				}
			})
		if seen != len(tps) || len(s.Partitions()) != len(tps) {
			t.Errorf("%d of %d logs opened, %d partitions", seen, len(tps), len(s.Partitions()))
		}
	})
}

func TestAtomicFiles(t *testing.T) {
	contents := [][]byte{[]byte("one"), bytes.Repeat([]byte("two"), 3000), []byte("3")}
	for at := uint64(1); ; at++ {
		m := newMachine(t, at)
		written := 0
		m.stopAt = at
		over := m.run(func(task *env.Task) {
			s := openStore(t, task, m.e)
			if _, err := env.Await2(task, func(done func([]byte, error)) { s.ReadFile("quorum-state", done) }); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("missing file: %v", err)
			}
			left := len(contents)
			task.Suspend(func(wake func()) {
				for i, c := range contents {
					s.WriteFileAtomic("quorum-state", c, func(err error) {
						if err != nil || written != i {
							t.Errorf("write %d: %v after %d", i, err, written)
						}
						written = i + 1
						if left--; left == 0 {
							wake()
						}
					})
				}
			})
		})
		m.crash(true)
		m.must(func(task *env.Task) {
			s := openStore(t, task, m.e)
			got, err := env.Await2(task, func(done func([]byte, error)) { s.ReadFile("quorum-state", done) })
			if written == 0 && errors.Is(err, fs.ErrNotExist) {
				return
			}
			if err != nil {
				t.Fatalf("crash after effect %d: %v", at, err)
			}
			for i := max(0, written-1); i < len(contents); i++ {
				if bytes.Equal(got, contents[i]) {
					return
				}
			}
			t.Fatalf("crash after effect %d: %d bytes, with %d writes done", at, len(got), written)
		})
		if over {
			return
		}
	}
}

func TestSnapshots(t *testing.T) {
	id := storage.SnapshotID{EndOffset: 42, Epoch: 7}
	list := func(task *env.Task, l *storage.Log) []storage.SnapshotID {
		ids, err := env.Await2(task, l.Snapshots)
		if err != nil {
			t.Fatal(err)
		}
		return ids
	}
	content := bytes.Repeat([]byte("snapshot"), 1000)
	for at := uint64(1); ; at++ {
		m := newMachine(t, at)
		frozen := false
		m.stopAt = at
		over := m.run(func(task *env.Task) {
			l := openT0(t, task, openStore(t, task, m.e), smallConfig())
			w, err := env.Await2(task, func(done func(*storage.SnapshotWriter, error)) { l.CreateSnapshot(id, done) })
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; i < len(content); i += 3000 {
				w.Append(content[i:min(i+3000, len(content))], func(err error) {
					if err != nil {
						t.Error(err)
					}
				})
			}
			if w.Size() != int64(len(content)) || w.ID() != id {
				t.Errorf("size %d, id %v", w.Size(), w.ID())
			}
			if got := list(task, l); len(got) != 0 {
				t.Errorf("an unfinished snapshot is listed: %v", got)
			}
			if err := env.Await(task, w.Freeze); err != nil {
				t.Fatal(err)
			}
			frozen = true
		})
		m.crash(true)
		m.must(func(task *env.Task) {
			l := openT0(t, task, openStore(t, task, m.e), smallConfig())
			ids := list(task, l)
			if len(ids) == 0 {
				if frozen {
					t.Fatalf("crash after effect %d: the snapshot is gone", at)
				}
				return
			}
			r, err := env.Await2(task, func(done func(*storage.SnapshotReader, error)) { l.OpenSnapshot(ids[0], done) })
			if err != nil || r.ID() != id || r.Size() != int64(len(content)) {
				t.Fatalf("crash after effect %d: %v", at, err)
			}
			buf := make([]byte, len(content)-5)
			n, err := env.Await2(task, func(done func(int, error)) { r.ReadAt(buf, 5, done) })
			if n != len(buf) || err != nil || !bytes.Equal(buf, content[5:]) {
				t.Fatalf("crash after effect %d: read %d bytes, %v", at, n, err)
			}
			r.Close()
			if err := env.Await(task, func(done func(error)) { l.DeleteSnapshot(id, done) }); err != nil || len(list(task, l)) != 0 {
				t.Errorf("deleting: %v", err)
			}
			if _, err := env.Await2(task, func(done func(*storage.SnapshotReader, error)) { l.OpenSnapshot(id, done) }); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("opening what was deleted: %v", err)
			}
		})
		if over {
			if _, exists := m.files()[fmt.Sprintf("t-0/%020d-%010d.checkpoint.part", 42, 7)]; exists {
				t.Error("the part is still there")
			}
			return
		}
	}
}
