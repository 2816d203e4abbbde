package env

import "errors"

// Disk is the directory tree that a node owns. Paths are relative to its root,
// slash-separated and clean. Creating, writing and making durable are separate
// steps: a file's bytes survive power loss once File.Sync succeeded, its name
// once SyncDir of its directory did.
//
// Operations on the tree (everything below except through a File) take effect in
// the order in which they were submitted.
type Disk interface {
	// Open opens a file. Without Create a missing file is fs.ErrNotExist; with
	// Exclusive an existing one is fs.ErrExist.
	Open(path string, mode OpenMode, done func(File, error))
	// Mkdir creates a directory and its missing parents; an existing one is fine.
	Mkdir(path string, done func(error))
	// Rename moves a file or directory, replacing a file that has the new name.
	Rename(from, to string, done func(error))
	// Remove deletes a file or an empty directory. Open files stay readable until
	// they are closed.
	Remove(path string, done func(error))
	// List names what is in a directory, sorted by name.
	List(dir string, done func([]DirEntry, error))
	// SyncDir makes the directory's entries durable.
	SyncDir(dir string, done func(error))
}

// OpenMode says how to open a file.
type OpenMode uint8

const (
	// ReadWrite opens an existing file.
	ReadWrite OpenMode = 0
	// Create makes the file if it is missing.
	Create OpenMode = 1 << iota
	// Exclusive, with Create, refuses an existing file.
	Exclusive
	// ReadOnly refuses writes.
	ReadOnly
)

// DirEntry is one name in a directory.
type DirEntry struct {
	Name string
	Dir  bool
	Size int64 // bytes; 0 for a directory
}

// File is an open file.
//
// Writes, truncations and syncs of one file take effect and complete in the order
// of submission. A read sees every write that had completed when the read was
// submitted; it does not wait for later ones.
type File interface {
	// Size is the length in bytes that the file has once everything submitted so
	// far has succeeded.
	Size() int64
	// ReadAt fills buf from off. At the end of the file n < len(buf) and err is
	// io.EOF.
	ReadAt(buf []byte, off int64, done func(n int, err error))
	// WriteAt writes the buffers one after the other from off on, extending the
	// file as needed. After an error any part of it may have been written. The
	// buffers must stay unmodified until done.
	WriteAt(bufs [][]byte, off int64, done func(error))
	// Sync makes everything written before it durable. After an error nobody may
	// assume anything about what was written since the last successful Sync, and
	// a later success does not mend that.
	Sync(done func(error))
	// Truncate cuts or extends (with zeroes) the file to size bytes.
	Truncate(size int64, done func(error))
	// Close lets go of the file once everything submitted is done. It does not
	// sync. Connections still sending a region of the file keep it open.
	Close()
}

// Errors of disks. Implementations wrap these, besides those of io/fs.
var (
	ErrNoSpace = errors.New("no space left on device")
	ErrIO      = errors.New("input/output error")
	// ErrClosed is returned for operations on a closed file.
	ErrClosed = errors.New("file already closed")
)
