package storage_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"odradek/broker/env"
	"odradek/broker/storage"
	"odradek/broker/wire"
)

// files returns the disk's content by path.
func (m *machine) files() map[string]string {
	got := make(map[string]string)
	for _, f := range m.dev.Snapshot() {
		got[f.Path] = string(f.Data)
	}
	return got
}

// edit replaces a file's content, durably, behind the log's back.
func (m *machine) edit(path string, content []byte) {
	m.t.Helper()
	m.must(func(task *env.Task) {
		f, err := env.Await2(task, func(done func(env.File, error)) { m.e.Disk.Open(path, env.Create, done) })
		if err != nil {
			m.t.Fatal(err)
		}
		for _, err := range []error{
			env.Await(task, func(done func(error)) { f.Truncate(0, done) }),
			env.Await(task, func(done func(error)) { f.WriteAt([][]byte{content}, 0, done) }),
			env.Await(task, f.Sync),
		} {
			if err != nil {
				m.t.Fatal(err)
			}
		}
		f.Close()
	})
}

// remove deletes a file behind the log's back.
func (m *machine) remove(path string) {
	m.t.Helper()
	m.must(func(task *env.Task) {
		if err := env.Await(task, func(done func(error)) { m.e.Disk.Remove(path, done) }); err != nil {
			m.t.Fatal(err)
		}
	})
}

// TestFilesAreKafkas checks every file against bytes worked out by hand from the format. A batch
// of one record with a value of 82 bytes takes 61 (header) + 2 (length: 88) + 1 (attributes) +
// 1 + 1 (deltas) + 1 (no key) + 2 + 82 (value) + 1 (no headers) = 152 bytes.
func TestFilesAreKafkas(t *testing.T) {
	m := newMachine(t, 1)
	cfg := smallConfig()
	cfg.IndexIntervalBytes = 200
	m.must(func(task *env.Task) {
		s := openStore(t, task, m.e)
		l := openT0(t, task, s, cfg)
		for i, ts := range []int64{1000, 3000, 2000, 2500, 4000, 4000, 3500} {
			raw := batch(0, 0, []int64{ts}, 82, "x")
			if len(raw) != 152 {
				t.Fatalf("a batch of %d bytes", len(raw))
			}
			epoch := wire.LeaderEpoch(3)
			if i >= 4 {
				epoch = 5
			}
			if _, err := appendSync(task, l, raw, storage.AppendOptions{Epoch: epoch}); err != nil {
				t.Fatal(err)
			}
		}
		hw := storage.PartitionOffset{TopicPartition: tp0, Offset: 6}
		if err := env.Await(task, func(done func(error)) { s.CheckpointHighWatermarks([]storage.PartitionOffset{hw}, done) }); err != nil {
			t.Fatal(err)
		}
		if err := env.Await(task, func(done func(error)) { s.Close(77, done) }); err != nil {
			t.Fatal(err)
		}
	})
	files := m.files()
	// The 7th batch would make the segment 1064 bytes long: it begins a second one.
	if got := len(files["t-0/00000000000000000000.log"]); got != 6*152 {
		t.Errorf("first segment has %d bytes, want %d", got, 6*152)
	}
	if got := len(files["t-0/00000000000000000006.log"]); got != 152 {
		t.Errorf("second segment has %d bytes, want 152", got)
	}
	for _, c := range []struct{ path, want string }{
		// More than 200 bytes after the last entry: before batches 2 (304) and 4 (608).
		{"t-0/00000000000000000000.index", "" +
			"00000002" + "00000130" +
			"00000004" + "00000260"},
		// At batch 2 the largest timestamp is 3000, of offset 1; at batch 4 it is 4000, its
		// own. Batch 5 has no larger one, so that sealing adds nothing.
		{"t-0/00000000000000000000.timeindex", "" +
			"0000000000000bb8" + "00000001" +
			"0000000000000fa0" + "00000004"},
		{"t-0/00000000000000000006.index", ""},
		{"t-0/00000000000000000006.timeindex", "0000000000000dac" + "00000000"},
	} {
		if got := hex.EncodeToString([]byte(files[c.path])); got != c.want {
			t.Errorf("%s is %s, want %s", c.path, got, c.want)
		}
	}
	for path, want := range map[string]string{
		"t-0/leader-epoch-checkpoint":      "0\n2\n3 0\n5 4\n",
		"t-0/partition.metadata":           "version: 0\ntopic_id: AQAAAAAAAAAAAAAAAAAAAA\n",
		"recovery-point-offset-checkpoint": "0\n1\nt 0 7\n",
		"replication-offset-checkpoint":    "0\n1\nt 0 6\n",
		"log-start-offset-checkpoint":      "0\n1\nt 0 0\n",
		".kafka_cleanshutdown":             `{"version":0,"brokerEpoch":77}`,
	} {
		if diff := cmp.Diff(want, files[path]); diff != "" {
			t.Errorf("%s:\n%s", path, diff)
		}
	}
	meta := files["meta.properties"]
	if !strings.HasPrefix(meta, "version=1\ncluster.id=cluster-A\nnode.id=1\ndirectory.id=") {
		t.Errorf("meta.properties is %q", meta)
	}
	// The record file is the batches, stamped: offset 4 and epoch 5 in the fifth.
	fifth := files["t-0/00000000000000000000.log"][4*152:]
	h, err := wire.ReadBatchHeader([]byte(fifth))
	if err != nil || h.BaseOffset != 4 || h.LeaderEpoch != 5 || !wire.CheckCRC([]byte(fifth)[:152]) {
		t.Errorf("fifth batch: %+v, %v", h, err)
	}
}

