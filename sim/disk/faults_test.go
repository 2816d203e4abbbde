package disk

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"odradek/broker/env"
)

func TestFailedSyncLosesPagesEvenIfALaterOneSucceeds(t *testing.T) {
	var whole, holes, evicted int
	for seed := range uint64(60) {
		b := newBench(t, seed)
		f := b.create("f")
		b.syncDir(".")
		data := strings.Repeat("a", pageSize) + strings.Repeat("b", pageSize)
		b.must(b.write(f, data, 0))
		b.d.FailNext(OpSync, "f", 1)
		if err := b.sync(f); !errors.Is(err, env.ErrIO) {
			t.Fatalf("seed %d: sync gave %v", seed, err)
		}
		if string(b.read(f)) != data {
			evicted++ // a reader sees the old content at once
		}
		b.must(b.write(f, "tail", int64(len(data))))
		b.must(b.sync(f))
		b.powerLoss()
		got := b.content("f")
		if len(got) != len(data)+4 || string(got[len(data):]) != "tail" {
			t.Fatalf("seed %d: what the second sync was given is not there", seed)
		}
		if string(got[:len(data)]) == data {
			whole++
		} else {
			holes++
			if !bytes.Contains(got, make([]byte, pageSize)) {
				t.Fatalf("seed %d: lost pages do not read as zeroes", seed)
			}
		}
	}
	if whole == 0 || holes == 0 || evicted == 0 {
		t.Fatalf("whole %d, with holes %d, dropped from the cache %d: want all to occur", whole, holes, evicted)
	}
}

func TestRewritingALostPageMendsIt(t *testing.T) {
	for seed := range uint64(30) {
		b := newBench(t, seed)
		f := b.create("f")
		b.syncDir(".")
		b.must(b.write(f, "first", 0))
		b.d.FailNext(OpSync, "", 1)
		if b.sync(f) == nil {
			t.Fatal("sync succeeded")
		}
		b.must(b.write(f, "again", 0))
		b.must(b.sync(f))
		b.powerLoss()
		if got := b.content("f"); string(got) != "again" {
			t.Fatalf("seed %d: found %q", seed, got)
		}
	}
}

func TestFullDiskTakesAPartAndReportsIt(t *testing.T) {
	b := newBench(t, 1)
	b.d.SetCapacity(3 * pageSize)
	f := b.create("f")
	b.must(b.write(f, strings.Repeat("x", 2*pageSize), 0))
	err := b.write(f, strings.Repeat("y", 2*pageSize), 2*pageSize)
	if !errors.Is(err, env.ErrNoSpace) {
		t.Fatalf("write gave %v", err)
	}
	if got := b.read(f); len(got) != 3*pageSize || f.Size() != 3*pageSize || got[3*pageSize-1] != 'y' {
		t.Fatalf("%d bytes, size %d", len(got), f.Size())
	}
	b.must(b.write(f, "z", 0)) // overwriting needs no space
	b.must(b.wait(func(done func(error)) { b.e.Remove("f", done) }))
	if b.d.Used() != 0 {
		t.Fatalf("%d bytes used by no file", b.d.Used())
	}
	g := b.create("g")
	b.must(b.write(g, strings.Repeat("z", 3*pageSize), 0))
	b.syncDir(".")
	b.must(b.sync(g))
	b.powerLoss()
	if b.d.Used() != 3*pageSize {
		t.Fatalf("%d bytes used after a crash", b.d.Used())
	}
}

func TestErrorsAreInjectedWhereOrdered(t *testing.T) {
	b := newBench(t, 1)
	f, g := b.create("f"), b.create("g")
	b.d.FailNext(OpWrite, "g", 1)
	b.must(b.write(f, "data", 0))
	if err := b.write(g, "data", 0); !errors.Is(err, env.ErrIO) || !strings.Contains(err.Error(), "g") {
		t.Fatalf("write to g gave %v", err)
	}
	if g.Size() > 4 || int64(len(b.read(g))) != g.Size() {
		t.Fatalf("after a failed write the size is %d and %d bytes are read", g.Size(), len(b.read(g)))
	}
	b.must(b.write(g, "data", 0))
	b.d.SetErrorRate(OpRead, 1_000_000)
	if err := b.wait(func(done func(error)) { f.ReadAt(make([]byte, 1), 0, func(_ int, err error) { done(err) }) }); !errors.Is(err, env.ErrIO) {
		t.Fatalf("read gave %v", err)
	}
	b.d.ClearErrors()
	b.read(f)
	if n := b.d.Stats().IOErrors; n != 2 || b.k.Count("disk-io-errors") != 2 {
		t.Fatalf("%d errors counted, want 2", n)
	}
}

