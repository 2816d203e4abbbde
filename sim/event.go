package sim

// Event is a plan: at an instant, run Do.
type Event struct {
	At Time
	// Proc is the process whose code Do is; nil for what the world does.
	Proc *Proc
	// Node is where it happens; taken from Proc if there is one.
	Node Node
	Kind Kind
	// Digest stands for what the event carries (bytes, a result).
	Digest uint64
	Do     Action
	// Arg is handed to Do, so that one long-lived Action can serve many events
	// without a closure for each.
	Arg uint64
}

// Action is what an event does.
type Action interface{ Run(arg uint64) }

// Func is an Action that ignores its argument.
type Func func()

// Run calls the function.
func (f Func) Run(uint64) { f() }

// slot is an event in the slab.
type slot struct {
	id, cause uint64
	digest    uint64
	arg       uint64
	do        Action
	proc      *Proc
	node      Node
	gen       uint32 // counts the uses of this slot
	kind      Kind
	state     slotState
}

// A slot goes idle -> queued -> (waiting ->) idle; cancelled instead of queued or
// waiting until it is met and released.
type slotState uint8

const (
	idle slotState = iota
	queued
	waiting // in the backlog of its process
	cancelled
)

// Handle refers to a planned event. The zero value refers to none.
type Handle struct {
	k    *Kernel
	slot uint32
	gen  uint32
}

// Pending reports whether the event has neither run nor been stopped.
func (h Handle) Pending() bool {
	if h.k == nil {
		return false
	}
	s := &h.k.slab[h.slot]
	return s.gen == h.gen && (s.state == queued || s.state == waiting) && (s.proc == nil || !s.proc.dead)
}

// Stop cancels the event: once it has returned, the event will not run. It
// reports whether the event was still pending.
func (h Handle) Stop() bool {
	if !h.Pending() {
		return false
	}
	s := &h.k.slab[h.slot]
	if s.state == queued {
		h.k.dead++
	}
	s.state = cancelled
	s.do = nil
	h.k.sweep()
	return true
}
