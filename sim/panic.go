package sim

import (
	"fmt"
	"runtime/debug"
)

// Panic is what a panic in a callback becomes: the same value, with when and
// where it happened.
type Panic struct {
	Value any
	Event Record
	// Node and Kind are the names in Event.
	Node, Kind string
	Seed       uint64
	// Stack is the stack of the panicking callback. A coroutine's own frames are
	// not on it.
	Stack []byte
}

// Error is one line, and then the stack.
func (p *Panic) Error() string {
	return fmt.Sprintf("seed %d: panic at %s on %s in event #%d (%s): %v\n%s",
		p.Seed, p.Event.At, p.Node, p.Event.ID, p.Kind, p.Value, p.Stack)
}

// Unwrap gives the value if it was an error.
func (p *Panic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// explain is deferred around every event.
func (k *Kernel) explain() {
	if !k.inStep {
		return // the event ended in the ordinary way
	}
	v := recover()
	if v == nil {
		return // runtime.Goexit, as testing.T.FailNow does
	}
	if p, ok := v.(*Panic); ok {
		panic(p)
	}
	panic(&Panic{
		Value: v, Event: k.current, Seed: k.seed, Stack: debug.Stack(),
		Node: k.nodes[k.current.Node], Kind: k.trace.names[k.current.Kind],
	})
}
