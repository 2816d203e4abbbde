package cluster

import (
	"testing"
	"time"

	"odradek/broker/env"
	"odradek/broker/env/envtest"
	"odradek/netsim"
	"odradek/sim"
	"odradek/sim/disk"
)

// world is three hosts for the contract suite; the third has no power.
type world struct {
	k     *sim.Kernel
	hosts []*Host
	envs  []*env.Env
}

func newWorld(seed uint64, net netsim.Config) *world {
	w := &world{k: sim.New(seed)}
	n := netsim.New(w.k, net)
	d := disk.DefaultConfig()
	for _, name := range []string{"a", "b", "silent"} {
		w.hosts = append(w.hosts, NewHost(w.k, n, HostConfig{Name: name, Disk: &d, CPU: DefaultCPU()}))
	}
	w.hosts[2].PowerLoss()
	for i := range 2 {
		w.envs = append(w.envs, nil)
		w.boot(i)
	}
	return w
}

func (w *world) boot(i int) {
	e := w.hosts[i].Boot()
	w.envs[i] = &e
}

func (w *world) Nodes() int         { return 2 }
func (w *world) Env(i int) *env.Env { return w.envs[i] }
func (w *world) Addr(i int) string  { return w.hosts[i].Name() + ":0" }
func (w *world) Silent() string     { return "silent:9092" }
func (w *world) Reproducible() bool { return true }

func (w *world) Run(until func() bool) bool {
	end := w.k.Now().Add(2 * time.Minute)
	for !until() {
		if w.k.Now() > end || !w.k.Step() {
			return false
		}
	}
	return true
}

func (w *world) Do(i int, fn func()) {
	done := false
	w.hosts[i].Do(func() { fn(); done = true })
	w.Run(func() bool { return done })
}

func (w *world) Restart(i int) {
	w.hosts[i].CrashProcess()
	w.boot(i)
}

// TestContract runs the suite that both worlds must pass, with several seeds and
// with a network that cuts everything into small pieces.
func TestContract(t *testing.T) {
	tiny := netsim.DefaultConfig()
	tiny.Window, tiny.MaxChunk, tiny.SplitPerMille = 1000, 130, 500
	for _, c := range []struct {
		name string
		net  netsim.Config
	}{{"usual", netsim.DefaultConfig()}, {"pieces", tiny}} {
		t.Run(c.name, func(t *testing.T) {
			seed := uint64(1)
			envtest.Run(t, func(*testing.T) envtest.World { return newWorld(seed, c.net) })
		})
	}
}
