package sim

import (
	"time"

	"odradek/broker/env"
)

// Proc is one life of the process on a simulated machine: a single event loop.
//
// States: running -> dead, by Kill; running <-> paused, by Pause and Resume. A
// running process is busy until the end of the computing time its callbacks have
// charged. Events that come while it is paused or busy form the backlog and run in
// the order in which they came. A pause takes hold after the callback under way,
// including the time it has charged.
type Proc struct {
	k         *Kernel
	node      Node
	tasks     *env.Tasks
	busyUntil Time
	backlog   fifo
	draining  bool // a drain event is planned
	paused    bool
	dead      bool
	reap      bool // killed from its own code: end the tasks when that returns
}

// NewProc starts a life on a node.
func (k *Kernel) NewProc(node Node) *Proc {
	return &Proc{k: k, node: node, tasks: env.NewTasks()}
}

// Kernel is the simulation the process lives in.
func (p *Proc) Kernel() *Kernel { return p.k }

// Node is where the process lives.
func (p *Proc) Node() Node { return p.node }

// Tasks are the coroutines of this life.
func (p *Proc) Tasks() *env.Tasks { return p.tasks }

// Alive reports whether Kill has not been called.
func (p *Proc) Alive() bool { return !p.dead }

// Paused reports whether the process is held back by Pause.
func (p *Proc) Paused() bool { return p.paused }

// Busy reports whether the process is still computing at this instant.
func (p *Proc) Busy() bool { return p.k.now < p.busyUntil }

// Backlog is how many events wait for the process.
func (p *Proc) Backlog() int { return p.backlog.len() }

// Now is the process's instant: the kernel's, plus what the running callback has
// charged so far. What a callback does, it does at this instant.
func (p *Proc) Now() Time { return max(p.k.now, p.busyUntil) }

// Charge makes the process compute for d (>= 0, else ignored).
func (p *Proc) Charge(d time.Duration) {
	if d > 0 {
		p.busyUntil = p.Now().Add(d)
	}
}

// Kill ends the life: nothing that belongs to it ever runs again. Called from the
// process's own code it takes effect at once for everything but the code on the
// stack, which runs to its end without reaching the world.
func (p *Proc) Kill() {
	if p.dead {
		return
	}
	p.dead = true
	for p.backlog.len() > 0 {
		p.k.release(p.backlog.pop())
	}
	if p.k.running == p {
		p.reap = true
		return
	}
	p.tasks.Kill()
}

// Pause holds back all events until Resume, as SIGSTOP or a long collection of
// garbage does.
func (p *Proc) Pause() { p.paused = true }

// Resume ends a pause. Events held back run now, in order.
func (p *Proc) Resume() {
	p.paused = false
	p.scheduleDrain()
}

// Post plans an event of the process for as soon as it is free, after everything
// that already waits for it.
func (p *Proc) Post(kind Kind, do Action, arg uint64) Handle {
	if p.dead {
		return Handle{}
	}
	h := p.k.place(&Event{Proc: p, Node: p.node, Kind: kind, Do: do, Arg: arg}, waiting)
	p.backlog.push(h.slot)
	p.scheduleDrain()
	return h
}

// Deliver runs code of the process as part of the world's event being executed,
// if the process is free; otherwise the code joins the backlog as an event. It
// saves the second event of "bytes arrived" and "process notices".
func (p *Proc) Deliver(kind Kind, do Action, arg uint64) {
	switch {
	case p.dead:
	case p.k.running != nil || !p.k.inStep || p.mustWait():
		p.Post(kind, do, arg)
	default:
		p.run(do, arg)
	}
}

func (p *Proc) mustWait() bool {
	return p.paused || p.k.now < p.busyUntil || p.backlog.len() > 0
}

func (p *Proc) run(do Action, arg uint64) {
	p.k.running = p
	do.Run(arg)
	p.k.running = nil
	if p.reap {
		p.reap = false
		p.tasks.Kill()
	}
}

// next takes the first event of the backlog that may run now.
func (p *Proc) next() (uint32, bool) {
	p.draining = false
	if p.paused {
		return 0, false // Resume plans the drain again
	}
	if p.k.now < p.busyUntil {
		p.scheduleDrain()
		return 0, false
	}
	for p.backlog.len() > 0 {
		n := p.backlog.pop()
		if p.k.slab[n].state == cancelled {
			p.k.release(n)
			continue
		}
		return n, true
	}
	return 0, false
}

// scheduleDrain plans to take the next event from the backlog as soon as the
// process is free.
func (p *Proc) scheduleDrain() {
	if p.draining || p.paused || p.dead || p.backlog.len() == 0 {
		return
	}
	p.draining = true
	p.k.Schedule(Event{At: p.Now(), Proc: p, Kind: kindDrain})
}

// fifo is a queue of slots that keeps its memory.
type fifo struct {
	slots []uint32
	head  int
}

func (f *fifo) len() int { return len(f.slots) - f.head }

func (f *fifo) push(n uint32) { f.slots = append(f.slots, n) }

func (f *fifo) pop() uint32 {
	n := f.slots[f.head]
	f.head++
	switch {
	case f.head == len(f.slots):
		f.slots, f.head = f.slots[:0], 0
	case f.head >= 64 && f.head*2 >= len(f.slots):
		f.slots = f.slots[:copy(f.slots, f.slots[f.head:])]
		f.head = 0
	}
	return n
}
