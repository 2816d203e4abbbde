package cluster

import (
	"time"

	"odradek/broker/env"
	"odradek/sim"
)

// Cost is the price of a kind of work.
type Cost struct {
	Each  time.Duration // per call
	PerKB time.Duration // per 1024 units, proportionally
}

// CPUModel is what work costs on a machine.
type CPUModel struct {
	Op [env.NumOps]Cost
	// Workers is how many cores compute for env.CPU.Work; 0 means 1.
	Workers int
}

// DefaultCPU is one core of a present server for the loop, and two for the rest.
func DefaultCPU() CPUModel {
	m := CPUModel{Workers: 2}
	m.Op[env.OpRequest] = Cost{Each: 5 * time.Microsecond}
	m.Op[env.OpCopy] = Cost{PerKB: 100 * time.Nanosecond}
	m.Op[env.OpCRC] = Cost{PerKB: 60 * time.Nanosecond}
	m.Op[env.OpCompress] = Cost{Each: 5 * time.Microsecond, PerKB: 3 * time.Microsecond}
	m.Op[env.OpDecompress] = Cost{Each: 2 * time.Microsecond, PerKB: time.Microsecond}
	return m
}

// cost is what n units of op take.
func (m *CPUModel) cost(op env.Op, n, slow int) time.Duration {
	c := &m.Op[op]
	return (c.Each + time.Duration(int64(n)*int64(c.PerKB)/1024)) * time.Duration(slow)
}

// cpu implements env.CPU for one life of a process.
type cpu struct {
	h       *Host
	p       *sim.Proc
	workers []sim.Time // when each is free
}

func newCPU(h *Host, p *sim.Proc) *cpu {
	return &cpu{h: h, p: p, workers: make([]sim.Time, max(h.cfg.CPU.Workers, 1))}
}

// Charge implements env.CPU.
func (c *cpu) Charge(op env.Op, n int) { c.p.Charge(c.h.cfg.CPU.cost(op, n, c.h.slow)) }

// Work implements env.CPU: the worker that is free first takes it.
func (c *cpu) Work(op env.Op, n int, fn, done func()) {
	first := 0
	for i, at := range c.workers {
		if at < c.workers[first] {
			first = i
		}
	}
	start := max(c.p.Now(), c.workers[first])
	c.workers[first] = start.Add(c.h.cfg.CPU.cost(op, n, c.h.slow))
	c.h.k.Schedule(sim.Event{
		At: c.workers[first], Proc: c.p, Kind: c.h.kindWork,
		Do: sim.Func(func() { fn(); done() }),
	})
}
