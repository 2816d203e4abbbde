package realenv

import (
	"io/fs"
	"os"
	"sync/atomic"
	"syscall"

	"odradek/broker/env"
)

// inode is what the handles of one file share: the order of changes, and the size.
// It is known as long as a handle is open or a change is under way; without, the
// size is the file system's.
type inode struct {
	id      inodeID
	lane    lane
	size    int64 // loop: when all that is submitted has succeeded
	handles int   // loop: not closed
	changes int   // loop: submitted, and not completed
	lent    int   // loop: of these, the lane's
}

type inodeID struct{ dev, ino uint64 }

// file is env.File.
type file struct {
	w        *World
	ino      *inode
	os       *os.File
	fd       int
	path     string // as opened, for messages
	readOnly bool
	closed   bool // loop
	// refs counts who needs the descriptor: the handle, operations under way,
	// and regions being sent. The last one closes it.
	refs atomic.Int32
}

// newFile makes a handle of an open file. Loop: between this and the operations
// before, no change of the file can be unknown.
func (w *World) newFile(opened *os.File, path string, mode env.OpenMode) (*file, error) {
	info, err := opened.Stat()
	if err != nil {
		_ = opened.Close()
		return nil, diskError(err)
	}
	stat := info.Sys().(*syscall.Stat_t)
	id := inodeID{uint64(stat.Dev), uint64(stat.Ino)}
	ino := w.inodes[id]
	if ino == nil {
		ino = &inode{id: id, size: info.Size()}
		ino.lane.pool = w.writes
		w.inodes[id] = ino
	}
	ino.handles++
	f := &file{w: w, ino: ino, os: opened, fd: int(opened.Fd()), path: path, readOnly: mode&env.ReadOnly != 0}
	f.refs.Store(1)
	w.files[f] = struct{}{}
	return f, nil
}

func (f *file) retain() { f.refs.Add(1) }

func (f *file) release() {
	if f.refs.Add(-1) == 0 {
		// What matters was synced, and Sync has told of errors.
		_ = f.os.Close()
	}
}

func (f *file) Size() int64 { return f.ino.size }

func (f *file) ReadAt(buf []byte, off int64, done func(n int, err error)) {
	o := f.w.newOp(opRead)
	o.buf, o.off, o.onRead = buf, off, done
	if f.closed {
		f.refuse(o, env.ErrClosed)
		return
	}
	f.retain()
	o.file = f
	if f.readNow(o) {
		o.finish(nil)
		return
	}
	f.w.reads.submit(o)
}

func (f *file) WriteAt(bufs [][]byte, off int64, done func(error)) {
	o := f.w.newOp(opWrite)
	o.bufs, o.off = bufs, off
	end := int64(0)
	for _, b := range bufs {
		end += int64(len(b))
	}
	if end > 0 { // a write of nothing extends nothing
		end += off
	}
	f.change(o, max(f.ino.size, end), done)
}

func (f *file) Truncate(size int64, done func(error)) {
	o := f.w.newOp(opTruncate)
	o.off = size
	f.change(o, size, done)
}

func (f *file) Sync(done func(error)) { f.change(f.w.newOp(opSync), f.ino.size, done) }

// change submits a change after which the file has size bytes.
func (f *file) change(o *op, size int64, then func(error)) {
	o.onErr = then
	switch {
	case f.closed:
		f.refuse(o, env.ErrClosed)
		return
	case f.readOnly && o.kind != opSync:
		f.refuse(o, fs.ErrPermission)
		return
	}
	f.retain()
	o.file = f
	f.ino.size = size
	done, err := false, error(nil)
	if o.kind == opWrite {
		done, err = f.writeNow(o)
	}
	f.ino.changes++
	if done {
		o.finish(err)
		return
	}
	f.ino.lent++
	o.lent = true
	f.ino.lane.submit(o)
}

// refuse completes an operation that cannot be.
func (f *file) refuse(o *op, err error) {
	o.err = &fs.PathError{Op: o.kind.String(), Path: f.path, Err: err}
	f.w.loop.post(o)
}

// changed notes the completion of a change. Loop.
func (f *file) changed(lent bool, err error) {
	ino := f.ino
	ino.changes--
	if lent {
		ino.lent--
	}
	if err != nil && ino.changes == 0 && !f.closed {
		// It may have gone half way. What the size should have been is void.
		if info, err := f.os.Stat(); err == nil {
			ino.size = info.Size()
		}
	}
	f.w.forget(ino)
}

// forget drops an inode that nobody needs.
func (w *World) forget(ino *inode) {
	if ino.handles == 0 && ino.changes == 0 {
		delete(w.inodes, ino.id)
	}
}

func (f *file) Close() {
	if f.closed {
		return
	}
	f.closed = true
	delete(f.w.files, f)
	f.ino.handles--
	f.w.forget(f.ino)
	// In the lane, so that the descriptor is closed by a thread.
	o := f.w.newOp(opClose)
	o.file = f
	f.ino.lane.submit(o)
}

// discard closes the descriptor of a handle that was open when the world ended.
func (f *file) discard() error { return f.os.Close() }
