//go:build !linux

package calibrate

import "os"

func datasync(f *os.File) error { return f.Sync() }
