package sim

import (
	"math/rand/v2"
	"time"
)

// Kernel is one simulation: its queue of events, clock, streams and trace. It is
// used by one goroutine; kernels share nothing.
type Kernel struct {
	seed    uint64
	now     Time
	seq     uint64
	queue   queue
	slab    []slot
	free    []uint32
	dead    int // entries of the queue known to be cancelled
	tie     *rand.PCG
	streams map[string]*rand.Rand
	nodes   []string

	trace   trace
	running *Proc  // whose code is on the stack
	stepID  uint64 // event being executed, 0 between steps
	inStep  bool
	current Record // of that event, for panics and hooks
	ends    []deferred
	onStep  []func(Record)
	steps   uint64
}

// Node names where an event happens, for the trace. 0 is the world.
type Node int32

// World is the node of what happens to no machine in particular.
const World Node = 0

// New returns a simulation at time 0 with nothing to do.
func New(seed uint64) *Kernel {
	k := &Kernel{
		seed:    seed,
		tie:     rand.NewPCG(seed, HashString("tie")),
		streams: make(map[string]*rand.Rand),
		nodes:   []string{"world"},
	}
	k.trace.init(seed)
	return k
}

// Seed is what everything is drawn from.
func (k *Kernel) Seed() uint64 { return k.seed }

// Now is the time of the event being executed, or of the last one.
func (k *Kernel) Now() Time { return k.now }

// Steps counts the events executed.
func (k *Kernel) Steps() uint64 { return k.steps }

// Pending is an upper bound of the number of events waiting: cancelled ones count
// until they are swept.
func (k *Kernel) Pending() int { return k.queue.len() }

// NewNode adds a node to the trace.
func (k *Kernel) NewNode(name string) Node {
	k.nodes = append(k.nodes, name)
	return Node(len(k.nodes) - 1)
}

// NodeName is the name given to NewNode.
func (k *Kernel) NodeName(n Node) string { return k.nodes[n] }

// OnStep calls fn after every event, for checkers of invariants. It costs nothing
// while there is none.
func (k *Kernel) OnStep(fn func(Record)) { k.onStep = append(k.onStep, fn) }

// Schedule plans an event and returns its handle. An instant in the past is
// taken as now; an event of a dead process is dropped.
func (k *Kernel) Schedule(ev Event) Handle {
	if p := ev.Proc; p != nil {
		if p.dead {
			return Handle{}
		}
		ev.Node = p.node
	}
	h := k.place(&ev, queued)
	k.queue.push(entry{at: max(ev.At, k.now), key: k.tie.Uint64()&^(1<<seqBits-1) | k.seq, slot: h.slot})
	return h
}

// After plans an event of the world d from now.
func (k *Kernel) After(d time.Duration, node Node, kind Kind, fn func()) Handle {
	return k.Schedule(Event{At: k.now.Add(max(d, 0)), Node: node, Kind: kind, Do: Func(fn)})
}

// place puts an event into the slab.
func (k *Kernel) place(ev *Event, state slotState) Handle {
	k.seq++
	var n uint32
	if last := len(k.free) - 1; last >= 0 {
		n = k.free[last]
		k.free = k.free[:last]
	} else {
		n = uint32(len(k.slab))
		k.slab = append(k.slab, slot{gen: 1})
	}
	s := &k.slab[n]
	s.state = state
	s.id, s.cause = k.seq, k.stepID
	s.proc, s.node, s.kind, s.digest = ev.Proc, ev.Node, ev.Kind, ev.Digest
	s.do, s.arg = ev.Do, ev.Arg
	return Handle{k: k, slot: n, gen: s.gen}
}

func (k *Kernel) release(n uint32) {
	s := &k.slab[n]
	s.state = idle
	s.gen++
	s.proc, s.do = nil, nil
	k.free = append(k.free, n)
}

// Step executes the next event. It reports whether there was one.
func (k *Kernel) Step() bool { return k.step(Forever) }

// RunUntil executes everything up to and including t, and sets the clock to t.
func (k *Kernel) RunUntil(t Time) {
	for k.step(t) {
	}
	k.now = max(k.now, t)
}

// RunFor is RunUntil d from now.
func (k *Kernel) RunFor(d time.Duration) { k.RunUntil(k.now.Add(d)) }

func (k *Kernel) step(limit Time) bool {
	for k.queue.len() > 0 && k.queue.first().at <= limit {
		e := k.queue.pop()
		s := &k.slab[e.slot]
		p := s.proc
		if s.state == cancelled || p != nil && p.dead {
			if s.state == cancelled {
				k.dead--
			}
			k.release(e.slot)
			continue
		}
		if e.at < k.now {
			panic("sim: time runs backwards")
		}
		k.now = e.at
		if p == nil {
			k.execute(e.slot)
			return true
		}
		if s.kind == kindDrain {
			k.release(e.slot)
			n, ok := p.next()
			if !ok {
				continue
			}
			k.execute(n)
			p.scheduleDrain()
			return true
		}
		if p.mustWait() {
			s.state = waiting
			p.backlog.push(e.slot)
			p.scheduleDrain()
			continue
		}
		k.execute(e.slot)
		return true
	}
	return false
}

// execute runs the event in slot n as one step.
func (k *Kernel) execute(n uint32) {
	s := &k.slab[n]
	p, do, arg := s.proc, s.do, s.arg
	rec := &k.current
	*rec = Record{ID: s.id, Cause: s.cause, At: k.now, Node: s.node, Kind: s.kind, Digest: s.digest}
	k.release(n)
	k.steps++
	k.trace.event(rec)
	if k.trace.recorder != nil {
		k.trace.recorder.Record(k, rec)
	}
	k.stepID = rec.ID
	k.inStep = true
	defer k.explain()
	if p == nil {
		do.Run(arg)
	} else {
		p.run(do, arg)
	}
	for i := 0; i < len(k.ends); i++ { // an end may add another
		d := k.ends[i]
		k.ends[i] = deferred{}
		d.do.Run(d.arg)
	}
	k.ends = k.ends[:0]
	for _, fn := range k.onStep {
		fn(k.current)
	}
	k.inStep = false
	k.stepID = 0
}

type deferred struct {
	do  Action
	arg uint64
}

// AtStepEnd runs do when the event being executed has run, still as part of it:
// the place to act once on what a callback did piecemeal. Between steps it becomes
// an event of its own.
func (k *Kernel) AtStepEnd(do Action, arg uint64) {
	if !k.inStep {
		k.Schedule(Event{At: k.now, Kind: kindStepEnd, Do: do, Arg: arg})
		return
	}
	k.ends = append(k.ends, deferred{do, arg})
}

// Running is the process whose code is on the stack, nil between callbacks.
func (k *Kernel) Running() *Proc { return k.running }

// sweepFrom is how many events must be cancelled for a sweep: a heap that small is as fast.
const sweepFrom = 64

// sweep forgets cancelled events once they are most of the queue: time-outs that
// are nearly always cancelled would otherwise pile up until their time.
func (k *Kernel) sweep() {
	if k.dead < sweepFrom || k.dead < k.queue.len()/2 {
		return
	}
	k.queue.prune(func(n uint32) bool {
		s := &k.slab[n]
		if s.state == cancelled || s.proc != nil && s.proc.dead {
			k.release(n)
			return false
		}
		return true
	})
	k.dead = 0
}
