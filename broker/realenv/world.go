package realenv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"odradek/broker/env"
	"odradek/broker/failpoint"
)

// Options say where and how a node lives.
type Options struct {
	// DataDir is the root of the node's disk. It is made if it is missing, and
	// locked: one process at a time.
	DataDir string
	// Log gets the node's events as lines of text; nil drops them.
	Log io.Writer
	// Level is the lowest level that is logged.
	Level env.Level
	// DiskThreads is how many threads change files at once, and as many read;
	// 0 is 8. Syncs wait for the device, so more than cores make sense.
	DiskThreads int

	// serial, if not nil, is held while callbacks run: envtest's rule that
	// callbacks of different nodes never run at the same time.
	serial sync.Locker
}

// World is one node's world: its env.Env and the loop that runs its callbacks.
//
// States: open -> running, by Run; running -> stopped, by Stop or Close; open ->
// stopped, by Stop or Close; stopped -> closed, by Close. Callbacks run only while
// running.
type World struct {
	env  env.Env
	loop *loop
	root *os.Root // the data directory
	lock *os.File

	writes, reads, compute *pool
	tree                   lane

	// Loop.
	conns     map[*conn]struct{}
	listeners map[*listener]struct{}
	files     map[*file]struct{}
	inodes    map[inodeID]*inode
	freeOps   []*op
	away      away
	blind     bool // nobody can tell what the page cache has

	dials  context.Context // ended by Close
	cancel context.CancelFunc
	// threads counts the goroutines of the network.
	threads sync.WaitGroup

	mu      sync.Mutex
	running bool
	ended   chan struct{} // closed when Run has returned, or never will run
	closed  bool
}

// Open makes the world of one node. It arms the failpoints that the environment
// variable GO_FAILPOINTS names, as "name=terms;name=terms". The error is a
// [*LockedError] if another process has the data directory.
func Open(o Options) (*World, error) {
	dir, err := filepath.Abs(o.DataDir) // whoever changes directory must not move us
	if err != nil {
		return nil, err
	}
	fail := &failpoint.Registry{}
	if err := armFailpoints(fail, os.Getenv("GO_FAILPOINTS")); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("data directory: %w", err)
	}
	threads := o.DiskThreads
	if threads <= 0 {
		threads = 8
	}
	loop, err := newLoop(o.serial)
	if err != nil {
		_ = lock.Close()
		_ = root.Close()
		return nil, err
	}
	w := &World{
		loop:      loop,
		root:      root,
		lock:      lock,
		writes:    newPool(threads),
		reads:     newPool(threads),
		compute:   newPool(runtime.GOMAXPROCS(0)),
		conns:     make(map[*conn]struct{}),
		listeners: make(map[*listener]struct{}),
		files:     make(map[*file]struct{}),
		inodes:    make(map[inodeID]*inode),
		ended:     make(chan struct{}),
	}
	w.tree.pool = w.writes
	w.dials, w.cancel = context.WithCancel(context.Background())
	w.env = env.Env{
		Clock: clock{w.loop},
		Net:   network{w},
		Disk:  disk{w},
		CPU:   cpu{w},
		Rand:  newStreams(),
		Trace: newTracer(o.Log, o.Level),
		Fail:  fail,
		Tasks: env.NewTasks(),
	}
	return w, nil
}

// Env is the seam. Before Run only the caller of Open may use it, afterwards only
// callbacks.
func (w *World) Env() *env.Env { return &w.env }

// Post runs fn on the loop, after what is queued there. It may be called from any
// goroutine; once the world has stopped, fn is dropped.
func (w *World) Post(fn func()) { w.loop.post(call(fn)) }

// Run runs the loop on the calling goroutine until Stop or Close. It is called at
// most once.
func (w *World) Run() {
	w.mu.Lock()
	if w.running {
		w.mu.Unlock()
		panic("realenv: Run called twice")
	}
	if w.loop.stopping() {
		w.mu.Unlock()
		return
	}
	w.running = true
	w.mu.Unlock()
	defer close(w.ended)
	w.loop.run()
	w.loop.exclusively(w.env.Tasks.Kill)
}

// Stop ends Run soon: the running callback is the last. It may be called from any
// goroutine, and from callbacks.
func (w *World) Stop() { w.loop.stop() }

// Close stops the world and lets go of everything: connections are closed,
// submitted changes of files are finished, the data directory is unlocked. When it
// returns, no goroutine of the world is left. It must not be called from a
// callback. Closing twice is allowed.
func (w *World) Close() error {
	w.loop.stop()
	w.mu.Lock()
	running, closed := w.running, w.closed
	w.closed = true
	w.mu.Unlock()
	if running {
		<-w.ended
	}
	if closed {
		return nil
	}
	w.env.Tasks.Kill() // again, or for the first time if the loop never ran
	w.cancel()
	for l := range w.listeners {
		l.Close()
	}
	for c := range w.conns {
		c.Close()
	}
	w.threads.Wait()
	w.compute.stop(false)
	w.writes.stop(true)
	w.reads.stop(true)
	w.loop.close()
	var errs []error
	for f := range w.files {
		errs = append(errs, f.discard())
	}
	return errors.Join(append(errs, w.root.Close(), w.lock.Close())...)
}
