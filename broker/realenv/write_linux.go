package realenv

import (
	"io"

	"golang.org/x/sys/unix"
)

// writeAll writes the buffers at off with as few system calls as possible.
func writeAll(fd int, bufs [][]byte, off int64) error {
	const most = 1024 // IOV_MAX
	skip := 0         // bytes of bufs[0] that are written
	var vec [][]byte
	for {
		for len(bufs) > 0 && skip >= len(bufs[0]) {
			skip -= len(bufs[0])
			bufs = bufs[1:]
		}
		if len(bufs) == 0 {
			return nil
		}
		var n int
		var err error
		if len(bufs) == 1 {
			n, err = unix.Pwrite(fd, bufs[0][skip:], off)
		} else {
			vec = append(vec[:0], bufs[:min(len(bufs), most)]...) // the caller's slice stays
			vec[0] = vec[0][skip:]
			n, err = unix.Pwritev(fd, vec, off)
		}
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return err
		case n == 0:
			return io.ErrShortWrite
		}
		skip += n
		off += int64(n)
	}
}

// syncFile makes the content durable, and the length if that changed, but not the
// time of modification.
func syncFile(fd int) error {
	for {
		if err := unix.Fdatasync(fd); err != unix.EINTR {
			return err
		}
	}
}
