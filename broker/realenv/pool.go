package realenv

import (
	"sync"

	"odradek/broker/env"
)

// job is something that a thread of a pool does.
type job interface{ do() }

// pool is a fixed number of threads that do jobs in the order in which they were
// submitted, several at once.
type pool struct {
	mu      sync.Mutex
	ready   sync.Cond
	jobs    []job
	head    int // jobs[:head] are taken
	stopped bool
	threads sync.WaitGroup
}

func newPool(threads int) *pool {
	p := &pool{}
	p.ready.L = &p.mu
	for range threads {
		p.threads.Go(p.work)
	}
	return p
}

func (p *pool) submit(j job) {
	p.mu.Lock()
	if p.head > 0 && len(p.jobs) == cap(p.jobs) { // or it would grow while it is never empty
		n := copy(p.jobs, p.jobs[p.head:])
		clear(p.jobs[n:])
		p.jobs, p.head = p.jobs[:n], 0
	}
	p.jobs = append(p.jobs, j)
	p.mu.Unlock()
	p.ready.Signal()
}

func (p *pool) work() {
	for {
		p.mu.Lock()
		for p.head == len(p.jobs) && !p.stopped {
			p.ready.Wait()
		}
		if p.head == len(p.jobs) {
			p.mu.Unlock()
			return
		}
		j := p.jobs[p.head]
		p.jobs[p.head] = nil
		p.head++
		if p.head == len(p.jobs) {
			p.jobs, p.head = p.jobs[:0], 0
		}
		p.mu.Unlock()
		j.do()
	}
}

// stop ends the threads and waits for them. Jobs that nobody has begun are done
// first, or dropped.
func (p *pool) stop(finish bool) {
	p.mu.Lock()
	p.stopped = true
	if !finish {
		p.jobs, p.head = nil, 0
	}
	p.mu.Unlock()
	p.ready.Broadcast()
	p.threads.Wait()
}

// cpu is env.CPU: charging is free, the machine takes the time itself.
type cpu struct{ w *World }

func (cpu) Charge(env.Op, int) {}

func (c cpu) Work(_ env.Op, _ int, fn func(), done func()) {
	c.w.compute.submit(&work{c.w.loop, fn, done})
}

// work is a job, then an event.
type work struct {
	loop *loop
	fn   func()
	then func()
}

func (k *work) do() {
	k.fn()
	k.loop.post(k)
}

func (k *work) fire() { k.then() }
