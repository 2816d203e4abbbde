package disk

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"odradek/broker/env"
	"odradek/sim"
)

// bench is a machine with a disk, driven in sequence: every operation is waited for.
type bench struct {
	t interface{ Fatalf(string, ...any) }
	k *sim.Kernel
	d *Device
	p *sim.Proc
	e env.Disk
}

func newBench(t interface{ Fatalf(string, ...any) }, seed uint64) *bench {
	k := sim.New(seed)
	b := &bench{t: t, k: k, d: New(k, "disk", k.NewNode("machine"), DefaultConfig())}
	b.boot()
	return b
}

func (b *bench) boot() {
	b.p = b.k.NewProc(1)
	b.e = b.d.Attach(b.p)
}

func (b *bench) crash() {
	b.p.Kill()
	b.d.ProcessCrash()
	b.boot()
}

func (b *bench) powerLoss() {
	b.p.Kill()
	b.d.PowerLoss()
	b.boot()
}

// wait runs the kernel until an operation that start begins has called back.
func (b *bench) wait(start func(done func(error))) error {
	var got error
	called := 0
	start(func(err error) { got = err; called++ })
	if called > 0 {
		b.t.Fatalf("the callback ran inside the call")
	}
	for called == 0 && b.k.Step() {
	}
	if called != 1 {
		b.t.Fatalf("called back %d times", called)
	}
	return got
}

func (b *bench) open(path string, mode env.OpenMode) (f env.File, err error) {
	err = b.wait(func(done func(error)) {
		b.e.Open(path, mode, func(got env.File, err error) { f = got; done(err) })
	})
	return f, err
}

func (b *bench) create(path string) env.File {
	f, err := b.open(path, env.Create)
	b.must(err)
	return f
}

func (b *bench) must(err error) {
	if err != nil {
		b.t.Fatalf("unexpected error: %v", err)
	}
}

func (b *bench) write(f env.File, data string, off int64) error {
	return b.wait(func(done func(error)) { f.WriteAt([][]byte{[]byte(data)}, off, done) })
}

func (b *bench) sync(f env.File) error { return b.wait(f.Sync) }

func (b *bench) syncDir(dir string) {
	b.must(b.wait(func(done func(error)) { b.e.SyncDir(dir, done) }))
}

func (b *bench) read(f env.File) []byte {
	buf := make([]byte, f.Size())
	var n int
	err := b.wait(func(done func(error)) {
		f.ReadAt(buf, 0, func(got int, err error) { n = got; done(err) })
	})
	if err != nil && err != io.EOF {
		b.t.Fatalf("read: %v", err)
	}
	return buf[:n]
}

// content is the file as it is found after a restart, nil if it is not.
func (b *bench) content(path string) []byte {
	f, err := b.open(path, env.ReadOnly)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	b.must(err)
	return b.read(f)
}

// reference is a file that remembers, for each byte, all values it may have after
// a power loss: those at and since the last sync. -1 is "no such byte".
type reference struct {
	now    []byte
	allow  []map[int]bool // by offset
	synced []byte
}

func (r *reference) note() {
	for i := range max(len(r.allow), len(r.now)) {
		if i == len(r.allow) {
			// Bytes that a crash can create, of length but not of content, are zero.
			r.allow = append(r.allow, map[int]bool{-1: true, 0: true})
		}
		if i < len(r.now) {
			r.allow[i][int(r.now[i])] = true
		} else {
			r.allow[i][-1] = true
			r.allow[i][0] = true // cut, and the length lost after a later growth
		}
	}
}

func (r *reference) write(off int, data []byte) {
	if grow := off + len(data) - len(r.now); grow > 0 {
		r.now = append(r.now, make([]byte, grow)...)
	}
	copy(r.now[off:], data)
	r.note()
}

func (r *reference) truncate(size int) {
	if size < len(r.now) {
		r.now = r.now[:size:size]
	} else {
		r.now = append(r.now, make([]byte, size-len(r.now))...)
	}
	r.note()
}

func (r *reference) sync() {
	r.synced = slices.Clone(r.now)
	r.allow = nil
	for _, c := range r.now {
		r.allow = append(r.allow, map[int]bool{int(c): true})
	}
}

// check judges what was found after a power loss.
func (r *reference) check(t *rapid.T, got []byte) {
	for i, c := range got {
		if i >= len(r.allow) {
			t.Fatalf("byte %d of %d: nothing was ever written there", i, len(got))
		}
		if !r.allow[i][int(c)] {
			t.Fatalf("byte %d is %d, may be %v", i, c, r.allow[i])
		}
	}
	for i := len(got); i < len(r.allow); i++ {
		if !r.allow[i][-1] {
			t.Fatalf("file ends at %d, byte %d was synced", len(got), i)
		}
	}
	r.now = slices.Clone(got)
	r.sync()
}

