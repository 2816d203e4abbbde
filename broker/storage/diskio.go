package storage

import (
	"errors"
	"io"
	"io/fs"
	"path"

	"odradek/broker/env"
)

// Operations on the disk for coroutines, each with its result as a return value.

func openFile(t *env.Task, d env.Disk, name string, mode env.OpenMode) (env.File, error) {
	return env.Await2(t, func(done func(env.File, error)) { d.Open(name, mode, done) })
}

func list(t *env.Task, d env.Disk, dir string) ([]env.DirEntry, error) {
	return env.Await2(t, func(done func([]env.DirEntry, error)) { d.List(dir, done) })
}

func mkdir(t *env.Task, d env.Disk, dir string) error {
	return env.Await(t, func(done func(error)) { d.Mkdir(dir, done) })
}

func rename(t *env.Task, d env.Disk, from, to string) error {
	return env.Await(t, func(done func(error)) { d.Rename(from, to, done) })
}

// renameIfThere is rename, except that a missing file is fine.
func renameIfThere(t *env.Task, d env.Disk, from, to string) error {
	if err := rename(t, d, from, to); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func syncDir(t *env.Task, d env.Disk, dir string) error {
	return env.Await(t, func(done func(error)) { d.SyncDir(dir, done) })
}

// remove deletes a file or an empty directory; a missing one is fine.
func remove(t *env.Task, d env.Disk, name string) error {
	err := env.Await(t, func(done func(error)) { d.Remove(name, done) })
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func syncFile(t *env.Task, f env.File) error { return env.Await(t, f.Sync) }

func truncateFile(t *env.Task, f env.File, size int64) error {
	return env.Await(t, func(done func(error)) { f.Truncate(size, done) })
}

func writeAt(t *env.Task, f env.File, b []byte, pos int64) error {
	return env.Await(t, func(done func(error)) { f.WriteAt([][]byte{b}, pos, done) })
}

// readAt fills buf as far as the file goes; its end is not an error.
func readAt(t *env.Task, f env.File, buf []byte, pos int64) (int, error) {
	n, err := env.Await2(t, func(done func(int, error)) { f.ReadAt(buf, pos, done) })
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// readFile returns the whole content of a small file.
func readFile(t *env.Task, d env.Disk, name string) ([]byte, error) {
	f, err := openFile(t, d, name, env.ReadOnly)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	buf := make([]byte, f.Size())
	n, err := readAt(t, f, buf, 0)
	return buf[:n], err
}

// writeFile makes content all that is in a file, durable or not. The name is not made
// durable.
func writeFile(t *env.Task, d env.Disk, name string, content []byte, durable bool) error {
	f, err := openFile(t, d, name, env.Create)
	if err != nil {
		return err
	}
	defer f.Close()
	if f.Size() > 0 {
		if err := truncateFile(t, f, 0); err != nil {
			return err
		}
	}
	if len(content) > 0 {
		if err := writeAt(t, f, content, 0); err != nil {
			return err
		}
	}
	if !durable {
		return nil
	}
	return syncFile(t, f)
}

// writeFileWhole replaces a file so that at any moment either the old or the new content
// is there. Which of them is not durable before the directory is synced.
func writeFileWhole(t *env.Task, d env.Disk, name string, content []byte) error {
	tmp := name + temporarySuffix
	if err := writeFile(t, d, tmp, content, true); err != nil {
		return err
	}
	return rename(t, d, tmp, name)
}

// writeFileAtomic is writeFileWhole, and the new content is durable when it returns.
func writeFileAtomic(t *env.Task, d env.Disk, name string, content []byte) error {
	if err := writeFileWhole(t, d, name, content); err != nil {
		return err
	}
	return syncDir(t, d, path.Dir(name))
}

// removeTree deletes a directory with everything in it.
func removeTree(t *env.Task, d env.Disk, dir string) error {
	entries, err := list(t, d, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := path.Join(dir, e.Name)
		if e.Dir {
			err = removeTree(t, d, name)
		} else {
			err = remove(t, d, name)
		}
		if err != nil {
			return err
		}
	}
	return remove(t, d, dir)
}
