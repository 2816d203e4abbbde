package storage_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"odradek/broker/env"
	"odradek/broker/failpoint"
	"odradek/broker/storage"
	"odradek/broker/wire"
)

// busyTable is a table with some segments, transactions of both kinds and a cleaning
// behind it, all durable, and as much again that is dirty.
func busyTable(t testing.TB) *table {
	x := newTable(t, 1)
	x.m.must(func(task *env.Task) {
		x.start(task)
		fill := func(from int) {
			for i := range 9 {
				x.do(task, deed{"append", from + 5*i, 3, i})
				if i%3 == 0 {
					x.do(task, deed{"transact", from + i, 2, i / 3})
				}
				if i%4 == 3 {
					x.do(task, deed{[]string{"commit", "abort"}[i/4%2], i / 4, 0, 0})
				}
			}
			for p := range 3 {
				x.do(task, deed{"abort", p, 0, 0})
			}
			x.do(task, deed{What: "replicate"})
			x.do(task, deed{What: "flush"})
		}
		fill(1)
		x.clean(task, x.rules)
		fill(40)
	})
	if x.failure != nil {
		t.Fatal(x.failure)
	}
	return x
}

// restart crashes the machine and compares what is left.
func (x *table) restart(t testing.TB, power bool, what string, args ...any) {
	x.m.crash(power)
	x.m.must(func(task *env.Task) { x.start(task) })
	if x.failure != nil {
		t.Fatalf("%s: %v", fmt.Sprintf(what, args...), x.failure)
	}
}

// TestCrashAtEveryEffectOfACleaning ends the process, with and without power, at each thing
// that happens while a log is compacted.
func TestCrashAtEveryEffectOfACleaning(t *testing.T) {
	for at := uint64(1); ; at++ {
		x := busyTable(t)
		x.m.stopAt = x.m.k.Steps() + at
		over := x.m.run(func(task *env.Task) { x.clean(task, x.rules) })
		if x.failure != nil {
			t.Fatal(x.failure)
		}
		if over {
			if at < 100 {
				t.Fatalf("a cleaning has only %d effects", at)
			}
			return
		}
		x.restart(t, at%2 == 0, "crash after effect %d", at)
		// What the crash has left must not disturb the next cleaning.
		x.m.must(func(task *env.Task) { x.clean(task, x.rules) })
		x.restart(t, true, "cleaned again after effect %d", at)
		for name := range x.m.files() {
			if strings.HasSuffix(name, ".cleaned") || strings.HasSuffix(name, ".swap") {
				t.Fatalf("crash after effect %d: %s stays", at, name)
			}
		}
	}
}

// TestCrashWhileASwapIsFinished crashes in the middle of an exchange of files, and again at
// each effect of the start that finishes it.
func TestCrashWhileASwapIsFinished(t *testing.T) {
	tried := 0
	for first := uint64(20); first < 400; first += 7 {
		x := busyTable(t)
		x.m.stopAt = x.m.k.Steps() + first
		if x.m.run(func(task *env.Task) { x.clean(task, x.rules) }) {
			break
		}
		x.m.crash(first%3 != 0)
		swapping := false
		for name := range x.m.files() {
			swapping = swapping || strings.HasSuffix(name, ".swap")
		}
		for at := uint64(1); swapping; at++ {
			x.m.stopAt = x.m.k.Steps() + at
			if x.m.run(func(task *env.Task) { x.start(task) }) {
				tried++
				break
			}
			x.m.crash(at%2 == 0)
		}
		if x.failure != nil {
			t.Fatalf("crash after effect %d: %v", first, x.failure)
		}
	}
	if tried < 5 {
		t.Fatalf("only %d crashes in the middle of an exchange", tried)
	}
}

