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
// Without idempotence, as in Kafka: with MaxInFlight 1 a partition has at most
// one batch under way and batches keep their order; with more, a batch that is
// retried can land behind its successors. That is legal and the checkers expect
// to see it.
//
// # Idempotence
//
// With Config.Idempotent every batch gets a producer id, an epoch and sequence numbers
// when it is first sent, and keeps them for all attempts, so that the broker appends it
// once. Rules (the Java client's since 2.5, KIP-360, except as noted):
//
//   - Up to five requests are in flight. A batch that must be sent again waits until it
//     is the first in line of its partition; the broker refuses what comes too early
//     (OUT_OF_ORDER_SEQUENCE_NUMBER), which is no more than a retry.
//   - Nothing new is sent while the batch MaxInFlight places before it in the partition
//     has no result, on whatever connection that is, so that a retry is always among the
//     five that brokers remember. (Java counts requests by connection only; after a
//     leader change new batches may go on while an old one hangs.)
//   - DUPLICATE_SEQUENCE_NUMBER is success; the offset is not known.
//   - A batch that ends without success leaves a gap. If the broker certainly does not
//     have it, the numbers of its partition start again under the next epoch as soon as
//     nothing is on the wire. If it may have it (a delivery time-out, say), the
//     partition first finishes what has numbers, which shows whether there is a gap.
//   - An epoch is bumped locally, for all partitions; each takes it up when none of its
//     batches are left under the old one. After the last epoch a new id is asked for.
//   - OUT_OF_ORDER_SEQUENCE_NUMBER for the batch that is next, and UNKNOWN_PRODUCER_ID,
//     mean that the log lost records (an unclean election, say): also a new epoch.
//   - Batches queued behind a gap get new numbers only if every attempt for them was
//     certainly refused. Java renumbers them all; but one whose answer was lost may be
//     in the log under its old number, or get there from a connection that was given up,
//     and would then be there twice. Here it ends with ErrSequenceGap, outcome unknown.
//
// So an idempotent producer never causes a second copy of a record whatever happens,
// as long as brokers keep its state (producer.id.expiration.ms).
//
// A transactional producer has its id and epoch from package txn, which also says when
// partitions may be written to (transaction.go), and instead of starting again after a
// gap the transaction is aborted.
//
// # Outcomes
//
// A [Result] is Failed only if every attempt certainly appended nothing; see
// package attempt.
//
// Imports broker/wire, kmsg, and workloads/client/{attempt,cluster}. Start at
// core.go, then accumulator.go, batch.go and identity.go.
//
// Rejected: deciding about sequence numbers in the accumulator, as Java does; and
// marking each record with its number, since a batch is what is sent and lost.
package producer
