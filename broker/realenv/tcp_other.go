//go:build !linux || goroutines

package realenv

import "io"

const fileChunk = 256 << 10

// sendFile sends n bytes of a file from off on.
func (o *writer) sendFile(f *file, off int64, n int) error {
	if o.part == nil {
		o.part = make([]byte, fileChunk)
	}
	for n > 0 {
		part := o.part[:min(n, fileChunk)]
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
