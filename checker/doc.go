// Package checker is the root of what judges a run. It holds no code.
//
//   - checker/history: black box. Clients record what they asked and what they
//     were told; anomalies are found in that record alone, so the same checks run
//     in simulation and against real machines.
//   - checker/linear: black box. Whether the acknowledged appends of one partition
//     and exact reads of its end are linearizable, decided twice, independently.
//   - checker/register: black box. Whether committed offsets, configs and producer
//     epochs are linearizable, each a small register.
//   - checker/invariant: white box, simulation only. Invariants over the state of
//     all nodes, fed with plain values after every step that changes them.
//
// All of it is deterministic and imports nothing of the broker beyond the
// identifiers of broker/wire: the harness hands over plain values, so that a bug
// of the broker cannot hide itself in the code that looks for it.
//
// # The rules
//
// Findings cite the guarantee they break, or that allows them, by number:
//
//	 1  in a partition offset order is log order; an offset never changes its record
//	 2  consumers get committed records only (below the high watermark)
//	 3  acks=0: no promise
//	 4  acks=1: an acknowledged record may be lost only if the leader failed before
//	    it was replicated
//	 5  acks=all: an acknowledged record survives while one in-sync replica does
//	 6  acks=all with min.insync.replicas m: no acknowledgement unless m replicas
//	    have the record
//	 8  unclean election off: no leader from outside the ISR (or ELR). On: 5 and 6
//	    are void, but a consumer that knows epochs is told of a truncation
//	 9  idempotent producer: one copy of each record, in the order of sending
//	10  otherwise duplicates are legal, and reordering with several requests in
//	    flight
//	11  transactions: all or nothing across partitions and offsets; not isolated
//	    from one another otherwise
//	12  transactional.id: a producer that initialises finishes the transaction of
//	    the one before it, and fences it
//	13  read_committed: no aborted or open record is delivered, nothing at or past
//	    the last stable offset, which is the end then
//	14  read_uncommitted: aborted records are visible, below the high watermark
//	15  every transaction ends, by its coordinator's time-out if need be
//	16  group: one current member at most owns a partition; what comes from an old
//	    generation, member or instance is refused
//	17  commit after processing: at least once; in the transaction that holds the
//	    output: exactly once
//	18  a committed offset is the last successful commit, also after a fail-over
//	19  compaction keeps the last value of each key and never reorders; tombstones
//	    stay for delete.retention.ms
//	20  the latest offset never goes back before the eyes of a client (KIP-207)
//	21  records that were not flushed may be lost if all in-sync replicas lose
//	    power together
//
// Every checker has a test with a planted history or mutation that makes it fire,
// and one with a clean history that does not.
package checker
