package simulated

import (
	"time"

	"odradek/broker/env"
	"odradek/sim"
)

// process is one life of a process, priced: its loop, and the threads around it that read
// and write sockets and files. Each computes on the cores of its machine.
//
// The loop is the sim.Proc that the program knows. The threads are another, which is never
// busy, so that bytes come and go while the loop computes.
type process struct {
	k       *sim.Kernel
	loop    *sim.Proc
	threads *sim.Proc
	cores   *cores
	costs   *Costs
	network *Network
	kinds   *kinds
	count   *counts
	spent   *time.Duration // of computing time, by all processes of the side
	// serves tells brokers from clients.
	serves bool
}

type kinds struct{ read, write, work, dial, accept sim.Kind }

func newKinds(k *sim.Kernel) *kinds {
	return &kinds{read: k.Kind("bench-read"), write: k.Kind("bench-write"), work: k.Kind("bench-work"), dial: k.Kind("bench-dial"), accept: k.Kind("bench-accept")}
}

// counts are what a simulation counts exactly, of brokers only unless stated.
type counts struct {
	requests    map[int16]int64 // by API
	answers     int64           // received by whoever asked: round trips
	reads       int64           // that ended: wake-ups of readers
	writes      int64           // of sockets
	copied      int64           // bytes, from socket buffers apart
	checksummed int64           // bytes
}

// charge makes the loop compute for d.
func (p *process) charge(d time.Duration) {
	if d <= 0 {
		return
	}
	*p.spent += d
	now := p.loop.Now()
	p.loop.Charge(p.cores.reserve(now, d).Sub(now))
}

// thread has a thread compute for d, beginning now, and returns when it is done.
func (p *process) thread(d time.Duration) sim.Time {
	*p.spent += d
	return p.cores.reserve(p.k.Now(), d)
}

// at plans an event of the loop or of the threads.
func (p *process) at(t sim.Time, proc *sim.Proc, kind sim.Kind, fn func()) {
	p.k.Schedule(sim.Event{At: t, Proc: proc, Kind: kind, Do: sim.Func(fn)})
}

// Charge implements env.CPU.
func (p *process) Charge(op env.Op, n int) {
	if op == env.OpRequest {
		return // priced by its API, where its frame is read
	}
	p.count.work(op, n)
	p.charge(p.costs.work(op, n))
}

// work counts what is done on the loop and off it.
func (c *counts) work(op env.Op, n int) {
	switch op {
	case env.OpCopy:
		c.copied += int64(n)
	case env.OpCRC:
		c.checksummed += int64(n)
	}
}

// work is the price of what may also be done off the loop.
func (c *Costs) work(op env.Op, n int) time.Duration {
	switch op {
	case env.OpCompress:
		return c.Compress.of(n)
	case env.OpDecompress:
		return c.Decompress.of(n)
	case env.OpCRC:
		return c.Checksum.of(n)
	}
	return c.Copy.of(n)
}

// Work implements env.CPU.
func (p *process) Work(op env.Op, n int, fn, done func()) {
	p.count.work(op, n)
	p.at(p.loop.Now(), p.threads, p.kinds.work, func() {
		p.at(p.thread(p.costs.work(op, n)), p.loop, p.kinds.work, func() { fn(); done() })
	})
}