// TestPowerLossLosesOnlyWhatWasNotSynced compares a file with the reference through
// writes, truncations, syncs and crashes.
func TestPowerLossLosesOnlyWhatWasNotSynced(t *testing.T) {
	lost := uint64(0)
	rapid.Check(t, func(t *rapid.T) {
		b := newBench(t, rapid.Uint64().Draw(t, "seed"))
		f := b.create("log")
		b.syncDir(".")
		var ref reference
		fill := byte(0)
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"append", "append", "write", "truncate", "sync", "power", "crash"}).Draw(t, "do") {
			case "append", "write":
				off := len(ref.now)
				if rapid.Bool().Draw(t, "inside") {
					off = rapid.IntRange(0, len(ref.now)+2000).Draw(t, "off")
				}
				fill = fill%250 + 1
				data := bytes.Repeat([]byte{fill}, rapid.IntRange(1, 6000).Draw(t, "len"))
				b.must(b.write(f, string(data), int64(off)))
				ref.write(off, data)
			case "truncate":
				size := rapid.IntRange(0, len(ref.now)+3000).Draw(t, "size")
				b.must(b.wait(func(done func(error)) { f.Truncate(int64(size), done) }))
				ref.truncate(size)
			case "sync":
				b.must(b.sync(f))
				ref.sync()
			case "crash":
				b.crash()
				f = b.create("log")
			case "power":
				b.powerLoss()
				f = b.create("log")
				ref.check(t, b.read(f))
			}
			if got := b.read(f); !bytes.Equal(got, ref.now) {
				t.Fatalf("the file reads differently from the reference")
			}
			if f.Size() != int64(len(ref.now)) {
				t.Fatalf("size %d, want %d", f.Size(), len(ref.now))
			}
		}
		lost += b.d.Stats().SectorsLost
	})
	if lost == 0 {
		t.Error("no run lost a sector: the test has no substance")
	}
}

// names of all files, for each prefix of the changes.
type nameState map[string]string // path -> content

func (b *bench) names() nameState {
	s := make(nameState)
	for _, f := range b.d.Snapshot() {
		s[f.Path] = string(f.Data)
	}
	return s
}

func (s nameState) equal(o nameState) bool {
	if len(s) != len(o) {
		return false
	}
	for k, v := range s {
		if w, ok := o[k]; !ok || v != w {
			return false
		}
	}
	return true
}

// TestDirectoryLosesATail checks that after a power loss one directory is as it was
// after some change since its last SyncDir.
func TestDirectoryLosesATail(t *testing.T) {
	undone := uint64(0)
	rapid.Check(t, func(t *rapid.T) {
		b := newBench(t, rapid.Uint64().Draw(t, "seed"))
		possible := []nameState{b.names()}
		pick := func() string { return rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "name") }
		serial := 0
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"create", "create", "rename", "remove", "sync", "power"}).Draw(t, "do") {
			case "create":
				// Content is written and synced under a name that does not count, so
				// that only names are at stake.
				path := pick()
				if b.names()[path] != "" {
					continue
				}
				f := b.create(path)
				possible = append(possible, b.names())
				serial++
				b.must(b.write(f, string(rune('A'+serial)), 0))
				b.must(b.sync(f))
				for _, s := range possible { // a file is the same file wherever it is
					for name, content := range s {
						if content == "" && name == path {
							s[name] = string(rune('A' + serial))
						}
					}
				}
			case "rename":
				from, to := pick(), pick()
				err := b.wait(func(done func(error)) { b.e.Rename(from, to, done) })
				if err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Fatalf("rename: %v", err)
				}
				possible = append(possible, b.names())
			case "remove":
				err := b.wait(func(done func(error)) { b.e.Remove(pick(), done) })
				if err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Fatalf("remove: %v", err)
				}
				possible = append(possible, b.names())
			case "sync":
				b.syncDir(".")
				possible = []nameState{b.names()}
			case "power":
				b.powerLoss()
				got := b.names()
				if !slices.ContainsFunc(possible, got.equal) {
					t.Fatalf("found %v, want one of %v", got, possible)
				}
				possible = []nameState{got}
			}
		}
		undone += b.d.Stats().EntriesLost
	})
	if undone == 0 {
		t.Error("no run lost an entry: the test has no substance")
	}
}

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
