// Package invariant checks what must hold of a simulated cluster at every step,
// seen from outside and with perfect knowledge.
//
// The harness tells the checkers of every change, as plain values: [Replication]
// gets each partition as the controller sees it ([Partition]) and each replica
// ([Replica]) whenever it changed, with what happened to its log since
// ([Change]); [Quorum] gets each member of the metadata quorum ([Member]) and each
// vote as it is answered ([Vote]). Every call returns the invariants that do not
// hold (any more), and costs a few map look-ups and binary searches, whatever the
// length of the logs: only the partition that changed is looked at.
//
// Two logs are compared by digest. Each batch extends its log's digest by its
// offsets, epoch and CRC, so equal digests at an offset mean equal logs up to
// there. What any replica has below its high watermark is committed, and kept as
// the partition's one true history ([Replication.Excuse] cuts it when the fault
// plan allows a loss).
//
// It imports the ids of broker/wire only. Start at violation.go, then lineage.go.
//
// # Rejected
//
// Reading the broker's own structures: a bug in the code that keeps them would
// hide itself. Comparing whole logs after every step: quadratic in the length of a
// run. Checking compacted partitions: their batches differ between replicas.
package invariant
