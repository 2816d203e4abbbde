package realenv

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"odradek/broker/env"
	"odradek/broker/failpoint"
)

func open(t testing.TB, o Options) *World {
	t.Helper()
	if o.DataDir == "" {
		o.DataDir = t.TempDir()
	}
	w, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

// play runs a coroutine on the world's loop and waits for it.
func play(t testing.TB, w *World, fn func(*env.Task)) {
	t.Helper()
	done := make(chan struct{})
	w.Post(func() {
		w.Env().Tasks.Go(func(task *env.Task) {
			fn(task)
			close(done)
		})
	})
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("the script did not end")
	}
}

// busy leaves a world with something of everything under way.
func busy(t *testing.T, w *World) {
	play(t, w, func(task *env.Task) {
		e := w.Env()
		l, err := e.Net.Listen("127.0.0.1:0", func(c env.Conn) {
			c.Write([]env.Segment{{Bytes: make([]byte, 1<<20)}})
			c.Read(make([]byte, 1), 1, func(int, error) {})
		})
		if err != nil {
			t.Error(err)
			return
		}
		for range 5 {
			c, err := env.Await2(task, func(done func(env.Conn, error)) { e.Net.Dial(l.Addr(), time.Second, done) })
			if err != nil {
				t.Error(err)
				return
			}
			f, err := env.Await2(task, func(done func(env.File, error)) { e.Disk.Open("file", env.Create, done) })
			if err != nil {
				t.Error(err)
				return
			}
			if err := env.Await(task, func(done func(error)) { f.WriteAt([][]byte{make([]byte, 16<<20)}, 0, done) }); err != nil {
				t.Error(err)
				return
			}
			c.Write([]env.Segment{{File: f, Len: 16 << 20}}) // nobody reads it
			f.WriteAt([][]byte{make([]byte, 1<<20)}, 0, func(error) {})
			f.Sync(func(error) {})
			e.Disk.Open("file", 0, func(env.File, error) {})
			e.Net.Dial(l.Addr(), time.Second, func(env.Conn, error) {})
			e.CPU.Work(env.OpCRC, 1, func() { time.Sleep(time.Millisecond) }, func() {})
		}
		e.Net.Dial(silentAddr(t), time.Hour, func(env.Conn, error) {})
		e.Clock.After(time.Hour, func() {})
		e.Tasks.Go(func(task *env.Task) { task.Sleep(e.Clock, time.Hour) })
	})
}

func descriptors(t *testing.T) int {
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip(err)
	}
	return len(names)
}

func TestCloseLeavesNothingBehind(t *testing.T) {
	if w := open(t, Options{}); w.Close() != nil { // what the runtime opens once
		t.Fatal("close")
	}
	goroutines, fds := runtime.NumGoroutine(), descriptors(t)
	t.Run("busy", func(t *testing.T) {
		for range 3 {
			w := open(t, Options{})
			go w.Run()
			busy(t, w)
			if err := w.Close(); err != nil {
				t.Error(err)
			}
			if err := w.Close(); err != nil {
				t.Errorf("second Close: %v", err)
			}
		}
	})
	// A goroutine that has told of its end may take a moment to be gone.
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		g, d := runtime.NumGoroutine(), descriptors(t)
		if g <= goroutines && d <= fds {
			break
		}
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, before %d; %d descriptors, before %d\n%s", g, goroutines, d, fds, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

func TestCloseFinishesSubmittedWrites(t *testing.T) {
	dir := t.TempDir()
	w := open(t, Options{DataDir: dir})
	w.Env().Disk.Open("file", env.Create, func(f env.File, err error) {
		for i := range 100 {
			f.WriteAt([][]byte{bytes.Repeat([]byte("x"), 1000)}, int64(i*1000), func(error) {})
		}
		w.Stop()
	})
	w.Run()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "file")); err != nil || len(got) != 100_000 {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
}

func TestStopInACallbackIsTheLastCallback(t *testing.T) {
	w := open(t, Options{})
	w.Post(func() {
		w.Stop()
		w.Post(func() { t.Error("posted after Stop, and ran") })
	})
	w.Post(func() { t.Error("queued behind Stop, and ran") })
	w.Run()
	defer func() {
		if recover() == nil {
			t.Error("a second Run did not panic")
		}
	}()
	w.Run()
}

func TestWorldThatNeverRanCloses(t *testing.T) {
	w := open(t, Options{})
	w.Post(func() { t.Error("ran") })
	w.Env().Disk.Open("file", env.Create, func(env.File, error) { t.Error("fired") })
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	w.Run() // returns
}

// The processes that tests start: one that holds a directory, in
// TestSecondProcessIsToldWhoHoldsTheDirectory, and the server of BenchmarkServe.
func TestMain(m *testing.M) {
	if dir := os.Getenv("REALENV_TEST_HOLD"); dir != "" {
		_, err := Open(Options{DataDir: dir})
		fmt.Println("held", err)
		_, _ = os.Stdin.Read(make([]byte, 1)) // until the parent closes the pipe
		return
	}
	if dir := os.Getenv("REALENV_BENCH_SERVE"); dir != "" {
		serveRequests(dir)
		return
	}
	m.Run()
}

