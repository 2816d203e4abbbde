package realenv

import (
	"io"
	"os"

	"odradek/broker/env"
)

// op is one operation on the disk: submitted by the loop, run by a thread, and then
// the event of its completion, after which it is used again.
type op struct {
	w    *World
	kind opKind

	path, to string
	mode     env.OpenMode
	file     *file // operations through a file, and what Open opened
	buf      []byte
	bufs     [][]byte
	off      int64 // or the size to truncate to
	lent     bool  // a change that went through the lane

	n       int
	err     error
	os      *os.File // what Open opened
	entries []env.DirEntry

	onErr  func(error)
	onRead func(int, error)
	onOpen func(env.File, error)
	onList func([]env.DirEntry, error)
}

type opKind uint8

const (
	opOpen opKind = iota
	opMkdir
	opRename
	opRemove
	opList
	opSyncDir
	opRead
	opWrite
	opTruncate
	opSync
	opClose
)

func (k opKind) String() string {
	return [...]string{"open", "mkdir", "rename", "remove", "list", "sync-dir", "read", "write", "truncate", "sync", "close"}[k]
}

// newOp takes a used operation or makes one. Loop.
func (w *World) newOp(kind opKind) *op {
	if n := len(w.freeOps); n > 0 {
		o := w.freeOps[n-1]
		w.freeOps = w.freeOps[:n-1]
		o.kind = kind
		return o
	}
	return &op{w: w, kind: kind}
}

// do implements job, for reads; changes run in lanes.
func (o *op) do() { o.finish(o.run()) }

// run does the operation, on a thread. Errors are the system's.
func (o *op) run() error {
	switch o.kind {
	case opOpen:
		return o.open()
	case opMkdir:
		return o.mkdir()
	case opRename:
		return o.rename()
	case opRemove:
		return o.remove()
	case opList:
		return o.list()
	case opSyncDir:
		return o.syncDir()
	case opRead:
		var err error
		o.n, err = o.file.os.ReadAt(o.buf, o.off)
		return err
	case opWrite:
		return writeAll(o.file.fd, o.bufs, o.off)
	case opTruncate:
		return o.file.os.Truncate(o.off)
	case opSync:
		return syncFile(o.file.fd)
	case opClose:
		return nil
	}
	panic("realenv: unknown operation")
}

// finish hands the operation to the loop. After it, the operation is the loop's.
func (o *op) finish(err error) {
	f := o.file
	if err != nil && err != io.EOF {
		err = diskError(err)
	}
	o.err = err
	if o.kind != opClose {
		o.w.loop.post(o)
	}
	if f != nil {
		f.release()
	}
}

// fire implements event: the completion. The operation is free for another before the
// callback runs, which is where most are submitted.
func (o *op) fire() {
	was := *o
	*o = op{w: was.w}
	was.w.freeOps = append(was.w.freeOps, o)
	if was.file != nil && was.kind != opRead {
		was.file.changed(was.lent, was.err)
	}
	switch {
	case was.onErr != nil:
		was.onErr(was.err)
	case was.onRead != nil:
		was.onRead(was.n, was.err)
	case was.onList != nil:
		was.onList(was.entries, was.err)
	case was.err != nil:
		was.onOpen(nil, was.err)
	default:
		f, err := was.w.newFile(was.os, was.path, was.mode)
		if err != nil {
			was.onOpen(nil, err)
			return
		}
		was.onOpen(f, nil)
	}
}