func TestReadNowSendsRegionsOfClosedAndRemovedFiles(t *testing.T) {
	b := newBench(t, 1)
	f := b.create("f")
	b.must(b.write(f, "0123456789", 0))
	f.Close()
	b.must(b.wait(func(done func(error)) { b.e.Remove("f", done) }))
	buf := make([]byte, 4)
	if err := f.(*file).ReadNow(buf, 3); err != nil || string(buf) != "3456" {
		t.Fatalf("%q, %v", buf, err)
	}
	if err := f.(*file).ReadNow(buf, 8); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("beyond the end: %v", err)
	}
}

func TestCorruptReachesCacheAndDisk(t *testing.T) {
	b := newBench(t, 1)
	f := b.create("f")
	b.must(b.write(f, "abc", 0))
	b.must(b.sync(f))
	b.syncDir(".")
	if !b.d.Corrupt("f", 1, 0x20) || b.d.Corrupt("f", 3, 1) || b.d.Corrupt("none", 0, 1) {
		t.Fatal("Corrupt misjudged what is there")
	}
	if got := string(b.read(f)); got != "aBc" {
		t.Fatalf("cache has %q", got)
	}
	b.powerLoss()
	if got := string(b.content("f")); got != "aBc" {
		t.Fatalf("disk has %q", got)
	}
}

func TestTimesFollowTheModel(t *testing.T) {
	b := newBench(t, 1)
	f := b.create("f")
	took := func(do func()) time.Duration {
		start := b.k.Now()
		do()
		return b.k.Now().Sub(start)
	}
	between := func(what string, d, low, high time.Duration) {
		t.Helper()
		if d < low || d > high {
			t.Errorf("%s took %v, want %v to %v", what, d, low, high)
		}
	}
	mib := strings.Repeat("x", 1<<20)
	between("a small write", took(func() { b.must(b.write(f, "x", 0)) }), 5*time.Microsecond, 7*time.Microsecond)
	between("1 MiB into the cache", took(func() { b.must(b.write(f, mib, 0)) }), 260*time.Microsecond, 275*time.Microsecond)
	between("syncing 1 MiB", took(func() { b.must(b.sync(f)) }), 1240*time.Microsecond, 1310*time.Microsecond)
	between("syncing nothing", took(func() { b.must(b.sync(f)) }), 200*time.Microsecond, 251*time.Microsecond)
	b.d.SetSlow(10)
	between("a slow sync", took(func() { b.must(b.sync(f)) }), 2*time.Millisecond, 2510*time.Microsecond)
	b.d.SetSlow(1)
	b.syncDir(".")
	b.powerLoss()
	between("reading 1 MiB cold", took(func() { b.content("f") }), 600*time.Microsecond, 660*time.Microsecond)
}

func TestSyncsShareTheDevice(t *testing.T) {
	b := newBench(t, 1)
	const files = 4
	done := 0
	start := b.k.Now()
	for _, name := range []string{"a", "b", "c", "d"} {
		f := b.create(name)
		b.must(b.write(f, strings.Repeat("x", 1_000_000), 0))
		start = b.k.Now()
		f.Sync(func(error) { done++ })
	}
	for done < files && b.k.Step() {
	}
	// The first three were under way already when the last was submitted; each
	// transfer takes 1 ms of the device.
	if d := b.k.Now().Sub(start); d < 1500*time.Microsecond {
		t.Errorf("four transfers of 1 ms ended %v after the last began: they did not queue", d)
	}
}

func TestSameSeedSameDisk(t *testing.T) {
	run := func(seed uint64) (uint64, []FileState) {
		b := newBench(t, seed)
		for i := range 20 {
			f := b.create(string(rune('a' + i%7)))
			b.must(b.write(f, strings.Repeat("data", 1000+i), int64(i*100)))
			if i%5 == 0 {
				b.must(b.sync(f))
				b.syncDir(".")
			}
			if i%6 == 5 {
				b.powerLoss()
			}
		}
		return b.k.Hash(), b.d.Snapshot()
	}
	h1, s1 := run(5)
	h2, s2 := run(5)
	if h1 != h2 || len(s1) != len(s2) {
		t.Fatal("two runs of one seed differ")
	}
	for i := range s1 {
		if s1[i].Path != s2[i].Path || !bytes.Equal(s1[i].Data, s2[i].Data) {
			t.Fatalf("file %s differs", s1[i].Path)
		}
	}
}

func BenchmarkAppends(b *testing.B) {
	m := newBench(b, 1)
	f := m.create("log")
	buf := [][]byte{bytes.Repeat([]byte("x"), 1024)}
	off, done := int64(0), 0
	var next func(error)
	next = func(error) {
		if done++; done%1024 == 0 {
			off = 0
			f.Sync(next)
			return
		}
		f.WriteAt(buf, off, next)
		off += 1024
	}
	b.ReportAllocs()
	b.ResetTimer()
	next(nil)
	for done < b.N && m.k.Step() {
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mops/s")
}
