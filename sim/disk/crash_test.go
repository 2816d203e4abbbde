package disk

import (
	"bytes"
	"slices"
	"testing"
	"time"
)

func TestRenameBetweenDirectoriesIsAtomic(t *testing.T) {
	seen := make(map[string]int)
	for seed := range uint64(60) {
		b := newBench(t, seed)
		for _, dir := range []string{"x", "y"} {
			b.must(b.wait(func(done func(error)) { b.e.Mkdir(dir, done) }))
		}
		f := b.create("x/f")
		b.must(b.write(f, "data", 0))
		b.must(b.sync(f))
		b.syncDir(".")
		b.syncDir("x")
		b.must(b.wait(func(done func(error)) { b.e.Rename("x/f", "y/f", done) }))
		b.create("y/late")
		b.powerLoss()
		inX, inY := string(b.content("x/f")), string(b.content("y/f"))
		if (inX == "data") == (inY == "data") {
			t.Fatalf("seed %d: x/f is %q, y/f is %q", seed, inX, inY)
		}
		if late := b.content("y/late"); late != nil && inY == "" {
			t.Fatalf("seed %d: a later change of y survived an earlier one", seed)
		}
		seen[inX]++
	}
	if len(seen) != 2 {
		t.Fatalf("60 seeds gave outcomes %v, want both", seen)
	}
}

func TestSyncDirCommitsWhatARenameDependsOn(t *testing.T) {
	for seed := range uint64(30) {
		b := newBench(t, seed)
		b.must(b.wait(func(done func(error)) { b.e.Mkdir("x", done) }))
		b.must(b.wait(func(done func(error)) { b.e.Mkdir("y", done) }))
		b.syncDir(".")
		f := b.create("x/new") // never synced in x itself
		b.must(b.write(f, "data", 0))
		b.must(b.sync(f))
		b.must(b.wait(func(done func(error)) { b.e.Rename("x/new", "y/f", done) }))
		b.syncDir("y")
		b.powerLoss()
		if got := b.content("y/f"); string(got) != "data" || b.content("x/new") != nil {
			t.Fatalf("seed %d: y/f is %q after SyncDir(y)", seed, got)
		}
	}
}

func TestSyncedFileWithoutSyncedNameMayVanish(t *testing.T) {
	vanished := 0
	for seed := range uint64(40) {
		b := newBench(t, seed)
		f := b.create("f")
		b.must(b.write(f, "data", 0))
		b.must(b.sync(f))
		b.powerLoss()
		switch got := b.content("f"); {
		case got == nil:
			vanished++
		case string(got) != "data":
			t.Fatalf("seed %d: the name survived with %q", seed, got)
		}
	}
	if vanished == 0 || vanished == 40 {
		t.Fatalf("vanished in %d of 40 runs, want some", vanished)
	}
}

func TestProcessCrashKeepsThePageCache(t *testing.T) {
	b := newBench(t, 1)
	f := b.create("f")
	b.must(b.write(f, "unsynced", 0))
	b.crash()
	if got := b.content("f"); string(got) != "unsynced" {
		t.Fatalf("found %q", got)
	}
}

func TestOperationsUnderWayMayHappenInPart(t *testing.T) {
	lengths := make(map[int]bool)
	for seed := range uint64(100) {
		b := newBench(t, seed)
		f := b.create("f")
		b.must(b.write(f, "0123456789", 0))
		f.WriteAt([][]byte{[]byte("ab"), []byte("cdefgh")}, 10, func(error) { t.Error("called back after the crash") })
		f.WriteAt([][]byte{[]byte("!")}, 18, func(error) { t.Error("called back after the crash") })
		b.crash()
		b.k.RunFor(time.Second)
		got := string(b.content("f"))
		if want := "0123456789abcdefgh!"; want[:len(got)] != got {
			t.Fatalf("seed %d: found %q", seed, got)
		}
		lengths[len(got)] = true
	}
	if len(lengths) < 6 || !lengths[10] || !lengths[19] {
		t.Fatalf("100 crashes left lengths %v", lengths)
	}
}

func TestWritesOfComputingTimeNotSpentNeverHappened(t *testing.T) {
	for seed := range uint64(20) {
		b := newBench(t, seed)
		f := b.create("f")
		b.p.Charge(time.Second)
		f.WriteAt([][]byte{[]byte("x")}, 0, func(error) {})
		b.k.RunFor(time.Millisecond)
		b.crash()
		if got := b.content("f"); len(got) != 0 {
			t.Fatalf("seed %d: %q was written a second early", seed, got)
		}
	}
}