func TestSecondProcessIsToldWhoHoldsTheDirectory(t *testing.T) {
	dir := t.TempDir()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), "REALENV_TEST_HOLD="+dir)
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 100)
	n, _ := out.Read(line)
	if got := strings.TrimSpace(string(line[:n])); got != "held <nil>" {
		t.Fatalf("the child said %q", got)
	}
	_, err = Open(Options{DataDir: dir})
	var locked *LockedError
	if !errors.As(err, &locked) || locked.PID != child.Process.Pid {
		t.Errorf("got %v, want a LockedError of process %d", err, child.Process.Pid)
	}
	in.Close()
	if err := child.Wait(); err != nil {
		t.Fatal(err)
	}
	open(t, Options{DataDir: dir}) // the lock went with the process
}

func TestSecondWorldOfAProcessIsRefused(t *testing.T) {
	dir := t.TempDir()
	w := open(t, Options{DataDir: dir})
	_, err := Open(Options{DataDir: dir})
	if want := fmt.Sprintf("data directory %s is in use by process %d", dir, os.Getpid()); err == nil || err.Error() != want {
		t.Errorf("got %v, want %q", err, want)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, Options{DataDir: dir})
}

func TestLockFileIsOutOfReach(t *testing.T) {
	w := open(t, Options{})
	go w.Run()
	play(t, w, func(task *env.Task) {
		_, err := env.Await2(task, func(done func(env.File, error)) { w.Env().Disk.Open(lockName, env.Create, done) })
		if !errors.Is(err, fs.ErrPermission) {
			t.Errorf("open: %v", err)
		}
		err = env.Await(task, func(done func(error)) { w.Env().Disk.Remove(lockName, done) })
		if !errors.Is(err, fs.ErrPermission) {
			t.Errorf("remove: %v", err)
		}
	})
}

func TestFailpointsComeFromTheEnvironment(t *testing.T) {
	t.Setenv("GO_FAILPOINTS", `storage/append=1*return("io"); raft/persist=return(true);`)
	w := open(t, Options{})
	if got := w.Env().Fail.Value(failpoint.StorageAppend); got != "io" {
		t.Errorf("storage/append has the value %q", got)
	}
	if !w.Env().Fail.On(failpoint.RaftPersist) || w.Env().Fail.On(failpoint.StorageSync) {
		t.Error("the wrong points are armed")
	}
	for _, bad := range []string{"storage/append", "no/such=return", "storage/append=sleep(1)"} {
		t.Setenv("GO_FAILPOINTS", bad)
		if w, err := Open(Options{DataDir: t.TempDir()}); err == nil {
			w.Close()
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestEventsAreLoggedFromTheirLevelOn(t *testing.T) {
	var log bytes.Buffer
	w := open(t, Options{Log: &log, Level: env.Info})
	w.Env().Trace.Event(env.Debug, "unheard")
	w.Env().Trace.Event(env.Warn, "leader-elected", env.S("topic", "a b"), env.I("epoch", int32(7)))
	want := "level=WARN msg=leader-elected topic=\"a b\" epoch=7\n"
	if got := log.String(); !strings.HasSuffix(got, want) || strings.Contains(got, "unheard") {
		t.Errorf("logged %q", got)
	}
}

func TestSystemErrorsAreTheSeams(t *testing.T) {
	path := func(err error) error { return &fs.PathError{Op: "write", Path: "f", Err: err} }
	for _, c := range []struct{ err, want error }{
		{diskError(path(syscall.ENOSPC)), env.ErrNoSpace},
		{diskError(path(syscall.EDQUOT)), env.ErrNoSpace},
		{diskError(syscall.EIO), env.ErrIO},
		{diskError(path(syscall.EIO)), syscall.EIO}, // and stay what they are
		{diskError(path(fs.ErrNotExist)), fs.ErrNotExist},
		{netError(syscall.ECONNREFUSED), env.ErrRefused},
		{netError(syscall.EPIPE), env.ErrReset},
		{netError(os.ErrDeadlineExceeded), env.ErrTimeout},
		{netError(syscall.ETIMEDOUT), env.ErrTimeout},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%v is not %v", c.err, c.want)
		}
	}
}

func TestFullDeviceIsNoSpace(t *testing.T) {
	dir := t.TempDir()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Skip(err)
	}
	small := syscall.Rlimit{Cur: 1 << 20, Max: limit.Max}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &small); err != nil {
		t.Skip(err)
	}
	defer func() { _ = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit) }()
	w := open(t, Options{DataDir: dir})
	go w.Run()
	play(t, w, func(task *env.Task) {
		f, err := env.Await2(task, func(done func(env.File, error)) { w.Env().Disk.Open("f", env.Create, done) })
		if err != nil {
			t.Error(err)
			return
		}
		half := make([]byte, 3<<19)
		err = env.Await(task, func(done func(error)) { f.WriteAt([][]byte{half[:10], half}, 0, done) })
		if !errors.Is(err, env.ErrNoSpace) {
			t.Errorf("a write past the limit: %v", err)
		}
		if f.Size() != 1<<20 {
			t.Errorf("size %d after a write that stopped at 1 MiB", f.Size())
		}
	})
}