// TestEveryOperationOfACleaningMayFail has each disk operation of a cleaning fail in turn.
// Nothing is lost, and unless files were being exchanged the log goes on.
func TestEveryOperationOfACleaningMayFail(t *testing.T) {
	for n, alive := 0, 0; ; n++ {
		x := busyTable(t)
		x.m.crash(true)
		var struck *bool
		x.m.must(func(task *env.Task) {
			struck = new(bool)
			x.start(task)
			if x.failure != nil {
				return
			}
			struck = x.m.failOperation(n)
			// The files that are open already are not watched: reopen them.
			_ = env.Await(task, func(done func(error)) { x.store.Close(5, done) })
			x.start(task)
			if x.failure != nil {
				x.failure = nil // the operation belonged to the closing or the opening
				return
			}
			_, err := env.Await2(task, func(done func(storage.CleanStats, error)) {
				x.reach = x.hw
				x.log.Clean(x.log.LastStableOffset(x.hw), x.rules, done)
			})
			if *struck && err != nil && x.log.Err() == nil {
				alive++
				x.write(task, deed{"append", 1, 1, 1}, 0)
				x.check(task)
			}
			if err != nil && !*struck {
				x.failf("cleaning: %w", err)
			}
		})
		if x.failure != nil {
			t.Fatalf("operation %d failed: %v", n, x.failure)
		}
		x.m.dev.ClearErrors()
		x.restart(t, n%2 == 0, "operation %d failed", n)
		if !*struck {
			if n < 60 || alive < 10 {
				t.Fatalf("%d operations, the log went on after %d failures", n, alive)
			}
			return
		}
	}
}

// fixture is a log that the tests below fill by hand.
func fixture(t *testing.T, cfg storage.Config, script func(task *env.Task, m *machine, l *storage.Log)) {
	t.Helper()
	m := newMachine(t, 3)
	m.must(func(task *env.Task) {
		l := openT0(t, task, openStore(t, task, m.e), cfg)
		script(task, m, l)
	})
}

func tableConfig() storage.Config {
	cfg := smallConfig()
	cfg.Compact, cfg.SegmentBytes, cfg.DeleteRetention, cfg.FileDeleteDelay = true, 1, time.Second, time.Millisecond // a segment for every append
	return cfg
}

