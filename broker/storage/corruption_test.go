package storage_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"odradek/broker/env"
	"odradek/broker/storage"
	"odradek/broker/wire"
)

const (
	firstSegment = "t-0/00000000000000000000.log"
	lastSegment  = "t-0/00000000000000000009.log"
)

// written is a machine whose log has the offsets 0 to 13 in batches of one record of 102
// bytes, in two segments: 0 to 8 and 9 to 13. Everything is durable, and the checkpointed
// recovery point is recoveryPoint.
func written(t *testing.T, recoveryPoint wire.Offset) *machine {
	m := newMachine(t, 1)
	m.must(func(task *env.Task) {
		s := openStore(t, task, m.e)
		l := openT0(t, task, s, smallConfig())
		for i := range 14 {
			if i == int(recoveryPoint) {
				if err := env.Await(task, s.Checkpoint); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := appendSync(task, l, batch(0, 0, []int64{int64(i)}, 34, fmt.Sprint(i)), storage.AppendOptions{Sync: true, Epoch: 2}); err != nil {
				t.Fatal(err)
			}
		}
	})
	m.crash(true)
	files := m.files()
	if len(files[firstSegment]) != 9*102 || len(files[lastSegment]) != 5*102 {
		t.Fatalf("segments of %d and %d bytes", len(files[firstSegment]), len(files[lastSegment]))
	}
	return m
}

func TestDamageAboveTheRecoveryPointIsCut(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(m *machine, log string)
		want   wire.Offset
	}{
		{"bit flipped in a record", func(m *machine, log string) { m.dev.Corrupt(lastSegment, 2*102+90, 4) }, 11},
		{"bit flipped in a base offset", func(m *machine, log string) { m.dev.Corrupt(lastSegment, 3*102+7, 1) }, 12},
		{"bit flipped in a length", func(m *machine, log string) { m.dev.Corrupt(lastSegment, 1*102+9, 0x40) }, 10},
		{"length beyond any file", func(m *machine, log string) { m.dev.Corrupt(lastSegment, 1*102+8, 0x7f) }, 10},
		{"magic", func(m *machine, log string) { m.dev.Corrupt(lastSegment, 16, 3) }, 9},
		{"epoch goes back", func(m *machine, log string) { m.dev.Corrupt(lastSegment, 4*102+15, 3) }, 13},
		{"cut within a batch", func(m *machine, log string) { m.edit(lastSegment, []byte(log[:3*102+50])) }, 12},
		{"cut within a header", func(m *machine, log string) { m.edit(lastSegment, []byte(log[:4*102+11])) }, 13},
		{"zeroes behind", func(m *machine, log string) { m.edit(lastSegment, []byte(log+strings.Repeat("\x00", 4096))) }, 14},
		{"garbage behind", func(m *machine, log string) { m.edit(lastSegment, []byte(log+strings.Repeat("\x02\xff", 300))) }, 14},
		{"an old batch behind", func(m *machine, log string) { m.edit(lastSegment, []byte(log+log[:102])) }, 14},
		{"a batch missing", func(m *machine, log string) { m.edit(lastSegment, []byte(log[:102]+log[2*102:])) }, 10},
		{"empty", func(m *machine, log string) { m.edit(lastSegment, nil) }, 9},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := written(t, 9)
			c.damage(m, m.files()[lastSegment])
			m.must(func(task *env.Task) {
				s := openStore(t, task, m.e)
				l := openT0(t, task, s, smallConfig())
				if l.LogEndOffset() != c.want || l.FlushedOffset() != c.want || l.LogStartOffset() != 0 {
					t.Fatalf("log is [%d, %d), flushed %d, want [0, %d)", l.LogStartOffset(), l.LogEndOffset(), l.FlushedOffset(), c.want)
				}
				if epoch, end := l.EndOffsetForEpoch(2); epoch != 2 || end != c.want {
					t.Errorf("end of epoch 2 is (%d, %d)", epoch, end)
				}
				res, err := appendSync(task, l, batch(0, 0, []int64{1}, 5, "new"), storage.AppendOptions{Epoch: 3})
				if err != nil || res.BaseOffset != c.want {
					t.Fatalf("appending afterwards: %+v, %v", res, err)
				}
				if b, err := readAll(task, l); err != nil || len(b) != int(c.want)*102+73 {
					t.Fatalf("reading afterwards: %d bytes, %v", len(b), err)
				}
			})
		})
	}
}

