package envtest

import (
	"testing"

	"odradek/broker/env"
)

// World is two or more nodes that can reach each other, each with a disk that is
// empty at first, and whoever drives their loops.
//
// Scripts on several nodes share variables with each other and with the
// conditions of [World.Run]. So at no time may two of these run: a callback of any
// node, a function given to Do, a condition given to Run.
type World interface {
	// Nodes is how many nodes there are, at least 2.
	Nodes() int
	// Env is what node i sees in its present life.
	Env(i int) *env.Env
	// Addr is an address with port 0 ("host:0") at which node i may listen.
	Addr(i int) string
	// Silent is an address at which nobody answers a dial, neither by accepting
	// nor by refusing. Empty if the world has none.
	Silent() string
	// Reproducible says that two worlds made by the same factory have equal
	// random streams.
	Reproducible() bool
	// Run lets time pass until the condition holds, and reports false if it did
	// not within a generous deadline (at least a minute of the world's time if
	// that is simulated, 10 s of it if not).
	Run(until func() bool) bool
	// Do runs fn on node i's loop and returns when it has.
	Do(i int, fn func())
	// Restart crashes the process of node i and starts a new life of it on the
	// same machine. The disk stays, everything else of the old life is over when
	// Restart returns.
	Restart(i int)
}

// Run judges the worlds that newWorld makes; each test gets one of its own, or
// several. Clean-up is the factory's business (t.Cleanup).
func Run(t *testing.T, newWorld func(t *testing.T) World) {
	groups := []struct {
		name  string
		tests []test
	}{
		{"Loop", loopTests},
		{"Clock", clockTests},
		{"Tasks", taskTests},
		{"Net", netTests},
		{"Stream", streamTests},
		{"Disk", diskTests},
		{"File", fileTests},
		{"Other", otherTests},
	}
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			for _, c := range g.tests {
				t.Run(c.name, func(t *testing.T) {
					c.run(&suite{T: t, World: newWorld(t), another: func() World { return newWorld(t) }})
				})
			}
		})
	}
}

// test is one sentence of the contract.
type test struct {
	name string
	run  func(*suite)
}

// suite is what one test works with.
type suite struct {
	*testing.T
	World
	another func() World
	open    int // scripts that have not ended
}
