//go:build !linux

package realenv

import "io"

const fileChunk = 256 << 10

// fileSend is the buffer through which a region goes.
type fileSend struct{ buf []byte }

func (s *fileSend) init() {}

// wasReset cannot be told here; the writer's failure will be, if it is faster.
func (o *writer) wasReset() bool { return false }

// sendFile sends n bytes of a file from off on.
func (o *writer) sendFile(f *file, off int64, n int) error {
	if o.send.buf == nil {
		o.send.buf = make([]byte, fileChunk)
	}
	for n > 0 {
		part := o.send.buf[:min(n, fileChunk)]
		if _, err := f.os.ReadAt(part, off); err != nil {
			if err == io.EOF {
				err = errShortFile
			}
			return &regionError{f.path, off, diskError(err)}
		}
		if _, err := o.c.tcp.Write(part); err != nil {
			return err
		}
		off += int64(len(part))
		n -= len(part)
		o.took(len(part))
	}
	return nil
}
