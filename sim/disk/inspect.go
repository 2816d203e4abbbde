package disk

// FileState is a file as Snapshot found it.
type FileState struct {
	Path string
	Data []byte
	// Synced tells that a power loss would leave data and length as they are. The
	// name may still be lost.
	Synced bool
}

// Snapshot lists the files with their contents as a process would read them,
// sorted by path.
func (d *Device) Snapshot() []FileState {
	var list []FileState
	d.tree.root.walk("", func(path string, n *inode) {
		data := make([]byte, n.size)
		_, _ = n.read(data, 0) // reads up to the size cannot fail
		list = append(list, FileState{Path: path, Data: data, Synced: n.clean()})
	})
	return list
}

// Corrupt flips the bits of mask in one byte of a file, on the disk and in the
// cache, as bad memory or a lying drive does. It reports whether there was such a
// byte.
func (d *Device) Corrupt(path string, off int64, mask byte) bool {
	n, err := d.tree.lookup(path)
	if err != nil || n.isDir() || off < 0 || off >= n.size || mask == 0 {
		return false
	}
	i := int(off / pageSize)
	flip := func(p *page) *page { // pages of the disk's may be shared with the cache
		q := zeroes
		if p != nil {
			q = *p
		}
		q[off%pageSize] ^= mask
		return &q
	}
	if p, dirty := n.dirty[i]; dirty {
		n.dirty[i] = diskPage{old: flip(p.old), lost: p.lost}
	}
	for len(n.pages) <= i {
		n.pages = append(n.pages, nil)
	}
	if n.pages[i] == nil {
		n.addBlocks(1)
	}
	n.pages[i] = flip(n.pages[i])
	d.stats.BytesFlipped++
	d.reach("disk-bytes-flipped", 1)
	return true
}

// Stats counts what has been done and the faults that really happened. The faults
// are also trace counters ("disk-sectors-lost").
type Stats struct {
	Ops          [numOps]uint64 // submitted, by Op
	BytesRead    uint64
	BytesWritten uint64
	BytesSynced  uint64

	SectorsLost  uint64 // new content replaced by old at power losses
	FilesTorn    uint64 // files that kept some new sectors and lost others
	FilesCut     uint64 // files that lost length
	EntriesLost  uint64 // changes of directories undone
	OpsCut       uint64 // operations that a crash found unfinished
	IOErrors     uint64
	NoSpace      uint64
	PagesDropped uint64 // by failed syncs
	BytesFlipped uint64
}

// Stats returns the counters so far.
func (d *Device) Stats() Stats { return d.stats }

// Names lists the files in a directory, sorted, as a process would see them at this
// moment; no time passes. It is empty if there is no such directory.
func (d *Device) Names(dir string) []string {
	n, err := d.tree.dir(dir)
	if err != nil {
		return nil
	}
	return names(n.entries)
}

// Peek fills buf from a file as a process would read it at this moment; no time
// passes. It returns how many bytes there were.
func (d *Device) Peek(path string, buf []byte, off int64) int {
	n, err := d.tree.lookup(path)
	if err != nil || n.isDir() {
		return 0
	}
	k, _ := n.read(buf, off) // the end of the file is all that can come between
	return k
}
