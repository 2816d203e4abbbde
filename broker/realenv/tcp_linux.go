package realenv

import (
	"golang.org/x/sys/unix"
)

// fileChunk bounds one system call, so that progress is heard of.
const fileChunk = 1 << 20

// fileSend is the state of one call of sendfile.
type fileSend struct {
	from int
	off  int64
	n    int // to send, then sent
	err  error
	step func(fd uintptr) bool
}

func (s *fileSend) init() { s.step = s.try } // one closure for each connection

// try sends once; false asks to wait until the socket is writable.
func (s *fileSend) try(fd uintptr) bool {
	for {
		n, err := unix.Sendfile(int(fd), s.from, &s.off, s.n)
		switch err {
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			return false
		}
		s.n, s.err = max(n, 0), err
		return true
	}
}

// wasReset tells a connection that is dead from one whose peer has ended its half.
// The kernel reports a reset once, to whoever asks first: when the writer did, the
// reader sees the end of the stream.
func (o *writer) wasReset() bool {
	const stateClose = 7 // TCP_CLOSE of the kernel: neither half lives
	dead := false
	err := o.raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		dead = err == nil && info.State == stateClose
	})
	return err == nil && dead
}

// sendFile sends n bytes of a file from off on, without copying them here.
func (o *writer) sendFile(f *file, off int64, n int) error {
	s := &o.send
	for n > 0 {
		s.from, s.off, s.n, s.err = f.fd, off, min(n, fileChunk), nil
		if err := o.raw.Write(s.step); err != nil {
			return err
		}
		if s.err != nil {
			if s.err == unix.EIO { // the disk's; a socket has none
				return &regionError{f.path, off, diskError(s.err)}
			}
			return s.err
		}
		if s.n == 0 {
			return &regionError{f.path, off, errShortFile}
		}
		off += int64(s.n)
		n -= s.n
		o.took(s.n)
	}
	return nil
}
