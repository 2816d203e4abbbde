package storage_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"odradek/broker/env"
	"odradek/broker/failpoint"
	"odradek/broker/producers"
	"odradek/broker/storage"
	"odradek/broker/wire"
)

// produced is a batch of one record of 20 bytes.
func produced(p wire.Producer, transactional bool) []byte {
	b := wire.NewBuilder(wire.BatchOptions{Producer: &p, Transactional: transactional})
	b.Append(1000, nil, make([]byte, 20))
	raw, err := b.Build(nil, nil)
	if err != nil {
		panic(err)
	}
	return raw
}

func produce(t *testing.T, task *env.Task, l *storage.Log, p wire.Producer, transactional bool) storage.AppendResult {
	t.Helper()
	res, err := appendSync(task, l, produced(p, transactional), storage.AppendOptions{Rules: producers.Rules{Origin: producers.Client}})
	if err != nil {
		t.Fatalf("producing %+v: %v", p, err)
	}
	return res
}

func endTransaction(t *testing.T, task *env.Task, l *storage.Log, id int64, commit bool) wire.Offset {
	t.Helper()
	raw := wire.BuildEndMarker(id, 0, wire.EndMarker{Commit: commit}, 1000)
	res, err := appendSync(task, l, raw, storage.AppendOptions{Rules: producers.Rules{Origin: producers.Coordinator}})
	if err != nil {
		t.Fatalf("ending the transaction of %d: %v", id, err)
	}
	return res.BaseOffset
}

// The file as Kafka's ProducerStateManager and AbortedTxn define it, byte by byte.
func TestFilesOfProducersAreKafkas(t *testing.T) {
	m := newMachine(t, 1)
	m.must(func(task *env.Task) {
		s := openStore(t, task, m.e)
		l := openT0(t, task, s, storage.DefaultConfig())
		produce(t, task, l, wire.Producer{ID: 5, Sequence: 0}, true)
		produce(t, task, l, wire.Producer{ID: 5, Sequence: 1}, true)
		endTransaction(t, task, l, 5, false)
		produce(t, task, l, wire.Producer{ID: 6, Epoch: 3, Sequence: 0}, true)
		if err := env.Await(task, func(done func(error)) { s.Close(1, done) }); err != nil {
			t.Fatal(err)
		}
	})
	be := binary.BigEndian
	entry := func(id int64, epoch int16, sequence int32, offset int64, coordinator int32, start int64) []byte {
		b := be.AppendUint64(nil, uint64(id))
		b = be.AppendUint16(b, uint16(epoch))
		b = be.AppendUint32(b, uint32(sequence))
		b = be.AppendUint64(b, uint64(offset))
		b = be.AppendUint32(b, 0) // offset delta
		b = be.AppendUint64(b, 1000)
		b = be.AppendUint32(b, uint32(coordinator))
		return be.AppendUint64(b, uint64(start))
	}
	files := m.files()
	snapshot := []byte(files["t-0/00000000000000000004.snapshot"])
	want := slices.Concat([]byte{0, 1}, snapshot[2:6], []byte{0, 0, 0, 2}, entry(5, 0, 1, 1, 0, -1), entry(6, 3, 0, 3, -1, 3))
	if d := cmp.Diff(want, snapshot); d != "" {
		t.Errorf("snapshot (-want +got):\n%s", d)
	}
	aborted := []byte{0, 0}
	for _, v := range []uint64{5, 0, 2, 3} { // producer, first and last offset, last stable offset
		aborted = be.AppendUint64(aborted, v)
	}
	if d := cmp.Diff(aborted, []byte(files["t-0/00000000000000000000.txnindex"])); d != "" {
		t.Errorf("transaction index (-want +got):\n%s", d)
	}
}

func TestDuplicateIsAnsweredLikeItsFirstCopy(t *testing.T) {
	m := newMachine(t, 1)
	m.must(func(task *env.Task) {
		l := openT0(t, task, openStore(t, task, m.e), storage.DefaultConfig())
		opts := storage.AppendOptions{Rules: producers.Rules{Origin: producers.Client}}
		var order []string
		note := func(what string) func(storage.AppendResult, error) {
			return func(res storage.AppendResult, err error) {
				order = append(order, fmt.Sprintf("%s [%d, %d) again=%v %v", what, res.BaseOffset, res.NextOffset, res.Duplicate, err))
			}
		}
		// The first copy is still on its way to the disk.
		first := produced(wire.Producer{ID: 1}, false)
		l.Append(bytes.Clone(first), opts, note("first"))
		l.Append(bytes.Clone(first), opts, note("copy"))
		l.Append(produced(wire.Producer{ID: 1, Sequence: 1}, false), opts, note("second"))
		l.Append(produced(wire.Producer{ID: 1, Sequence: 3}, false), opts, note("gap"))
		l.Append(bytes.Clone(first), opts, note("copy"))
		for len(order) < 5 {
			task.Sleep(m.e.Clock, 1000)
		}
		slices.Sort(order[:1]) // a refusal comes at once
		want := []string{
			"gap [0, 0) again=false OUT_OF_ORDER_SEQUENCE_NUMBER: sequence 3 of producer 1 after 1",
			"first [0, 1) again=false <nil>", "copy [0, 1) again=true <nil>", "second [1, 2) again=false <nil>", "copy [0, 1) again=true <nil>",
		}
		if d := cmp.Diff(want, order); d != "" {
			t.Errorf("answers (-want +got):\n%s", d)
		}
		if l.LogEndOffset() != 2 {
			t.Errorf("log end %d", l.LogEndOffset())
		}
	})
}

