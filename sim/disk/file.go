package disk

import (
	"io"
	"io/fs"
	"time"

	"odradek/broker/env"
	"odradek/sim"
)

// file implements env.File.
type file struct {
	d        *Device
	p        *sim.Proc
	ino      *inode
	path     string
	readOnly bool
	closed   bool
}

func (f *file) op(kind Op) *op {
	return &op{d: f.d, p: f.p, kind: kind, path: f.path, ino: f.ino, submit: f.p.Now()}
}

// refuse answers an operation that cannot be submitted.
func (f *file) refuse(o *op, err error) {
	o.err = &fs.PathError{Op: o.kind.String(), Path: f.path, Err: err}
	f.p.Post(f.d.kinds[o.kind], o, phaseCall)
}

// ordered submits a write, truncation or sync: these complete one after the other.
func (f *file) ordered(o *op, due sim.Time) {
	// Strictly later than the one before: order must not depend on a tie-break.
	f.ino.lastEnd = max(due, f.ino.lastEnd+1)
	f.d.submit(o, f.ino.lastEnd)
}

func (f *file) writable(o *op) bool {
	switch {
	case !f.p.Alive():
		return false
	case f.closed:
		f.refuse(o, env.ErrClosed)
		return false
	case f.readOnly && o.kind != OpSync:
		f.refuse(o, fs.ErrPermission)
		return false
	case o.off < 0:
		f.refuse(o, fs.ErrInvalid)
		return false
	}
	return true
}

// Size implements env.File.
func (f *file) Size() int64 { return f.ino.nextSize }

// ReadAt implements env.File.
func (f *file) ReadAt(buf []byte, off int64, done func(int, error)) {
	o := f.op(OpRead)
	o.buf, o.off, o.onRead = buf, off, done
	switch {
	case !f.p.Alive():
		return
	case f.closed:
		f.refuse(o, env.ErrClosed)
		return
	case off < 0:
		f.refuse(o, fs.ErrInvalid)
		return
	}
	d := f.d
	if off < f.ino.cold {
		due := d.through(o.submit, int64(len(buf)), d.cfg.ReadBytes)
		d.submit(o, due.Add(d.latency(d.cfg.ReadLatency)))
		return
	}
	d.submit(o, o.submit.Add(f.cacheTime(int64(len(buf)))))
}

func (f *file) cacheTime(n int64) time.Duration {
	return f.d.latency(f.d.cfg.WriteLatency) + f.d.transfer(n, f.d.cfg.CacheBytes)
}

// WriteAt implements env.File.
func (f *file) WriteAt(bufs [][]byte, off int64, done func(error)) {
	o := f.op(OpWrite)
	o.bufs, o.off, o.onErr = bufs, off, done
	if !f.writable(o) {
		return
	}
	n := o.size()
	if n > 0 {
		f.ino.nextSize = max(f.ino.nextSize, off+n)
	}
	f.ino.unsynced += n
	f.ordered(o, o.submit.Add(f.cacheTime(n)))
}

// Sync implements env.File.
func (f *file) Sync(done func(error)) {
	o := f.op(OpSync)
	o.onErr = done
	if !f.writable(o) {
		return
	}
	d := f.d
	due := d.through(max(o.submit, f.ino.lastEnd), f.ino.unsynced, d.cfg.SyncBytes)
	f.ino.unsynced = 0
	f.ordered(o, due.Add(d.flushLatency()))
}

// Truncate implements env.File.
func (f *file) Truncate(size int64, done func(error)) {
	o := f.op(OpTruncate)
	o.off, o.onErr = size, done
	if !f.writable(o) {
		return
	}
	f.ino.nextSize = size
	f.ordered(o, o.submit.Add(f.d.latency(f.d.cfg.WriteLatency)))
}

// Close implements env.File.
func (f *file) Close() { f.closed = true }

// ReadNow fills buf from off at this instant, also when the file is closed: it is
// how the network sends a region of it. The data come from the page cache; a region
// that is not there whole is io.ErrUnexpectedEOF.
func (f *file) ReadNow(buf []byte, off int64) error {
	o := op{kind: OpRead, path: f.path}
	if f.d.faults.strike(&o) {
		f.d.stats.IOErrors++
		f.d.reach("disk-io-errors", 1)
		return &fs.PathError{Op: "read", Path: f.path, Err: env.ErrIO}
	}
	n, err := f.ino.read(buf, off)
	f.d.stats.BytesRead += uint64(n)
	if n < len(buf) {
		return &fs.PathError{Op: "read", Path: f.path, Err: io.ErrUnexpectedEOF}
	}
	if err == io.EOF {
		err = nil
	}
	return err
}