// A torn end of a segment takes the following segments along, if all of that is above the
// recovery point.
func TestSegmentsBehindATornOneAreDropped(t *testing.T) {
	m := written(t, 5)
	m.dev.Corrupt(firstSegment, 7*102+80, 1)
	m.must(func(task *env.Task) {
		l := openT0(t, task, openStore(t, task, m.e), smallConfig())
		if l.LogEndOffset() != 7 {
			t.Fatalf("log end %d, want 7", l.LogEndOffset())
		}
	})
	if _, exists := m.files()[lastSegment]; exists {
		t.Error("the second segment is still there")
	}
}

func TestDamageBelowTheRecoveryPointIsAnError(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(m *machine, files map[string]string)
		path   string
	}{
		{"bit flipped", func(m *machine, _ map[string]string) { m.dev.Corrupt(lastSegment, 1*102+90, 4) }, lastSegment},
		{"cut at a batch", func(m *machine, files map[string]string) { m.edit(lastSegment, []byte(files[lastSegment][:2*102])) }, lastSegment},
		{"last segment gone", func(m *machine, _ map[string]string) { m.remove(lastSegment) }, firstSegment},
		{"all segments gone", func(m *machine, _ map[string]string) { m.remove(firstSegment); m.remove(lastSegment) }, "t-0"},
		{"sealed segment empty", func(m *machine, _ map[string]string) { m.edit(firstSegment, nil) }, firstSegment},
		{"recovery points", func(m *machine, _ map[string]string) {
			m.edit("recovery-point-offset-checkpoint", []byte("0\n2\nt 0 1\n"))
		}, "recovery-point-offset-checkpoint"},
		{"high watermarks", func(m *machine, _ map[string]string) { m.edit("replication-offset-checkpoint", []byte("1\n0\n")) }, "replication-offset-checkpoint"},
		{"topic id", func(m *machine, _ map[string]string) {
			m.edit("t-0/partition.metadata", []byte("version: 0\ntopic_id: !\n"))
		}, "t-0/partition.metadata"},
		{"identity", func(m *machine, _ map[string]string) { m.edit("meta.properties", []byte("version=1\n")) }, "meta.properties"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := written(t, 13)
			c.damage(m, m.files())
			m.must(func(task *env.Task) {
				s, err := storage.OpenStore(task, m.e, testStore)
				if err == nil {
					_, err = tryOpenT0(task, s, smallConfig())
				}
				var corrupt *storage.CorruptError
				if !errors.As(err, &corrupt) || corrupt.Path != c.path {
					t.Fatalf("error %v, want one that names %s", err, c.path)
				}
			})
		})
	}
}

// Damage that recovery had no reason to look at is found by the reader, and costs only the
// reader.
func TestReaderFindsDamage(t *testing.T) {
	m := written(t, 13)
	m.dev.Corrupt(firstSegment, 4*102+16, 1)
	m.must(func(task *env.Task) {
		l := openT0(t, task, openStore(t, task, m.e), smallConfig())
		_, err := readAll(task, l)
		var corrupt *storage.CorruptError
		if err != nil && (!errors.As(err, &corrupt) || corrupt.Path != firstSegment) {
			t.Fatalf("reading: %v", err)
		}
		_, err = env.Await2(task, func(done func(storage.ReadResult, error)) {
			l.Read(storage.ReadRequest{From: 5, UpTo: 14, MaxBytes: 200}, done)
		})
		if !errors.As(err, &corrupt) || corrupt.Path != firstSegment {
			t.Fatalf("reading at the damage: %v", err)
		}
		if _, err := appendSync(task, l, batch(0, 0, []int64{1}, 5, "new"), storage.AppendOptions{Epoch: 3}); err != nil {
			t.Fatalf("appending: %v", err)
		}
	})
}

