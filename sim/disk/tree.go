package disk

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"odradek/broker/env"
)

// tree is the directories: as processes see them (inode.entries), as the disk has
// them (inode.onDisk), and the changes in between.
type tree struct {
	root    *inode
	journal []*change
	// Of syncDir, to be used again: which changes it commits, and the directories that they
	// are of.
	commit []bool
	needed []*inode
}

// change is an atomic change of one directory, or of two by a rename.
type change struct {
	edits [2]edit
	n     int
	// moved is the directory that a rename moved: its ".." is an entry too, so
	// that directories cannot end up inside each other.
	moved *inode
}

type edit struct {
	dir  *inode
	name string
	ino  *inode // nil removes the entry
}

var (
	errNotDir   = errors.New("not a directory")
	errIsDir    = errors.New("is a directory")
	errNotEmpty = errors.New("directory not empty")
)

// touches lists the directories that a change is of, in buf.
func (c *change) touches(buf *[3]*inode) []*inode {
	dirs := buf[:0]
	for _, e := range c.edits[:c.n] {
		dirs = append(dirs, e.dir)
	}
	if c.moved != nil {
		dirs = append(dirs, c.moved)
	}
	return dirs
}

func (c *change) commit() {
	for _, e := range c.edits[:c.n] {
		if e.ino == nil {
			delete(e.dir.onDisk, e.name)
		} else {
			e.dir.onDisk[e.name] = e.ino
		}
	}
}

// do makes a change visible and enters it in the journal.
func (t *tree) do(d *Device, moved *inode, edits ...edit) {
	c := &change{n: len(edits), moved: moved}
	copy(c.edits[:], edits)
	for _, e := range edits {
		if old := e.dir.entries[e.name]; old != nil {
			d.link(old, false)
		}
		if e.ino == nil {
			delete(e.dir.entries, e.name)
		}
	}
	for _, e := range edits {
		if e.ino != nil {
			e.dir.entries[e.name] = e.ino
			d.link(e.ino, true)
		}
	}
	t.journal = append(t.journal, c)
}

// link accounts for the space of a file that gets or loses its name.
func (d *Device) link(n *inode, linked bool) {
	if n.linked == linked {
		return
	}
	n.linked = linked
	if linked {
		d.used += n.blocks * pageSize
	} else {
		d.used -= n.blocks * pageSize
	}
}

// lookup finds what a path names.
func (t *tree) lookup(path string) (*inode, error) {
	if path == "." || path == "" {
		return t.root, nil
	}
	if !fs.ValidPath(path) {
		return nil, fs.ErrInvalid
	}
	n := t.root
	for name := range strings.SplitSeq(path, "/") {
		if !n.isDir() {
			return nil, errNotDir
		}
		if n = n.entries[name]; n == nil {
			return nil, fs.ErrNotExist
		}
	}
	return n, nil
}

func (t *tree) dir(path string) (*inode, error) {
	n, err := t.lookup(path)
	if err == nil && !n.isDir() {
		err = errNotDir
	}
	return n, err
}

// parent finds the directory that a path's last name is in.
func (t *tree) parent(path string) (*inode, string, error) {
	if path == "." || !fs.ValidPath(path) {
		return nil, "", fs.ErrInvalid
	}
	dir, name := ".", path
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		dir, name = path[:i], path[i+1:]
	}
	n, err := t.dir(dir)
	return n, name, err
}

func (t *tree) open(d *Device, path string, mode env.OpenMode) (*inode, error) {
	dir, name, err := t.parent(path)
	if err != nil {
		return nil, err
	}
	n := dir.entries[name]
	switch {
	case n == nil && mode&env.Create == 0:
		return nil, fs.ErrNotExist
	case n == nil:
		n = d.newInode(false)
		t.do(d, nil, edit{dir, name, n})
	case mode&env.Create != 0 && mode&env.Exclusive != 0:
		return nil, fs.ErrExist
	case n.isDir():
		return nil, errIsDir
	}
	return n, nil
}

func (t *tree) mkdir(d *Device, path string) error {
	if path == "." || path == "" {
		return nil
	}
	if !fs.ValidPath(path) {
		return fs.ErrInvalid
	}
	n := t.root
	for name := range strings.SplitSeq(path, "/") {
		next := n.entries[name]
		if next == nil {
			next = d.newInode(true)
			t.do(d, nil, edit{n, name, next})
		}
		if !next.isDir() {
			return errNotDir
		}
		n = next
	}
	return nil
}

