package disk

import (
	"io"
	"math/rand/v2"
	"slices"

	"odradek/sim"
)

const (
	pageSize   = 4096
	sectorSize = 512
)

type page [pageSize]byte

var zeroes page

// inode is a file or a directory. Its page cache is what processes see; what the
// disk has of a file is described by the difference: the pages that are dirty, with
// their content on the disk, and the length.
type inode struct {
	d      *Device
	id     uint64 // for nothing but reading dumps
	linked bool   // it has a name

	// A file.
	pages    []*page // nil is zeroes, as is what lies beyond
	blocks   int64   // pages that are not nil
	size     int64
	diskSize int64            // at the last successful sync
	low      int64            // least size since then
	dirty    map[int]diskPage // pages whose content the disk may not have
	lost     int              // how many of dirty are lost
	cold     int64            // bytes below are not in the cache, for timing
	nextSize int64            // when everything submitted has succeeded
	lastEnd  sim.Time         // the last planned completion of an ordered operation
	unsynced int64            // bytes submitted since the last sync was
	cut      bool             // during a crash: later operations do not happen

	// A directory.
	entries map[string]*inode // nil for a file
	onDisk  map[string]*inode
}

// diskPage is what the disk has of a dirty page.
type diskPage struct {
	old *page // nil is zeroes
	// lost: a failed sync has marked the page clean. A sync will not write it,
	// until it is written to again.
	lost bool
}

func (d *Device) newInode(dir bool) *inode {
	d.nextID++
	n := &inode{d: d, id: d.nextID}
	if dir {
		n.entries = make(map[string]*inode)
		n.onDisk = make(map[string]*inode)
	} else {
		n.dirty = make(map[int]diskPage)
	}
	return n
}

func (n *inode) isDir() bool { return n.entries != nil }

// clean reports whether a power loss would leave the file as it is.
func (n *inode) clean() bool {
	return len(n.dirty) == 0 && n.size == n.diskSize && n.low == n.diskSize
}

func (n *inode) page(i int) *page {
	if i < len(n.pages) && n.pages[i] != nil {
		return n.pages[i]
	}
	return &zeroes
}

// own returns page i for writing: a copy, if the disk's version is the one in
// the cache.
func (n *inode) own(i int) *page {
	for len(n.pages) <= i {
		n.pages = append(n.pages, nil)
	}
	cur := n.pages[i]
	d, dirty := n.dirty[i]
	switch {
	case !dirty:
		n.dirty[i] = diskPage{old: cur}
	case d.lost:
		n.dirty[i] = diskPage{old: d.old}
		n.lost--
		if cur != nil && cur != d.old {
			return cur
		}
	case cur != nil && cur != d.old:
		return cur
	}
	p := n.d.newPage()
	if cur != nil {
		*p = *cur
	} else {
		*p = zeroes
		n.addBlocks(1)
	}
	n.pages[i] = p
	return p
}

// newPage returns a page with any content.
func (d *Device) newPage() *page {
	if last := len(d.spare) - 1; last >= 0 {
		p := d.spare[last]
		d.spare = d.spare[:last]
		return p
	}
	return new(page)
}

func (n *inode) addBlocks(count int64) {
	n.blocks += count
	if n.linked {
		n.d.used += count * pageSize
	}
}

// write copies the first limit bytes of bufs to off.
func (n *inode) write(bufs [][]byte, off, limit int64) {
	for _, b := range bufs {
		if int64(len(b)) > limit {
			b = b[:limit]
		}
		limit -= int64(len(b))
		for len(b) > 0 {
			p := n.own(int(off / pageSize))
			c := copy(p[off%pageSize:], b)
			b = b[c:]
			off += int64(c)
			n.size = max(n.size, off)
		}
	}
}

// fit is how many of count bytes can be written at off with so many new pages.
func (n *inode) fit(off, count, pages int64) int64 {
	for i := off / pageSize; i*pageSize < off+count; i++ {
		if int(i) < len(n.pages) && n.pages[i] != nil {
			continue
		}
		if pages--; pages < 0 {
			return max(i*pageSize-off, 0)
		}
	}
	return count
}

// read fills buf from off.
func (n *inode) read(buf []byte, off int64) (int, error) {
	if off >= n.size {
		if len(buf) == 0 {
			return 0, nil
		}
		return 0, io.EOF
	}
	var err error
	if left := n.size - off; int64(len(buf)) > left {
		buf, err = buf[:left], io.EOF
	}
	for b := buf; len(b) > 0; {
		c := copy(b, n.page(int(off / pageSize))[off%pageSize:])
		b = b[c:]
		off += int64(c)
	}
	return len(buf), err
}

// truncate cuts or extends. Pages that are cut off stay known as the disk's.
func (n *inode) truncate(size int64) {
	if size < n.size {
		n.cutPages(size, true)
		n.low = min(n.low, size)
	}
	n.size = size
}

