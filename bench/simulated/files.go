package simulated

import (
	"time"

	"odradek/broker/env"
)

// files is env.Disk, priced: what threads compute to carry out operations. How long these
// take besides is the simulated device's.
type files struct {
	env.Disk
	p *process
}

// Open implements env.Disk.
func (d *files) Open(path string, mode env.OpenMode, done func(env.File, error)) {
	d.p.diskWork(d.p.costs.FileOp.Each)
	d.Disk.Open(path, mode, func(f env.File, err error) {
		if err == nil {
			f = &file{File: f, p: d.p}
		}
		done(f, err)
	})
}

type file struct {
	env.File
	p *process
}

// diskWork has a thread compute beside the operation: it delays others, not the operation.
func (p *process) diskWork(d time.Duration) {
	if d > 0 {
		p.at(p.loop.Now(), p.threads, p.kinds.work, func() { p.thread(d) })
	}
}

// ReadAt implements env.File.
func (f *file) ReadAt(buf []byte, off int64, done func(int, error)) {
	f.p.diskWork(f.p.costs.FileOp.of(len(buf)))
	f.File.ReadAt(buf, off, done)
}

// WriteAt implements env.File.
func (f *file) WriteAt(bufs [][]byte, off int64, done func(error)) {
	n := 0
	for _, b := range bufs {
		n += len(b)
	}
	f.p.diskWork(f.p.costs.FileOp.of(n))
	f.File.WriteAt(bufs, off, done)
}

// Sync implements env.File.
func (f *file) Sync(done func(error)) {
	f.p.diskWork(f.p.costs.FileOp.Each)
	f.File.Sync(done)
}
