// Package purgatory holds operations that wait for something to happen to a
// partition (or whatever the keys are), or for their time to run out: a fetch for
// bytes, an acks=all produce for the high watermark, a join for its group.
//
// It is a pure decider: it owns no timer but exposes [Purgatory.Deadline], and calls
// what it was given only inside Watch, Check and Tick. Operations of one key are tried
// in the order in which they came, expiries run in the order of their deadlines, then
// of registration; never in the order of a map.
//
// # Imports
//
// The standard library. Start at purgatory.go.
//
// # Rejected
//
// Kafka's hashed timing wheels pay off with hundreds of thousands of timers and
// lock-free expiry; a heap of pointers does here, and removing an operation that is
// complete is exact, so that nothing has to be purged later.
package purgatory