// A failed append takes its copy with it: what was never written is not acknowledged.
func TestDuplicateOfAFailedAppendFails(t *testing.T) {
	m := newMachine(t, 1)
	if err := m.fail.Arm(failpoint.StorageAppend, `return("io")`); err != nil {
		t.Fatal(err)
	}
	m.must(func(task *env.Task) {
		l := openT0(t, task, openStore(t, task, m.e), storage.DefaultConfig())
		opts := storage.AppendOptions{Rules: producers.Rules{Origin: producers.Client}}
		failed := 0
		for range 2 {
			l.Append(produced(wire.Producer{ID: 1}, false), opts, func(_ storage.AppendResult, err error) {
				var offline *storage.OfflineError
				if !errors.As(err, &offline) {
					t.Errorf("answered %v", err)
				}
				failed++
			})
		}
		for failed < 2 {
			task.Sleep(m.e.Clock, 1000)
		}
	})
}

// aborting writes segments of three batches, with transactions of producer 1 that begin in
// one segment and are aborted in the next, and one of producer 2 that is open throughout.
func aborting(t *testing.T, task *env.Task, l *storage.Log) (aborted []producers.AbortedTransaction) {
	produce(t, task, l, wire.Producer{ID: 2}, true)
	for i := range int32(8) {
		first := produce(t, task, l, wire.Producer{ID: 1, Sequence: i}, true).BaseOffset
		appendPlain(t, task, l)
		last := endTransaction(t, task, l, 1, i%4 == 3)
		if i%4 != 3 {
			aborted = append(aborted, producers.AbortedTransaction{ProducerID: 1, FirstOffset: first, LastOffset: last, LastStableOffset: 0})
		}
	}
	return aborted
}

func appendPlain(t *testing.T, task *env.Task, l *storage.Log) {
	t.Helper()
	if _, err := appendSync(task, l, batch(0, 0, []int64{1000}, 20, "plain"), storage.AppendOptions{}); err != nil {
		t.Fatal(err)
	}
}

func rolling() storage.Config {
	cfg := smallConfig()
	cfg.SegmentBytes = 300
	return cfg
}

func TestAbortedTransactionsAreFoundByRange(t *testing.T) {
	for _, restart := range []string{"none", "clean", "crash", "power"} {
		t.Run(restart, func(t *testing.T) {
			m := newMachine(t, 1)
			var all []producers.AbortedTransaction
			m.must(func(task *env.Task) {
				s := openStore(t, task, m.e)
				l := openT0(t, task, s, rolling())
				all = aborting(t, task, l)
				if restart == "none" {
					checkRanges(t, l, all)
				}
				var err error
				if restart == "clean" {
					err = env.Await(task, func(done func(error)) { s.Close(1, done) })
				} else {
					err = env.Await(task, l.Flush)
				}
				if err != nil {
					t.Fatal(err)
				}
			})
			m.crash(restart == "power")
			m.must(func(task *env.Task) {
				l := openT0(t, task, openStore(t, task, m.e), rolling())
				checkRanges(t, l, all)
				if stable := l.LastStableOffset(l.LogEndOffset()); stable != 0 {
					t.Errorf("last stable offset %d", stable)
				}
			})
		})
	}
}

func checkRanges(t *testing.T, l *storage.Log, all []producers.AbortedTransaction) {
	t.Helper()
	for from := range l.LogEndOffset() {
		for upTo := from + 1; upTo <= l.LogEndOffset(); upTo++ {
			var want []producers.AbortedTransaction
			for _, a := range all {
				if a.LastOffset >= from && a.FirstOffset < upTo {
					want = append(want, a)
				}
			}
			if got := l.AbortedTransactions(from, upTo); !slices.Equal(got, want) {
				t.Fatalf("aborted in [%d, %d): %+v, want %+v", from, upTo, got, want)
			}
		}
	}
}

