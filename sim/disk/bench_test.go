package disk

import (
	"errors"
	"io"
	"io/fs"

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