func TestEpochsAreFoundInTheRecords(t *testing.T) {
	for _, content := range []string{"", "0\n1\n7 -3\n", "0\n2\n2 5\n1 9\n", "garbage"} {
		m := written(t, 13)
		m.edit("t-0/leader-epoch-checkpoint", []byte(content))
		m.must(func(task *env.Task) {
			l := openT0(t, task, openStore(t, task, m.e), smallConfig())
			if epoch, end := l.EndOffsetForEpoch(2); epoch != 2 || end != 14 {
				t.Fatalf("with %q: end of epoch 2 is (%d, %d)", content, epoch, end)
			}
		})
		if got := m.files()["t-0/leader-epoch-checkpoint"]; got != "0\n1\n2 0\n" {
			t.Errorf("leader-epoch-checkpoint is %q", got)
		}
	}
}

func TestLeftoversAreRemoved(t *testing.T) {
	m := written(t, 13)
	leftovers := []string{
		"t-0/00000000000000000003.index", "t-0/00000000000000000003.timeindex",
		"t-0/00000000000000000000.log.deleted", "t-0/leader-epoch-checkpoint.tmp",
		"t-0/00000000000000000004-0000000001.checkpoint.part", "recovery-point-offset-checkpoint.tmp",
	}
	kept := []string{"t-0/notes.txt", "notes.txt", "t-0/00000000000000000004-0000000001.checkpoint"}
	for _, path := range append(leftovers, kept...) {
		m.edit(path, []byte("x"))
	}
	m.must(func(task *env.Task) { openT0(t, task, openStore(t, task, m.e), smallConfig()) })
	files := m.files()
	for _, path := range leftovers {
		if _, exists := files[path]; exists {
			t.Errorf("%s is still there", path)
		}
	}
	for _, path := range kept {
		if _, exists := files[path]; !exists {
			t.Errorf("%s is gone", path)
		}
	}
}

// TestRandomDamage flips bits and cuts files anywhere. There is nothing to promise then, but
// to say so or to go on, and to be stable: what one start accepted the next one does.
func TestRandomDamage(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 9))
		m := written(t, wire.Offset(r.IntN(14)))
		for range 1 + r.IntN(4) {
			files := m.dev.Snapshot()
			f := files[r.IntN(len(files))]
			if len(f.Data) == 0 {
				continue
			}
			if r.IntN(4) == 0 {
				m.edit(f.Path, f.Data[:r.IntN(len(f.Data))])
			} else {
				m.dev.Corrupt(f.Path, r.Int64N(int64(len(f.Data))), byte(1+r.IntN(255)))
			}
		}
		end := wire.Offset(-1)
		for life := range 2 {
			m.must(func(task *env.Task) {
				s, err := storage.OpenStore(task, m.e, testStore)
				if err != nil || len(s.Partitions()) == 0 {
					return
				}
				l, err := tryOpenT0(task, s, smallConfig())
				if err != nil {
					if life > 0 && end >= 0 {
						t.Errorf("seed %d: refused at the second start: %v", seed, err)
					}
					return
				}
				if life > 0 && end >= 0 && l.LogEndOffset() != end {
					t.Errorf("seed %d: log end %d, then %d", seed, end, l.LogEndOffset())
				}
				end = l.LogEndOffset()
				if _, err := readAll(task, l); err != nil {
					var corrupt *storage.CorruptError
					if !errors.As(err, &corrupt) {
						t.Errorf("seed %d: %v", seed, err)
					}
				}
				_, _ = env.Await2(task, func(done func(storage.TimestampOffset, error)) { l.OffsetForTimestamp(7, done) })
			})
			m.crash(true)
		}
	}
}
