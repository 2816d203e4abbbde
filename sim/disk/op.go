package disk

import (
	"io"
	"io/fs"

	"odradek/broker/env"
	"odradek/sim"
)

// Op names a kind of operation, for the injection of faults and for counting.
type Op uint8

const (
	OpRead Op = iota
	OpWrite
	OpSync
	OpTruncate
	OpOpen
	OpMkdir
	OpRename
	OpRemove
	OpList
	OpSyncDir
	numOps
)

var opNames = [numOps]string{"read", "write", "sync", "truncate", "open", "mkdir", "rename", "remove", "list", "sync-dir"}

func (o Op) String() string { return opNames[o] }

// op is one submitted operation. It is the action of two events: its completion,
// which is the world's, and the callback, which is the process's.
type op struct {
	d      *Device
	p      *sim.Proc
	kind   Op
	submit sim.Time
	event  sim.Handle

	path, to string
	mode     env.OpenMode
	ino      *inode // operations through a file
	bufs     [][]byte
	buf      []byte
	off      int64 // or the size to truncate to

	err     error
	n       int
	opened  *file
	entries []env.DirEntry

	onErr  func(error)
	onRead func(int, error)
	onOpen func(env.File, error)
	onList func([]env.DirEntry, error)
}

const (
	phaseFinish uint64 = iota
	phaseCall
)

// Run implements sim.Action.
func (o *op) Run(phase uint64) {
	if phase == phaseFinish {
		o.d.finish(o)
		return
	}
	switch {
	case o.onErr != nil:
		o.onErr(o.err)
	case o.onRead != nil:
		o.onRead(o.n, o.err)
	case o.onList != nil:
		o.onList(o.entries, o.err)
	case o.err != nil:
		o.onOpen(nil, o.err)
	default:
		o.onOpen(o.opened, nil)
	}
}

// apply makes the operation take effect, or fail if struck.
func (o *op) apply(struck bool) error {
	err := o.effect(struck)
	if struck {
		o.d.stats.IOErrors++
		o.d.reach("disk-io-errors", 1)
	}
	if err != nil && err != io.EOF {
		return &fs.PathError{Op: o.kind.String(), Path: o.path, Err: err}
	}
	return err
}

func (o *op) effect(struck bool) error {
	d, t := o.d, &o.d.tree
	if struck {
		switch o.kind {
		case OpWrite:
			o.ino.write(o.bufs, o.off, d.random.Int64N(o.size()+1))
			o.settle()
		case OpSync:
			d.failSync(o.ino)
		case OpTruncate:
			o.settle()
		}
		return env.ErrIO
	}
	switch o.kind {
	case OpRead:
		var err error
		o.n, err = o.ino.read(o.buf, o.off)
		d.stats.BytesRead += uint64(o.n)
		return err
	case OpWrite:
		return o.write()
	case OpSync:
		o.ino.sync()
		return nil
	case OpTruncate:
		o.ino.truncate(o.off)
		return nil
	case OpOpen:
		return o.open()
	case OpMkdir:
		return t.mkdir(d, o.path)
	case OpRename:
		return t.rename(d, o.path, o.to)
	case OpRemove:
		return t.remove(d, o.path)
	case OpList:
		var err error
		o.entries, err = t.list(o.path)
		return err
	case OpSyncDir:
		return t.syncDir(o.path)
	}
	panic("disk: unknown operation")
}

// size is the number of bytes to write.
func (o *op) size() int64 {
	var n int64
	for _, b := range o.bufs {
		n += int64(len(b))
	}
	return n
}

func (o *op) write() error {
	d, n := o.d, o.size()
	if c := d.cfg.Capacity; c > 0 {
		if fit := o.ino.fit(o.off, n, (c-d.used)/pageSize); fit < n {
			o.ino.write(o.bufs, o.off, fit)
			o.settle()
			d.stats.NoSpace++
			d.reach("disk-no-space", 1)
			return env.ErrNoSpace
		}
	}
	o.ino.write(o.bufs, o.off, n)
	d.stats.BytesWritten += uint64(n)
	return nil
}

func (o *op) open() error {
	ino, err := o.d.tree.open(o.d, o.path, o.mode)
	if err != nil {
		return err
	}
	o.opened = &file{d: o.d, p: o.p, ino: ino, path: o.path, readOnly: o.mode&env.ReadOnly != 0}
	return nil
}

// settle recomputes the size a file will have, after an operation failed.
func (o *op) settle() {
	size := o.ino.size
	for _, p := range o.d.pending {
		if p.ino != o.ino {
			continue
		}
		switch p.kind {
		case OpWrite:
			size = max(size, p.off+p.size())
		case OpTruncate:
			size = p.off
		}
	}
	o.ino.nextSize = size
}