func (t *tree) rename(d *Device, from, to string) error {
	fromDir, fromName, err := t.parent(from)
	if err != nil {
		return err
	}
	toDir, toName, err := t.parent(to)
	if err != nil {
		return err
	}
	n, old := fromDir.entries[fromName], toDir.entries[toName]
	switch {
	case n == nil:
		return fs.ErrNotExist
	case n == old:
		return nil
	case old != nil && (old.isDir() || n.isDir()):
		return fs.ErrExist
	case n.isDir() && strings.HasPrefix(to, from+"/"):
		return fs.ErrInvalid
	}
	var moved *inode
	if n.isDir() {
		moved = n
	}
	t.do(d, moved, edit{fromDir, fromName, nil}, edit{toDir, toName, n})
	return nil
}

func (t *tree) remove(d *Device, path string) error {
	dir, name, err := t.parent(path)
	if err != nil {
		return err
	}
	n := dir.entries[name]
	switch {
	case n == nil:
		return fs.ErrNotExist
	case len(n.entries) > 0:
		return errNotEmpty
	}
	t.do(d, nil, edit{dir, name, nil})
	return nil
}

func (t *tree) list(path string) ([]env.DirEntry, error) {
	dir, err := t.dir(path)
	if err != nil {
		return nil, err
	}
	list := make([]env.DirEntry, 0, len(dir.entries))
	for _, name := range names(dir.entries) {
		n := dir.entries[name]
		list = append(list, env.DirEntry{Name: name, Dir: n.isDir(), Size: n.size})
	}
	return list, nil
}

// syncDir commits the changes of a directory, and those of other directories that
// precede them in a common rename.
func (t *tree) syncDir(path string) error {
	dir, err := t.dir(path)
	if err != nil {
		return err
	}
	var buf [3]*inode
	needed := append(t.needed[:0], dir)
	commit := append(t.commit[:0], make([]bool, len(t.journal))...)
	for i, c := range slices.Backward(t.journal) {
		dirs := c.touches(&buf)
		for _, n := range dirs {
			commit[i] = commit[i] || slices.Contains(needed, n)
		}
		if !commit[i] {
			continue
		}
		for _, n := range dirs {
			if !slices.Contains(needed, n) {
				needed = append(needed, n)
			}
		}
	}
	t.needed, t.commit = needed, commit
	rest := t.journal[:0]
	for i, c := range t.journal {
		if commit[i] {
			c.commit()
		} else {
			rest = append(rest, c)
		}
	}
	clear(t.journal[len(rest):])
	t.journal = rest
	return nil
}

// losePower replaces the directories by what the disk might have. Every directory
// loses the tail of its changes from a random one on.
func (t *tree) losePower(d *Device, lost *loss) {
	var buf [3]*inode
	changes := make(map[*inode]int) // per directory
	var order []*inode
	for _, c := range t.journal {
		for _, n := range c.touches(&buf) {
			if changes[n] == 0 {
				order = append(order, n)
			}
			changes[n]++
		}
	}
	keep := make(map[*inode]int, len(order))
	for _, n := range order {
		keep[n] = drawKept(d, changes[n])
	}
	for _, c := range t.journal {
		kept := true
		for _, n := range c.touches(&buf) {
			kept = kept && keep[n] > 0
		}
		for _, n := range c.touches(&buf) {
			if kept {
				keep[n]--
			} else {
				keep[n] = 0
			}
		}
		if kept {
			c.commit()
		} else {
			lost.entries++
		}
	}
	t.journal = nil
	d.used = 0
	t.root.revert()
}

// drawKept draws how many of n changes survive: all, none or some.
func drawKept(d *Device, n int) int {
	switch d.random.IntN(3) {
	case 0:
		return 0
	case 1:
		return n
	}
	return d.random.IntN(n + 1)
}

// revert makes the directory and those below what the disk has.
func (n *inode) revert() {
	clear(n.entries)
	for name, child := range n.onDisk { //odradek:unordered copies a map; sums
		n.entries[name] = child
		if child.isDir() {
			child.revert()
		}
	}
}

// walk visits the files below dir in the order of their paths.
func (n *inode) walk(path string, visit func(path string, n *inode)) {
	for _, name := range names(n.entries) {
		child, at := n.entries[name], name
		if path != "" {
			at = path + "/" + name
		}
		if child.isDir() {
			child.walk(at, visit)
		} else {
			visit(at, child)
		}
	}
}

func names(entries map[string]*inode) []string {
	list := make([]string, 0, len(entries))
	for name := range entries { //odradek:unordered sorted below
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}