// TestRebuiltIndexIsTheSame removes the index files: what comes back must be what was there.
func TestRebuiltIndexIsTheSame(t *testing.T) {
	for _, damage := range []string{"missing", "empty", "zeroes", "garbage", "odd size", "another's"} {
		t.Run(damage, func(t *testing.T) {
			m := newMachine(t, 1)
			m.must(func(task *env.Task) {
				s := openStore(t, task, m.e)
				l := openT0(t, task, s, smallConfig())
				for i := range 40 {
					if _, err := appendSync(task, l, batch(0, 0, []int64{int64(1000 + i*i%97)}, 60, "x"), storage.AppendOptions{}); err != nil {
						t.Fatal(err)
					}
				}
				closeStore(t, task, s)
			})
			m.crash(false)
			before := m.files()
			for path, content := range before {
				if !strings.HasSuffix(path, "index") {
					continue
				}
				switch damage {
				case "missing":
					m.remove(path)
				case "empty":
					m.edit(path, nil)
				case "zeroes":
					m.edit(path, make([]byte, len(content)))
				case "garbage":
					m.edit(path, []byte(strings.Repeat("\xa5", len(content))))
				case "odd size":
					m.edit(path, []byte(content+"\x00"))
				case "another's":
					// Plausible entries that do not point at batches.
					if strings.HasSuffix(path, ".index") && len(content) > 0 {
						m.edit(path, []byte("\x00\x00\x00\x03\x00\x00\x00\x55"))
					}
				}
			}
			m.must(func(task *env.Task) {
				s := openStore(t, task, m.e)
				l := openT0(t, task, s, smallConfig())
				for from := range l.LogEndOffset() {
					_, err := env.Await2(task, func(done func(storage.ReadResult, error)) {
						l.Read(storage.ReadRequest{From: from, UpTo: 1000, MaxBytes: 300}, func(res storage.ReadResult, err error) {
							if err == nil && res.BaseOffset != from {
								t.Errorf("read at %d found the batch at %d", from, res.BaseOffset)
							}
							done(res, err)
						})
					})
					if err != nil {
						t.Fatal(err)
					}
				}
				want := wire.Offset(0)
				for want*want%97 < 90 {
					want++
				}
				got, err := env.Await2(task, func(done func(storage.TimestampOffset, error)) { l.OffsetForTimestamp(1090, done) })
				if err != nil || got.Offset != want {
					t.Fatalf("timestamp 1090 is at %+v, %v, want offset %d", got, err, want)
				}
				closeStore(t, task, s)
			})
			after := m.files()
			for path := range before {
				if strings.HasSuffix(path, "index") && damage != "another's" && after[path] != before[path] {
					t.Errorf("%s was %x, is %x", path, before[path], after[path])
				}
			}
		})
	}
}

func closeStore(t testing.TB, task *env.Task, s *storage.Store) {
	t.Helper()
	if err := env.Await(task, func(done func(error)) { s.Close(1, done) }); err != nil {
		t.Fatalf("Close: %v", err)
	}
}
