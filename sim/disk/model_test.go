package disk

import (
	"bytes"
	"errors"
	"io/fs"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

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