// put appends a batch of records "key=value", or "key" for a tombstone, of a producer if its
// id is not 0, and returns the offset after it.
func put(t testing.TB, task *env.Task, l *storage.Log, producer int64, sequence int32, records ...string) {
	t.Helper()
	opts := wire.BatchOptions{}
	if producer > 0 {
		opts.Producer, opts.Transactional = &wire.Producer{ID: producer, Sequence: sequence}, true
	}
	b := wire.NewBuilder(opts)
	for _, r := range records {
		key, value, is := strings.Cut(r, "=")
		v := []byte(value)
		if !is {
			v = nil
		}
		b.Append(7, []byte(key), v)
	}
	raw, err := b.Build(nil, nil)
	if err == nil {
		_, err = appendSync(task, l, raw, storage.AppendOptions{Epoch: 1})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func mark(t testing.TB, task *env.Task, l *storage.Log, producer int64, commit bool) {
	t.Helper()
	if _, err := appendSync(task, l, wire.BuildEndMarker(producer, 0, wire.EndMarker{Commit: commit}, 7), storage.AppendOptions{Epoch: 1}); err != nil {
		t.Fatal(err)
	}
}

func compact(t testing.TB, task *env.Task, l *storage.Log, rules storage.CleanerConfig) storage.CleanStats {
	t.Helper()
	if err := env.Await(task, l.Flush); err != nil {
		t.Fatal(err)
	}
	stats, err := env.Await2(task, func(done func(storage.CleanStats, error)) {
		l.Clean(l.LastStableOffset(l.LogEndOffset()), rules, done)
	})
	if err != nil {
		t.Fatal(err)
	}
	return stats
}

var generous = storage.CleanerConfig{DedupeBytes: 1 << 20, BufferBytes: 1 << 16}

// content describes the log's batches: "3: a=1 b" is a batch at offset 3 with a record and a
// tombstone, "5: abort" a marker, "6: -" an empty batch; ^ says that it has a horizon.
func content(t testing.TB, task *env.Task, l *storage.Log) string {
	t.Helper()
	raw, err := readAll(task, l)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for h, b := range wire.Batches(raw, wire.RefuseTruncated, &err) {
		line := fmt.Sprintf("%d:", h.BaseOffset)
		records, err := wire.NewCodec(1 << 20).Records(b)
		if err != nil {
			t.Fatal(err)
		}
		var r wire.Record
		n := 0
		for ; records.Next(&r); n++ {
			if m, ok, _ := wire.ReadEndMarker(&h, b); ok {
				line += map[bool]string{true: " commit", false: " abort"}[m.Commit]
				continue
			}
			line += " " + string(r.Key)
			if r.Value != nil {
				line += "=" + string(r.Value)
			}
		}
		if n == 0 {
			line += " -"
		}
		if _, marked := h.DeleteHorizon(); marked {
			line += " ^"
		}
		if h.HasProducer() && n == 0 {
			line += " producer"
		}
		lines = append(lines, line)
	}
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, " | ")
}

// Each segment has one batch here, so that what goes leaves a placeholder.
func TestTombstonesStayUntilTheirHorizon(t *testing.T) {
	fixture(t, tableConfig(), func(task *env.Task, m *machine, l *storage.Log) {
		expect := func(when, want string) {
			t.Helper()
			if got := content(t, task, l); got != want {
				t.Errorf("%s:\n got %s\nwant %s", when, got, want)
			}
		}
		put(t, task, l, 0, 0, "a=1", "b=1")
		put(t, task, l, 0, 0, "a", "c=1")
		put(t, task, l, 0, 0, "end=1")
		compact(t, task, l, generous)
		expect("first cleaning", "0: b=1 | 2: a c=1 ^ | 4: end=1")
		task.Sleep(m.e.Clock, 900*time.Millisecond)
		put(t, task, l, 0, 0, "end=2")
		compact(t, task, l, generous)
		expect("before the horizon", "0: b=1 | 2: a c=1 ^ | 4: end=1 | 5: end=2")
		task.Sleep(m.e.Clock, 200*time.Millisecond)
		put(t, task, l, 0, 0, "end=3")
		compact(t, task, l, generous)
		expect("after the horizon", "0: b=1 | 2: c=1 ^ | 4: - | 5: end=2 | 6: end=3")
		// A new tombstone has a horizon of its own.
		put(t, task, l, 0, 0, "c")
		put(t, task, l, 0, 0, "end=4")
		compact(t, task, l, generous)
		expect("a new tombstone", "0: b=1 | 2: - | 4: - | 5: - | 6: end=3 | 7: c ^ | 8: end=4")
		task.Sleep(m.e.Clock, 1100*time.Millisecond)
		put(t, task, l, 0, 0, "end=5")
		compact(t, task, l, generous)
		expect("which passes", "0: b=1 | 2: - | 4: - | 5: - | 6: - | 7: - | 8: end=4 | 9: end=5")
	})
}

func TestMarkersOutliveTheirRecords(t *testing.T) {
	fixture(t, tableConfig(), func(task *env.Task, m *machine, l *storage.Log) {
		expect := func(when, want string) {
			t.Helper()
			if got := content(t, task, l); got != want {
				t.Errorf("%s:\n got %s\nwant %s", when, got, want)
			}
		}
		put(t, task, l, 1, 0, "a=1", "b=1") // 0
		mark(t, task, l, 1, true)           // 2
		put(t, task, l, 2, 0, "a=2")        // 3
		mark(t, task, l, 2, false)          // 4
		put(t, task, l, 1, 2, "b=3")        // 5
		mark(t, task, l, 1, true)           // 6
		put(t, task, l, 2, 1, "d=1")        // 7
		mark(t, task, l, 2, true)           // 8
		put(t, task, l, 0, 0, "end=1")      // 9
		compact(t, task, l, generous)
		expect("aborted records go at once, their marker does not", "0: a=1 | 2: commit | 3: - | 4: abort | 5: b=3 | 6: commit | 7: d=1 | 8: commit | 9: end=1")
		put(t, task, l, 0, 0, "a=4") // 10
		put(t, task, l, 0, 0, "end=2")
		compact(t, task, l, generous)
		// Its marker is kept once more: a batch was there when the cleaning came by.
		expect("the last record of a committed one goes", "0: - | 2: commit | 3: - | 4: abort ^ | 5: b=3 | 6: commit | 7: d=1 | 8: commit | 9: end=1 | 10: a=4 | 11: end=2")
		task.Sleep(m.e.Clock, 1100*time.Millisecond)
		put(t, task, l, 0, 0, "b=5") // 12
		put(t, task, l, 0, 0, "end=3")
		compact(t, task, l, generous)
		// The last batch of a producer stays for its sequence number.
		expect("the horizon of an abort", "0: - | 2: commit ^ | 3: - | 4: - | 5: - producer | 6: commit | 7: d=1 | 8: commit | 9: - | 10: a=4 | 11: end=2 | 12: b=5 | 13: end=3")
		task.Sleep(m.e.Clock, 1100*time.Millisecond)
		put(t, task, l, 0, 0, "end=4") // 14
		compact(t, task, l, generous)
		expect("the horizon of a commit", "0: - | 2: - | 3: - | 4: - | 5: - producer | 6: commit | 7: d=1 | 8: commit | 9: - | 10: a=4 | 11: - | 12: b=5 | 13: end=3 | 14: end=4")
	})
}

// A marker that decided what was removed must not be lost: the transaction would be open
// again, and could be committed.
func TestMarkersAreDurableBeforeTheirWordIsTaken(t *testing.T) {
	cfg := tableConfig()
	cfg.SegmentBytes = 400
	m := newMachine(t, 3)
	end := wire.Offset(0)
	m.must(func(task *env.Task) {
		l := openT0(t, task, openStore(t, task, m.e), cfg)
		put(t, task, l, 1, 0, "a=1")
		for i := range 8 {
			put(t, task, l, 0, 0, fmt.Sprintf("k%d=1", i))
		}
		if err := env.Await(task, l.Flush); err != nil {
			t.Fatal(err)
		}
		mark(t, task, l, 1, false)
		end = l.LogEndOffset()
		stats, err := env.Await2(task, func(done func(storage.CleanStats, error)) { l.Clean(l.LastStableOffset(end), generous, done) })
		if err != nil || stats.RecordsKept != stats.RecordsRead-1 {
			t.Fatalf("%+v, %v", stats, err)
		}
	})
	m.crash(true)
	m.must(func(task *env.Task) {
		if l := openT0(t, task, openStore(t, task, m.e), cfg); l.LogEndOffset() != end {
			t.Errorf("the log ends at %d, the marker is before %d", l.LogEndOffset(), end)
		}
	})
}

// A log of many small segments becomes one of few, without its placeholders.
func TestSegmentsAreJoined(t *testing.T) {
	cfg := tableConfig()
	fixture(t, cfg, func(task *env.Task, m *machine, l *storage.Log) {
		for i := range 30 {
			put(t, task, l, 0, 0, fmt.Sprintf("k%d=%d", i%3, i))
		}
		cfg.SegmentBytes = 1000
		l.SetConfig(cfg)
		stats := compact(t, task, l, generous)
		if stats.Segments != 29 || stats.NewSegments != 3 || stats.RecordsRead != 29 || stats.RecordsKept != 3 || stats.Keys != 3 {
			t.Errorf("%+v", stats)
		}
		for _, segment := range []int64{1, 1000} {
			cfg.SegmentBytes = segment
			l.SetConfig(cfg)
			put(t, task, l, 0, 0, fmt.Sprintf("k2=%d", segment))
		}
		stats = compact(t, task, l, generous)
		if got, want := content(t, task, l), "27: k0=27 | 28: k1=28 | 29: k2=29 | 30: k2=1 | 31: k2=1000"; got != want || stats.NewSegments != 1 {
			t.Errorf("%s, %+v", got, stats)
		}
		task.Sleep(m.e.Clock, 10*time.Millisecond)
		logs := 0
		for name := range m.files() {
			if strings.HasSuffix(name, ".log") {
				logs++
			}
			if strings.HasSuffix(name, ".deleted") {
				t.Errorf("%s stays", name)
			}
		}
		if logs != 2 {
			t.Errorf("%d segments, want 2", logs)
		}
	})
}

// What is left of a batch may be nothing; it has a timestamp all the same.
func TestTimestampsOfEmptiedBatches(t *testing.T) {
	fixture(t, tableConfig(), func(task *env.Task, m *machine, l *storage.Log) {
		for _, ts := range []int64{10, 90, 30, 40} {
			b := wire.NewBuilder(wire.BatchOptions{})
			b.Append(ts, fmt.Appendf(nil, "k%d", ts/50), []byte("v")) // 90 has a key of its own
			raw, _ := b.Build(nil, nil)
			if _, err := appendSync(task, l, raw, storage.AppendOptions{Epoch: 1}); err != nil {
				t.Fatal(err)
			}
		}
		put(t, task, l, 0, 0, "k1") // deletes it
		put(t, task, l, 0, 0, "end=1")
		compact(t, task, l, generous)
		if got, want := content(t, task, l), "0: - | 1: - | 2: - | 3: k0=v | 4: k1 ^ | 5: end=1"; got != want {
			t.Fatalf("%s, want %s", got, want)
		}
		got, err := env.Await2(task, func(done func(storage.TimestampOffset, error)) { l.OffsetOfMaxTimestamp(done) })
		if err != nil || got.Offset != 3 || got.Timestamp != 40 {
			t.Errorf("largest timestamp: %+v, %v", got, err)
		}
		got, err = env.Await2(task, func(done func(storage.TimestampOffset, error)) { l.OffsetForTimestamp(20, done) })
		if err != nil || got.Offset != 3 {
			t.Errorf("first since 20: %+v, %v", got, err)
		}
	})
}

// partial aborts a transaction in a segment whose end does not fit into the map of keys, and
// returns what a reader of committed records sees of it.
func partial(t *testing.T, m *machine, task *env.Task, l *storage.Log) []string {
	put(t, task, l, 0, 0, "a=1", "b=1")
	put(t, task, l, 0, 0, "a=2", "b=2", "c=1", "d=1")
	put(t, task, l, 1, 0, "g=1", "h=1", "i=1") // 6
	mark(t, task, l, 1, false)
	for i := range 20 {
		put(t, task, l, 0, 0, fmt.Sprintf("x%d=1", i))
	}
	stats := compact(t, task, l, storage.CleanerConfig{DedupeBytes: 24 * 7, BufferBytes: 1 << 16})
	if !stats.Partial || stats.UpTo > 7 {
		t.Fatalf("the map was not full: %+v", stats)
	}
	raw, err := readAll(task, l)
	if err != nil {
		t.Fatal(err)
	}
	aborted := l.AbortedTransactions(0, l.LogEndOffset())
	var seen []string
	for h, b := range wire.Batches(raw, wire.RefuseTruncated, &err) {
		for _, a := range aborted {
			if h.Transactional() && a.ProducerID == h.ProducerID && a.FirstOffset <= h.BaseOffset && h.BaseOffset < a.LastOffset {
				h.Count = 0
			}
		}
		if records, err := wire.NewCodec(1 << 20).Records(b); err == nil && h.Transactional() && !h.Control() && h.Count > 0 {
			var r wire.Record
			for records.Next(&r) {
				seen = append(seen, string(r.Key))
			}
		}
	}
	return seen
}

// TestPartialCleaningKeepsTheAbortedIndex, and that without the fix of KAFKA-13727 (row 48 of
// the zoo) aborted records would be read.
func TestPartialCleaningKeepsTheAbortedIndex(t *testing.T) {
	for _, planted := range []bool{false, true} {
		cfg := tableConfig()
		cfg.SegmentBytes = 600
		m := newMachine(t, 3)
		if planted {
			if err := m.fail.Arm(failpoint.ZooPartialCleaning, "return(true)"); err != nil {
				t.Fatal(err)
			}
		}
		m.must(func(task *env.Task) {
			l := openT0(t, task, openStore(t, task, m.e), cfg)
			if seen := partial(t, m, task, l); (len(seen) > 0) != planted {
				t.Errorf("planted %v: aborted records are read: %q", planted, seen)
			}
		})
	}
}

// A cleaning that is cut short by a truncation or the end of the log says so, and the log
// is closed only when the cleaning has let go of it.
func TestCleaningIsInterrupted(t *testing.T) {
	for _, what := range []string{"truncate", "close", "delete"} {
		x := busyTable(t)
		x.m.must(func(task *env.Task) {
			rules := x.rules
			rules.BytesPerSecond = 1000 // for many seconds
			var cleaned error
			over := false
			x.log.Clean(x.log.LastStableOffset(x.hw), rules, func(_ storage.CleanStats, err error) { cleaned, over = err, true })
			task.Sleep(x.m.e.Clock, 2*time.Second)
			if over {
				t.Fatalf("the cleaning is over: %v", cleaned)
			}
			var err error
			switch what {
			case "truncate":
				err = truncateTo(task, x.log, x.log.LogEndOffset()-1)
			case "close":
				err = env.Await(task, func(done func(error)) { x.store.Close(5, done) })
				if !over {
					t.Error("closed under the cleaning")
				}
			case "delete":
				err = env.Await(task, func(done func(error)) { x.store.DeletePartition(tp0, done) })
				if !over {
					t.Error("deleted under the cleaning")
				}
			}
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
			task.Sleep(x.m.e.Clock, time.Second)
			if !over || !(errors.Is(cleaned, storage.ErrInterrupted) || errors.Is(cleaned, storage.ErrClosed)) {
				t.Errorf("%s: the cleaning ended with %v, %v", what, cleaned, over)
			}
		})
	}
}

// A damaged batch ends the cleaning: with a new checksum nobody would see the damage.
func TestDamageIsNotCompacted(t *testing.T) {
	x := busyTable(t)
	var logs []string
	for n, c := range x.m.files() {
		if strings.HasSuffix(n, ".log") && len(c) > 0 {
			logs = append(logs, n)
		}
	}
	slices.Sort(logs)
	x.m.dev.Corrupt(logs[len(logs)-3], 70, 1)
	x.m.must(func(task *env.Task) {
		_, err := env.Await2(task, func(done func(storage.CleanStats, error)) { x.log.Clean(x.hw, x.rules, done) })
		var corrupt *storage.CorruptError
		if !errors.As(err, &corrupt) || corrupt.Path != logs[len(logs)-3] {
			t.Errorf("cleaning: %v", err)
		}
		if x.log.Err() != nil {
			t.Errorf("the log is offline: %v", x.log.Err())
		}
	})
}

func TestDirtiness(t *testing.T) {
	cfg := tableConfig()
	cfg.MinDirtyPPM = 500_000
	fixture(t, cfg, func(task *env.Task, m *machine, l *storage.Log) {
		dirtiness := func() storage.Dirtiness {
			d, err := env.Await2(task, func(done func(storage.Dirtiness, error)) { l.Dirtiness(l.LogEndOffset(), done) })
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
		if d := dirtiness(); d.Due || d.DirtyBytes != 0 || d.UpTo != 0 {
			t.Errorf("an empty log: %+v", d)
		}
		wall := func() int64 { return m.e.Clock.Wall() / int64(time.Millisecond) }
		add := func() {
			b := wire.NewBuilder(wire.BatchOptions{})
			b.Append(wall(), []byte("k"), []byte("v"))
			raw, _ := b.Build(nil, nil)
			if _, err := appendSync(task, l, raw, storage.AppendOptions{Epoch: 1, Sync: true}); err != nil {
				t.Fatal(err)
			}
		}
		for range 5 {
			add()
		}
		size := l.Size() / 5
		if d := dirtiness(); !d.Due || d.DirtyBytes != 4*size || d.CleanBytes != 0 || d.UpTo != 4 || d.Overdue != 0 {
			t.Errorf("never cleaned: %+v", d)
		}
		if d, _ := env.Await2(task, func(done func(storage.Dirtiness, error)) { l.Dirtiness(2, done) }); d.UpTo != 2 {
			t.Errorf("stable up to 2: %+v", d)
		}
		compact(t, task, l, generous)
		add()
		if d := dirtiness(); d.Due || d.FirstDirty != 4 || d.DirtyBytes != size || d.UpTo != 5 {
			t.Errorf("a little was added: %+v", d)
		}
		cfg.MaxCompactionLag = time.Minute
		l.SetConfig(cfg)
		task.Sleep(m.e.Clock, 61*time.Second)
		if d := dirtiness(); !d.Due || d.Overdue < time.Second || d.Overdue > 2*time.Second {
			t.Errorf("max.compaction.lag.ms has passed: %+v", d)
		}
		cfg.MinCompactionLag, cfg.MaxCompactionLag = 2*time.Minute, time.Hour
		l.SetConfig(cfg)
		if d := dirtiness(); d.Due || d.DirtyBytes != 0 || d.UpTo != 4 {
			t.Errorf("min.compaction.lag.ms protects the rest: %+v", d)
		}
		// A truncation makes what comes there dirty.
		if err := truncateTo(task, l, 2); err != nil {
			t.Fatal(err)
		}
		if l.CleanedUpTo() > 2 {
			t.Errorf("cleaned up to %d after a truncation to 2", l.CleanedUpTo())
		}
	})
	a := storage.Dirtiness{DirtyBytes: 1, CleanBytes: 1}
	b := storage.Dirtiness{DirtyBytes: 1 << 50, CleanBytes: 1<<50 - 1}
	c := storage.Dirtiness{Overdue: 1}
	if a.Compare(&b) >= 0 || b.Compare(&a) <= 0 || c.Compare(&b) <= 0 || a.Compare(&a) != 0 {
		t.Error("the order of urgency")
	}
}

// BenchmarkClean compacts 8 MB of records of which one in ten stays.
func BenchmarkClean(b *testing.B) {
	for _, how := range []wire.Compression{wire.None, wire.LZ4} {
		b.Run(how.String(), func(b *testing.B) {
			var bytes int64
			random := rand.New(rand.NewPCG(1, 1))
			for b.Loop() {
				b.StopTimer()
				cfg := storage.DefaultConfig()
				cfg.SegmentBytes, cfg.Compact = 1<<20, true
				m := newMachine(b, 1)
				m.must(func(task *env.Task) {
					l := openT0(b, task, openStore(b, task, m.e), cfg)
					codec := wire.NewCodec(1 << 20)
					for i := range 800 {
						batch := wire.NewBuilder(wire.BatchOptions{Compression: how})
						for k := range 100 {
							value := make([]byte, 80)
							for j := range value {
								value[j] = byte(random.UintN(40))
							}
							batch.Append(1, fmt.Appendf(nil, "key-%d", (i*100+k)%8000), value)
						}
						raw, _ := batch.Build(nil, codec)
						if _, err := appendSync(task, l, raw, storage.AppendOptions{}); err != nil {
							b.Fatal(err)
						}
					}
					b.StartTimer()
					stats := compact(b, task, l, storage.CleanerConfig{DedupeBytes: 128 << 20, BufferBytes: 512 << 10})
					b.StopTimer()
					bytes += stats.BytesRead
				})
				b.StartTimer()
			}
			b.SetBytes(bytes / int64(b.N))
		})
	}
}
