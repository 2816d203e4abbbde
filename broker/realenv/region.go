package realenv

import (
	"fmt"
	"io"

	"odradek/broker/env"
)

// retain keeps the file of a segment open until release.
func retain(s env.Segment) {
	if s.File == nil {
		return
	}
	f, ours := s.File.(*file)
	if !ours {
		panic(fmt.Sprintf("realenv: a %T cannot be sent", s.File))
	}
	f.retain()
}

// release lets go of the files of segments that nobody will send.
func release(segs []env.Segment) {
	for _, s := range segs {
		if s.File != nil {
			s.File.(*file).release()
		}
	}
}

// regionError says that a file's region could not be read whole.
type regionError struct {
	path string
	off  int64
	err  error
}

func (e *regionError) Error() string {
	return fmt.Sprintf("sending %s from byte %d: %v", e.path, e.off, e.err)
}

func (e *regionError) Unwrap() error { return e.err }

var errShortFile = fmt.Errorf("the file ends: %w", io.ErrUnexpectedEOF)
