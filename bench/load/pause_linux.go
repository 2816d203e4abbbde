package load

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// alarm lets a goroutine sleep to within microseconds: a timer of the kernel that Go's
// poller waits for as for any other file. The poller's own timers are in milliseconds.
type alarm struct{ file *os.File }

func newAlarm() (*alarm, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("timerfd: %w", err)
	}
	return &alarm{os.NewFile(uintptr(fd), "timerfd")}, nil
}

// sleep pauses the goroutine for d, which is more than nothing.
func (a *alarm) sleep(d time.Duration) error {
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(d))}
	conn, err := a.file.SyscallConn()
	if err == nil {
		if failed := conn.Control(func(fd uintptr) { err = unix.TimerfdSettime(int(fd), 0, &spec, nil) }); failed != nil {
			err = failed
		}
	}
	if err == nil {
		var expired [8]byte
		_, err = a.file.Read(expired[:])
	}
	if err != nil {
		return fmt.Errorf("timerfd: %w", err)
	}
	return nil
}

func (a *alarm) close() { _ = a.file.Close() }
