//go:build linux && !goroutines

package realenv

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"odradek/broker/env"
)

const (
	// directMost is the most bytes of a read or write on the loop: what copying
	// costs as much as waking up a thread and the loop again.
	directMost = 64 << 10
	// slow is how long a write on the loop may take before the loop leaves writes to
	// threads: for firstAway, and twice as long as the last time when it is slow again
	// before as much time has passed. (Being preempted looks the same, and passes.)
	slow      = 5 * time.Millisecond
	firstAway = time.Second
	mostAway  = time.Minute
)

// away is until when no file is written on the loop.
type away struct {
	until env.Time
	last  time.Duration
}

// took notes what a write on the loop took.
func (a *away) took(begin, end env.Time) {
	switch {
	case end.Sub(begin) <= slow:
		return
	case a.last > 0 && begin.Sub(a.until) < a.last:
		a.last = min(2*a.last, mostAway)
	default:
		a.last = firstAway
	}
	a.until = end.Add(a.last)
}

// readNow reads on the loop if the page cache has all of it.
func (f *file) readNow(o *op) bool {
	if len(o.buf) == 0 || len(o.buf) > directMost {
		return false
	}
	n, err := preadNow(f.fd, o.buf, o.off)
	if err != nil || n < len(o.buf) { // not in memory, the file's end, or an error
		return false
	}
	o.n = n
	return true
}

// preadNow reads what needs no waiting.
func preadNow(fd int, buf []byte, off int64) (int, error) {
	vec := unix.Iovec{Base: &buf[0]}
	vec.SetLen(len(buf))
	n, _, errno := unix.Syscall6(unix.SYS_PREADV2, uintptr(fd), uintptr(unsafe.Pointer(&vec)), 1,
		uintptr(off), uintptr(uint64(off)>>32), unix.RWF_NOWAIT)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// writeNow writes on the loop if no change is under way that it would have to wait for.
// A write into the page cache takes as long as the copy, except when the system has
// more unwritten pages than it likes, or the file system's journal is busy.
func (f *file) writeNow(o *op) (done bool, err error) {
	size := 0
	for _, b := range o.bufs {
		size += len(b)
	}
	if f.ino.lent > 0 || size > directMost {
		return false, nil
	}
	l := f.w.loop
	begin := l.now()
	if begin < f.w.away.until {
		return false, nil
	}
	err = o.run()
	f.w.away.took(begin, l.now())
	return true, err
}

// cached reports whether sending a region waits for no disk: the page cache has all
// of it, and the last of it has arrived (others are read before).
func (f *file) cached(off int64, n int) bool {
	if f.w.blind {
		return false
	}
	page := int64(unix.Getpagesize())
	var stat unix.Cachestat_t
	if err := unix.Cachestat(uint(f.fd), &unix.CachestatRange{Off: uint64(off), Len: uint64(n)}, &stat, 0); err != nil {
		f.w.blind = true // before Linux 6.5, or a sandbox that does not know it
		return false
	}
	pages := (off+int64(n)-1)/page - off/page + 1
	if int64(stat.Cache) < pages {
		return false
	}
	var last [1]byte
	got, err := preadNow(f.fd, last[:], off+int64(n)-1)
	return err == nil && got == 1
}
