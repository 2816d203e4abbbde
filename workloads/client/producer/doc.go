// Package producer is the pure core of a producer: records in, Produce requests
// out, answers in, results out. It does no I/O, has no timers (see
// [Core.Deadline]) and draws jitter and sticky partitions from a stream that it
// is given.
//
// A record goes through: partition choice (explicit, murmur2 of the key, or
// sticky, KIP-480 and KIP-794) -> accumulator (one queue of batches per
// partition, linger, batch.size, buffer.memory) -> at most one batch per
// partition in each request to a leader -> answer -> retry, split or result.
//
// # Ordering
//
// As in Kafka without idempotence: with MaxInFlight 1 a partition has at most
// one batch under way and batches keep their order; with more, a batch that is
// retried can land behind its successors. That is legal and the checkers expect
// to see it.
//
// # Outcomes
//
// A [Result] is Failed only if every attempt certainly appended nothing; see
// package attempt.
//
// Imports broker/wire, kmsg, and workloads/client/{attempt,cluster}. Start at
// core.go, then accumulator.go and batch.go.
//
// Rejected: a producer id now. The batch carries producer id, epoch and base
// sequence (all -1), and a batch that was sent once is never re-cut unless the
// broker refused it whole, so that idempotence needs no new structure.
package producer
