//go:build !linux

package realenv

import (
	"io"

	"golang.org/x/sys/unix"
)

func writeAll(fd int, bufs [][]byte, off int64) error {
	for _, b := range bufs {
		for len(b) > 0 {
			n, err := unix.Pwrite(fd, b, off)
			switch {
			case err == unix.EINTR:
				continue
			case err != nil:
				return err
			case n == 0:
				return io.ErrShortWrite
			}
			b = b[n:]
			off += int64(n)
		}
	}
	return nil
}

func syncFile(fd int) error { return unix.Fsync(fd) }
