package cluster

import (
	"math/rand/v2"
	"time"

	"odradek/broker/env"
	"odradek/broker/failpoint"
	"odradek/netsim"
	"odradek/sim"
	"odradek/sim/disk"
)

// HostConfig says what a machine is like.
type HostConfig struct {
	// Name is its host name, its name in the trace and the prefix of its random
	// streams.
	Name string
	// Disk is nil for a machine without one, such as a client's; its env.Env then
	// has no Disk.
	Disk *disk.Config
	CPU  CPUModel
	// Trace is the lowest level that is recorded.
	Trace env.Level
}

// Host is a simulated machine. Its process is off until Boot.
//
// States: off -> running, by Boot; running -> off, by CrashProcess; any -> off
// without power, by PowerLoss, which Boot ends.
type Host struct {
	// Fail is armed by fault plans; it survives reboots.
	Fail *failpoint.Registry
	// Clock is the machine's clock, for faults.
	Clock *sim.MachineClock
	// Disk is nil if the machine has none.
	Disk *disk.Device
	// NIC is the machine's end of the network.
	NIC *netsim.Host

	k        *sim.Kernel
	cfg      HostConfig
	node     sim.Node
	proc     *sim.Proc
	life     int
	slow     int // factor of computing time
	random   *rand.Rand
	resume   sim.Handle
	kindWork sim.Kind
}

// NewHost builds a machine and connects it to the network.
func NewHost(k *sim.Kernel, n *netsim.Network, cfg HostConfig) *Host {
	node := k.NewNode(cfg.Name)
	h := &Host{
		Fail: new(failpoint.Registry), Clock: sim.NewMachineClock(k), NIC: n.NewHost(cfg.Name, node),
		k: k, cfg: cfg, node: node, slow: 1, random: k.Stream("host/" + cfg.Name), kindWork: k.Kind("work"),
	}
	if cfg.Disk != nil {
		h.Disk = disk.New(k, cfg.Name, node, *cfg.Disk)
	}
	return h
}

// Name is the host name.
func (h *Host) Name() string { return h.cfg.Name }

// Node is the machine in the trace.
func (h *Host) Node() sim.Node { return h.node }

// Running reports whether there is a process (paused or not).
func (h *Host) Running() bool { return h.proc != nil }

// Life counts the boots so far.
func (h *Host) Life() int { return h.life }

// Proc is the present process, nil when off.
func (h *Host) Proc() *sim.Proc { return h.proc }

// Boot starts a new life of the process, and the machine if it was without power.
// It panics if a process is running. The caller then runs the program in events
// of the process; Start does both.
func (h *Host) Boot() env.Env {
	if h.proc != nil {
		panic("cluster: " + h.cfg.Name + " is already running")
	}
	h.NIC.PowerOn()
	h.life++
	h.proc = h.k.NewProc(h.node)
	h.note("host-boot", env.I("life", h.life))
	e := env.Env{
		// Instants of two lives, or of two machines, must not look alike.
		Clock: h.Clock.Clock(h.proc, env.Time(h.random.Int64N(int64(1000*time.Hour)))),
		Net:   h.NIC.Attach(h.proc),
		CPU:   newCPU(h, h.proc),
		Rand:  sim.Streams{Kernel: h.k, Prefix: h.cfg.Name + "/"},
		Trace: sim.Tracer{Kernel: h.k, Node: h.node, Min: h.cfg.Trace},
		Fail:  h.Fail,
		Tasks: h.proc.Tasks(),
	}
	if h.Disk != nil {
		e.Disk = h.Disk.Attach(h.proc)
	}
	return e
}

// Start boots the host and runs program as the first event of the new process.
func (h *Host) Start(program func(env.Env)) {
	e := h.Boot()
	h.proc.Post(h.k.Kind("host-start"), sim.Func(func() { program(e) }), 0)
}

// Do runs fn as an event of the present process, as soon as it is free; it reports
// whether there is one.
func (h *Host) Do(fn func()) bool {
	if h.proc == nil {
		return false
	}
	h.proc.Post(h.k.Kind("host-do"), sim.Func(fn), 0)
	return true
}

// CrashProcess kills the process, as kill -9 does: the operating system lives on,
// with the page cache, and closes its sockets. It does nothing when off. It is
// also how a process exits that has closed everything itself.
func (h *Host) CrashProcess() {
	if h.kill("host-process-crash") {
		h.NIC.ProcessCrash()
		if h.Disk != nil {
			h.Disk.ProcessCrash()
		}
	}
}

// PowerLoss switches the machine off: what was not synced may be lost. When only
// the process was off, the page cache is lost all the same.
func (h *Host) PowerLoss() {
	if !h.NIC.Up() {
		return
	}
	if !h.kill("host-power-loss") {
		h.note("host-power-loss")
	}
	h.NIC.PowerLoss()
	if h.Disk != nil {
		h.Disk.PowerLoss()
	}
}

func (h *Host) kill(kind string) bool {
	if h.proc == nil {
		return false
	}
	h.note(kind, env.I("life", h.life))
	p := h.proc
	h.proc = nil
	h.resume.Stop()
	p.Kill()
	return true
}

// Pause stops the process for d, as a collection of garbage or a frozen virtual
// machine does; d <= 0 is until Resume. Pausing again replaces the end. The
// operating system goes on: it acknowledges bytes, and disks finish.
func (h *Host) Pause(d time.Duration) {
	if h.proc == nil {
		return
	}
	h.note("host-pause", env.I("ns", d))
	h.resume.Stop()
	h.proc.Pause()
	if d > 0 {
		h.resume = h.k.After(d, h.node, h.k.Kind("host-pause-over"), h.Resume)
	}
}

// Resume ends a pause.
func (h *Host) Resume() {
	if h.proc == nil || !h.proc.Paused() {
		return
	}
	h.note("host-resume")
	h.resume.Stop()
	h.proc.Resume()
}

// SetSlow multiplies the computing time that work takes by factor; 1 is normal.
func (h *Host) SetSlow(factor int) { h.slow = max(factor, 1) }

func (h *Host) note(kind string, attrs ...env.Attr) {
	h.k.Note(h.node, env.Info, h.k.Kind(kind), attrs...)
}
