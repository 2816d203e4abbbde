package txn

import (
	"fmt"
	"slices"
)

// State of a transactional producer; doc.go lists the transitions.
type State uint8

const (
	Uninitialised State = iota
	Initialising
	Ready
	InTransaction
	Committing
	Aborting
	Abortable
	Fatal
)

func (s State) String() string {
	return [...]string{
		"uninitialised", "initialising", "ready", "in transaction", "committing", "aborting", "abortable", "fatal",
	}[s]
}

// legal transitions, besides those into Fatal.
var legal = [Fatal + 1][]State{
	Uninitialised: {Initialising},
	Initialising:  {Ready},
	Ready:         {InTransaction},
	InTransaction: {Committing, Aborting, Abortable},
	Committing:    {Ready, Initialising, Abortable},
	Abortable:     {Aborting},
	Aborting:      {Ready, Initialising},
}

// enter changes the state.
func (c *Core) enter(s State) {
	if s != Fatal && !slices.Contains(legal[c.state], s) {
		panic(fmt.Sprintf("txn: from %v to %v", c.state, s))
	}
	c.state = s
}
