package reference

import (
	"errors"
	"os"
	"sync"
)

// log is one file of frames, which many append to.
type log struct {
	file *os.File
	// datasync is nil if what is written counts as durable.
	datasync func(*os.File) error
	copies   int // followers that must have a byte before it is committed

	writing sync.Mutex // the file's end is the writer's

	mu    sync.Mutex
	moved sync.Cond // broadcast when a number below, or failed, changes
	// end is what was written. committed is what was also synced and copied, as far as
	// that was asked for: it may be acknowledged and read.
	end, synced, committed int64
	copied                 []int64 // by every follower that ever connected
	syncs                  int64
	failed                 error
}

var errClosed = errors.New("the log is closed")

// openLog makes a log in a file that must not exist.
func openLog(path string, datasync func(*os.File) error, copies int) (*log, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	l := &log{file: f, datasync: datasync, copies: copies}
	l.moved.L = &l.mu
	return l, nil
}

// append writes whole frames and returns the offset behind them.
func (l *log) append(frames []byte) (int64, error) {
	l.writing.Lock()
	defer l.writing.Unlock()
	// Only whoever holds writing moves the end.
	if _, err := l.file.WriteAt(frames, l.end); err != nil {
		l.fail(err)
		return 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end += int64(len(frames))
	l.advance()
	return l.end, l.failed
}

// waits reports whether what was written is committed only later.
func (l *log) waits() bool { return l.datasync != nil || l.copies > 0 }

// advance commits what it may, with mu held.
func (l *log) advance() {
	to := l.end
	if l.datasync != nil {
		to = l.synced
	}
	if len(l.copied) < l.copies {
		to = 0
	}
	for _, c := range l.copied {
		to = min(to, c)
	}
	l.committed = max(l.committed, to)
	l.moved.Broadcast()
}

// copyTo registers a follower that has nothing yet; the function it returns says how
// far it has come.
func (l *log) copyTo() func(upto int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := len(l.copied)
	l.copied = append(l.copied, 0)
	return func(upto int64) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.copied[i] = upto
		l.advance()
	}
}

// syncing makes durable whatever was written meanwhile, again and again, until the log
// fails or is closed. It belongs to a log with datasync.
func (l *log) syncing() {
	for {
		end, err := l.await(&l.end, l.synced) // only this function changes synced
		if err != nil {
			return
		}
		if err := l.datasync(l.file); err != nil {
			l.fail(err)
			return
		}
		l.mu.Lock()
		l.synced = end
		l.syncs++
		l.advance()
		l.mu.Unlock()
	}
}

// await waits until a number of the log, its end or committed, is beyond an offset, and
// returns it.
func (l *log) await(number *int64, beyond int64) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for *number <= beyond && l.failed == nil {
		l.moved.Wait()
	}
	return *number, l.failed
}

// fail ends all waiting. The first error stays.
func (l *log) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed == nil {
		l.failed = err
	}
	l.moved.Broadcast()
}
