package reference

import (
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// datasync makes a file's content durable, and its length.
func datasync(f *os.File) error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); err != unix.EINTR {
			return err
		}
	}
}

// precisely makes sleep of this goroutine precise to some microseconds: it gets a thread
// to itself, whose timers the kernel does not put together with others.
func precisely() {
	runtime.LockOSThread()
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0) // without it sleeps are 50 us longer, which the lateness shows
}

// sleep does not take the runtime's timers, which may be 1 ms late when nothing else
// runs: it waits for them and for sockets in one call, which counts in ms.
func sleep(d time.Duration) {
	left := unix.NsecToTimespec(int64(d))
	for unix.Nanosleep(&left, &left) == unix.EINTR {
	}
}
