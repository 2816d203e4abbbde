package cluster

import (
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
	// Disk is nil for a machine without one, such as a client's.
	Disk *disk.Config
	CPU  CPUModel
	// Trace is the lowest level that is recorded.
	Trace env.Level
}

// Host is a simulated machine. Its process is off until Boot.
//
// States: off -> running, by Boot; running -> off, by CrashProcess and PowerLoss.
type Host struct {
	// Fail is armed by fault plans; it survives reboots.
	Fail *failpoint.Registry
	// Clock is the machine's clock, for faults.
	Clock *sim.MachineClock
	// Disk is nil if the machine has none.
	Disk *disk.Device
	NIC  *netsim.Host
}

// NewHost builds a machine and connects it to the network.
func NewHost(k *sim.Kernel, n *netsim.Network, cfg HostConfig) *Host { panic("not yet") }

// Name is the host name.
func (h *Host) Name() string { panic("not yet") }

// Node is the machine in the trace.
func (h *Host) Node() sim.Node { panic("not yet") }

// Boot starts a new life of the process, and the machine if it was without power.
// It panics if a process is running. The caller then starts the program, in
// an event of the process: see Start.
func (h *Host) Boot() env.Env { panic("not yet") }

// Start boots the host and runs program as the first event of the new process.
func (h *Host) Start(program func(env.Env)) { panic("not yet") }

// Running reports whether there is a process (paused or not).
func (h *Host) Running() bool { panic("not yet") }

// Life counts the boots so far.
func (h *Host) Life() int { panic("not yet") }

// Proc is the present process, nil when off.
func (h *Host) Proc() *sim.Proc { panic("not yet") }

// CrashProcess kills the process, as kill -9 does: the operating system lives on,
// with the page cache. It does nothing when off.
func (h *Host) CrashProcess() { panic("not yet") }

// PowerLoss switches the machine off: what was not synced may be lost. When only
// the process was off, the page cache is lost all the same.
func (h *Host) PowerLoss() { panic("not yet") }

// Pause stops the process for d, as a collection of garbage or a frozen virtual
// machine does; d <= 0 is until Resume. Pausing again replaces the end.
func (h *Host) Pause(d time.Duration) { panic("not yet") }

// Resume ends a pause.
func (h *Host) Resume() { panic("not yet") }