// Neither snapshots nor transaction indexes are trusted: what does not fit is made again.
func TestFilesOfProducersAreRebuilt(t *testing.T) {
	for k, damage := range []func([]byte) []byte{
		func([]byte) []byte { return nil },
		func(b []byte) []byte { return b[:len(b)-1] },
		func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
		func(b []byte) []byte { return append(b, b...) },
	} {
		m := newMachine(t, 1)
		var all []producers.AbortedTransaction
		var known []producers.Producer
		m.must(func(task *env.Task) {
			s := openStore(t, task, m.e)
			l := openT0(t, task, s, rolling())
			all = aborting(t, task, l)
			known = l.Producers().All()
			if err := env.Await(task, func(done func(error)) { s.Close(1, done) }); err != nil {
				t.Fatal(err)
			}
		})
		n := 0
		for path, content := range m.files() {
			if strings.HasSuffix(path, ".snapshot") {
				m.edit(path, damage([]byte(content)))
				n++
			}
			// It has no checksum, and an empty one is that of a segment that was cleaned.
			if strings.HasSuffix(path, ".txnindex") && (k == 1 || k == 3) {
				m.edit(path, damage([]byte(content)))
			}
		}
		if n < 3 {
			t.Fatalf("only %d snapshots", n)
		}
		m.must(func(task *env.Task) {
			l := openT0(t, task, openStore(t, task, m.e), rolling())
			checkRanges(t, l, all)
			if d := cmp.Diff(known, l.Producers().All()); d != "" {
				t.Errorf("producers (-want +got):\n%s", d)
			}
		})
	}
}

// A snapshot of what power loss took away must not outlive it: the log grows to that offset
// again, with something else.
func TestSnapshotAboveTheEndIsRemoved(t *testing.T) {
	m := newMachine(t, 1)
	m.must(func(task *env.Task) {
		l := openT0(t, task, openStore(t, task, m.e), rolling())
		for range 4 {
			appendPlain(t, task, l)
		}
		if err := env.Await(task, l.Flush); err != nil {
			t.Fatal(err)
		}
	})
	m.crash(true)
	m.edit("t-0/00000000000000000005.snapshot", func() []byte {
		s := producers.New(nil)
		s.Append(&wire.BatchHeader{BaseOffset: 4, ProducerID: 1, BaseSequence: 7})
		return s.Snapshot()
	}())
	m.must(func(task *env.Task) {
		l := openT0(t, task, openStore(t, task, m.e), rolling())
		for range 3 {
			appendPlain(t, task, l)
		}
		produce(t, task, l, wire.Producer{ID: 2}, false)
		if err := truncateTo(task, l, 7); err != nil {
			t.Fatal(err)
		}
		if l.Producers().Len() != 0 {
			t.Errorf("producers of another log: %+v", l.Producers().All())
		}
	})
	if _, there := m.files()["t-0/00000000000000000005.snapshot"]; there {
		t.Error("the snapshot is still there")
	}
}

func TestFilesOfProducersGoWithTheirSegments(t *testing.T) {
	m := newMachine(t, 1)
	m.must(func(task *env.Task) {
		cfg := rolling()
		l := openT0(t, task, openStore(t, task, m.e), cfg)
		aborting(t, task, l)
		if err := env.Await(task, func(done func(error)) { l.DeleteRecords(l.LogEndOffset(), done) }); err != nil {
			t.Fatal(err)
		}
		task.Sleep(m.e.Clock, 2*cfg.FileDeleteDelay)
		if p, known := l.Producers().Producer(1); !known || p.LastSequence() != 7 {
			t.Errorf("the producer is forgotten with its records: %+v", p)
		}
	})
	count := map[string]int{}
	for path := range m.files() {
		if _, suffix, ok := strings.Cut(path, "."); ok && strings.HasPrefix(path, "t-0/0") {
			count[suffix]++
		}
	}
	if count["snapshot"] != 1 || count["txnindex"] > 1 || count["log"] != 1 {
		t.Errorf("files that are left: %v", count)
	}
}

// The start may have been raised into a transaction.
func TestLastStableOffsetIsNotBelowTheLogStart(t *testing.T) {
	m := newMachine(t, 1)
	m.must(func(task *env.Task) {
		l := openT0(t, task, openStore(t, task, m.e), storage.DefaultConfig())
		for i := range int32(4) {
			produce(t, task, l, wire.Producer{ID: 1, Sequence: i}, true)
		}
		if stable := l.LastStableOffset(3); stable != 0 {
			t.Errorf("last stable offset %d in a transaction", stable)
		}
		if err := env.Await(task, func(done func(error)) { l.DeleteRecords(2, done) }); err != nil {
			t.Fatal(err)
		}
		if stable := l.LastStableOffset(3); stable != 2 {
			t.Errorf("last stable offset %d after the start was raised to 2", stable)
		}
	})
}