func TestTruncationIsUndoneWholeOrNotAtAll(t *testing.T) {
	const old = 3 * pageSize
	var undone, kept, cut int
	for seed := range uint64(200) {
		b := newBench(t, seed)
		f := b.create("f")
		b.syncDir(".")
		b.must(b.write(f, string(bytes.Repeat([]byte("a"), old)), 0))
		b.must(b.sync(f))
		b.must(b.wait(func(done func(error)) { f.Truncate(1000, done) }))
		b.must(b.write(f, string(bytes.Repeat([]byte("b"), 2*pageSize)), 1000))
		b.powerLoss()
		got := b.content("f")
		if len(got) < 1000 || !bytes.Equal(got[:1000], bytes.Repeat([]byte("a"), 1000)) {
			t.Fatalf("seed %d: what the truncation left is damaged", seed)
		}
		rest := got[1000:]
		if bytes.Contains(rest, []byte("a")) {
			undone++
			if len(got) != old || bytes.Contains(rest, []byte("b")) || bytes.Contains(rest, []byte{0}) {
				t.Fatalf("seed %d: undone in part: %d bytes", seed, len(got))
			}
			continue
		}
		if len(rest) == 2*pageSize {
			kept++
		} else {
			cut++
		}
		if len(rest) > 2*pageSize {
			t.Fatalf("seed %d: %d bytes beyond the truncation", seed, len(rest))
		}
	}
	if undone == 0 || kept == 0 || cut == 0 {
		t.Fatalf("undone %d, kept %d, kept and cut %d: want all", undone, kept, cut)
	}
}

func TestSyncDirOfOneDirectoryLeavesAnotherToChance(t *testing.T) {
	lost := 0
	for seed := range uint64(40) {
		b := newBench(t, seed)
		b.must(b.wait(func(done func(error)) { b.e.Mkdir("x", done) }))
		b.must(b.wait(func(done func(error)) { b.e.Mkdir("y", done) }))
		b.syncDir(".")
		b.create("x/f")
		b.create("y/f")
		b.syncDir("x")
		b.powerLoss()
		if b.content("x/f") == nil {
			t.Fatalf("seed %d: a synced name is gone", seed)
		}
		if b.content("y/f") == nil {
			lost++
		}
	}
	if lost == 0 || lost == 40 {
		t.Fatalf("the other directory lost its entry in %d of 40 runs", lost)
	}
}

func TestOperationsTakeEffectInOrderOfSubmission(t *testing.T) {
	for seed := range uint64(20) {
		b := newBench(t, seed)
		f := b.create("f")
		var order []int
		note := func(i int) func(error) {
			return func(err error) { b.must(err); order = append(order, i) }
		}
		f.WriteAt([][]byte{bytes.Repeat([]byte("slow"), 100_000)}, 0, note(0))
		f.WriteAt([][]byte{[]byte("fast")}, 0, note(1))
		f.Truncate(4, note(2))
		f.Sync(note(3))
		f.WriteAt([][]byte{[]byte("!")}, 4, note(4))
		if f.Size() != 5 {
			t.Fatalf("size %d while all is under way, want 5", f.Size())
		}
		b.k.RunFor(time.Second)
		if !slices.Equal(order, []int{0, 1, 2, 3, 4}) || string(b.read(f)) != "fast!" {
			t.Fatalf("seed %d: file operations completed as %v", seed, order)
		}
		order = nil
		start, last := b.k.Now(), b.k.Now()
		for i := range 5 {
			b.e.Rename("f", "g", func(err error) { b.must(err); order = append(order, 2*i) })
			b.e.Rename("g", "f", func(err error) { b.must(err); order = append(order, 2*i+1); last = b.k.Now() })
		}
		b.k.RunFor(time.Second)
		if len(order) != 10 || !slices.IsSorted(order) {
			t.Fatalf("seed %d: tree operations completed as %v", seed, order)
		}
		if d := last.Sub(start); d < 10*b.d.cfg.MetaLatency {
			t.Fatalf("seed %d: ten operations one after the other took %v", seed, d)
		}
	}
}
