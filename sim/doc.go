// Package sim is the kernel of the deterministic simulation: one queue of
// events, a virtual clock, named random streams and the trace. Everything that
// happens in a simulated cluster happens in one [Kernel.Step], in an order that
// is a pure function of the seed.
//
// # Order
//
// Events are ordered by (time, tie-break, sequence). The tie-break is drawn from
// the seed, so that nothing comes to depend on two things that happen at the
// same nanosecond happening in the order in which somebody planned them.
//
// # Processes
//
// A [Proc] is one life of the process on a simulated machine. Events that run
// its code belong to it: killing it drops them, pausing it holds them back, and
// while it is busy (a callback charged computing time) they wait, in the order
// of their arrival. Events of the world (bytes arriving, a disk finishing, a
// fault) belong to no process.
//
// # Trace
//
// Every event has an id, the id of its cause (the event during which it was
// scheduled), a node, a kind and a digest of what it carries. All of that feeds
// a rolling hash, [Kernel.Hash]: two runs are the same run if it is equal. The
// last events are kept for error stories; a [Recorder] gets all of them.
//
// # Imports
//
// The standard library and broker/env. Start reading at kernel.go, then proc.go.
//
// # Rejected
//
// A timing wheel pops faster than the heap in queue.go, but must sort each slot
// by tie-break and is several times the code; the heap is not what a simulation
// spends its time on. Goroutines with a scheduler in between would hand the order of
// events to the Go runtime, or cost a hand-over per event. Calling back into a
// process directly, without an event, would make "never inside the registering
// call" a matter of luck.
package sim
