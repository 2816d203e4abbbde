package realenv

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"

	"odradek/broker/env"
)

const (
	dirMode  = 0o755
	fileMode = 0o644
)

// disk is env.Disk below the data directory. The operations of the tree run in one
// lane.
type disk struct{ w *World }

func (d disk) Open(path string, mode env.OpenMode, done func(env.File, error)) {
	o := d.w.newOp(opOpen)
	o.path, o.mode, o.onOpen = path, mode, done
	d.w.tree.submit(o)
}

func (d disk) Mkdir(path string, done func(error))  { d.submit(opMkdir, path, "", done) }
func (d disk) Remove(path string, done func(error)) { d.submit(opRemove, path, "", done) }
func (d disk) SyncDir(dir string, done func(error)) { d.submit(opSyncDir, dir, "", done) }
func (d disk) Rename(from, to string, done func(error)) {
	d.submit(opRename, from, to, done)
}

func (d disk) submit(kind opKind, path, to string, done func(error)) {
	o := d.w.newOp(kind)
	o.path, o.to, o.onErr = path, to, done
	d.w.tree.submit(o)
}

func (d disk) List(dir string, done func([]env.DirEntry, error)) {
	o := d.w.newOp(opList)
	o.path, o.onList = dir, done
	d.w.tree.submit(o)
}

// checkPath refuses what is not a clean path below the root.
func checkPath(op, path string) error {
	var err error
	switch {
	case !fs.ValidPath(path):
		err = fs.ErrInvalid
	case path == lockName:
		err = fs.ErrPermission
	default:
		return nil
	}
	return &fs.PathError{Op: op, Path: path, Err: err}
}

func (o *op) open() error {
	if err := checkPath("open", o.path); err != nil {
		return err
	}
	flags := os.O_RDWR
	if o.mode&env.ReadOnly != 0 {
		flags = os.O_RDONLY
	}
	if o.mode&env.Create != 0 {
		flags |= os.O_CREATE
		if o.mode&env.Exclusive != 0 {
			flags |= os.O_EXCL
		}
	}
	f, err := o.w.root.OpenFile(o.path, flags, fileMode)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = &fs.PathError{Op: "open", Path: o.path, Err: syscall.EISDIR}
	}
	if err != nil {
		_ = f.Close()
		return err
	}
	o.os = f
	return nil
}

func (o *op) mkdir() error {
	if err := checkPath("mkdir", o.path); err != nil || o.path == "." {
		return err
	}
	return o.w.root.MkdirAll(o.path, dirMode)
}

func (o *op) rename() error {
	if err := errors.Join(checkPath("rename", o.path), checkPath("rename", o.to)); err != nil {
		return err
	}
	return o.w.root.Rename(o.path, o.to)
}

func (o *op) remove() error {
	if o.path == "." {
		return &fs.PathError{Op: "remove", Path: o.path, Err: fs.ErrInvalid}
	}
	if err := checkPath("remove", o.path); err != nil {
		return err
	}
	return o.w.root.Remove(o.path)
}

func (o *op) openDir(what string) (*os.File, error) {
	if err := checkPath(what, o.path); err != nil {
		return nil, err
	}
	return o.w.root.OpenFile(o.path, os.O_RDONLY|syscall.O_DIRECTORY, 0)
}

func (o *op) list() error {
	d, err := o.openDir("list")
	if err != nil {
		return err
	}
	found, err := d.ReadDir(-1)
	_ = d.Close() // nothing was written
	if err != nil {
		return err
	}
	o.entries = make([]env.DirEntry, 0, len(found))
	for _, e := range found {
		if o.path == "." && e.Name() == lockName {
			continue
		}
		info, err := e.Info()
		switch {
		case errors.Is(err, fs.ErrNotExist): // removed behind our back
			continue
		case err != nil:
			return err
		case info.IsDir():
			o.entries = append(o.entries, env.DirEntry{Name: e.Name(), Dir: true})
		default:
			o.entries = append(o.entries, env.DirEntry{Name: e.Name(), Size: info.Size()})
		}
	}
	slices.SortFunc(o.entries, func(a, b env.DirEntry) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

func (o *op) syncDir() error {
	d, err := o.openDir("sync")
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// discard implements discarder: an opened file that nobody gets.
func (o *op) discard() {
	if o.os != nil {
		_ = o.os.Close()
	}
}

// diskError wraps the seam's errors around those of the system.
func diskError(err error) error {
	var as error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		as = env.ErrNoSpace
	case errors.Is(err, syscall.EIO):
		as = env.ErrIO
	default:
		return err
	}
	return fmt.Errorf("%w: %w", as, err)
}
