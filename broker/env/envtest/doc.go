// Package envtest is the contract of the seam (broker/env) as a test suite. Both
// worlds run it: [Run] takes a factory of small worlds and judges them by what
// the docs of broker/env promise, and nothing else.
//
// Each test is a conversation on the nodes' loops, written in sequence as
// coroutines (script.go). Read it as the specification: loop.go, clock.go,
// task.go, net*.go, disk*.go, other.go.
//
// # Imports
//
// broker/env, go-cmp and the standard library, but not os, net, goroutines or
// time.Sleep: the suite is bound by the determinism rules of the broker, because
// in the simulation it is a part of the run.
//
// # Rejected
//
// A table of expectations per implementation: where the two worlds differ, either
// the contract says less than the test, or one of them is wrong. The few honest
// differences are methods of [World].
package envtest
