package realenv

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"odradek/broker/env"
	"odradek/broker/env/envtest"
)

func TestContract(t *testing.T) {
	envtest.Run(t, func(t *testing.T) envtest.World { return newTestWorld(t, 2) })
}

// testWorld is several nodes in one process. Its mutex is held by whatever callback
// runs.
type testWorld struct {
	t     *testing.T
	mu    sync.Mutex
	nodes []*World
	dirs  []string
}

func newTestWorld(t *testing.T, nodes int) *testWorld {
	w := &testWorld{t: t, nodes: make([]*World, nodes)}
	for i := range nodes {
		w.dirs = append(w.dirs, t.TempDir())
		w.open(i)
	}
	t.Cleanup(func() {
		for i := range nodes {
			w.close(i)
		}
	})
	return w
}

func (w *testWorld) open(i int) {
	w.t.Helper()
	n, err := Open(Options{DataDir: w.dirs[i], serial: &w.mu})
	if err != nil {
		w.t.Fatal(err)
	}
	w.nodes[i] = n
	go n.Run()
}

func (w *testWorld) close(i int) {
	w.t.Helper()
	if err := w.nodes[i].Close(); err != nil {
		w.t.Errorf("close of node %d: %v", i, err)
	}
}

func (w *testWorld) Nodes() int         { return len(w.nodes) }
func (w *testWorld) Env(i int) *env.Env { return w.nodes[i].Env() }
func (w *testWorld) Addr(int) string    { return "127.0.0.1:0" }
func (w *testWorld) Reproducible() bool { return false }
func (w *testWorld) Silent() string     { return silentAddr(w.t) }

func (w *testWorld) Run(until func() bool) bool {
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		w.mu.Lock()
		holds := until()
		w.mu.Unlock()
		if holds {
			return true
		}
		time.Sleep(50 * time.Microsecond)
	}
	return false
}

func (w *testWorld) Do(i int, fn func()) {
	done := make(chan struct{})
	w.nodes[i].Post(func() { defer close(done); fn() })
	<-done
}

func (w *testWorld) Restart(i int) {
	w.close(i)
	w.open(i)
}

// silentAddr is a socket that listens but never accepts, with its backlog full: the
// kernel drops what else knocks.
func silentAddr(t *testing.T) string {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	to := name.(*unix.SockaddrInet4)
	for range 4 {
		knock, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.SetNonblock(knock, true); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(knock) })
		_ = unix.Connect(knock, to) // under way for ever
	}
	return netip.AddrPortFrom(netip.AddrFrom4(to.Addr), uint16(to.Port)).String()
}
