//go:build !linux

package reference

import (
	"os"
	"time"
)

func datasync(f *os.File) error { return f.Sync() }

func precisely() {}

func sleep(d time.Duration) { time.Sleep(d) }