// cutPages makes everything from size on zeroes.
func (n *inode) cutPages(size int64, track bool) {
	keep := int((size + pageSize - 1) / pageSize)
	for i := keep; i < len(n.pages); i++ {
		d, dirty := n.dirty[i]
		if d.lost { // a sync does reach the disk with the page being gone
			n.dirty[i] = diskPage{old: d.old}
			n.lost--
		}
		if n.pages[i] == nil {
			continue
		}
		if track && !dirty {
			n.dirty[i] = diskPage{old: n.pages[i]}
		}
		n.pages[i] = nil
		n.addBlocks(-1)
	}
	n.pages = n.pages[:min(keep, len(n.pages))]
	if tail := size % pageSize; tail != 0 && keep <= len(n.pages) && n.pages[keep-1] != nil {
		p := n.pages[keep-1]
		if track {
			p = n.own(keep - 1)
		}
		clear(p[tail:])
	}
}

// sync makes the disk have what the cache has, except for what a failed sync lost.
func (n *inode) sync() {
	n.d.stats.BytesSynced += uint64(len(n.dirty)-n.lost) * pageSize
	for i, p := range n.dirty { //odradek:unordered each entry is decided by itself, and a spare page is like any other
		if p.lost {
			continue
		}
		delete(n.dirty, i)
		if p.old != nil && (i >= len(n.pages) || n.pages[i] != p.old) {
			n.d.spare = append(n.d.spare, p.old)
		}
	}
	n.diskSize, n.low = n.size, n.size
}

func (n *inode) dirtyPages() []int {
	list := make([]int, 0, len(n.dirty))
	for i := range n.dirty { //odradek:unordered sorted below
		list = append(list, i)
	}
	slices.Sort(list)
	return list
}

// failSync drops the dirty pages: see the package's doc.
func (d *Device) failSync(n *inode) {
	evict := d.random.IntN(2) == 0
	dropped := 0
	for _, i := range n.dirtyPages() {
		p := n.dirty[i]
		if p.lost || i >= len(n.pages) {
			continue // a page cut off is not written, but freed
		}
		if d.random.IntN(2) == 0 {
			delete(n.dirty, i)
			continue
		}
		dropped++
		n.lost++
		n.dirty[i] = diskPage{old: p.old, lost: true}
		if evict {
			n.evict(i, p.old)
		}
	}
	d.stats.PagesDropped += uint64(dropped)
	d.reach("disk-pages-dropped", dropped)
}

// evict replaces a page of the cache by the disk's.
func (n *inode) evict(i int, old *page) {
	p := new(page)
	if old != nil {
		*p = *old
	}
	if end := int64(i+1) * pageSize; end > n.size {
		clear(p[pageSize-(end-n.size):]) // the disk's page may have been longer
	}
	if n.pages[i] == nil {
		n.addBlocks(1)
	}
	n.pages[i] = p
}

// losePower replaces the cache by what the disk might have after a power loss.
func (n *inode) losePower(r *rand.Rand, lost *loss) {
	if !n.clean() {
		n.tear(r, lost)
	}
	clear(n.dirty)
	n.lost = 0
	n.diskSize, n.low, n.nextSize, n.cold = n.size, n.size, n.size, n.size
	n.lastEnd, n.unsynced, n.cut = 0, 0, false
}

// keepOdds are the chances, of 16, that an unsynced sector has reached the disk.
var keepOdds = [...]int{0, 2, 8, 14, 16}

func (n *inode) tear(r *rand.Rand, lost *loss) {
	odds := keepOdds[r.IntN(len(keepOdds))]
	cutBelow := n.low < n.diskSize
	undone := cutBelow && r.IntN(2) == 0 // the truncation did not reach the disk
	size := n.diskSize
	if !undone {
		size = drawLength(r, odds, min(n.low, n.diskSize), n.size)
	}
	var kept, gone int
	for _, i := range n.dirtyPages() {
		d := n.dirty[i]
		cur, old := *n.page(i), zeroes
		if d.old != nil {
			old = *d.old
		}
		for s := 0; s < pageSize; s += sectorSize {
			start := int64(i)*pageSize + int64(s)
			was := old[s : s+sectorSize]
			takeOld := d.lost || r.IntN(16) >= odds
			switch beyond := start + sectorSize - n.low; {
			case !cutBelow || beyond <= 0:
			case undone:
				takeOld = true
			case beyond >= sectorSize:
				clear(was)
			default:
				clear(was[sectorSize-beyond:])
			}
			if string(was) == string(cur[s:s+sectorSize]) {
				continue
			}
			if !takeOld {
				kept++
				continue
			}
			copy(cur[s:], was)
			if start < size {
				gone++
			}
		}
		for len(n.pages) <= i {
			n.pages = append(n.pages, nil)
		}
		n.pages[i] = &cur
	}
	if size < n.size {
		lost.cut++
	}
	if kept > 0 && gone > 0 {
		lost.torn++
	}
	lost.sectors += gone
	n.size = size
	n.cutPages(size, false)
}

func drawLength(r *rand.Rand, odds int, low, high int64) int64 {
	switch {
	case low == high || odds == 16:
		return high
	case odds == 0:
		return low
	}
	return low + r.Int64N(high-low+1)
}
